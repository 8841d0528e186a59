"""What is not wanted any more: objects by name, and what refused commits were tried with, under whatever name."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from mlops_lab.checks import Lab, Observation
from mlops_lab.kube.client import Object

from .stage import Seen

GONE_WITHIN = 60.0  # s after a note, for what is not wanted any more
_PROGRAM = "/program/server.py"  # what each pod by a commit's template runs


async def are_gone(lab: Lab, names: list[tuple[str, str]], what: str) -> Observation:
    """Wait until objects are gone."""

    async def look() -> list[str]:
        return [f"{kind} {each}" for kind, each in names if await lab.objects.named(kind, each).now()]

    return await _nothing(lab, look, f"{what} is gone")


async def nothing_is_left(lab: Lab, refused: Iterable[Seen], wanted: Seen, key: str) -> Observation:
    """Wait until nothing of refused commits runs or is held, whatever it is called.

    Args:
        wanted: by the commit in service.
        key: that is in use, and that the refused commits had, too.
    """
    versions = [each["version"] for each in refused]
    coded = base64.b64encode(key.encode()).decode()

    async def look() -> list[str]:
        pods = [item for item in await lab.objects.all("Pod") if _runs_it(item)]
        maps = [item for item in await lab.objects.all("ConfigMap") if _holds(item, versions)]
        secrets = [
            item for item in await lab.objects.all("Secret")
            if item["metadata"]["name"] != wanted["key"] and coded in (item.get("data") or {}).values()
        ]  # fmt: skip
        kinds = {"Pod": pods, "ConfigMap": maps, "Secret": secrets}
        return [f"{kind} {item['metadata']['name']}" for kind, items in kinds.items() for item in items]

    return await _nothing(lab, look, "no pod, ConfigMap or Secret of a refused commit is left")


async def _nothing(lab: Lab, look: Any, expected: str) -> Observation:
    return await lab.time.eventually(
        look, lambda left: not left, expected=expected,
        shown=lambda left: ", ".join(left[:6]) or "nothing of it is left", within=GONE_WITHIN,
    )  # fmt: skip


def _runs_it(pod: Object) -> bool:
    """Whether a pod is of a commit's template, and not one of the service's own."""
    words = [
        str(word) for each in pod["spec"].get("containers") or []
        for word in [*(each.get("command") or []), *(each.get("args") or [])]
    ]  # fmt: skip
    return (pod["metadata"].get("labels") or {}).get("app") != "model" and any(_PROGRAM in word for word in words)


def _holds(config: Object, versions: list[str]) -> bool:
    text = str((config.get("data") or {}).get("model.json", ""))
    return any(f'"{each}"' in text for each in versions)
