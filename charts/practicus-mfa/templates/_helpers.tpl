{{/* All names begin with the release's name, as the MfaPolicy's is: the embedded platform names things likewise. */}}

{{- define "practicus-mfa.labels" -}}
app.kubernetes.io/name: practicus-mfa
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "practicus-mfa.operatorLabels" -}}
{{ include "practicus-mfa.labels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "practicus-mfa.operator" -}}
{{ .Release.Name }}-operator
{{- end }}

{{- define "practicus-mfa.serviceAccount" -}}
{{- $account := .Values.serviceAccount | default dict -}}
{{- if dig "create" true $account -}}
{{ $account.name | default (include "practicus-mfa.operator" .) }}
{{- else -}}
{{ $account.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "practicus-mfa.image" -}}
{{- $image := .Values.image | default dict -}}
{{- if $image.digest -}}
{{ $image.repository | default "practicus/practicus-mfa" }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository | default "practicus/practicus-mfa" }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "practicus-mfa.secretStore" -}}
{{ dig "secretStore" "existingSecret" "" .Values.AsMap | default (printf "%s-secret-store" .Release.Name) }}
{{- end }}

{{/* The ID of a key (practicus_mfa/crypto/keys.py): a hash over a fixed label and the 32 bytes. */}}
{{- define "practicus-mfa.keyID" -}}
{{- $raw := . | replace "-" "+" | replace "_" "/" | b64dec -}}
{{ printf "practicus-mfa/fernet-key/v1:%s" $raw | sha256sum | trunc 12 }}
{{- end }}

{{/* The operator's configuration: practicus_mfa/reconciler/cluster/config.py reads it. */}}
{{- define "practicus-mfa.operatorConfig" -}}
{{- $operator := .Values.operator | default dict -}}
{{- $job := dict
  "image" (include "practicus-mfa.image" .)
  "imagePullPolicy" (dig "image" "pullPolicy" "IfNotPresent" .Values.AsMap)
  "imagePullSecrets" (.Values.imagePullSecrets | default list)
  "nodeSelector" (.Values.nodeSelector | default dict)
  "tolerations" (.Values.tolerations | default list)
  "affinity" (.Values.affinity | default dict)
  "priorityClassName" (.Values.priorityClassName | default "")
  "podLabels" (.Values.podLabels | default dict)
  "podAnnotations" (.Values.podAnnotations | default dict)
  "securityContext" (include "practicus-mfa.podUser" . | fromYaml)
  "volumes" (.Values.extraVolumes | default list)
  "volumeMounts" (.Values.extraVolumeMounts | default list)
-}}
{{- if $operator.watchNamespaces -}}
{{- $_ := set $job "serviceAccountName" (printf "%s-migration" .Release.Name) -}}
{{- end -}}
{{- range $name, $value := $operator.jobTemplate | default dict -}}
{{- $_ := set $job $name $value -}}
{{- end -}}
{{- $config := dict
  "watchNamespaces" ($operator.watchNamespaces | default list)
  "leaseNamespace" .Release.Namespace
  "metricsAddress" "0.0.0.0:9464"
  "resyncSeconds" (dig "resyncSeconds" 60 $operator)
  "jobTemplate" $job
-}}
{{- if include "practicus-mfa.keepsDefinition" . -}}
{{- $definition := dict "file" "/etc/practicus-mfa/mfapolicies.yaml" -}}
{{- if not (dig "crds" "keep" true .Values.AsMap) -}}
{{- $_ := set $definition "owner" (include "practicus-mfa.clusterRole" .) -}}
{{- end -}}
{{- $_ := set $config "definition" $definition -}}
{{- end -}}
{{ toYaml $config }}
{{- end }}

{{/* Whether the operator brings the definition of MfaPolicy up to date. */}}
{{- define "practicus-mfa.keepsDefinition" -}}
{{- if and (dig "crds" "enabled" true .Values.AsMap) (not (dig "operator" "watchNamespaces" list .Values.AsMap)) -}}
true
{{- end -}}
{{- end }}

{{/* Of objects outside of namespaces: two releases of one name may live in two namespaces. */}}
{{- define "practicus-mfa.clusterRole" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}-operator
{{- end }}
