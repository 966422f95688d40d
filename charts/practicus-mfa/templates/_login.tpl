{{/* Whether there is a login service: where nobody says, a host is what says so; the embedded platform always has one. */}}
{{- define "practicus-mfa.runsLogin" -}}
{{- $login := .Values.login | default dict -}}
{{- if kindIs "invalid" $login.enabled -}}
{{- if include "practicus-mfa.loginHost" . -}}true{{- end -}}
{{- else if $login.enabled -}}
true
{{- end -}}
{{- end }}

{{/* The host as it was written; to try it out, a forwarded port of the loopback address is enough. */}}
{{- define "practicus-mfa.loginHost" -}}
{{ dig "host" "" (.Values.login | default dict) | default (ternary "127.0.0.1:8080" "" (eq "true" (include "practicus-mfa.embedded" .))) }}
{{- end }}

{{- define "practicus-mfa.login" -}}
{{ .Release.Name }}-login
{{- end }}

{{- define "practicus-mfa.loginLabels" -}}
{{ include "practicus-mfa.labels" . }}
app.kubernetes.io/component: login
{{- end }}

{{- define "practicus-mfa.loginServiceAccount" -}}
{{- $account := dig "serviceAccount" dict (.Values.login | default dict) -}}
{{- if dig "create" true $account -}}
{{ $account.name | default (include "practicus-mfa.login" .) }}
{{- else -}}
{{ $account.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "practicus-mfa.loginAccount" -}}
{{- $login := .Values.login | default dict -}}
{{- if dig "serviceAccount" "create" true $login }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "practicus-mfa.loginServiceAccount" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "practicus-mfa.loginLabels" . | nindent 4 }}
  {{- with dig "serviceAccount" "annotations" dict $login }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
{{- end }}
{{- end }}

{{/* The host as DNS knows it: an Ingress and an HTTPRoute have no port there. */}}
{{- define "practicus-mfa.loginHostname" -}}
{{ include "practicus-mfa.loginHost" . | trim | lower | splitList ":" | first }}
{{- end }}

{{/* Where browsers find it (practicus_mfa/core/login/config.py: origin). */}}
{{- define "practicus-mfa.loginOrigin" -}}
{{- $local := has (include "practicus-mfa.loginHostname" .) (list "127.0.0.1" "localhost") -}}
{{- $usual := ternary ":80" ":443" $local -}}
{{ ternary "http" "https" $local }}://{{ include "practicus-mfa.loginHost" . | trim | lower | trimSuffix $usual }}
{{- end }}

{{/* The login service's configuration: practicus_mfa/web/config.py reads it. */}}
{{- define "practicus-mfa.loginConfig" -}}
{{- $login := .Values.login | default dict -}}
{{- dict
  "host" (include "practicus-mfa.loginHost" .)
  "cookieDomain" ($login.cookieDomain | default "")
  "trustedProxies" ($login.trustedProxies | default list)
  "access" ($login.access | default list)
  "settingsPage" ($login.settingsPage | default "edit")
  "outageGraceSeconds" (dig "outageGraceSeconds" 30 $login | int64)
  "branding" ($login.branding | default dict)
  "listen" "0.0.0.0:8080"
  "metricsAddress" "0.0.0.0:9465"
| toYaml -}}
{{- end }}

{{/* The Secret with the login service's URL of the database, and its entry. */}}
{{- define "practicus-mfa.loginDatabase" -}}
{{- $database := .Values.database | default dict -}}
{{- $own := dig "login" "existingSecret" "" $database -}}
{{- $common := $database.existingSecret | default "" -}}
secretName: {{ $own | default $common | default (printf "%s-database" .Release.Name) | quote }}
items:
  - key: {{ if or $own $common }}{{ $database.existingSecretKey | default "url" | quote }}{{ else }}url{{ end }}
    path: url
{{- end }}
