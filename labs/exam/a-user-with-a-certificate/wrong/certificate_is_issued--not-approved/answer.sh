kubectl create -f - <<MANIFEST
{"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "@{csr}"},
 "spec": {"request": "$(base64 < user.csr | tr -d '\n')", "signerName": "kubernetes.io/kube-apiserver-client",
          "usages": ["client auth"]}}
MANIFEST
