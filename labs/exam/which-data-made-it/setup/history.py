"""What the data scientists left in MLflow: versions, runs and data sets. Runs where MLflow's server does."""

import json
import time

from mlops_lab.tasks.mlflow_rest import ask, data_set

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")

experiment = ask("experiments/create", name=NAME)["experiment_id"]
ask("registered-models/create", name=NAME)
for number, each in enumerate(VERSIONS, 1):
    began = round(time.time() * 1000)
    run = ask("runs/create", experiment_id=experiment, run_name="weekly", start_time=began)["run"]["info"]["run_id"]
    inputs = [data_set(context, each[context]) for context in each["order"]]
    ask("runs/log-inputs", run_id=run, datasets=inputs)
    ask("runs/update", run_id=run, status="FINISHED", end_time=began)
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", run_id=run)
ask("registered-models/alias", name=NAME, alias="@{alias}", version="@{served}")
