kubectl rollout history deployment @{name}
kubectl set image deployment @{name} prepare=localhost:5001/flight-delay:v2 \
  server=localhost:5001/flight-delay:v2
kubectl rollout status deployment @{name} --timeout=120s
