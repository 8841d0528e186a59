kubectl rollout undo deployment @{name}
kubectl rollout status deployment @{name} --timeout=60s
