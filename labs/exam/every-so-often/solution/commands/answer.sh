kubectl create cronjob @{cronjob} --image localhost:5001/flight-delay:v1 --schedule "@{schedule}" \
  --dry-run=client -o yaml -- python3 /program/report.py |
  kubectl patch -f - --local --type json -o yaml --patch '[
    {"op": "add", "path": "/spec/timeZone", "value": "@{zone}"},
    {"op": "add", "path": "/spec/concurrencyPolicy", "value": "@{policy}"},
    {"op": "add", "path": "/spec/startingDeadlineSeconds", "value": @{late}},
    {"op": "add", "path": "/spec/successfulJobsHistoryLimit", "value": @{good}},
    {"op": "add", "path": "/spec/failedJobsHistoryLimit", "value": @{bad}},
    {"op": "add", "path": "/spec/jobTemplate/spec/backoffLimit", "value": @{tries}},
    {"op": "add", "path": "/spec/jobTemplate/spec/template/spec/containers/0/volumeMounts",
     "value": [{"name": "program", "mountPath": "/program"}]},
    {"op": "add", "path": "/spec/jobTemplate/spec/template/spec/volumes",
     "value": [{"name": "program", "configMap": {"name": "@{program}"}}]}]' |
  kubectl set env -f - --local -o yaml DESK=http://@{desk} |
  kubectl create -f -
