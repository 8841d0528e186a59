kubectl create job @{job} --image localhost:5001/flight-delay:v1 --dry-run=client -o yaml -- python3 /program/part.py |
  kubectl patch -f - --local --type json -o yaml --patch '[
    {"op": "add", "path": "/spec/completionMode", "value": "Indexed"},
    {"op": "add", "path": "/spec/completions", "value": @{parts}},
    {"op": "add", "path": "/spec/parallelism", "value": @{parallel}},
    {"op": "add", "path": "/spec/backoffLimit", "value": @{backoff}},
    {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": @{deadline}},
    {"op": "add", "path": "/spec/ttlSecondsAfterFinished", "value": @{keep}},
    {"op": "add", "path": "/spec/template/spec/restartPolicy", "value": "OnFailure"},
    {"op": "add", "path": "/spec/template/spec/containers/0/volumeMounts",
     "value": [{"name": "program", "mountPath": "/program"}]},
    {"op": "add", "path": "/spec/template/spec/volumes",
     "value": [{"name": "program", "configMap": {"name": "@{program}"}}]}]' |
  kubectl create -f -
