kubectl patch configmap @{name}-text -p '{"data": {"text": "@{old}"}}'
