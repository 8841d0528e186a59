kubectl create configmap @{config} --from-literal=@{first}=@{first_value} --from-literal=@{second}=@{second_value}
kubectl create secret generic @{secret} --from-literal=@{entry}=@{secret_value}
kubectl set env deployment/@{app} --from=secret/@{secret} --prefix=@{prefix}
kubectl patch deployment @{app} --patch '
spec:
  template:
    spec:
      containers:
        - name: server
          volumeMounts: [{name: settings, mountPath: /etc/@{app}, readOnly: true}]
      volumes: [{name: settings, configMap: {name: @{config}}}]'
