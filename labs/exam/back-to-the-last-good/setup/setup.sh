@% for each in releases[1:] %@
kubectl rollout status deployment/@{model} --timeout=60s
kubectl patch deployment @{model} --patch-file=/dev/stdin <<EOF
metadata: {annotations: {kubernetes.io/change-cause: release @{each.name}}}
spec: {template: {spec: {containers: [{name: server, env: [{name: RELEASE, value: @{each.name}}]}]}}}
EOF
@% endfor %@
kubectl rollout status deployment/@{model} --timeout=60s
kubectl patch deployment @{model} --patch='{"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}'
kubectl wait pod/@{passenger} --for=condition=Ready --timeout=60s
