kubectl patch deployment @{model} --patch-file /dev/stdin <<EOF
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 20
      containers:
        - name: server
          lifecycle: {preStop: {sleep: {seconds: 8}}}
          resources: {requests: {cpu: @{cpu}m}}
EOF
kubectl rollout status deployment/@{model} --timeout=90s
