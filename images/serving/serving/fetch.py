"""`python -m serving.fetch NAME VERSION FOLDER`: download a version's files from the registry, whole or not at all.

A process of its own: MLflow takes seconds to import and 100 MB, which the server need not carry for its whole life. The
limits on each request come from the environment (MLFLOW_HTTP_REQUEST_TIMEOUT and others); the caller limits the whole.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

FILES = "data/bundle"  # where training puts them among the version's artifacts


def fetch(name: str, version: str, folder: Path) -> None:
    """Leave the files in the folder, which isn't there before."""
    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        download_artifacts(f"models:/{name}/{version}", dst_path=part)
        files = Path(part) / FILES
        if not (files / "model.joblib").is_file():
            raise SystemExit(f"version {version} of {name} has no {FILES}/model.joblib: it is no flight-delay model")
        shutil.move(files, folder)


if __name__ == "__main__":
    fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
