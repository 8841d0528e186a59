kubectl rollout status deployment/@{app} --timeout=60s
kubectl rollout status daemonset/@{agent} --timeout=60s
kubectl wait --for=condition=Ready pod/@{job} --timeout=60s
