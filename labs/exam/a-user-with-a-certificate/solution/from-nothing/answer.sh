kubectl create -f - <<MANIFEST
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  name: @{csr}
spec:
  request: $(base64 < user.csr | tr -d '\n')
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
MANIFEST
kubectl certificate approve @{csr}
kubectl wait --for jsonpath='{.status.certificate}' --timeout 30s csr/@{csr}
kubectl get csr @{csr} -o jsonpath='{.status.certificate}' | base64 -d > user.crt

kubectl create role see-pods --verb get,list --resource pods
kubectl create rolebinding see-pods --role see-pods --user @{user}

mine() {
  kubectl config view --minify --raw -o jsonpath="{$1}"
}
mine .clusters[0].cluster.certificate-authority-data | base64 -d > ca.crt
hers=(kubectl config --kubeconfig user.kubeconfig)
"${hers[@]}" set-cluster here --server "$(mine .clusters[0].cluster.server)" --certificate-authority ca.crt --embed-certs
"${hers[@]}" set-credentials @{user} --client-certificate user.crt --client-key user.key --embed-certs
"${hers[@]}" set-context pods --cluster here --user @{user} --namespace @{namespace}
"${hers[@]}" use-context pods
