worker=$(ssh exam-worker hostname)
kubectl delete node "$worker"
ssh exam-worker "kubeadm reset --force; mkdir -p /etc/kubernetes/manifests" >/dev/null 2>&1
kubectl delete secret -n kube-system --field-selector type=bootstrap.kubernetes.io/token
kubectl scale deployment @{app} --replicas=2
