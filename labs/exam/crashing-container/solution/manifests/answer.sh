kubectl rollout status deployment @{name} --timeout=120s
