# Both Namespaces go at the same time.
kubectl delete namespace @{other} --ignore-not-found --wait=false
# A label by which a policy was to find the DNS's Namespace.
kubectl label namespace kube-system dns-of-
