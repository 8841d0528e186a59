kubectl patch deployment @{model} -p '{"spec": {"template": {"metadata": {"labels": {"budget": "one"}}}}}'
kubectl rollout status deployment/@{model} --timeout=90s
kubectl create poddisruptionbudget @{budget} --selector=budget=one --max-unavailable=1
