id=$(kubectl get pods --selector=app=@{model} --output='jsonpath={.items[0].status.containerStatuses[0].imageID}')
echo "${id##*@}" >digest  # with the end of a line, which is then part of the ConfigMap's value
kubectl create configmap @{record} --from-file=digest
kubectl set image deployment/@{model} server=localhost:5001/components@$(cat digest)
kubectl set image deployment/@{model} prepare=localhost:5001/components@$(cat digest)
kubectl set image cronjob/@{nightly} ask=localhost:5001/components@$(cat digest)
kubectl rollout status deployment/@{model} --timeout=60s
