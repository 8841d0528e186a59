file=/etc/kubernetes/manifests/kube-apiserver.yaml
@% if fault == "etcd" %@
ssh exam-control-plane "sed -i 's|127.0.0.1:@{port}|127.0.0.1:2379|' $file"
@% elif fault == "file" %@
ssh exam-control-plane "sed -i 's|pki/@{word}.crt|pki/apiserver.crt|' $file"
@% else %@
ssh exam-control-plane "sed -i 's|--client-ca=|--client-ca-file=|' $file"
@% endif %@
until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 1; done
kubectl scale deployment @{app} --replicas=@{pods}
kubectl rollout status deployment/@{app} --timeout=120s
