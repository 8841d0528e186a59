ssh exam-control-plane bash -euo pipefail -s <<'END'
sed 's|^kind: ClusterConfiguration$|&\ncertificateValidityPeriod: @{hours}h0m0s|' /kind/kubeadm.conf > /tmp/short.conf
rm -f /etc/kubernetes/pki/@{path}.crt /etc/kubernetes/pki/@{path}.key
kubeadm init phase certs @{cert} --config /tmp/short.conf
rm -f /tmp/short.conf
END
