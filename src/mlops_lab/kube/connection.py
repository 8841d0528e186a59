"""From a kubeconfig context to a connection; every request has a time limit."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from mlops_lab.base.paths import cache
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable, translated


def connect(context: str | None = None, kubeconfig: Path | None = None, timeout: float = 10.0) -> Kube:
    """Connect to the cluster of a kubeconfig context and ask it for its version.

    Args:
        context: a context's name; None takes the current one.
        kubeconfig: the file; None follows KUBECONFIG and `~/.kube/config`.
        timeout: limit of every single request in seconds (watches have their own).

    Raises:
        Unreachable: no such file or context, or nothing answers there.
    """
    from kubernetes import config

    file = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", str(Path.home() / ".kube/config"))
    if not any(Path(part).expanduser().is_file() for part in file.split(os.pathsep) if part):
        raise Unreachable(f"there is no kubeconfig at {file}", "create a cluster (lab up), or set KUBECONFIG")
    with translated(f"context {context or '(current)'}"):
        configuration = _configuration(file, context)
        client = _bounded_client(configuration, timeout)
        discovery = cache() / f"discovery-{hashlib.sha256(configuration.host.encode()).hexdigest()[:12]}.json"
        discovery.parent.mkdir(parents=True, exist_ok=True)
        name = context or config.list_kube_config_contexts(config_file=file)[1]["name"]
        # Only kubectl can merge several files, so it reads KUBECONFIG itself.
        one = None if os.pathsep in file else Path(file).expanduser()
        return Kube(client, context=name, kubeconfig=one, discovery=discovery, timeout=timeout)


def _configuration(file: str, context: str | None) -> Any:
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(config_file=file, context=context, client_configuration=configuration)
    configuration.retries = False  # a retry hides an API server that does not answer, and triples the time limit
    configuration.connection_pool_maxsize = 32
    return configuration


def _bounded_client(configuration: Any, timeout: float) -> Any:
    from kubernetes import client

    class BoundedApiClient(client.ApiClient):  # type: ignore[misc]
        """The official client with a time limit on every request, its own where the caller gave none."""

        def request(self, *args: Any, **kwargs: Any) -> Any:
            limit = kwargs.get("_request_timeout")
            if not isinstance(limit, tuple):
                # Connect and read limits: the client ignores a single number that is not an int.
                limit = timeout if limit is None else float(limit)
                kwargs["_request_timeout"] = (limit, limit)
            return super().request(*args, **kwargs)

    return BoundedApiClient(configuration)
