# The kubelet hears of a changed ConfigMap a moment later: a pod that starts at once might have the old one.
sleep 3
kubectl rollout restart deployment/@{model}
kubectl rollout status deployment/@{model} --timeout=60s
