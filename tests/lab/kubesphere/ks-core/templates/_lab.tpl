{{- /* An image's name as the vendor makes it of a part's image and the global values. */ -}}
{{- define "lab.image" -}}
{{- $image := .part.image -}}
{{ $image.registry | default .global.imageRegistry }}/{{ $image.repository }}:{{ $image.tag | default .global.tag }}
{{- end -}}

{{- /* One Deployment or StatefulSet of one container. */ -}}
{{- define "lab.workload" -}}
apiVersion: apps/v1
kind: {{ .kind | default "Deployment" }}
metadata:
  name: {{ .name }}
  labels: {app: {{ .name }}}
spec:
  replicas: {{ .replicas }}
  selector:
    matchLabels: {app: {{ .name }}}
  {{- if eq (.kind | default "Deployment") "StatefulSet" }}
  serviceName: {{ .name }}
  {{- end }}
  template:
    metadata:
      labels: {app: {{ .name }}}
    spec:
      serviceAccountName: {{ .account | default "default" }}
      terminationGracePeriodSeconds: 5
      tolerations:
        - {key: node-role.kubernetes.io/control-plane, effect: NoSchedule}
        - {key: CriticalAddonsOnly, operator: Exists}
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                labelSelector: {matchLabels: {app: {{ .name }}}}
                topologyKey: kubernetes.io/hostname
      containers:
        - name: {{ .name }}
          image: {{ include "lab.image" (dict "part" .part "global" .global) }}
          imagePullPolicy: {{ .part.image.pullPolicy }}
          {{- with .command }}
          command: {{ toJson . }}
          {{- end }}
          {{- with .mounts }}
          volumeMounts: {{ toJson . }}
          {{- end }}
      {{- with .volumes }}
      volumes: {{ toJson . }}
      {{- end }}
{{- end -}}
