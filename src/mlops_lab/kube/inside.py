"""A connection from inside of a pod, by the token of its ServiceAccount."""

from __future__ import annotations

from mlops_lab.base.paths import cache
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import _bounded_client
from mlops_lab.kube.errors import Unreachable

CERTIFICATE = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


def connect_inside(timeout: float = 10.0) -> Kube:
    """Connect to the cluster that this program's pod runs in; its token is read again before it ends.

    Raises:
        Unreachable: this is no pod, or it has no token.
    """
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except ConfigException as missing:
        raise Unreachable(f"this is no pod with an account: {missing}", "run it in the cluster") from missing
    configuration.retries = False  # as outside: a retry hides an API server that does not answer
    configuration.connection_pool_maxsize = 32
    discovery = cache() / "discovery-inside.json"
    discovery.parent.mkdir(parents=True, exist_ok=True)
    return Kube(_bounded_client(configuration, timeout), "inside", None, discovery, timeout)
