"""The server, while an alias goes from one version to another."""

from collections.abc import Sequence

from mlops_lab.checks import Observation
from mlops_lab.kit.restore import insist
from mlops_lab.tasks.lab import TaskLab

_WITHIN = 15.0  # s for the server to follow


async def follows(lab: TaskLab, service: str, alias: str, versions: Sequence[str]) -> Observation:
    """Does a Service serve what an alias means, one version after the other? The first one is what it means now."""

    async def served() -> str:
        answer = await lab.traffic.get(service, "/version")
        return str(answer.fields_if_any.get("model_version")) if answer.status == 200 else answer.shown

    seen = None
    try:
        for place, version in enumerate(versions):
            if place:
                await lab.platform.mlflow.set_alias(alias, version)
            seen = await lab.time.eventually(
                served, lambda found, version=version: found == version,  # type: ignore[misc]
                expected=f"it serves version {version}, which {alias} means,", shown=lambda found: f"it serves {found}",
                within=_WITHIN, every=0.5,
            )  # fmt: skip
            if not seen.ok:
                break
    finally:
        await insist(lambda: lab.platform.mlflow.set_alias(alias, versions[0]))
    assert seen is not None
    if not seen.ok:
        return seen
    return Observation(True, seen.expected, f"it has followed the alias to {', '.join(versions)}")
