"""The settings of both flavours, from the environment.

MODEL_NAME (flight-delay), MODEL_ALIAS (production), MODEL_VERSION (empty: follow the alias), MLFLOW_TRACKING_URI,
MODEL_POLL_SECONDS (10), MODEL_WITHIN_SECONDS (300: the process ends when it has no model by then), SCRATCH (/tmp),
HOST (all addresses), PORT (8080).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from serving.following import Following
from serving.registry import Registry


def following() -> Following:
    """The model as the environment asks for it.

    Raises:
        SystemExit: MLFLOW_TRACKING_URI is not set.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise SystemExit("MLFLOW_TRACKING_URI is not set: the address of the MLflow server")
    return Following(
        Registry(uri, os.environ.get("MODEL_NAME", "flight-delay")),
        Path(tempfile.mkdtemp(dir=os.environ.get("SCRATCH", "/tmp"))),
        os.environ.get("MODEL_ALIAS", "production"),
        os.environ.get("MODEL_VERSION", ""),
        float(os.environ.get("MODEL_POLL_SECONDS", "10")),
        float(os.environ.get("MODEL_WITHIN_SECONDS", "300")),
    )


def address() -> tuple[str, int]:
    """Where to listen."""
    return os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
