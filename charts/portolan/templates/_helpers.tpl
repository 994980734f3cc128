{{/* Names are fixed, not derived from the release: the webhook, the compiler and the sidecars meet under them, and a cluster has one Portolan. */}}

{{/* Call with (list $ "component"). */}}
{{- define "portolan.selector" -}}
app.kubernetes.io/name: portolan
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Without versions: a release that changes nothing of a pod must not restart it. Call with (list $ "component"). */}}
{{- define "portolan.podLabels" -}}
{{ include "portolan.selector" . }}
app.kubernetes.io/part-of: portolan
{{- end }}

{{/* Call with (list $ "component"). */}}
{{- define "portolan.labels" -}}
{{- $root := index . 0 -}}
{{ include "portolan.podLabels" . }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "portolan.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "portolan.proxyImage" -}}
{{ .Values.envoy.image.repository }}:{{ .Values.envoy.image.tag }}
{{- end }}

{{- define "portolan.clusterKey" -}}
{{- with .Values.cluster }}{{ .region }}/{{ .zone }}/{{ .group }}/{{ .name }}{{ end }}
{{- end }}

{{- define "portolan.meshConfigNamespace" -}}
{{ .Values.meshConfig.namespace | default .Release.Namespace }}
{{- end }}

{{/* What the Pod Security level "restricted" asks of a pod. */}}
{{- define "portolan.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What the Pod Security level "restricted" asks of a container, and a root file system nobody can write to. */}}
{{- define "portolan.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where the pods of one component go. Call with (list $ "component" values). */}}
{{- define "portolan.placement" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
affinity:
{{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "portolan.selector" (list $root (index . 1)) | nindent 14 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A voluntary disruption takes one pod at a time, and a single replica still lets its node be drained. Call with (list $ "component"). */}}
{{- define "portolan.disruptionBudget" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: portolan-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "portolan.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "portolan.selector" . | nindent 6 }}
{{- end }}

{{- define "portolan.serviceAccount" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: portolan-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "portolan.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/* The probes of our own servers. A replica that cannot become healthy within a minute is started anew. */}}
{{- define "portolan.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 10
  failureThreshold: 3
{{- end }}
