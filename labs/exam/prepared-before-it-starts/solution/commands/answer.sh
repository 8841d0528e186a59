kubectl patch deployment @{app} --patch '
spec:
  template:
    spec:
      initContainers:
        - name: fetch
          image: localhost:5001/flight-delay:v1
          command: [python3, /etc/tools/fetch.py, "http://@{source}.@{namespace}.svc/@{file}", /out/@{file}]
          volumeMounts: [{name: tools, mountPath: /etc/tools}, {name: out, mountPath: /out}]
      containers:
        - name: web
          volumeMounts: [{name: out, mountPath: /srv, readOnly: true}]
      volumes:
        - {name: tools, configMap: {name: @{tools}}}
        - {name: out, emptyDir: {}}'
