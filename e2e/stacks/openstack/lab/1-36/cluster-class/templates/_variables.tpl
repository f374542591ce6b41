{{- define "variables" -}}
- name: imageName
  required: false
  schema:
    openAPIV3Schema:
      type: string
      minLength: 1
      default: {{ .Values.image }}
      description: Glance image without the Kubernetes version that ends its name
- name: externalNetwork
  required: false
  schema:
    openAPIV3Schema:
      type: string
      minLength: 1
      default: {{ .Values.externalNetwork }}
      description: Name of the network that floating IPs come from
- name: nodeCIDR
  required: false
  schema:
    openAPIV3Schema:
      type: string
      format: cidr
      default: {{ .Values.nodeCIDR }}
      description: Addresses of machines
- name: dnsNameservers
  required: false
  schema:
    openAPIV3Schema:
      type: array
      default: {{ .Values.dnsNameservers | toJson }}
      description: Name servers of machines
      items:
        type: string
- name: networkMTU
  required: false
  schema:
    openAPIV3Schema:
      type: integer
      default: 0
      description: MTU of the network of the machines; 0 leaves it to Neutron
- name: apiServerLoadBalancer
  required: false
  schema:
    openAPIV3Schema:
      type: boolean
      default: true
      description: Octavia in front of the API servers; without it the first one gets the floating IP
- name: allowedCIDRs
  required: false
  schema:
    openAPIV3Schema:
      type: array
      default: []
      description: Who may reach the API through the load balancer; empty means everybody
      items:
        type: string
        format: cidr
- name: certSANs
  required: false
  schema:
    openAPIV3Schema:
      type: array
      default: []
      description: Further names in the certificate of the API server
      items:
        type: string
- name: controlPlaneFlavor
  required: false
  schema:
    openAPIV3Schema:
      type: string
      default: ""
      description: Flavor of control plane machines; empty means that of the release
- name: workerFlavor
  required: false
  schema:
    openAPIV3Schema:
      type: string
      default: ""
      description: Flavor of workers; empty means that of the release
- name: controlPlaneRootDisk
  required: false
  schema:
    openAPIV3Schema:
      type: integer
      minimum: 0
      default: 0
      description: GiB of a boot volume for control plane machines; 0 boots from the disk of the flavor
- name: workerRootDisk
  required: false
  schema:
    openAPIV3Schema:
      type: integer
      minimum: 0
      default: 0
      description: GiB of a boot volume for workers; 0 boots from the disk of the flavor
- name: controlPlaneAvailabilityZones
  required: false
  schema:
    openAPIV3Schema:
      type: array
      default: []
      description: Availability zones of control plane machines; empty means all of the cloud
      items:
        type: string
- name: serverMetadata
  required: false
  schema:
    openAPIV3Schema:
      type: array
      default: []
      description: Metadata of all servers in Nova
      items:
        type: object
        required: [key, value]
        properties:
          key:
            type: string
          value:
            type: string
- name: sshKeyName
  required: false
  schema:
    openAPIV3Schema:
      type: string
      default: ""
      description: Nova keypair of all machines
- name: identityRef
  required: false
  schema:
    openAPIV3Schema:
      type: object
      description: Secret with clouds.yaml, and the cloud in it
      default: {{ .Values.identity | toJson }}
      properties:
        name:
          type: string
          minLength: 1
          default: {{ .Values.identity.name }}
        cloudName:
          type: string
          minLength: 1
          default: {{ .Values.identity.cloudName }}
{{- end -}}
