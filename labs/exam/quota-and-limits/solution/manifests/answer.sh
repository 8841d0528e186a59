kubectl rollout restart deployment @{app}
kubectl rollout status deployment @{app} --timeout=60s
