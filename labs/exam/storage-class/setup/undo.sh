# A pod that still waits could get its volume while this runs.
kubectl delete pods --all --force --grace-period=0 2>/dev/null
# Volumes of the class outlive their claims; with this policy they go with them.
kubectl get pv -o jsonpath='{range .items[?(@.spec.storageClassName=="@{storage_class}")]}{.metadata.name}{"\n"}{end}' |
  while read -r volume; do
    kubectl patch pv "$volume" --type merge -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
  done
