kubectl patch deployment @{model} --patch-file /dev/stdin <<EOF
spec:
  template:
    metadata:
      labels: {app: @{app}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "@{port}"
        prometheus.io/path: @{path}
EOF
kubectl rollout status deployment/@{model} --timeout=60s
