kubectl rollout restart deployment @{name}
kubectl rollout status deployment @{name} --timeout=60s
