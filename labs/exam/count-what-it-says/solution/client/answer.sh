kubectl rollout restart deployment/@{model}
kubectl rollout status deployment/@{model} --timeout=60s
