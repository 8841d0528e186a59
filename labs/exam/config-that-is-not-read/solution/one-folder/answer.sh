kubectl replace -f objects/deployment.yaml
kubectl rollout status deployment @{name} --timeout=120s
