kubectl rollout status deployment/@{model} --timeout=60s
