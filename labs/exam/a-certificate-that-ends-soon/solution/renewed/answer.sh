ssh exam-control-plane kubeadm certs check-expiration
ssh exam-control-plane cp -r /etc/kubernetes/pki /etc/kubernetes/pki-of-before
echo @{cert} > @{file}
ssh exam-control-plane kubeadm certs renew @{cert}
