{{/*
What of `login` the schema can't judge, in the words of practicus_mfa/core/parse/login.py: a mistake is told before
anything is changed, and not by pods that don't start. What only the product knows (which domains are public suffixes)
it judges at the start. None of these values is a secret, all the same none is quoted.
*/}}

{{- define "practicus-mfa.loginFaults" -}}
{{- $values := .Values.AsMap -}}
{{- $login := dig "login" dict $values -}}
{{- $label := `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?` -}}
{{- $dns := printf `%s(\.%s)*` $label $label -}}
{{- $host := include "practicus-mfa.loginHost" . | trim | lower -}}
{{- $hostname := include "practicus-mfa.loginHostname" . -}}
{{- $port := regexFind `:[0-9]+$` $host | trimPrefix ":" -}}
{{- if and (include "practicus-mfa.runsLogin" .) (not $host) }}
login.host: missing; write it, for example login.host: login.example.com, or leave the service out with login.enabled: false
{{- end }}
{{- if and $host (or (not (regexMatch (printf `^%s(:[1-9][0-9]{0,4})?$` $dns) $host)) (gt (int64 ($port | default "0")) 65535)) }}
login.host: not a host; write a host as browsers know it, for example login.example.com
{{- end }}
{{- with $login.cookieDomain | default "" | trim | lower | trimPrefix "." }}
{{- if or (not (regexMatch (printf `^%s$` $dns) .)) (regexMatch `(^|\.)[0-9]+$` .) }}
login.cookieDomain: not a domain; write a domain, for example example.com
{{- else if and $host (ne $hostname .) (not (hasSuffix (printf ".%s" .) $hostname)) }}
login.cookieDomain: no parent of login.host; name a parent of the host: browsers refuse any other
{{- end }}
{{- end }}
{{- range $index, $network := $login.trustedProxies | default list }}
{{- $network = trim $network }}
{{- $byte := `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])` }}
{{- $four := printf `%s(\.%s){3}` $byte $byte }}
{{- $is4 := regexMatch (printf `^%s(/([0-9]|[12][0-9]|3[0-2]|%s))?$` $four $four) $network }}
{{- $is6 := regexMatch `^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?$` $network }}
{{- if not (or $is4 $is6) }}
login.trustedProxies[{{ $index }}]: not a network; write an address or a network, for example 10.0.0.0/8
{{- else if regexMatch `/(0|0\.0\.0\.0)$` $network }}
login.trustedProxies[{{ $index }}]: everybody; name the proxies: whoever is trusted can speak for any client
{{- end }}
{{- end }}
{{- $last := $login.access | default list | len | add -1 }}
{{- range $number, $rule := $login.access | default list }}
{{- $at := printf "login.access[%d]" $number }}
{{- $rule = $rule | default dict }}
{{- if and (lt $number (int $last)) (not (or $rule.hosts $rule.paths $rule.groups)) }}
{{ $at }}: fits everything before its end; name hosts, paths or groups, or put it last: the first rule that fits decides
{{- end }}
{{- range $index, $name := $rule.hosts }}
{{- if not (regexMatch (printf `^(\*\.)?%s$` $dns) (trim $name | lower)) }}
{{ $at }}.hosts[{{ $index }}]: not a host; write app.example.com or *.example.com
{{- end }}
{{- end }}
{{- range $index, $path := $rule.paths }}
{{- $segment := `[^/%?#*;\\\x00-\x1f\x7f]+` }}
{{- if or (not (regexMatch (printf `^/(%s/)*(\*|%s)?$` $segment $segment) $path)) (regexMatch `/\.\.?(/|$)` $path) }}
{{ $at }}.paths[{{ $index }}]: not a path; write it decoded and from its root: /admin, or /admin/* for all below it
{{- end }}
{{- end }}
{{- range $index, $group := $rule.groups }}
{{- if not (regexMatch `^[A-Za-z0-9._-]{1,64}$` $group) }}
{{ $at }}.groups[{{ $index }}]: not a group's name; a group's name has up to 64 letters, digits, dots, hyphens and underscores
{{- end }}
{{- end }}
{{- end }}
{{- $branding := $login.branding | default dict }}
{{- range $name := list "title" "issuer" }}
{{- if not (regexMatch `^[^\x00-\x1f\x7f]{0,100}$` (get $branding $name | default "" | trim)) }}
login.branding.{{ $name }}: not a name; it has one line of at most 100 characters
{{- end }}
{{- end }}
{{- range $name := list "logoUrl" "helpUrl" }}
{{- if not (regexMatch `^(https?://[!-~]+|/[!-~]*|mailto:[!-~]+)?$` (get $branding $name | default "" | trim)) }}
login.branding.{{ $name }}: not an address; write it whole, for example https://help.example.com/mfa
{{- end }}
{{- end }}
{{- include "practicus-mfa.loginPlaceFaults" . }}
{{- end }}

{{/* How the login service is run and reached: what only the chart knows. */}}
{{- define "practicus-mfa.loginPlaceFaults" -}}
{{- $login := dig "login" dict .Values.AsMap -}}
{{- $database := dig "database" dict .Values.AsMap -}}
{{- $runs := include "practicus-mfa.runsLogin" . -}}
{{- $local := has (include "practicus-mfa.loginHostname" .) (list "127.0.0.1" "localhost") -}}
{{- if and $runs (not (or $database.url $database.existingSecret (include "practicus-mfa.embedded" .))) }}
login: needs a database, and none is named; give database.url or database.existingSecret
{{- end }}
{{- if and $runs (not (regexMatch `^[a-z]([a-z0-9-]*[a-z0-9])?$` .Release.Name)) }}
login: a release of this name can't have it, a Service is called after it; choose a name of letters, digits and '-' that begins with a letter
{{- end }}
{{- range $name := list "ingress" "httpRoute" "traefikMiddleware" }}
{{- if dig $name "enabled" false $login }}
{{- if not $runs }}
login.{{ $name }}.enabled: there is no login service; give login.host, or switch this off
{{- else if $local }}
login.{{ $name }}.enabled: nobody else reaches the loopback address; give the host that browsers know in login.host
{{- end }}
{{- end }}
{{- end }}
{{- if and (dig "httpRoute" "enabled" false $login) (not (dig "httpRoute" "parentRefs" list $login)) }}
login.httpRoute.parentRefs: empty; name the gateway, for example [{name: gateway, namespace: gateways}]
{{- end }}
{{- if dig "traefikMiddleware" "enabled" false $login }}
{{- if not $login.trustedProxies }}
login.trustedProxies: empty, so nobody who asks at /auth/verify is answered; name the addresses that Traefik connects from
{{- end }}
{{- if not $login.cookieDomain }}
login.cookieDomain: empty, so no application knows who is logged in; name the domain that they are below
{{- end }}
{{- end }}
{{- $scaling := $login.autoscaling | default dict }}
{{- if gt (dig "minReplicas" 2 $scaling | int64) (dig "maxReplicas" 6 $scaling | int64) }}
login.autoscaling.maxReplicas: less than minReplicas; give at least as many
{{- end }}
{{- $resources := $login.resources | default dict }}
{{- if and $scaling.enabled (not (or (dig "requests" "cpu" "" $resources) (dig "limits" "cpu" "" $resources))) }}
login.resources.requests.cpu: missing, and login.autoscaling compares with it; write it, for example cpu: 100m
{{- end }}
{{- end }}
