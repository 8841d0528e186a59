kubectl patch deployment @{model} --patch-file /dev/stdin <<EOF
spec:
  template:
    spec:
      initContainers:
        - name: fetch
          image: localhost:5001/flight-delay:@{wanted}
          command: [sh, -c, "cp /model/* /fetched/"]
          volumeMounts: [{name: fetched, mountPath: /fetched}]
          resources: {requests: {cpu: 5m, memory: 16Mi}}
      containers:
        - name: server
          env: [{name: MODEL_DIR, value: /srv/model}]
          volumeMounts: [{name: fetched, mountPath: /srv/model, readOnly: true}]
      volumes: [{name: fetched, emptyDir: {}}]
EOF
kubectl rollout status deployment/@{model} --timeout=90s
