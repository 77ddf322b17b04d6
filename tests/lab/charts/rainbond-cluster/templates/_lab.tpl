{{/* A database of the RainbondCluster: (list VALUES PATH). */}}
{{- define "lab.database" -}}
{{- $db := index . 0 -}}
host: {{ required (printf ".Values.Cluster.%s.host cannot be empty!" (index . 1)) $db.host }}
port: {{ $db.port }}
name: {{ $db.name | quote }}
username: {{ $db.username | quote }}
password: {{ $db.password | quote }}
{{- end -}}
