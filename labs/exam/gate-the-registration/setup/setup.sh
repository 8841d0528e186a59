kubectl --namespace=mlops-lab-tracking exec --stdin deployment/mlflow -- python3 - <<EOF
import json
import urllib.request

body = json.dumps({"name": "@{namespace}"}).encode()
url = "http://localhost:5000/api/2.0/mlflow/registered-models/create"
urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=30)
EOF
