#!/usr/bin/env bash
# The second cluster's control plane as it was made, whatever has become of its manifests: `bash "$MEND/control-plane.sh"`
# in a task's set-up; with names, such as `etcd`, these parts alone. The cluster's own configuration, from which kubeadm
# made them, makes them again.
set -euo pipefail
ssh exam-control-plane bash -euo pipefail -s -- "$@" <<'EOF'
cd /etc/kubernetes
systemctl daemon-reload
systemctl --quiet unmask containerd kubelet
systemctl --quiet enable containerd kubelet
systemctl start containerd kubelet
mkdir -p manifests
parts=("$@")
if [ $# = 0 ]; then
  parts=(etcd kube-apiserver kube-controller-manager kube-scheduler)
  for name in admin controller-manager scheduler; do
    [ -s $name.conf ] || kubeadm init phase kubeconfig $name --config /kind/kubeadm.conf >/dev/null
  done
  find manifests -mindepth 1 ! -name etcd.yaml ! -name kube-apiserver.yaml ! -name kube-controller-manager.yaml \
    ! -name kube-scheduler.yaml -delete
fi

file() { cksum "manifests/$1.yaml" 2>/dev/null || echo none; }
container() { crictl ps --quiet --name "^$1\$" 2>/dev/null || true; }
# The words of a manifest's command; and does the program run that was started with them?
words() { awk '/^  - command:/ { on = 1; next } on && sub(/^    - /, "") { print; next } on { exit }' "manifests/$1.yaml"; }
runs() {
  local pid
  pid=$(pgrep -o -x "${1:0:15}") && [ "$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null)" = "$(words "$1")" ]
}

changed=() etcd_container=$(container etcd)
for part in "${parts[@]}"; do
  # A copy beside it is a static pod of the same name.
  { grep -lsx "  name: $part" manifests/* manifests/.[!.]* || true; } | { grep -vx "manifests/$part.yaml" || true; } |
    xargs --no-run-if-empty rm -f
  before=$(file "$part")
  case $part in
    etcd) kubeadm init phase etcd local --config /kind/kubeadm.conf >/dev/null ;;
    *) kubeadm init phase control-plane "${part#kube-}" --config /kind/kubeadm.conf >/dev/null ;;
  esac
  if [ "$(file "$part")" != "$before" ]; then changed+=("$part"); fi
done
# A kubelet that has started them often waits longer each time; one that begins anew does not.
if [ ${#changed[@]} -gt 0 ]; then systemctl restart kubelet; fi
if [[ " ${changed[*]} " == *" etcd "* ]]; then
  # It may have had other data: who has these in mind begins anew.
  for _ in $(seq 40); do
    now=$(container etcd)
    if [ -n "$now" ] && [ "$now" != "$etcd_container" ]; then break; fi
    sleep 0.5
  done
  for part in kube-apiserver kube-controller-manager kube-scheduler; do container "$part"; done |
    xargs --no-run-if-empty crictl stop --timeout 1 >/dev/null
fi

well() {
  local part
  for part in "${changed[@]}"; do runs "$part" || return 1; done
  for part in "${parts[@]}"; do
    case $part in
      kube-scheduler) curl -fsk -m 3 -o /dev/null https://127.0.0.1:10259/livez || return 1 ;;
      kube-controller-manager) curl -fsk -m 3 -o /dev/null https://127.0.0.1:10257/healthz || return 1 ;;
    esac
  done
  kubectl --kubeconfig admin.conf --request-timeout=3s get --raw /readyz >/dev/null 2>&1
}
end=$((SECONDS + 80))
until well; do
  [ $SECONDS -lt $end ]
  sleep 0.5
done
EOF
