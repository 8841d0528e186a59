ssh exam-control-plane kubeadm init phase control-plane scheduler --config /kind/kubeadm.conf
kubectl rollout status deployment/@{app} --timeout=90s
