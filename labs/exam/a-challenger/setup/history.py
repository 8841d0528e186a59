"""What the data scientists left in MLflow: a version for each run. Runs where MLflow's server does."""

import json
import time
import urllib.request

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")


def ask(path, **body):
    """One question of MLflow's REST API."""
    url, headers = f"http://localhost:5000/api/2.0/mlflow/{path}", {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
        return json.load(answer)


experiment = ask("experiments/create", name=NAME)["experiment_id"]
ask("registered-models/create", name=NAME)
for number, each in enumerate(VERSIONS, 1):
    began = round(time.time() * 1000)
    run = ask("runs/create", experiment_id=experiment, run_name=each["run"], start_time=began)["run"]["info"]["run_id"]
    for key in ("auc", "latency_ms"):
        ask("runs/log-metric", run_id=run, key=key, value=each[key], timestamp=began)
    about = {"name": "flights", "digest": each["digest"], "source_type": "http", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "evaluation"}]
    ask("runs/log-inputs", run_id=run, datasets=[{"tags": tags, "dataset": about}])
    ask("runs/update", run_id=run, status="FINISHED", end_time=began)
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", run_id=run)
ask("registered-models/alias", name=NAME, alias="@{served}", version="@{champion}")
