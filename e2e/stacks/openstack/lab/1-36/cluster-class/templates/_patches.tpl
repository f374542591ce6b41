{{/* What Cluster API fills in stands in raw strings: it has the same braces. */}}
{{- define "on.cluster" -}}
selector:
  apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
  kind: OpenStackClusterTemplate
  matchResources:
    infrastructureCluster: true
{{- end -}}

{{- define "on.controlPlaneMachines" -}}
selector:
  apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
  kind: OpenStackMachineTemplate
  matchResources:
    controlPlane: true
{{- end -}}

{{- define "on.workers" -}}
selector:
  apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
  kind: OpenStackMachineTemplate
  matchResources:
    machineDeploymentClass:
      names: [default-worker]
{{- end -}}

{{- define "patches" -}}
- name: cluster
  definitions:
    - {{- include "on.cluster" . | nindent 6 }}
      jsonPatches:
        - op: replace
          path: /spec/template/spec/identityRef
          valueFrom:
            template: |
              type: Secret
              name: {{`{{ .identityRef.name }}`}}
              cloudName: {{`{{ .identityRef.cloudName }}`}}
        - op: replace
          path: /spec/template/spec/externalNetwork/filter/name
          valueFrom:
            variable: externalNetwork
        - op: replace
          path: /spec/template/spec/managedSubnets
          valueFrom:
            template: |
              - cidr: {{`{{ .nodeCIDR }}`}}
                dnsNameservers: {{`{{ .dnsNameservers | toJson }}`}}
        - op: replace
          path: /spec/template/spec/apiServer/managedLoadBalancer/enabled
          valueFrom:
            variable: apiServerLoadBalancer
- name: pods
  description: Traffic between pods goes from machine to machine as it is
  definitions:
    - {{- include "on.cluster" . | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/managedSecurityGroups/clusterNodesSecurityGroupRules
          valueFrom:
            template: |
              - name: control-plane
                description: The API server reaches pods for webhooks, extensions and proxies
                direction: ingress
                etherType: IPv4
                remoteManagedGroups: [controlplane]
              {{`{{- range $number, $cidr := .builtin.cluster.network.pods }}`}}
              - name: {{`pods-{{ $number }}`}}
                description: Pods
                direction: ingress
                etherType: IPv4
                remoteIPPrefix: {{`{{ $cidr }}`}}
              {{`{{- end }}`}}
- name: allowedCIDRs
  enabledIf: {{ `{{ if and .apiServerLoadBalancer .allowedCIDRs }}true{{ end }}` | quote }}
  definitions:
    - {{- include "on.cluster" . | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/apiServer/managedLoadBalancer/allowedCIDRs
          valueFrom:
            variable: allowedCIDRs
- name: networkMTU
  enabledIf: {{ `{{ if .networkMTU }}true{{ end }}` | quote }}
  definitions:
    - {{- include "on.cluster" . | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/managedNetwork
          valueFrom:
            template: |
              mtu: {{`{{ .networkMTU }}`}}
- name: controlPlaneAvailabilityZones
  enabledIf: {{ `{{ if .controlPlaneAvailabilityZones }}true{{ end }}` | quote }}
  definitions:
    - {{- include "on.cluster" . | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/controlPlaneAvailabilityZones
          valueFrom:
            variable: controlPlaneAvailabilityZones
- name: certSANs
  enabledIf: {{ `{{ if .certSANs }}true{{ end }}` | quote }}
  definitions:
    - selector:
        apiVersion: controlplane.cluster.x-k8s.io/v1beta2
        kind: KubeadmControlPlaneTemplate
        matchResources:
          controlPlane: true
      jsonPatches:
        - op: add
          path: /spec/template/spec/kubeadmConfigSpec/clusterConfiguration/apiServer
          valueFrom:
            template: |
              certSANs: {{`{{ .certSANs | toJson }}`}}
- name: image
  definitions:
    {{- range $role, $on := dict "controlPlane" "on.controlPlaneMachines" "worker" "on.workers" }}
    - {{- include $on $ | nindent 6 }}
      jsonPatches:
        - op: replace
          path: /spec/template/spec/image/filter/name
          valueFrom:
            template: {{ if eq $role "worker" }}{{ `{{ .imageName }}-{{ .builtin.machineDeployment.version }}` | quote }}{{ else }}{{ `{{ .imageName }}-{{ .builtin.controlPlane.version }}` | quote }}{{ end }}
    {{- end }}
{{- range $role, $on := dict "controlPlane" "on.controlPlaneMachines" "worker" "on.workers" }}
- name: {{ $role }}Flavor
  description: A default of the release is no default of the variable, so that it changes with the release
  enabledIf: {{ printf "{{ if .%sFlavor }}true{{ end }}" $role | quote }}
  definitions:
    - {{- include $on $ | nindent 6 }}
      jsonPatches:
        - op: replace
          path: /spec/template/spec/flavor/filter/name
          valueFrom:
            variable: {{ $role }}Flavor
- name: {{ $role }}RootDisk
  enabledIf: {{ printf "{{ if .%sRootDisk }}true{{ end }}" $role | quote }}
  definitions:
    - {{- include $on $ | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/rootVolume
          valueFrom:
            template: {{ printf "sizeGiB: {{ .%sRootDisk }}" $role | quote }}
{{- end }}
{{- range $variable := list "sshKeyName" "serverMetadata" }}
- name: {{ $variable }}
  enabledIf: {{ printf "{{ if .%s }}true{{ end }}" $variable | quote }}
  definitions:
    {{- range $on := list "on.controlPlaneMachines" "on.workers" }}
    - {{- include $on $ | nindent 6 }}
      jsonPatches:
        - op: add
          path: /spec/template/spec/{{ $variable }}
          valueFrom:
            variable: {{ $variable }}
    {{- end }}
{{- end }}
{{- end -}}
