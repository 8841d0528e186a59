kubectl label namespace kube-system dns-of=cluster --overwrite
