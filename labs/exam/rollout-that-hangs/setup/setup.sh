kubectl rollout status deployment @{name} --timeout=110s
until kubectl logs caller | grep -q asked=; do sleep 0.5; done
kubectl patch deployment @{name} -p '{"spec": {"template": {"spec": {
  "initContainers": [{"name": "wait", "env": [{"name": "STORE", "value": "@{no_store if fault == "init" else store}"}]}],
  "containers": [{"name": "server", "env": [{"name": "RELEASE", "value": "@{new}"}],
                  "readinessProbe": {"httpGet": {"path": "@{"/started" if fault == "readiness" else "/ready"}"}}}]}}}}'
