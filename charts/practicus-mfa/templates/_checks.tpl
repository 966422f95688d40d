{{/*
What the schema can't judge, in the words of practicus_mfa/core/parse and crypto/keys.py. All faults are told at
once; no value is quoted, for it may be a key or a database URL with its password. What two right keys mean together
depends on what the system holds: that is the operator's to judge, and the MfaPolicy's condition KeysValid says it.
*/}}

{{- define "practicus-mfa.check" -}}
{{- $faults := include "practicus-mfa.faults" . | trim -}}
{{- if $faults -}}
{{- $told := printf "the values can't be used; nothing was changed\n%s" $faults -}}
{{- fail $told -}}
{{- /* `helm lint` goes on after that, and would find nothing wrong: what is not there ends it, told by its name. */}}
{{- include $told . -}}
{{- end -}}
{{- end }}

{{- define "practicus-mfa.faults" -}}
{{- $values := .Values.AsMap -}}
{{- $store := dig "secretStore" dict $values -}}
{{- $database := dig "database" dict $values -}}
{{- /* Not by the schema: who leaves out a space, {activeKey:…}, has made a name of it, which Helm would print. */}}
{{- range list
  (list "secretStore" $store "activeKey, existingSecret, rollingKey")
  (list "database" $database "embedded, existingSecret, existingSecretKey, login, url")
  (list "database.embedded" (dig "embedded" dict $database) "enabled, size, storageClass")
  (list "database.login" (dig "login" dict $database) "existingSecret")
}}
{{- $place := first . }}
{{- $known := last . }}
{{- range $name, $_ := index . 1 }}
{{- if not (has $name (splitList ", " $known)) }}
{{ $place }}.{{ include "practicus-mfa.shown" $name }}: unknown; known here: {{ $known }}
{{- end }}
{{- end }}
{{- end }}
{{- $active := $store.activeKey | default "" }}
{{- $rolling := $store.rollingKey | default "" }}
{{- $existing := $store.existingSecret | default "" }}
{{- if and $existing (or $active $rolling) }}
secretStore.existingSecret: given beside a key; keep the keys in one place: empty activeKey and rollingKey, or existingSecret
{{- end }}
{{- if and (dig "userLogin" "mfa" "enabled" true $values) (not $active) (not $existing) }}
{{- if $rolling }}
secretStore.activeKey is empty, rollingKey is not: at a first install put the key in activeKey; else put the active key back, or make one with `practicus-mfa keys generate`.
{{- else }}
secretStore.activeKey is empty: make a key with `practicus-mfa keys generate` and put it there, or name a Secret in secretStore.existingSecret.
{{- end }}
{{- end }}
{{- range $name, $key := dict "activeKey" $active "rollingKey" $rolling }}
{{- if $key }}
{{- with include "practicus-mfa.keyFault" $key }}
secretStore.{{ $name }} {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- range $path, $name := dict
  "secretStore.existingSecret" $existing
  "database.existingSecret" ($database.existingSecret | default "")
  "database.login.existingSecret" (dig "login" "existingSecret" "" $database)
}}
{{- if not (regexMatch "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$" ($name | default "")) }}
{{ $path }}: not the name of a Kubernetes object; it has lower-case letters, digits, '-' and '.', and begins and ends with one of the first two
{{- end }}
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9_.-]{0,253}$" ($database.existingSecretKey | default "")) }}
database.existingSecretKey: not the name of an entry of a Secret; it has letters, digits, '-', '_' and '.'
{{- end }}
{{- if and $database.url $database.existingSecret }}
database.url: given beside existingSecret; keep one of them: there is one database
{{- end }}
{{- if $database.url }}
{{- with include "practicus-mfa.urlFault" (trim $database.url) }}
database.url can't be used: {{ . }}. Give it as postgresql://USER:PASSWORD@HOST:PORT/NAME.
{{- end }}
{{- end }}
{{- include "practicus-mfa.embeddedFaults" . }}
{{- $remember := dig "userLogin" "rememberMe" dict $values }}
{{- if and (dig "enabled" true $remember) (lt (int64 (dig "days" 30 $remember)) 1) }}
userLogin.rememberMe.days: too small; the least is 1; to switch it off, write userLogin.rememberMe.enabled: false
{{- end }}
{{- $migration := dig "migration" dict $values }}
{{- $ids := dict "migration.allowReverse" ($migration.allowReverse | default "") }}
{{- range $index, $table := $migration.tables | default list }}
{{- $_ := set $ids (printf "migration.tables[%d].readyForKeyID" $index) ($table.readyForKeyID | default "") }}
{{- $_ := set $ids (printf "migration.tables[%d].doneWithKeyID" $index) ($table.doneWithKeyID | default "") }}
{{- end }}
{{- range $path, $id := $ids }}
{{- if not (regexMatch "^([0-9a-f]{12})?$" $id) }}
{{ $path }}: not a key ID; a key ID has 12 lower-case hex digits, practicus-mfa keys list shows them
{{- end }}
{{- end }}
{{- $namespaces := dig "operator" "watchNamespaces" list $values }}
{{- if and $namespaces (not (has .Release.Namespace $namespaces)) }}
operator.watchNamespaces: {{ .Release.Namespace }} is not among them, so nobody would serve this release's MfaPolicy; add it
{{- end }}
{{- if not (regexMatch `^(https?://[!-~]+)?$` (dig "metrics" "prometheusRule" "runbookUrl" "" $values | default "" | trim)) }}
metrics.prometheusRule.runbookUrl: not an address; write it whole, for example https://wiki.example.com/mfa
{{- end }}
{{- $volumes := list }}
{{- range $values.extraVolumes }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- range $index, $mount := $values.extraVolumeMounts }}
{{- if not (has $mount.name $volumes) }}
extraVolumeMounts[{{ $index }}].name: no volume of that name is in extraVolumes; add it there
{{- end }}
{{- end }}
{{- include "practicus-mfa.loginFaults" . }}
{{- if and (dig "networkPolicy" "enabled" false $values) $database.url }}
{{- $ports := list }}
{{- range dig "networkPolicy" "database" "ports" (list 5432) $values }}
{{- $ports = append $ports (int64 . | toString) }}
{{- end }}
{{- if not (has (include "practicus-mfa.urlPort" (trim $database.url)) $ports) }}
networkPolicy.database.ports: the port of database.url is not among them; add it
{{- end }}
{{- end }}
{{- end }}

