kubectl rollout restart deployment @{name}
