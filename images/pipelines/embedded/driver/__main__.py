"""`python -m embedded.driver`: run one pipeline to its end. DRIVER_URL, DRIVER_TOKEN say where the server is and which
run it is; everything else is asked there."""

from __future__ import annotations

import os
import sys
import traceback
import types

# `import kfp` brings the SDK's client with it, four fifths of the import's time and two thirds of its memory; a driver
# talks to the server only as its driver.
_client = types.ModuleType("kfp.client")
_client.Client = None  # type: ignore[attr-defined]
sys.modules["kfp.client"] = _client

from embedded.driver.server import Server, Superseded  # noqa: E402
from embedded.driver.walk import Walk  # noqa: E402


def main() -> None:
    """Run the pipeline, tell the server how it ended; exit code 1 only if that could not be told."""
    server = Server(os.environ["DRIVER_URL"], os.environ["DRIVER_TOKEN"])
    try:
        server.keep_in_touch(every=15)
        try:
            state, error, outputs = Walk(server, server.job()).run()
        except Exception as failed:
            traceback.print_exc()
            state, error, outputs = "FAILED", f"{type(failed).__name__}: {failed}", {}
        print(f"the run has ended: {state} {error}", flush=True)
        server.finish(state, error, outputs)
    except Superseded as other:
        print(f"ending: {other}", flush=True)


if __name__ == "__main__":
    main()
