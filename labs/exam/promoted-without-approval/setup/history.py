"""What people left in MLflow: versions with who trained and who approved them. Runs where MLflow's server does."""

import json
import urllib.request

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")


def ask(path, **body):
    """One question of MLflow's REST API."""
    url, headers = f"http://localhost:5000/api/2.0/mlflow/{path}", {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
        return json.load(answer)


ask("registered-models/create", name=NAME)
for number, tags in enumerate(VERSIONS, 1):
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", tags=listed)
ask("registered-models/alias", name=NAME, alias="@{alias}", version="@{now}")
