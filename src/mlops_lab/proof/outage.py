"""An injected fault: the API server of a kind cluster stops answering for a few seconds.

The process is stopped (SIGSTOP) and always continued, so connections open and then hang, as on an overloaded host.
After ten seconds the controller manager and the scheduler would lose their leases and restart.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run

_WITHIN = 20.0


@contextlib.contextmanager
def paused_api_server(control_plane: str, engine: str = "docker", at_most: float = 15.0) -> Iterator[None]:
    """The API server does not answer inside the block.

    Args:
        control_plane: the node's container.
        engine: the program that runs it, `docker` or `podman`.
        at_most: seconds after which the API server goes on even if the block is not over.

    Raises:
        LabError: there is no such container, no API server in it, or it cannot be stopped.
    """
    program = find(engine)
    if program is None:
        raise LabError(
            f"{engine} is not installed", "the API server can only be paused on a cluster that runs on this machine"
        )
    found = run([program, "exec", control_plane, "pgrep", "-x", "kube-apiserver"], within=_WITHIN, check=False)
    processes = found.stdout.split()
    if found.code != 0 or not processes:
        raise LabError(
            f"there is no API server in container {control_plane}", "see whether the cluster is up: lab status"
        )

    def send(signal: str) -> None:
        run([program, "exec", control_plane, "kill", f"-{signal}", *processes], within=_WITHIN)

    # Should this process hang inside the block, or not reach the node at its end, the API server goes on all the same:
    # no daemon, so that an interrupted process waits for it.
    rescue = threading.Timer(at_most, send, ["CONT"])
    rescue.start()
    try:
        send("STOP")
        yield
    finally:
        send("CONT")
        rescue.cancel()  # not before: to continue it twice does no harm
