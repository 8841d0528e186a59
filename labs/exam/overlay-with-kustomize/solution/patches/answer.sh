kubectl kustomize overlay | kubectl apply -f -
