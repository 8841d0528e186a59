"""promote RUN_ID or rollback, with MLflow's own client.

A candidate is loaded here before the alias ever moves to it. What was in production before has the alias `previous`.
"""

import json
import os
import sys
import time
import urllib.request

import mlflow
from mlflow.exceptions import MlflowException

PRODUCTION, PREVIOUS = "production", "previous"
IN_A_ROW, WITHIN = 40, 25  # answers, s; the pod that this runs in and its look at the model take 20 s more
NAME = os.environ["MODEL_NAME"]
client = mlflow.MlflowClient()


def promote(run_id: str) -> None:
    run = client.get_run(run_id)
    model_id = run.outputs.model_outputs[0].model_id
    try:
        mlflow.pyfunc.load_model(f"models:/{model_id}")
    except Exception as trouble:  # a broken file can raise anything
        sys.exit(f"the model of run {run_id} can't be loaded: {type(trouble).__name__}: {trouble}")
    digest = run.inputs.dataset_inputs[0].dataset.digest
    version = client.create_model_version(
        NAME, source=f"models:/{model_id}", run_id=run_id, model_id=model_id, tags={"data.digest": digest}
    ).version
    before = client.get_model_version_by_alias(NAME, PRODUCTION).version
    serve(version, before)
    client.set_registered_model_alias(NAME, PREVIOUS, before)


def rollback() -> None:
    try:
        version = client.get_model_version_by_alias(NAME, PREVIOUS).version
    except MlflowException:
        sys.exit("there is no version before")
    serve(version, client.get_model_version_by_alias(NAME, PRODUCTION).version)
    client.delete_registered_model_alias(NAME, PREVIOUS)


def serve(version: str, before: str) -> None:
    """Move the alias and wait until every answer is of the version; else move it back and exit 1."""
    client.set_registered_model_alias(NAME, PRODUCTION, version)
    end, row, seen = time.monotonic() + WITHIN, 0, "none"
    while row < IN_A_ROW:
        try:
            with urllib.request.urlopen("http://model/version", timeout=5) as answer:  # a new connection, so any pod
                seen = json.loads(answer.read())["model_version"]
        except (OSError, ValueError) as trouble:
            seen = str(trouble)
        row = row + 1 if seen == str(version) else 0
        if time.monotonic() > end:
            client.set_registered_model_alias(NAME, PRODUCTION, before)
            sys.exit(f"version {version} does not come to serve (last seen: {seen}); {before} is in production again")
        time.sleep(0.02 if row else 0.5)
    print(f"version {version} is in production, instead of {before}")


{"promote": promote, "rollback": rollback}[sys.argv[1]](*sys.argv[2:])
