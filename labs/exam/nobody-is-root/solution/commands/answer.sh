kubectl patch deployment @{app} --patch '
spec:
  template:
    spec:
      containers:
        - name: server
          securityContext:
            runAsUser: @{user}
            runAsGroup: @{group}
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            seccompProfile: {type: RuntimeDefault}
            capabilities: {drop: [ALL]}
          volumeMounts: [{name: scratch, mountPath: @{folder}}]
      volumes: [{name: scratch, emptyDir: {medium: Memory, sizeLimit: 8Mi}}]'
