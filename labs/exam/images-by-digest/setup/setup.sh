kubectl rollout status deployment/@{model} --timeout=110s
