"""What the data scientists left in MLflow: a version for each run. Runs where MLflow's server does."""

import json
import time

from mlops_lab.tasks.mlflow_rest import ask, data_set

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")

experiment = ask("experiments/create", name=NAME)["experiment_id"]
ask("registered-models/create", name=NAME)
for number, each in enumerate(VERSIONS, 1):
    began = round(time.time() * 1000)
    run = ask("runs/create", experiment_id=experiment, run_name=each["run"], start_time=began)["run"]["info"]["run_id"]
    for key in ("auc", "latency_ms"):
        ask("runs/log-metric", run_id=run, key=key, value=each[key], timestamp=began)
    ask("runs/log-inputs", run_id=run, datasets=[data_set("evaluation", each["digest"])])
    ask("runs/update", run_id=run, status="FINISHED", end_time=began)
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", run_id=run)
ask("registered-models/alias", name=NAME, alias="@{served}", version="@{champion}")
