kubectl rollout status deployment/@{old} --timeout=60s
kubectl rollout status deployment/@{new} --timeout=60s
