"""Where a key is, and who may read it."""

import base64
import binascii
import json
from collections.abc import Sequence

from mlops_lab.checks import LabError
from mlops_lab.kit.json_lines import json_objects
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Unreachable
from mlops_lab.kube.execs import Unending
from mlops_lab.tasks.lab import TaskLab

_KINDS = ("Deployment", "ReplicaSet", "Pod", "ConfigMap")
_READ = """
import json, pathlib, sys
found = dict(each.partition("=")[::2] for each in pathlib.Path("/proc/1/environ").read_text().split(chr(0)))
print(json.dumps({"value": found.get(sys.argv[1])}))
"""
_ELSEWHERE = "default"  # a namespace that is not the task's
_READS = ("get", "list", "watch")
_CHANGES = ("create", "update", "patch", "delete", "deletecollection")


def decoded(secret: Object, key: str) -> str | None:
    """What a Secret has under a name; None if nothing, or no text."""
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return None


def from_secret(pod: Object, variable: str, secret: str) -> bool:
    """Does container `server` of a pod's spec have a variable from a Secret?

    Where the variable's entry does not say from where, by `valueFrom`, it is enough that the pod names the Secret.
    """
    server: Object = next((each for each in pod["containers"] if each["name"] == "server"), {})
    said = [each.get("valueFrom") for each in server.get("env") or [] if each["name"] == variable]
    if said and said[-1]:
        return bool((said[-1].get("secretKeyRef") or {}).get("name") == secret)
    return f'"{secret}"' in json.dumps(pod)


async def of_process(lab: TaskLab, pod: str, variable: str) -> str | None:
    """An environment variable of a container's first process; None if it is not set, or the container does not run."""
    try:
        said = await lab.objects.run_in(pod, "python3", "-c", _READ, variable, container="server")
    except LabError as gone:
        if gone.transient or isinstance(gone, Unreachable | Unending):
            raise
        return None
    return next((each.get("value") for each in json_objects(said.lines)), None)


async def in_clear(lab: TaskLab, value: str) -> list[str]:
    """The objects of the namespace in which a value stands, as `Kind NAME`."""
    found = []
    for kind in _KINDS:
        for each in await lab.objects.all(kind):
            if value in json.dumps(each) and not each["metadata"].get("deletionTimestamp"):
                found.append(f"{kind} {each['metadata']['name']}")
    return sorted(found)


async def rights(lab: TaskLab, account: str, secret: str, other: str, others: Sequence[str]) -> list[str]:
    """What is allowed that must not be, or not allowed that should be, in words."""
    who = f"system:serviceaccount:{lab.namespace}:{account}"
    wrong = []
    if not await _allowed(lab, who, "get", secret):
        wrong.append(f"{account} may not get {secret}")
    more = [(verb, secret) for verb in ("list", "watch", *_CHANGES)] + [(verb, other) for verb in _READS]
    wrong += [f"{account} may {verb} {name}" for verb, name in more if await _allowed(lab, who, verb, name)]
    if await _allowed(lab, who, "get", secret, namespace=_ELSEWHERE):
        wrong.append(f"{account} may get a Secret {secret} in other namespaces, too")
    for each in others:
        whom = f"system:serviceaccount:{lab.namespace}:{each}"
        reads = [(verb, name) for verb in _READS for name in (secret, other)]
        wrong += [f"{each} may {verb} {name}" for verb, name in reads if await _allowed(lab, whom, verb, name)]
    return wrong


async def _allowed(lab: TaskLab, who: str, verb: str, name: str, namespace: str = "") -> bool:
    """May a ServiceAccount do so with a Secret, by itself or as one of its groups?

    A rule for all Secrets is one for that, too; one with `resourceNames` allows `list` where that name is asked for.
    """
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{lab.namespace}", "system:authenticated")
    return await lab.allowed(who, verb, "secrets", name=name, namespace=namespace, groups=groups)
