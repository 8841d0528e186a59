kubectl set resources deployment/@{model} --requests=cpu=@{cpu}m
kubectl autoscale deployment @{model} --min=2 --max=@{most} --cpu=@{target}%
kubectl patch deployment @{model} --patch='{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30,
  "containers": [{"name": "server", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "7"]}}}}]}}}}'
kubectl rollout status deployment/@{model} --timeout=90s
