kubectl set resources deployment @{app} --requests cpu=0.0@{own_cpu},memory=@{own_memory * 1024}Ki --limits memory=@{own_limit}Mi
kubectl create quota @{quota} --hard cpu=@{cpu_all}m,limits.memory=@{memory_all}Mi,pods=@{pods_all}
kubectl create -f - <<EOF
{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "@{limits}"},
 "spec": {"limits": [{"type": "Container", "max": {"memory": "@{memory_most}Mi"},
   "default": {"memory": "@{memory_limit}Mi"}, "defaultRequest": {"memory": "@{memory}Mi", "cpu": "@{cpu}m"}}]}}
EOF
