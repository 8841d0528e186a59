"""Where a container has an environment variable from."""

from collections.abc import Sequence

from mlops_lab.kube.client import Object


def taken_from(containers: Sequence[Object], variable: str) -> str:
    """In words: `entry KEY of Secret NAME`, or of a ConfigMap, `the pod template`, or `nowhere`.

    What `env` names goes first.
    """
    for container in containers:
        for each in container.get("env") or []:
            if each["name"] == variable:
                source = each.get("valueFrom") or {}
                for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                    if field in source:
                        return f"entry {source[field]['key']} of {kind} {source[field].get('name')}"
                return "the pod template"
        for each in reversed(container.get("envFrom") or []):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if field in each and variable.startswith(each.get("prefix") or ""):
                    entry = variable.removeprefix(each.get("prefix") or "")
                    return f"entry {entry} of {kind} {each[field].get('name')}"
    return "nowhere"
