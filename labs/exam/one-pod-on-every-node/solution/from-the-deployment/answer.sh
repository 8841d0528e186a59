kubectl get deployment @{app} -o json |
  python3 -c '
import json, sys
it = json.load(sys.stdin)
it["kind"], it["metadata"] = "DaemonSet", {"name": "@{app}"}
it["spec"] = {key: it["spec"][key] for key in ("selector", "template")}
del it["status"]
spec = it["spec"]["template"]["spec"]
spec["tolerations"] = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
ask = "import urllib.request; urllib.request.urlopen(\"http://localhost:8080/@{path}\", timeout=2)"
spec["containers"][0]["livenessProbe"] = {
    "exec": {"command": ["python3", "-c", ask]}, "periodSeconds": 3, "failureThreshold": 2, "timeoutSeconds": 3}
print(json.dumps(it))' | kubectl create -f -
kubectl delete deployment @{app}
