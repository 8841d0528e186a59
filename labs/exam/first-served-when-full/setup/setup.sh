kubectl rollout status deployment @{batch} --timeout=60s
kubectl scale deployment @{urgent} --replicas=1
