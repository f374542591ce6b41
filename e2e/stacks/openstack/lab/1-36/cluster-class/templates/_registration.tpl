{{/* How every machine joins. cloud-init fills in the name and the id, hence the braces in the result. */}}
{{- define "nodeRegistration" -}}
name: {{ `'{{ local_hostname }}'` }}
kubeletExtraArgs:
  - name: cloud-provider
    value: external
  - name: provider-id
    value: {{ `"openstack:///'{{ instance_id }}'"` }}
  # The machines of the lab share a disk, of which a share says nothing.
  - name: eviction-hard
    value: memory.available<100Mi,nodefs.available<1Gi,imagefs.available<1Gi
  - name: image-gc-high-threshold
    value: "100"
{{- end -}}
