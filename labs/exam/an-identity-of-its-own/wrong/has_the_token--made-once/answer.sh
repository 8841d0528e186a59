token=$(kubectl create token @{account} --audience @{audience} --duration @{minutes}m)
kubectl create secret generic by-hand --from-literal=token="$token"
kubectl rollout status deployment/@{app} --timeout 60s
