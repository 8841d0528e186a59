kubectl get events
@% if fault == "account" %@
path=template/spec/serviceAccountName value='"@{name}-reader"'
@% elif fault == "volume" %@
path=template/spec/volumes/0/configMap/name value='"@{name}-orders"'
@% else %@
path=activeDeadlineSeconds value=12
@% endif %@
kubectl patch cronjob @{name} --type json \
  -p '[{"op": "replace", "path": "/spec/jobTemplate/spec/'"$path"'", "value": '"$value"'}]'
kubectl create job @{name}-again --from=cronjob/@{name}
kubectl wait job @{name}-again --for=condition=Complete --timeout=120s
