{{- define "isthmus.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Labels of a part: dict "root" $ "part" "ingress" */}}
{{- define "isthmus.selector" -}}
app.kubernetes.io/name: isthmus
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "isthmus.labels" -}}
{{ include "isthmus.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "isthmus.metadata" -}}
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "isthmus.labels" . | nindent 4 }}
{{- end }}

{{/* The control planes, as proxies find them. */}}
{{- define "isthmus.xds" -}}
{{- if .Values.controlPlane.enabled -}}
{{ .Release.Name }}-controlplane.{{ .Release.Namespace }}.svc:15010
{{- else -}}
{{ required "controlPlane.address: give HOST:PORT of the control planes of the Primary, or set webhook.enabled, ingress.enabled and egress.enabled to false" .Values.controlPlane.address }}
{{- end }}
{{- end }}

{{- define "isthmus.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "isthmus.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What all Pods have: where they run, and apart from each other. */}}
{{- define "isthmus.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "isthmus.selector" . | nindent 6 }}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "isthmus.selector" . | nindent 6 }}
{{- end }}

{{/* No node is drained of all Pods of a part at once. */}}
{{- define "isthmus.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "isthmus.metadata" . }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "isthmus.selector" . | nindent 6 }}
{{- end }}
