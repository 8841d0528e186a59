"""`python -m serving`: the FastAPI flavour, until SIGTERM; then it finishes what is under way. Settings: settings.py.

When no version could be had within MODEL_WITHIN_SECONDS it ends with exit code 1: the kubelet starts it again, with
pauses that grow, and the reason is the last line of its log.
"""

from __future__ import annotations

import sys
import threading

import uvicorn
from prometheus_client import REGISTRY
from server.app import create

from serving.settings import address, following


def main() -> None:
    """Run the server in this process."""
    model = following()
    REGISTRY.register(model.seen)
    host, port = address()
    server = uvicorn.Server(
        uvicorn.Config(
            create(model), host=host, port=port, http="httptools", ws="none", access_log=False,  # type: ignore[arg-type]
            log_level="warning", backlog=2048, timeout_graceful_shutdown=30,
        )
    )  # fmt: skip

    def end() -> None:
        model.gave_up.wait()
        server.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    server.run()
    model.stop()
    if model.gave_up.is_set():
        sys.exit(1)


if __name__ == "__main__":
    main()