{{/* A name as a message may show it: a key in the place of a name is longer than any of ours. */}}
{{- define "practicus-mfa.shown" -}}
{{- if regexMatch "^[A-Za-z0-9_.-]{1,40}$" . -}}{{ . }}{{- else -}}(not shown){{- end -}}
{{- end }}

{{/* What keeps a text from being base64, nothing where it is: the most likely slip first. */}}
{{- define "practicus-mfa.textFault" -}}
{{- if eq . "" -}}
is empty
{{- else if ne . (trim . ) -}}
{{ if trim . }}has white space around it{{ else }}is nothing but white space{{ end }}
{{- else if regexMatch "^[\"'`‘’“”]|[\"'`‘’“”]$" . -}}
has quotes around it
{{- else if regexMatch `[\s\v\x85\p{Z}]` . -}}
has white space inside
{{- else if regexMatch `[^A-Za-z0-9_+/=-]` . -}}
is not base64: character {{ regexFind `^[A-Za-z0-9_+/=-]*` . | len | add1 }} is not of its alphabet
{{- else if not (regexMatch `^([A-Za-z0-9_-]*|[A-Za-z0-9+/]*)={0,2}$` .) -}}
is not base64: it mixes the two alphabets or has '=' before its end
{{- else if mod (len .) 4 -}}
is not base64: it has {{ len . }} characters, not a multiple of 4 (is its end missing?)
{{- end -}}
{{- end }}

{{/* What keeps a text from being a Fernet key, with the remedy; nothing where it is one. */}}
{{- define "practicus-mfa.keyFault" -}}
{{- $remedy := "Make a key with `practicus-mfa keys generate` and give it exactly as printed." -}}
{{- $fault := include "practicus-mfa.textFault" . -}}
{{- if $fault -}}
{{ $fault }}. {{ $remedy }}
{{- else -}}
{{- $standard := . | replace "-" "+" | replace "_" "/" -}}
{{- $raw := b64dec $standard -}}
{{- $inner := trim $raw -}}
{{- $twice := false -}}
{{- if not (include "practicus-mfa.textFault" $inner) -}}
{{- $innerStandard := $inner | replace "-" "+" | replace "_" "/" -}}
{{- $innerRaw := b64dec $innerStandard -}}
{{- $twice = and (eq (len $innerRaw) 32) (eq (b64enc $innerRaw) $innerStandard) -}}
{{- end -}}
{{- if ne (b64enc $raw) $standard -}}
is not canonical base64: its last character is wrong. {{ $remedy }}
{{- else if $twice -}}
is encoded with base64 twice. Give the key as `practicus-mfa keys generate` prints it.
{{- else if ne (len $raw) 32 -}}
decodes to {{ len $raw }} bytes, a Fernet key has 32. {{ $remedy }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* SQLAlchemy's form of a URL: scheme, port and the database's name are its groups. */}}
{{- define "practicus-mfa.urlForm" -}}
(?s)^([\w+]+)://(?:[^:/]*(?::[^@]*)?@)?(?:\[[^/?]+\]|[^/:?]+)?(?::([^/?]*))?(?:/([^?]*))?(?:\?.*)?$
{{- end }}

{{/* The port of a database's URL, the usual one where it names none. */}}
{{- define "practicus-mfa.urlPort" -}}
{{- $form := include "practicus-mfa.urlForm" . -}}
{{- if regexMatch $form . -}}
{{ regexReplaceAll $form . "${2}" | default "5432" }}
{{- end -}}
{{- end }}

{{/* What keeps a text from being a database's URL; nothing where it is one. */}}
{{- define "practicus-mfa.urlFault" -}}
{{- $form := include "practicus-mfa.urlForm" . -}}
{{- if not (regexMatch $form .) -}}
it has no form of a URL
{{- else -}}
{{- $scheme := regexReplaceAll $form . "${1}" -}}
{{- $port := regexReplaceAll $form . "${2}" -}}
{{- $name := regexReplaceAll $form . "${3}" -}}
{{- if not (regexMatch "^[0-9]*$" $port) -}}
its port is not a number
{{- else if has $scheme (list "sqlite" "sqlite+pysqlite") -}}
{{- if has $name (list "" ":memory:") -}}
SQLite needs a file that several processes can open
{{- end -}}
{{- else if not (has $scheme (list "postgres" "postgresql" "postgresql+psycopg")) -}}
it is neither SQLite nor PostgreSQL
{{- else if regexMatch "^[^:]+://[^:/@]*((:[^@]*)?@[^/?]*|:[^@]*@[^?]*)@" . -}}
its password has an @, which is written %40 there
{{- else if not $name -}}
it names no database
{{- end -}}
{{- end -}}
{{- end }}
