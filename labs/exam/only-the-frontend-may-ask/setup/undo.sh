# All Namespaces go at the same time.
kubectl delete namespace @{other} @{second} @{apart} --ignore-not-found --wait=false
