{{/*
The embedded platform (practicus_mfa/cli/up.py) in one pod, for trying out: SQLite on a volume, local processes in place
of Jobs, and the login service. Nothing of it asks the cluster; what it is to do stands in a values.yaml, as on a laptop.
*/}}

{{- define "practicus-mfa.embedded" -}}
{{- if dig "database" "embedded" "enabled" false .Values.AsMap -}}true{{- end -}}
{{- end }}

{{- define "practicus-mfa.embeddedValues" -}}
{{- $values := .Values.AsMap -}}
{{- $login := omit (include "practicus-mfa.loginConfig" . | fromYaml) "listen" "metricsAddress" -}}
{{- $tree := dict "database" (dict "embedded" (dict "enabled" true)) "login" $login -}}
{{- range $name := list "userLogin" "secretStore" "migration" -}}
{{- $_ := set $tree $name (get $values $name | default dict) -}}
{{- end -}}
{{- /* JSON is YAML that every parser reads alike: "y" and "0129" are not text to all of them. */}}
{{- toPrettyJson $tree -}}
{{- end }}

{{/* What makes no sense beside it, in the words of practicus_mfa/core/parse/values.py where that judges it too. */}}
{{- define "practicus-mfa.embeddedFaults" -}}
{{- if include "practicus-mfa.embedded" . }}
{{- $values := .Values.AsMap }}
{{- $database := dig "database" dict $values }}
{{- $login := dig "login" dict $values }}
{{- range $name := list "existingSecret" "url" }}
{{- if get $database $name }}
database.embedded.enabled: given beside {{ $name }}; keep one of them: there is one database
{{- end }}
{{- end }}
{{- if dig "login" "existingSecret" "" $database }}
database.login.existingSecret: given beside database.embedded; leave it out: SQLite has no roles
{{- end }}
{{- if dig "secretStore" "existingSecret" "" $values }}
secretStore.existingSecret: the embedded platform reads no Secret; give the keys here, or a database in database.url
{{- end }}
{{- if and (not (kindIs "invalid" $login.enabled)) (not $login.enabled) }}
login.enabled: the embedded platform is reached by its login service alone; leave this out
{{- end }}
{{- /* 2 is the chart's own default, which can't be told from one that somebody wrote. */}}
{{- if gt (dig "replicas" 2 $login | int64) 2 }}
login.replicas: the embedded platform is one pod; leave this out, or give a database in database.url
{{- end }}
{{- if dig "autoscaling" "enabled" false $login }}
login.autoscaling.enabled: the embedded platform is one pod; leave this out, or give a database in database.url
{{- end }}
{{- range $name := list "podMonitor" "prometheusRule" "dashboard" }}
{{- if dig "metrics" $name "enabled" false $values }}
metrics.{{ $name }}.enabled: the embedded platform has no metrics; leave this out, or give a database in database.url
{{- end }}
{{- end }}
{{- if not (regexMatch `^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$` (dig "embedded" "size" "1Gi" $database | default "1Gi")) }}
database.embedded.size: not a size; write it as Kubernetes does, for example 1Gi
{{- end }}
{{- end }}
{{- end }}
