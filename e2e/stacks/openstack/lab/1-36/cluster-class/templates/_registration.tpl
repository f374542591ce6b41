{{/* How every machine joins. cloud-init fills in the name and the id, hence the braces in the result. */}}
{{- define "nodeRegistration" -}}
name: {{ `'{{ local_hostname }}'` }}
kubeletExtraArgs:
  - name: cloud-provider
    value: external
  - name: provider-id
    value: {{ `"openstack:///'{{ instance_id }}'"` }}
{{- end -}}
