kubectl create job @{job} --image=localhost:5001/flight-delay:v1 --dry-run=client --output=json -- \
  python3 score.py 'part-$(JOB_COMPLETION_INDEX).json' @{model} |
  kubectl patch --local -f - --output=json --patch='
spec:
  completionMode: Indexed
  completions: 3
  parallelism: 2
  backoffLimit: @{retries}
  template:
    spec:
      containers:
        - name: @{job}
          workingDir: /lab/batch
          volumeMounts: [{name: batch, mountPath: /lab/batch}]
      volumes: [{name: batch, configMap: {name: @{batch}}}]' |
  kubectl create -f -
kubectl wait job/@{job} --for=condition=Complete --timeout=90s
