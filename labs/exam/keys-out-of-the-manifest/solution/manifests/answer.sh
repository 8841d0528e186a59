kubectl delete rolebinding @{role}
kubectl patch deployment @{server} --patch-file=/dev/stdin <<EOF
spec:
  revisionHistoryLimit: 0
  template:
    spec:
      serviceAccountName: @{account}
      containers:
        - name: server
          env:
            - name: @{variable}
              value: null
              valueFrom: {secretKeyRef: {name: @{secret}, key: @{key}}}
EOF
kubectl rollout status deployment/@{server} --timeout=60s
