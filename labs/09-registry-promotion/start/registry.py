"""MLflow's REST API for `promote` and `rollback`: https://mlflow.org/docs/latest/api_reference/rest-api.html

MLFLOW_TRACKING_URI and MODEL_NAME come from the environment.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

URI = os.environ["MLFLOW_TRACKING_URI"].rstrip("/")
MODEL = os.environ["MODEL_NAME"]


def ask(method: str, path: str, **values) -> dict:
    """One question: `ask("GET", "runs/get", run_id="...")`; the values are the query of a GET, else the JSON body."""
    url, body = f"{URI}/api/2.0/mlflow/{path}", None
    if method == "GET":
        url += "?" + urllib.parse.urlencode(values)
    else:
        body = json.dumps(values).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        sys.exit(f"MLflow refuses {method} {path}: {refused.read().decode()}")
