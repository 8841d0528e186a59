kubectl create serviceaccount @{account}
kubectl patch serviceaccount default --patch '{"automountServiceAccountToken": false}'
kubectl set serviceaccount deployment/@{app} @{account}
kubectl patch deployment @{app} --patch '
spec:
  template:
    spec:
      automountServiceAccountToken: false
      containers:
        - name: worker
          volumeMounts: [{name: outside, mountPath: @{folder}}]
      volumes:
        - name: outside
          projected:
            sources: [{serviceAccountToken: {audience: "@{audience}", path: token, expirationSeconds: @{minutes * 60}}}]'
