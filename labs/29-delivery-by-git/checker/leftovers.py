"""What is not wanted any more: objects by name, and what commits were tried with, under whatever name."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

from mlops_lab.checks import Lab, Observation
from mlops_lab.kube.client import Object

from .stage import Seen

GONE_WITHIN = 60.0  # s after a note, for what is not wanted any more
_PROGRAM = "/program/server.py"  # what each pod by a commit's template runs
_SAYS = "The flight-delay service: POST /predict"  # how that program begins, whatever a commit has changed in it
_GIVEN = "first-commit"  # the ConfigMap in which the lab has it
_MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


async def are_gone(lab: Lab, names: list[tuple[str, str]], what: str) -> Observation:
    """Wait until objects are gone."""

    async def look() -> list[str]:
        return [f"{kind} {each}" for kind, each in names if await lab.objects.named(kind, each).now()]

    return await _nothing(lab, look, f"{what} is gone")


async def fields_are_gone(lab: Lab, name: str) -> Observation:
    """Wait until Deployment `model` has no variable of a name any more, and Service `model` no label."""
    return await _nothing(lab, lambda: having(lab, name), "what objects that stay have not any more is gone")


async def having(lab: Lab, name: str) -> list[str]:
    """Where there is a variable, or a label, of a name."""
    found, service = [], await lab.objects.named("Service", "model").now() or {}
    spec = ((await lab.objects.deployment("model").now()) or {}).get("spec") or {}
    for container in ((spec.get("template") or {}).get("spec") or {}).get("containers") or []:
        if any(each.get("name") == name for each in container.get("env") or []):
            found.append(f"variable {name} in Deployment model")
    if name in ((service.get("metadata") or {}).get("labels") or {}):
        found.append(f"label {name} of Service model")
    return found


async def services(lab: Lab) -> set[str]:
    """The names of all Services."""
    return {item["metadata"]["name"] for item in await lab.objects.all("Service")}


async def nothing_is_left(
    lab: Lab, versions: Collection[str], wanted: Seen, key: str, before: Collection[str]
) -> Observation:
    """Wait until nothing that commits were tried with runs or is held, whatever it is called.

    Args:
        versions: of the models of all commits that were tried.
        wanted: by the commit in service.
        key: that is in use, and that the refused commits had, too.
        before: Services that there were when they came.
    """
    coded = base64.b64encode(key.encode()).decode()

    async def look() -> list[str]:
        pods = [item for item in await lab.objects.all("Pod") if _runs_it(item)]
        maps = [
            item for item in await lab.objects.all("ConfigMap")
            if item["metadata"]["name"] not in (wanted["weights"], wanted["program"], _GIVEN) and _holds(item, versions)
        ]  # fmt: skip
        secrets = [
            item for item in await lab.objects.all("Secret")
            if item["metadata"]["name"] != wanted["key"] and coded in (item.get("data") or {}).values()
        ]  # fmt: skip
        kinds = {"Pod": pods, "ConfigMap": maps, "Secret": secrets}
        for kind in _MAKERS:
            kinds[kind] = [item for item in await lab.objects.all(kind) if _makes_it(kind, item)]
        found = [f"{kind} {item['metadata']['name']}" for kind, items in kinds.items() for item in items]
        return found + [f"Service {each}" for each in sorted(await services(lab) - set(before))]

    return await _nothing(lab, look, "nothing that a commit was tried with is left")


async def _nothing(lab: Lab, look: Any, expected: str) -> Observation:
    return await lab.time.eventually(
        look, lambda left: not left, expected=expected,
        shown=lambda left: ", ".join(left[:6]) or "nothing of it is left", within=GONE_WITHIN,
    )  # fmt: skip


def _runs_it(pod: Object) -> bool:
    """Whether a pod is of a commit's template, and not one of the service's own."""
    return (pod["metadata"].get("labels") or {}).get("app") != "model" and _has_it(pod)


def _makes_it(kind: str, item: Object) -> bool:
    """Whether something makes such pods, or would if it were scaled; what a Deployment has made goes with it."""
    if item["metadata"].get("ownerReferences") or (kind, item["metadata"]["name"]) == ("Deployment", "model"):
        return False
    return _has_it(item["spec"]["template"])


def _has_it(pod: Object) -> bool:
    words = [
        str(word) for each in (pod.get("spec") or {}).get("containers") or []
        for word in [*(each.get("command") or []), *(each.get("args") or [])]
    ]  # fmt: skip
    return any(_PROGRAM in word for word in words)


def _holds(config: Object, versions: Collection[str]) -> bool:
    """Whether a ConfigMap has the model of one of these versions, or the program."""
    data = config.get("data") or {}
    text = str(data.get("model.json", ""))
    return any(f'"{each}"' in text for each in versions) or _SAYS in str(data.get("server.py", ""))
