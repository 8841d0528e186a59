"""Ingresses of a namespace: which of them have a rule for a host."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.pods import name


async def others_for(lab: Lab, host: str, ingress: str) -> list[str]:
    """The names of Ingresses beside one that have a rule for a host: by its name, by a wildcard, or for all hosts."""
    hosts = (host, f"*.{host.partition('.')[2]}", "", None)
    return sorted(
        name(each) for each in await lab.objects.all("Ingress")
        if name(each) != ingress and any(rule.get("host") in hosts for rule in each["spec"].get("rules") or [])
    )  # fmt: skip
