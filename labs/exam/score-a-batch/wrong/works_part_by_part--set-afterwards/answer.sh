kubectl wait --for=condition=Complete job/@{job} --timeout=120s
kubectl patch job @{job} -p '{"spec": {"parallelism": 2}}'
