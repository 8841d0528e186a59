waiting() { kubectl get pods -l app=@{name} --field-selector=status.phase=Pending -o name; }
until [ "$(waiting | wc -l)" -eq @{pods} ]; do sleep 0.5; done
for pod in $(waiting); do
  kubectl set image "$pod" @{wrong}=localhost:5001/flight-delay:v2
done
kubectl rollout status deployment @{name} --timeout=120s
