@% set manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml" %@
# Its container, with its probes: the task's checker reads it.
node=$(ssh exam-control-plane hostname)
container=$(kubectl get pod "kube-scheduler-$node" --namespace=kube-system -o jsonpath='{.spec.containers[0]}')
kubectl annotate namespace @{namespace} --overwrite mlops-lab/container="$container"
@% if fault == "flag" %@
ssh exam-control-plane "sed -i 's|--leader-elect=true|--leader-election=true|' @{manifest}"
@% elif fault == "image" %@
ssh exam-control-plane "sed -i -E 's|(image: .*kube-scheduler:v[0-9.]+)|\1-@{word}|' @{manifest}"
@% elif fault == "volume" %@
ssh exam-control-plane "sed -i 's|path: /etc/kubernetes/scheduler.conf|path: /etc/kubernetes/@{word}.conf|' @{manifest}"
@% else %@
ssh exam-control-plane "sed -i 's|--kubeconfig=/etc/kubernetes/scheduler.conf|--kubeconfig=/etc/kubernetes/@{word}.conf|' \
  @{manifest}"
@% endif %@
# The one that runs ends, and the API server hears of it.
ssh exam-control-plane bash -s <<'END'
for _ in $(seq 100); do
  curl -fsk -m 2 -o /dev/null https://127.0.0.1:10259/livez || exit 0
  sleep 0.5
done
exit 1
END
pod=kube-scheduler-$node
for _ in $(seq 100); do
  ready=$(kubectl get pod -n kube-system "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' || true)
  if [ "$ready" = False ]; then break; fi
  sleep 0.3
done
kubectl scale deployment @{app} --replicas=2
