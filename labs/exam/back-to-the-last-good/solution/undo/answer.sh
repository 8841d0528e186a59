kubectl patch deployment @{model} --patch='{"spec": {"strategy": {"type": "RollingUpdate",
  "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}}'
kubectl rollout undo deployment/@{model} --to-revision=@{good}
kubectl rollout status deployment/@{model} --timeout=60s
kubectl exec --stdin deployment/@{model} -- python3 - <<'EOF'
import json
import os
import urllib.request

url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/registered-models/alias"
body = json.dumps({"name": "@{namespace}", "alias": "production", "version": "@{good}"}).encode()
urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}))
EOF
