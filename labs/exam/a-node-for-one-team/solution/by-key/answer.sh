kubectl taint node "$(ssh exam-worker hostname)" @{key}=@{value}:@{effect}
kubectl patch deployment @{app} -p '{"spec": {"template": {"spec": {"tolerations": [
  {"key": "@{key}", "value": "@{value}"}]}}}}'
kubectl rollout status deployment/@{app} --timeout=60s
