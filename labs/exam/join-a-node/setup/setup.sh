worker=$(ssh exam-worker hostname)
kubectl delete node "$worker"
ssh exam-worker "kubeadm reset --force" >/dev/null 2>&1
# What kubeadm leaves: the network of before, whose addresses the node does not get again.
ssh exam-worker "rm -f /etc/cni/net.d/*; ip link delete kube-bridge || true; mkdir -p /etc/kubernetes/manifests" 2>/dev/null
kubectl delete secret -n kube-system --field-selector type=bootstrap.kubernetes.io/token
kubectl scale deployment @{app} --replicas=2
