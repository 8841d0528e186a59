"""Models in MLflow: a version is a JSON file of a run. An alias says which version is meant. Yours to change.

The names of the registered models are f"{MODEL_NAME}-forecast" and f"{MODEL_NAME}-recommend"; MODEL_NAME and
MLFLOW_TRACKING_URI come from ConfigMap `platform`.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

NAMES = {what: f"{os.environ.get('MODEL_NAME', 'lab-28')}-{what}" for what in ("forecast", "recommend")}
FILE = "model.json"


def ask(method, path, body=None):
    """A question of MLflow's REST API; None where it says that there is none."""
    request = urllib.request.Request(
        f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with opened(request) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refused:
        said = refused.read().decode(errors="replace")
        if refused.code == 404 or "RESOURCE_DOES_NOT_EXIST" in said or ("alias" in said and "INVALID" in said):
            return None
        raise OSError(f"{method} {path}: {refused.code} {said[:300]}") from None
    except http.client.HTTPException as broken:  # an answer that ends in its middle, say
        raise OSError(f"{method} {path}: {broken!r}") from broken


def opened(request):
    """The answer. MLflow's NetworkPolicy refuses a pod in its first seconds, until the nodes know its address."""
    until = time.monotonic() + 15
    while True:
        try:
            return urllib.request.urlopen(request, timeout=10)
        except urllib.error.URLError as refused:
            if not isinstance(refused.reason, ConnectionRefusedError) or time.monotonic() > until:
                raise
            time.sleep(0.5)


def by_alias(what, alias):
    """The number of the version that an alias means; None if there is none."""
    query = urllib.parse.urlencode({"name": NAMES[what], "alias": alias})
    found = ask("GET", f"mlflow/registered-models/alias?{query}")
    return found["model_version"]["version"] if found else None


def read(what, version):
    """The model of a version."""
    query = urllib.parse.urlencode({"name": NAMES[what], "version": version})
    source = ask("GET", f"mlflow/model-versions/get?{query}")["model_version"]["source"]
    place = urllib.parse.urlsplit(source).path.strip("/")
    model = ask("GET", f"mlflow-artifacts/artifacts/{place}/{FILE}")
    if model is None:
        raise OSError(f"version {version} of {NAMES[what]} has no {FILE}")
    return model


def register(what, model, tags=()):
    """A new version, that no alias means yet; its number."""
    # Another name of the same experiment would be found by no reset.
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "lab-28")
    found = ask("GET", f"mlflow/experiments/get-by-name?experiment_name={urllib.parse.quote(name)}")
    number = (found["experiment"] if found else ask("POST", "mlflow/experiments/create", {"name": name}))[
        "experiment_id"
    ]
    run = ask("POST", "mlflow/runs/create", {"experiment_id": number, "run_name": what})["run"]["info"]
    place = urllib.parse.urlsplit(run["artifact_uri"]).path.strip("/")
    ask("PUT", f"mlflow-artifacts/artifacts/{place}/{FILE}", model)
    ask("POST", "mlflow/runs/update", {"run_id": run["run_id"], "status": "FINISHED"})
    if ask("GET", f"mlflow/registered-models/get?{urllib.parse.urlencode({'name': NAMES[what]})}") is None:
        ask("POST", "mlflow/registered-models/create", {"name": NAMES[what]})
    body = {
        "name": NAMES[what], "source": run["artifact_uri"], "run_id": run["run_id"],
        "tags": [{"key": key, "value": str(value)} for key, value in dict(tags).items()],
    }  # fmt: skip
    return ask("POST", "mlflow/model-versions/create", body)["model_version"]["version"]


def set_alias(what, alias, version):
    """From now on an alias means a version."""
    ask("POST", "mlflow/registered-models/alias", {"name": NAMES[what], "alias": alias, "version": version})


def drop_alias(what, alias):
    """An alias means nothing any more."""
    ask("DELETE", "mlflow/registered-models/alias", {"name": NAMES[what], "alias": alias})
