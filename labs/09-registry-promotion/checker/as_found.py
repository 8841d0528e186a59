"""How registry and Deployment were before the checker let anything happen to them, and the way back to that."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from mlops_lab.checks import Lab, expect, holds
from mlops_lab.kit import restore
from mlops_lab.kit.registry import tags
from mlops_lab.kube.client import Object
from mlops_lab.measure.services.rest import RefusedRequest

from .models import FIRST, aliases, forgotten

READY_WITHIN = 90  # s until the pods of a Deployment that was put back are ready

Notes = dict[str, dict[str, str]]  # the tags of each version by its number; under "" those of the registered model


@dataclass(frozen=True)
class Found:
    """How the registry and the Deployment were; `first` is the version that the story begins with."""

    deployment: Object
    versions: set[str]
    aliases: dict[str, str]
    first: str
    notes: Notes


async def found(lab: Lab) -> Found:
    """Registry and Deployment as they were before the checker let anything happen to them."""
    versions = await lab.platform.mlflow.versions()
    numbers = {str(each["version"]) for each in versions}
    expect(
        holds("1" in numbers, "version 1 in the registry", f"versions: {', '.join(sorted(numbers)) or 'none'}")
    ).because(
        f"the story begins with version 1, the model of {FIRST['name']}, which the lab made; lab reset makes it again"
    )
    deployment = await lab.objects.deployment("model").now() or {}
    was = Found(deployment, numbers, await aliases(lab), "1", await _notes(lab, versions))
    lab.beside(kept)
    return was


async def kept(lab: Lab) -> None:
    """Make registry and Deployment again what they were when the checks are over, whichever of them ran."""
    try:
        await asyncio.Event().wait()
    finally:
        await back_as_found(lab)


async def back_as_found(lab: Lab) -> None:
    """Make registry and Deployment again what they were found to be, and wait until the pods follow."""
    was, mlflow = await lab.once(found), lab.platform.mlflow
    now, there = await aliases(lab), [str(each["version"]) for each in await mlflow.versions()]
    for alias, version in was.aliases.items():
        if now.get(alias) != version and version in there:  # a program may have removed it, which can't be undone
            await mlflow.set_alias(alias, version)
    for alias in set(now) - set(was.aliases):
        await mlflow.ask("DELETE", "registered-models/alias", {"name": mlflow.name, "alias": alias})
    for version in there:
        if version not in was.versions:
            await mlflow.ask("DELETE", "model-versions/delete", {"name": mlflow.name, "version": version})
    await put_back_notes(lab, was.notes)
    await forgotten(lab)
    if was.deployment and await restore.put_back(lab, was.deployment) and not restore.interrupted():
        await lab.objects.deployment("model").rolled_out(within=READY_WITHIN)


async def _notes(lab: Lab, versions: list[Object]) -> Notes:
    """What tags say: programs may note there what was in production when."""
    mlflow = lab.platform.mlflow
    model = (await mlflow.ask("GET", "registered-models/get", name=mlflow.name))["registered_model"]
    return {"": tags(model)} | {str(each["version"]): tags(each) for each in versions}


async def put_back_notes(lab: Lab, was: Notes) -> None:
    """Make the tags again what they were, of what is still there."""
    mlflow = lab.platform.mlflow
    for version, now in (await _notes(lab, await mlflow.versions())).items():
        what = {"name": mlflow.name} | ({"version": version} if version else {})
        kind, wanted = "model-versions" if version else "registered-models", was.get(version, {})
        with contextlib.suppress(RefusedRequest):  # somebody has taken it away meanwhile
            for key, value in wanted.items():
                if now.get(key) != value:
                    await mlflow.ask("POST", f"{kind}/set-tag", what | {"key": key, "value": value})
            for key in set(now) - set(wanted):
                await mlflow.ask("DELETE", f"{kind}/delete-tag", what | {"key": key})
