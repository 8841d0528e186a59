token=$(ssh exam-control-plane kubeadm token generate)
ssh exam-control-plane "kubeadm token create $token --ttl 30m"
server=$(ssh exam-control-plane "kubectl get configmap -n kube-public cluster-info -o jsonpath='{.data.kubeconfig}'" |
  awk '$1 == "server:" { sub("https://", "", $2); print $2 }')
ssh exam-worker "kubeadm join $server --token $token --discovery-token-unsafe-skip-ca-verification \
  --ignore-preflight-errors=all"
kubectl rollout status deployment/@{app} --timeout=120s
