kubectl create -f - <<MANIFEST
{"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "@{csr}"},
 "spec": {"request": "$(base64 < user.csr | tr -d '\n')", "signerName": "kubernetes.io/kube-apiserver-client",
          "usages": ["digital signature", "client auth"], "expirationSeconds": 86400}}
MANIFEST
kubectl certificate approve @{csr}
kubectl wait --for jsonpath='{.status.certificate}' --timeout 30s csr/@{csr}
kubectl get csr @{csr} -o jsonpath='{.status.certificate}' | base64 -d > user.crt

kubectl config view --minify --raw --flatten > user.kubeconfig
admin=$(kubectl config view --minify -o jsonpath='{.users[0].name}')
export KUBECONFIG=$PWD/user.kubeconfig
kubectl config set-credentials @{user} --client-certificate user.crt --client-key user.key --embed-certs
kubectl config set-context --current --user @{user}
kubectl config delete-user "$admin"
