kubectl patch deployment @{server} -p '{"spec": {"template": {"metadata": {"labels": {"guarded": "by-a-policy"}}}}}'
kubectl rollout status deployment @{server} --timeout=60s
