kubectl rollout status deployment/@{stable} --timeout=60s
kubectl rollout status deployment/@{beta} --timeout=60s
