"""MLflow, with limits on time: the model in service, its files, and how a new version gets in.

`production` is the alias of the model in service, `candidate` of the one that may take its place.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PRODUCTION, CANDIDATE = "production", "candidate"
WHY = "evaluation.why"  # the tag of a run that says how its model was judged
FILES = "data/bundle"  # where the model's files are among its artifacts
_LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "120",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def connect(uri: str) -> MlflowClient:
    """A client of the server at `uri`, which MLflow's own functions use from now on too."""
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient(uri, uri)


def by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that an alias means; None when there is no such model or alias."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as answer:
        if answer.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def files(client: MlflowClient, version: ModelVersion) -> Path:
    """The folder with a version's files, downloaded."""
    import mlflow

    folder = tempfile.mkdtemp(prefix="model-")
    got = mlflow.artifacts.download_artifacts(
        f"models:/{version.name}/{version.version}", dst_path=folder, tracking_uri=client.tracking_uri
    )
    return Path(got) / FILES


def register(client: MlflowClient, name: str, model: dict[str, Any], tags: dict[str, str]) -> ModelVersion:
    """A version of the model that a run logged; when the same one was registered before, that version.

    Args:
        model: `model_id` and `run_id`, as training recorded them.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as answer:
        if answer.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for known in client.search_model_versions(f"name = '{name}' and run_id = '{model['run_id']}'"):
        if known.tags.get("model_id") == model["model_id"]:
            return known
    return client.create_model_version(
        name, source=f"models:/{model['model_id']}", run_id=model["run_id"], model_id=model["model_id"],
        tags={**tags, "model_id": model["model_id"]},
    )  # fmt: skip
