kubectl get deployment @{app}-stable -o yaml |
  sed -e 's/track: stable/track: canary/' -e 's/@{app}-stable/@{app}-canary/' -e 's/: @{stable}$/: @{canary}/' \
    -e 's/replicas: @{pods}/replicas: @{few}/' -e '/resourceVersion:/d' -e '/uid:/d' |
  kubectl create -f -
kubectl rollout status deployment @{app}-canary --timeout 60s
kubectl scale deployment @{app}-stable --replicas @{rest}
