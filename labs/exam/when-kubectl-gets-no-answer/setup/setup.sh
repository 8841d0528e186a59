@% set manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml" %@
# The words of the API server's command without those that any of the faults breaks: the task's checker reads them.
words="awk '/^  - command:/ { on = 1; next } on && sub(/^    - /, \"\") { print; next } on { exit }'"
before=$(ssh exam-control-plane "$words @{manifest}" |
  grep -vE '^--(etcd-servers|tls-cert-file|client-ca)' | LC_ALL=C sort)
# Its container, with its image and its probes.
node=$(ssh exam-control-plane hostname)
container=$(kubectl get pod "kube-apiserver-$node" --namespace=kube-system -o jsonpath='{.spec.containers[0]}')
kubectl annotate namespace @{namespace} --overwrite mlops-lab/server="$before" mlops-lab/container="$container"
@% if fault == "etcd" %@
ssh exam-control-plane "sed -i 's|etcd-servers=https://127.0.0.1:2379|etcd-servers=https://127.0.0.1:@{port}|' @{manifest}"
@% elif fault == "file" %@
ssh exam-control-plane "sed -i 's|tls-cert-file=/etc/kubernetes/pki/apiserver.crt|tls-cert-file=/etc/kubernetes/pki/@{word}.crt|' \
  @{manifest}"
@% else %@
ssh exam-control-plane "sed -i 's|--client-ca-file=|--client-ca=|' @{manifest}"
@% endif %@
# The one that runs ends; it would take half a minute for the requests that it has.
ssh exam-control-plane bash -s <<'END'
silent=0
for _ in $(seq 60); do
  if curl -sk -m 2 -o /dev/null https://127.0.0.1:6443/livez; then
    silent=0
    crictl ps --quiet --name kube-apiserver | xargs --no-run-if-empty crictl stop --timeout 1 >/dev/null 2>&1
  else
    silent=$((silent + 1))
  fi
  [ $silent -lt 5 ] || exit 0
  sleep 1
done
exit 1
END
