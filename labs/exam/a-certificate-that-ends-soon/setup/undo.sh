# What is there no more is made again, and the one that ends soon is renewed.
ssh exam-control-plane bash -euo pipefail -s <<'END'
rm -rf /etc/kubernetes/pki-of-before
rm -f /etc/kubernetes/pki/@{path}.crt /etc/kubernetes/pki/@{path}.key
kubeadm init phase certs all --config /kind/kubeadm.conf
for name in admin controller-manager kubelet scheduler; do
  [ -s /etc/kubernetes/$name.conf ] || kubeadm init phase kubeconfig $name --config /kind/kubeadm.conf
done
END
