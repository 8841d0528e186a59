kubectl rollout status deployment/@{app} --timeout=60s
kubectl rollout status deployment/@{neighbour} --timeout=60s
