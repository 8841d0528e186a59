file=/etc/kubernetes/manifests/kube-scheduler.yaml
@% if fault == "flag" %@
ssh exam-control-plane "sed -i 's|--leader-election=true|--leader-elect=true|' $file"
@% elif fault == "image" %@
ssh exam-control-plane "sed -i 's|-@{word}||' $file"
@% else %@
ssh exam-control-plane "sed -i 's|@{word}.conf|scheduler.conf|' $file"
@% endif %@
kubectl rollout status deployment/@{app} --timeout=90s
