# Volumes of the class outlive their claims; with this policy they go with them.
kubectl get pv -o jsonpath='{range .items[?(@.spec.storageClassName=="@{storage_class}")]}{.metadata.name}{"\n"}{end}' |
  while read -r volume; do
    kubectl patch pv "$volume" --type merge -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
  done
