kubectl rollout status deployment/@{front} --timeout=60s
kubectl rollout status deployment/@{api} --timeout=60s
