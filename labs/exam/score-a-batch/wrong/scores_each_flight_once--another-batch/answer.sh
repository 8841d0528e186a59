kubectl patch configmap @{batch} -p '{"data": {"read-me": "scored"}}'
kubectl wait job/@{job} --for=condition=Complete --timeout=90s
