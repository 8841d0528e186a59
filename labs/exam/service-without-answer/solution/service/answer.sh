kubectl get pods --show-labels
@% if fault == "selector" %@
kubectl set selector service @{service} app=@{service},tier=back
@% elif fault == "port" %@
kubectl patch service @{service} --type json \
  -p '[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": @{target}}]'
@% elif fault == "readiness" %@
kubectl patch deployment @{service} --type json \
  -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/httpGet/path", "value": "/ready"}]'
@% else %@
kubectl set env deployment @{service} ADDRESS=0.0.0.0
@% endif %@
@% if fault in ("readiness", "address") %@
kubectl rollout status deployment @{service} --timeout=120s
@% endif %@
kubectl get endpointslices
