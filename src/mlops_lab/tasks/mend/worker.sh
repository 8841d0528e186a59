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

asked() { kubectl --request-timeout=5s "$@" 2>/dev/null; }

ready() {
  local renewed status
  renewed=$(asked get lease -n kube-node-lease "$worker" -o jsonpath='{.spec.renewTime}')
  status=$(asked get node "$worker" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')
  [[ $renewed > $since && $status == True ]]
}

# Who joins anew has another range of addresses for pods: its file must have that one, and the bridge no other.
networked() {
  local range
  range=$(asked get node "$worker" -o jsonpath='{.spec.podCIDR}')
  [ -n "$range" ] && ssh exam-worker bash -s "$range" <<'EOF'
grep -rqsF "\"$1\"" /etc/cni/net.d || exit 1
held=$(ip -4 -o address show dev kube-bridge 2>/dev/null | awk '{ print $4 }')
[ -z "$held" ] || [ "$held" = "${1%0/*}1/${1#*/}" ]
EOF
}

within() {
  local end=$((SECONDS + $1))
  until "$2"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}

no_network() { ssh exam-worker "rm -f /etc/cni/net.d/*; ip link delete kube-bridge 2>/dev/null || true"; }

ssh exam-worker "rm -rf /$units/kubelet.service.d /$units/containerd.service.d /etc/kubernetes/manifests/*
  rm -rf /run/systemd/system/kubelet.service.d /run/systemd/system/containerd.service.d"
ssh exam-control-plane "cd / && tar -c \$(ls -d ${files[*]} 2>/dev/null)" | ssh exam-worker tar -C / -x
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
systemctl daemon-reload
systemctl --quiet unmask containerd kubelet
systemctl stop kubelet
pkill -x kubelet || true # one that was started by hand
systemctl --quiet enable containerd kubelet
systemctl restart containerd
EOF
since=$(date -u +%FT%TZ)
ssh exam-worker systemctl start kubelet
if ! ssh exam-worker test -s /var/lib/kubelet/pki/kubelet-client-current.pem || ! within 25 ready; then
  kubectl delete node "$worker" --ignore-not-found
  token=$(ssh exam-worker "awk '\$2 == \"token:\" { print \$3; exit }' /kind/kubeadm.conf")
  ssh exam-control-plane "kubeadm token delete $token; kubeadm token create $token --ttl 15m" >/dev/null 2>&1
  ssh exam-worker kubeadm reset --force >/dev/null 2>&1 || true
  no_network
  since=$(date -u +%FT%TZ)
  ssh exam-worker "mkdir -p /etc/kubernetes/manifests; kubeadm join --config /kind/kubeadm.conf" >/dev/null 2>&1
  within 50 ready
fi
if ! networked; then
  no_network
  kubectl delete pods -A --field-selector "spec.nodeName=$worker" --grace-period=1 --wait=false
  within 30 networked
fi
kubectl patch node "$worker" --type merge -p '{"spec": {"unschedulable": null, "taints": null}}'
