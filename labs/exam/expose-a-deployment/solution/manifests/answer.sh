kubectl patch deployment @{app} -p '
spec:
  template:
    spec:
      containers:
        - name: server
          ports:
            - containerPort: @{port}
              name: @{name}
'
