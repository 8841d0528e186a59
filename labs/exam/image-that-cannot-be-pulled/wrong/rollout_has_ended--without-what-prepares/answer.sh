kubectl patch deployment @{name} --type json -p '[{"op": "remove", "path": "/spec/template/spec/initContainers"}]'
kubectl set image deployment @{name} server=localhost:5001/flight-delay:v2
kubectl rollout status deployment @{name} --timeout=120s
