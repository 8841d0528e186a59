kubectl get pods
@% if fault == "init" %@
kubectl set env deployment @{name} --containers=wait STORE=@{store}
@% elif fault == "readiness" %@
kubectl patch deployment @{name} --type json \
  -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/httpGet/path", "value": "/ready"}]'
@% else %@
kubectl patch deployment @{name} \
  -p '{"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}}'
@% endif %@
kubectl rollout status deployment @{name} --timeout=120s
