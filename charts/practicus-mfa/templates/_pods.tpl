{{/* What the pods of the operator and of the login service have in common. */}}

{{- define "practicus-mfa.podSettings" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- /* With containerSecurity below: the Pod Security Standard "restricted". */}}
securityContext:
  runAsNonRoot: true
  {{- with include "practicus-mfa.podUser" . | fromYaml }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if include "practicus-mfa.embedded" . }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* As whom pods run: the user that the image was made for, unless another is named or none. */}}
{{- define "practicus-mfa.podUser" -}}
{{- $given := .Values.podSecurityContext -}}
{{- if kindIs "invalid" $given -}}
{{- $given = dict "runAsUser" 10001 "runAsGroup" 10001 "fsGroup" 10001 -}}
{{- end -}}
{{- range $name, $value := $given }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ int64 $value }}
{{- end }}
{{- end }}
{{- end }}

{{- define "practicus-mfa.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Of the pod of `helm test`. */}}
{{- define "practicus-mfa.testLabels" -}}
{{ include "practicus-mfa.labels" . }}
app.kubernetes.io/component: test
{{- end }}
