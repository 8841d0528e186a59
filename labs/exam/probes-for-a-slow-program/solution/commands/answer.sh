kubectl patch deployment @{app} --type json --patch '[
  {"op": "add", "path": "/spec/template/spec/containers/0/ports", "value": [{"name": "http", "containerPort": @{port}}]},
  {"op": "add", "path": "/spec/template/spec/containers/0/startupProbe",
   "value": {"httpGet": {"path": "@{live}", "port": "http"}, "periodSeconds": 1, "failureThreshold": @{tries}}},
  {"op": "add", "path": "/spec/template/spec/containers/0/livenessProbe",
   "value": {"httpGet": {"path": "@{live}", "port": "http"}, "periodSeconds": @{live_every},
             "failureThreshold": @{live_fails}, "timeoutSeconds": 2}},
  {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
   "value": {"httpGet": {"path": "@{ready}", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}}]'
