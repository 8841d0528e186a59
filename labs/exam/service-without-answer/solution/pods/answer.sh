# The other side of the same fault: the pods are changed to what the Service or the probe asks of them.
@% if fault == "selector" %@
kubectl patch deployment @{service} -p '{"spec": {"template": {"metadata": {"labels": {"tier": "front"}}}}}'
@% elif fault == "port" %@
kubectl patch deployment @{service} -p '{"spec": {"template": {"spec": {"containers": [
  {"name": "server", "env": [{"name": "PORT", "value": "@{wrong_target}"}],
   "readinessProbe": {"httpGet": {"port": @{wrong_target}}}}]}}}}'
@% elif fault == "readiness" %@
kubectl patch deployment @{service} -p '{"spec": {"template": {"spec": {"containers": [
  {"name": "server", "readinessProbe": {"httpGet": null, "exec": {"command": ["test", "-f", "/tmp/www/ready"]}}}]}}}}'
@% else %@
kubectl patch deployment @{service} -p '{"spec": {"template": {"spec": {"containers": [
  {"name": "server", "env": [{"name": "ADDRESS", "value": null,
                              "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}]}}}}'
@% endif %@
kubectl rollout status deployment @{service} --timeout=120s
