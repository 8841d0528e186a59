"""What the story begins with: a registry of more than nine versions, and a Deployment of one pod more."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.registry import tags
from mlops_lab.kit.replicas import scale
from mlops_lab.kube.client import Object
from mlops_lab.measure.services.rest import RefusedRequest

NUMBERS = (9, 11)  # the highest number that there is before the first run is promoted, if it is lower
DIGEST = "data.digest"  # the tag that a version in production has
MOST = 4  # pods; a Deployment that has as many gets none more
READY_WITHIN, GONE_WITHIN = 60, 30  # s


async def more_versions(lab: Lab, first: str) -> None:
    """Register the model of the first version again, until numbers have two digits; `back_as_found` deletes them."""
    mlflow = lab.platform.mlflow
    versions = await mlflow.versions()
    about = next(each for each in versions if str(each["version"]) == first)
    number, enough = int(versions[0]["version"]), drawn(lab, "numbers").randint(*NUMBERS)
    body: Object = {"name": mlflow.name, "source": about["source"], "run_id": about.get("run_id") or ""}
    if digest := tags(about).get(DIGEST):
        body["tags"] = [{"key": DIGEST, "value": digest}]
    if about["source"].startswith("models:/m-"):
        body["model_id"] = about["source"].removeprefix("models:/")
    with contextlib.suppress(RefusedRequest):  # somebody has taken that model away: then it is not tried
        while number < enough:
            made = await mlflow.ask("POST", "model-versions/create", body)
            number = int(made["model_version"]["version"])


async def all_there(lab: Lab, known: Collection[str], promoted: str) -> Observation:
    """Whether no version has been removed. One that was made since, and is gone, has left a gap: no number comes twice.

    Args:
        known: the versions that were there before the first promotion.
        promoted: the version that it made.
    """
    there = {int(each["version"]) for each in await lab.platform.mlflow.versions()}
    gone = {*map(int, known), *range(int(promoted), max(there, default=0) + 1)} - there
    expected = "versions that were registered before, registered still after a promotion, a refusal and a rollback"
    return holds(not gone, expected, f"removed: {', '.join(map(str, sorted(gone)))}")


async def another_version(lab: Lab, first: str, known: Collection[str]) -> str:
    """The highest version of the first one's model that `more_versions` has made; the first where it made none.

    Args:
        known: the versions that were there before.
    """
    versions = await lab.platform.mlflow.versions()
    source = next(each["source"] for each in versions if str(each["version"]) == first)
    made = [each["version"] for each in versions if each["source"] == source and str(each["version"]) not in known]
    return str(max(map(int, made), default=int(first)))


@contextlib.asynccontextmanager
async def one_more_pod(lab: Lab, deployment: Object) -> AsyncIterator[None]:
    """Ask for a pod more, which starts while the block runs; without it where none can start."""
    pods = int((deployment.get("spec") or {}).get("replicas", 1))
    if not deployment or pods >= MOST:
        yield
        return
    await scale(lab, "model", pods + 1)
    yield
    watched = lab.objects.deployment("model")
    if not (await watched.rolled_out(pods=pods + 1, within=READY_WITHIN)).ok:
        await scale(lab, "model", pods)
        await watched.rolled_out(pods=pods, within=GONE_WITHIN)
