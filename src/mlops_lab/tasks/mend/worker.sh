#!/usr/bin/env bash
# The second cluster's worker as it was made, whatever has become of it: `bash "$MEND/worker.sh"` in a task's set-up.
# Both nodes are of one image, so the files that both have are taken from the other one; if that does not help, the node
# joins anew.
# shellcheck disable=SC2029 # what is filled in here is known here
set -euo pipefail
export LC_ALL=C
worker=$(ssh exam-worker hostname)
units=etc/systemd/system
files=(
  "$units/kubelet.service" "$units/kubelet.service.d" "$units/containerd.service" etc/containerd/config.toml
  etc/crictl.yaml etc/default/kubelet var/lib/kubelet/config.yaml etc/kubernetes/pki/ca.crt
)

ready() {
  local renewed status
  renewed=$(kubectl get lease -n kube-node-lease "$worker" -o jsonpath='{.spec.renewTime}' --request-timeout=5s 2>/dev/null)
  status=$(kubectl get node "$worker" --request-timeout=5s 2>/dev/null \
    -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')
  [[ $renewed > $since && $status == True ]]
}

wait_ready() {
  local end=$((SECONDS + $1))
  until ready; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}

ssh exam-worker "rm -rf /$units/kubelet.service.d /$units/containerd.service.d /etc/kubernetes/manifests/*"
ssh exam-control-plane "cd / && tar -c \$(ls -d ${files[*]} 2>/dev/null)" | ssh exam-worker tar -C / -x
since=$(date -u +%FT%TZ)
ssh exam-worker bash -euo pipefail -s <<'EOF'
value() { awk -v name="$1" '$3 == name && $2 == "name:" { getline; print $2; exit }' /kind/kubeadm.conf; }
server=$(awk '$1 == "apiServerEndpoint:" { print $2; exit }' /kind/kubeadm.conf)
key=/var/lib/kubelet/pki/kubelet-client-current.pem
cat >/var/lib/kubelet/kubeadm-flags.env <<END
KUBELET_KUBEADM_ARGS="--node-ip=$(value node-ip) --provider-id=$(value provider-id) --node-labels="
END
cat >/etc/kubernetes/kubelet.conf <<END
apiVersion: v1
kind: Config
clusters:
- name: default-cluster
  cluster: {server: "https://$server", certificate-authority-data: $(base64 -w0 </etc/kubernetes/pki/ca.crt)}
contexts:
- name: default-context
  context: {cluster: default-cluster, namespace: default, user: default-auth}
current-context: default-context
users:
- name: default-auth
  user: {client-certificate: $key, client-key: $key}
END
chmod 600 /etc/kubernetes/kubelet.conf
mkdir -p /etc/kubernetes/manifests
systemctl --quiet unmask containerd kubelet
systemctl stop kubelet
pkill -x kubelet || true # one that was started by hand
systemctl daemon-reload
systemctl --quiet enable containerd kubelet
systemctl start containerd
systemctl restart kubelet
EOF
if ! ssh exam-worker test -s /var/lib/kubelet/pki/kubelet-client-current.pem || ! wait_ready 25; then
  kubectl delete node "$worker" --ignore-not-found
  token=$(ssh exam-worker "awk '\$2 == \"token:\" { print \$3; exit }' /kind/kubeadm.conf")
  ssh exam-control-plane "kubeadm token delete $token; kubeadm token create $token --ttl 15m" >/dev/null 2>&1
  ssh exam-worker "kubeadm reset --force; kubeadm join --config /kind/kubeadm.conf" >/dev/null 2>&1
  since=$(date -u +%FT%TZ)
  wait_ready 60
fi
kubectl patch node "$worker" --type merge -p '{"spec": {"unschedulable": null, "taints": null}}'
