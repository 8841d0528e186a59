kubectl create -f - <<END
{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "@{limits}"},
 "spec": {"limits": [
   {"type": "Container", "max": {"memory": "@{memory_most}Mi"},
    "defaultRequest": {"cpu": "0.0@{"%02d" % cpu}", "memory": "@{memory}Mi"},
    "default": {"cpu": "0.@{"%03d" % cpu_limit}", "memory": "@{memory_limit}Mi"}}]}}
END
kubectl create quota @{quota} --hard=cpu=@{cpu_all}m,memory=@{memory_all}Mi,pods=@{pods}
kubectl delete pods -l app=@{app}
kubectl rollout status deployment @{app} --timeout=60s
