"""What the data scientists left in MLflow: a version for each run. Runs where MLflow's server does."""

import json
import time

from mlops_lab.tasks.mlflow_rest import ask

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")

experiment = ask("experiments/create", name=NAME)["experiment_id"]
ask("registered-models/create", name=NAME)
for number, each in enumerate(VERSIONS, 1):
    began = round(time.time() * 1000)
    run = ask("runs/create", experiment_id=experiment, run_name=each["run"], start_time=began)["run"]["info"]["run_id"]
    ask("runs/log-metric", run_id=run, key="auc", value=each["auc"], timestamp=began)
    ask("runs/update", run_id=run, status="FINISHED", end_time=began)
    tags = [{"key": "accepted", "value": each["accepted"]}]
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", run_id=run, tags=tags)
ask("registered-models/alias", name=NAME, alias="@{alias}", version="@{now}")
