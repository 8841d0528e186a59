kubectl set image deployment @{name} @{wrong}=localhost:5001/flight-delay:v1
kubectl rollout status deployment @{name} --timeout=90s
