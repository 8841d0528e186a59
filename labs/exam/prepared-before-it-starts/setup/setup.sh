kubectl rollout status deployment/@{source} --timeout 90s
