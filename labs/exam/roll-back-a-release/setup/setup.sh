# The controller makes a revision of a template that it has seen, so each is waited for.
revise() {
  kubectl patch deployment @{app} -p "{\"metadata\": {\"annotations\": {\"kubernetes.io/change-cause\": \"ticket $2\"}},
    \"spec\": {\"template\": {\"spec\": {\"containers\": [$3]}}}}"
  kubectl wait deployment @{app} --timeout=60s \
    --for=jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}'="$1"
}
kubectl wait deployment @{app} --timeout=60s \
  --for=jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}'=1
@% for number in [1, 2] %@
revise @{number + 1} @{ticket + 7 * number} '{"name": "web", "command": ["python3", "/program/serve.py", "@{modes[number]}"],
  "env": [{"name": "RELEASE", "value": "@{releases[number]}"}, {"name": "LIMIT", "value": "@{limits[number]}"},
          {"name": "COLOUR", "value": "@{colours[number]}"}]}'
@% endfor %@
kubectl scale deployment @{app} --replicas=2
kubectl rollout status deployment @{app} --timeout=90s
@% if fault == "image" %@
revise 4 @{ticket + 21} '{"name": "web", "image": "localhost:5001/flight-delay:v1.9", "env": [{"name": "RELEASE", "value": "@{newest}"}]}'
@% elif fault == "command" %@
revise 4 @{ticket + 21} '{"name": "web", "command": ["python3", "/program/server.py", "@{modes[2]}"],
  "env": [{"name": "RELEASE", "value": "@{newest}"}]}'
@% else %@
revise 4 @{ticket + 21} '{"name": "web", "readinessProbe": {"httpGet": {"path": "/", "port": 8081}},
  "env": [{"name": "RELEASE", "value": "@{newest}"}]}'
@% endif %@
