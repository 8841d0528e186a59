kubectl rollout status deployment/@{app} --timeout=60s
kubectl rollout status deployment/@{other} --timeout=60s
