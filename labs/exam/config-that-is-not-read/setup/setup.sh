kubectl rollout status deployment @{name} --timeout=90s
kubectl patch configmap @{name}-text -p '{"data": {"text": "@{text}"}}'
