ssh exam-control-plane kubeadm token create --ttl 1h --print-join-command
