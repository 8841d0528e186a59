kubectl get configmap @{app}-program -o yaml | sed 's#"@{folder}/#"/tmp/#' | kubectl replace -f -
kubectl rollout restart deployment @{app}
kubectl rollout status deployment @{app} --timeout=60s
