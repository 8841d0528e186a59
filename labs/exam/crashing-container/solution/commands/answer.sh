@% if fault == "key" %@
kubectl patch deployment @{name} -p '{"spec": {"template": {"spec": {"containers": [
  {"name": "server", "env": [{"name": "WORDS", "valueFrom": {"configMapKeyRef": {"key": "@{key}"}}}]}]}}}}'
@% elif fault == "command" %@
kubectl patch deployment @{name} --type json \
  -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/command/1", "value": "/program/server.py"}]'
@% elif fault == "probe" %@
kubectl patch deployment @{name} --type json \
  -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/livenessProbe/httpGet/port", "value": @{port}}]'
@% else %@
kubectl set resources deployment @{name} --limits=memory=@{most}Mi
@% endif %@
kubectl rollout status deployment @{name} --timeout=120s
