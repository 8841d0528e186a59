"""The registered model that the pipeline registers versions of; none yet. Runs where MLflow's server does."""

from mlops_lab.tasks.mlflow_rest import ask

ask("registered-models/create", name="@{namespace}")
