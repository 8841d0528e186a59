"""Where the API server is, for programs in the cluster whose pods nothing but what they need lets out."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.kube.client import Kube


def addresses(kube: Kube) -> Sequence[tuple[str, int]]:
    """Its addresses and ports, as its own Service has them; none while that is not known."""
    found = kube.find("EndpointSlice", "kubernetes", "default") or {}
    ports = [int(each["port"]) for each in found.get("ports") or []]
    hosts = [str(address) for each in found.get("endpoints") or [] for address in each["addresses"]]
    return sorted((host, port) for host in hosts for port in ports)
