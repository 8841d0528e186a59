worker=$(ssh exam-worker hostname)
kubectl create -f - <<END
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "@{pod}-$worker", "labels": {"app": "@{pod}"}},
 "spec": {"nodeName": "$worker", "containers": [{"name": "server", "image": "localhost:5001/flight-delay:v1",
  "command": ["python3", "-m", "http.server", "@{port}"], "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}}}]}}
END
kubectl wait --for=condition=Ready "pod/@{pod}-$worker" --timeout=60s
