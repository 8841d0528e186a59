"""What an Ingress leads where."""

from __future__ import annotations

from mlops_lab.kube.client import Object

Route = tuple[str, str, str, str, str]


def routes(ingress: Object) -> set[Route]:
    """Host, path, type of the path, Service and port (its name or number) of each rule."""
    found: set[Route] = set()
    for rule in ingress["spec"].get("rules") or []:
        for each in (rule.get("http") or {}).get("paths") or []:
            service = each["backend"].get("service") or {}
            port = service.get("port") or {}
            named = str(port.get("name") or port.get("number"))
            found.add((str(rule.get("host")), str(each.get("path")), each["pathType"], str(service.get("name")), named))
    return found
