kubectl create deployment @{model} --image=localhost:5001/flight-delay:@{version} --port=8080 --replicas=2 \
  --dry-run=client --output=json |
  kubectl set resources --local -f - --requests=cpu=@{cpu}m,memory=@{memory}Mi --limits=memory=@{limit}Mi --output=json |
  kubectl patch --local -f - --type=json --output=json --patch='[{"op": "add",
    "path": "/spec/template/spec/containers/0/readinessProbe",
    "value": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 2}}]' |
  kubectl create -f -
kubectl expose deployment @{model} --name=@{service} --port=80 --target-port=8080
kubectl rollout status deployment/@{model} --timeout=90s
