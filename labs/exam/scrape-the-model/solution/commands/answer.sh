kubectl get deployment @{model} --output=json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = "@{app}"
it["spec"]["template"]["metadata"]["annotations"] = {
    "prometheus.io/scrape": "true", "prometheus.io/port": "@{port}", "prometheus.io/path": "@{path}"}
print(json.dumps(it))' | kubectl replace -f -
kubectl rollout status deployment/@{model} --timeout=60s
