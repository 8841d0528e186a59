"""`python -m server`: serve the model of a folder until SIGTERM, then finish what is under way.

Settings (environment): MODEL_DIR (/model), MODEL_LOAD_SECONDS (0), HOST (all addresses), PORT (8080).
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from server.app import create
from server.model import Model


def main() -> None:
    """Run the server in this process, as process 1 of a container or from a terminal."""
    model = Model(Path(os.environ.get("MODEL_DIR", "/model")), float(os.environ.get("MODEL_LOAD_SECONDS", "0")))
    uvicorn.run(
        create(model),
        host=os.environ.get("HOST", "0.0.0.0"),
        port=int(os.environ.get("PORT", "8080")),
        http="httptools",
        ws="none",
        access_log=False,  # observe.py writes a better one
        log_level="warning",
        backlog=2048,
        timeout_graceful_shutdown=30,
    )


if __name__ == "__main__":
    main()
