"""What the data scientists left in MLflow: versions, runs, metrics and data sets. Runs where MLflow's server does."""

import json
import time

from mlops_lab.tasks.mlflow_rest import ask, data_set

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")

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
