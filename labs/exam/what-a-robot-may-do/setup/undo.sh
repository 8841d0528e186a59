kubectl delete rolebinding @{robot} --namespace=default --ignore-not-found
# Both Namespaces go at the same time.
kubectl delete namespace @{other} --ignore-not-found --wait=false
