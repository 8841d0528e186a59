"""`python -m embedded`: serve until SIGTERM. Runs go on meanwhile, and the next server takes them up."""

from __future__ import annotations

import importlib
import os

# The SDK is imported for its message types alone; this keeps its client and compiler out of the server's memory.
os.environ["_KFP_RUNTIME"] = "true"

import uvicorn

from embedded.api.app import create
from embedded.api.context import Context
from embedded.artifacts import Artifacts
from embedded.pods import Pods
from embedded.reconcile import Reconciler
from embedded.settings import Settings
from embedded.store import Store


def main() -> None:
    """Run the server in this process."""
    os.umask(0o077)
    settings = Settings.from_environment()
    module, _, factory = settings.pods.partition(":")
    pods: Pods = getattr(importlib.import_module(module), factory)(settings)
    store, artifacts = Store(settings.data), Artifacts(settings)
    server = Context(settings, store, artifacts, pods, Reconciler(settings, store, artifacts, pods))
    uvicorn.run(
        create(server),
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        backlog=2048,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
