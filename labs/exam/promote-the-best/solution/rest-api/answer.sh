kubectl exec --stdin deployment/@{model} -- python3 - <<'EOF'
import json
import os
import urllib.parse
import urllib.request

NAME, URL = os.environ["MODEL_NAME"], os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/"


def get(path, **query):
    with urllib.request.urlopen(f"{URL}{path}?{urllib.parse.urlencode(query)}") as answer:
        return json.load(answer)


def set_alias(alias, version):
    body = json.dumps({"name": NAME, "alias": alias, "version": version}).encode()
    request = urllib.request.Request(URL + "registered-models/alias", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request)


def auc(version):
    metrics = get("runs/get", run_id=version["run_id"])["run"]["data"]["metrics"]
    return next(each["value"] for each in metrics if each["key"] == "auc")


now = get("registered-models/alias", name=NAME, alias="@{alias}")["model_version"]["version"]
versions = get("model-versions/search", filter=f"name='{NAME}'")["model_versions"]
accepted = [each for each in versions if {"key": "accepted", "value": "yes"} in each["tags"]]
best = max(accepted, key=auc)["version"]
set_alias("@{alias}", best)
set_alias("previous", now)
EOF
