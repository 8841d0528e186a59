# Both made anew: a Deployment that is only applied keeps the fields of its pods that a manifest does not have.
kubectl delete deployment @{client} --wait
kubectl apply -f objects/
kubectl rollout status deployment @{client} --timeout=120s
