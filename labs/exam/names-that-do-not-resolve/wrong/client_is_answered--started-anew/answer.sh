kubectl rollout restart deployment @{client} @{store}
