# Made anew where it is no longer the scheduler's own; the one that runs has the old one.
ssh exam-control-plane bash -euo pipefail -s <<'END'
cd /etc/kubernetes
who=$(kubectl --kubeconfig scheduler.conf config view -o jsonpath='{.users[*].name}' || true)
if [ "$who" != system:kube-scheduler ]; then
  rm -rf scheduler.conf
  kubeadm init phase kubeconfig scheduler --config /kind/kubeadm.conf
  crictl ps --quiet --name '^kube-scheduler$' | xargs --no-run-if-empty crictl stop --timeout 1 || true
fi
END
bash "$MEND/control-plane.sh"
@% if fault == "volume" %@
# Made by the kubelet for a volume of type FileOrCreate.
ssh exam-control-plane rm -rf /etc/kubernetes/@{word}.conf
@% endif %@
