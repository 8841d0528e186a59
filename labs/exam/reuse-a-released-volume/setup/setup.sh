volume=$(kubectl get pvc @{lost} -o jsonpath='{.spec.volumeName}')
kubectl patch pv "$volume" --type merge -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'
kubectl delete job fill --cascade=foreground --timeout=60s
kubectl delete pvc @{lost} --timeout=60s
kubectl wait pv "$volume" --for=jsonpath='{.status.phase}'=Released --timeout=60s
