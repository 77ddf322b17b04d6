{{/* Where containerd's socket is: told, or (from 6.5 on) guessed from what the nodes call themselves. */}}
{{- define "lab.containerd" -}}
{{- $path := .Values.Cluster.containerdRuntimePath | default "/run/containerd" -}}
{{- if not .Values.Cluster.containerdRuntimePath -}}
  {{- range (lookup "v1" "Node" "" "").items -}}
    {{- if regexMatch "k3s|rke2" .status.nodeInfo.kubeletVersion -}}
      {{- $path = "/var/run/k3s/containerd" -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $path -}}
{{- end -}}

{{/* One RbdComponent: (list ROOT NAME IMAGE REPLICAS PRIORITY). */}}
{{- define "lab.component" -}}
{{- $root := index . 0 -}}
apiVersion: rainbond.io/v1alpha1
kind: RbdComponent
metadata:
  name: {{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels: {name: {{ index . 1 }}, creator: Rainbond, belongTo: rainbond-operator}
spec:
  image: {{ index . 2 }}
  imagePullPolicy: {{ $root.Values.Cluster.imagePullPolicy }}
  replicas: {{ index . 3 }}
  priorityComponent: {{ index . 4 }}
{{- end -}}

{{/* A database of the RainbondCluster: (list VALUES PATH). */}}
{{- define "lab.database" -}}
{{- $db := index . 0 -}}
host: {{ required (printf ".Values.Cluster.%s.host cannot be empty!" (index . 1)) $db.host }}
port: {{ $db.port }}
name: {{ $db.name | quote }}
username: {{ $db.username | quote }}
password: {{ $db.password | quote }}
{{- end -}}
