kubectl set resources deployment @{app} --requests=cpu=@{cpu}m
kubectl rollout status deployment @{app} --timeout=60s
