#!/usr/bin/env bash
# The second cluster's control plane as it was made, whatever has become of its manifests: `bash "$MEND/control-plane.sh"`
# in a task's set-up. The cluster's own configuration, from which kubeadm made them, makes them again.
set -euo pipefail
ssh exam-control-plane bash -euo pipefail -s <<'EOF'
cd /etc/kubernetes
systemctl --quiet unmask containerd kubelet
systemctl --quiet enable containerd kubelet
systemctl start containerd kubelet
for name in admin controller-manager scheduler; do
  [ -s $name.conf ] || kubeadm init phase kubeconfig $name --config /kind/kubeadm.conf >/dev/null
done
mkdir -p manifests
find manifests -mindepth 1 ! -name etcd.yaml ! -name 'kube-apiserver.yaml' ! -name 'kube-controller-manager.yaml' \
  ! -name 'kube-scheduler.yaml' -delete
kubeadm init phase etcd local --config /kind/kubeadm.conf >/dev/null
kubeadm init phase control-plane all --config /kind/kubeadm.conf >/dev/null
well() {
  curl -fsk -m 3 -o /dev/null https://127.0.0.1:10259/livez && curl -fsk -m 3 -o /dev/null https://127.0.0.1:10257/healthz &&
    kubectl --kubeconfig admin.conf --request-timeout=3s get --raw /readyz >/dev/null 2>&1
}
end=$((SECONDS + 90))
until well; do
  [ $SECONDS -lt $end ]
  sleep 0.5
done
EOF
