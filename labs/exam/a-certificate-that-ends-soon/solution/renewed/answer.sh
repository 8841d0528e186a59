ssh exam-control-plane kubeadm certs check-expiration
echo @{cert} > @{file}
ssh exam-control-plane kubeadm certs renew @{cert}
