kubectl rollout status deployment/@{app}-@{new} --timeout 60s
kubectl apply -f then/service.yaml
