worker=$(ssh exam-worker hostname)
kubectl run @{pod} --image localhost:5001/flight-delay:v1 --labels app=@{pod} --dry-run=client -o yaml \
  --overrides '{"spec": {"containers": [{"name": "@{pod}", "image": "localhost:5001/flight-delay:v1",
    "command": ["python3", "-m", "http.server", "@{port}"], "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}}}]}}' |
  sed -e '/^  namespace:/d' -e 's|^metadata:|metadata:\n  namespace: @{namespace}|' |
  ssh exam-worker "cat > /etc/kubernetes/manifests/@{pod}.yaml"
until kubectl get pod "@{pod}-$worker" >/dev/null 2>&1; do sleep 0.5; done
kubectl wait --for=condition=Ready "pod/@{pod}-$worker" --timeout=60s
