"""`python -m network`: the flight-delay server round the network; settings are those of `python -m server`."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from server.app import create

from network.model import Trained


def main() -> None:
    """Run the server in this process, as `server.__main__` runs it round the forest."""
    model = Trained(Path(os.environ.get("MODEL_DIR", "/model")), float(os.environ.get("MODEL_LOAD_SECONDS", "0")))
    uvicorn.run(
        create(model),
        host=os.environ.get("HOST", "0.0.0.0"),
        port=int(os.environ.get("PORT", "8080")),
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        backlog=2048,
        timeout_graceful_shutdown=30,
    )


if __name__ == "__main__":
    main()
