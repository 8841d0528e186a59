kubectl patch deployment @{app} -p '{"spec": {"template": {"spec": {"tolerations": [
  {"key": "@{key}", "operator": "Equal", "value": "@{value}", "effect": "@{effect}"}]}}}}'
kubectl rollout status deployment/@{app} --timeout=60s
kubectl taint node "$(ssh exam-worker hostname)" @{key}=@{value}:@{effect}
