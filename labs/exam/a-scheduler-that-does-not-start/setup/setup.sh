@% set manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml" %@
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
pod=kube-scheduler-$(ssh exam-control-plane hostname)
for _ in $(seq 100); do
  ready=$(kubectl get pod -n kube-system "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' || true)
  if [ "$ready" = False ]; then break; fi
  sleep 0.3
done
kubectl scale deployment @{app} --replicas=2
