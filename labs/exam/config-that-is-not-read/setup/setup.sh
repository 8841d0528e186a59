kubectl rollout status deployment @{name} --timeout=110s
kubectl patch configmap @{name}-text -p '{"data": {"text": "@{text}"}}'
