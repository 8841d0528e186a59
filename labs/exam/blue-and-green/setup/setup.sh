kubectl rollout status deployment/@{app}-@{old} --timeout 90s
kubectl wait --for condition=Ready pod/@{client} --timeout 60s
