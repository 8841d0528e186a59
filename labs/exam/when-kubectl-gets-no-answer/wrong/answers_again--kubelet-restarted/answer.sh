ssh exam-control-plane systemctl restart kubelet
