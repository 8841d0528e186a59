"""What people left in MLflow: versions with who trained and who approved them. Runs where MLflow's server does."""

import json

from mlops_lab.tasks.mlflow_rest import ask

NAME = "@{namespace}"
VERSIONS = json.loads("""@{versions | tojson}""")

ask("registered-models/create", name=NAME)
for number, tags in enumerate(VERSIONS, 1):
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    ask("model-versions/create", name=NAME, source=f"s3://models/{NAME}/{number}", tags=listed)
ask("registered-models/alias", name=NAME, alias="@{alias}", version="@{now}")
