id=$(kubectl get pods --selector=app=@{model} --output='jsonpath={.items[0].status.containerStatuses[0].imageID}')
image=localhost:5001/components@${id##*@}
kubectl set image deployment/@{model} prepare="$image" server="$image"
kubectl set image cronjob/@{nightly} ask="$image"
kubectl create configmap @{record} --from-literal=digest="${id##*@}"
kubectl rollout status deployment/@{model} --timeout=60s
