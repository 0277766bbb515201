{{/* Name of everything here: the release's, with the chart's unless it says so already. */}}
{{- define "temporal-operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "temporal-operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "temporal-operator.name" .) -}}
{{- else -}}
{{- required "serviceAccount.name: needed without serviceAccount.create" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels of the pods, which cannot change. */}}
{{- define "temporal-operator.selector" -}}
app.kubernetes.io/component: operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "temporal-operator.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The operator as the subject of a binding. */}}
{{- define "temporal-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "temporal-operator.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
