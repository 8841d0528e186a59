"""What a pipeline run made, and from what, whichever engine ran it.

The API of runs is the same with both, and says little about steps. The embedded engine tells the rest by addresses of
its own; of Kubeflow's it is in ML Metadata, which a pod of the checker's asks (`metadata_store`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_lab.checks import Lab
from mlops_lab.measure.services.rest import RefusedRequest

Plain = dict[str, Any]  # an object of the pipelines' REST API

PAGES = "ml-pipeline-ui"  # Kubeflow's pages: a Service beside the API
_IMAGE = "components:1"
_ASKED_WITHIN = 90  # s for the checker's own pod
_NO_FAILURE = ("SUCCEEDED", "SKIPPED", "PENDING")
_LINES, _WIDTH = 8, 200  # of a failed step's output, and characters of each
# Rows of Kubeflow's that are no steps: what works around one, and the run as a whole.
_AROUND = re.compile(r"(.+-)?driver|executor|root|.+\(\d+\)")


@dataclass(frozen=True)
class Artifact:
    """What a step made.

    Attributes:
        name: of the step's output.
        type: such as `system.Dataset`.
        url: where a pod gets its content; empty for one that is kept elsewhere.
        metadata: with a Metrics artifact its metrics; of values that are no texts, numbers or truths, not all.
    """

    name: str
    type: str
    url: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A task of a run.

    Attributes:
        name: that it shows.
        state: as the API names states; of a step that did not come to an end, whatever it was in.
        cached: it came from the cache.
        inputs, outputs: ids of artifacts by the name that they have in it.
        error: why it failed, where the engine says so.
        log: what it printed, if it is the first that failed.
    """

    name: str
    state: str
    cached: bool = False
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    error: str = ""
    log: Sequence[str] = ()


@dataclass(frozen=True)
class Record:
    """What a run left.

    Attributes:
        steps: by name; of several with one name the last.
        artifacts: what its steps made, by id.
        warnings: what the engine says that Kubeflow's own would do otherwise, a sentence each.
    """

    steps: Mapping[str, Step] = field(default_factory=dict)
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def failure(self) -> list[str]:
        """Steps that failed or never ended, the end of what the first of them printed, and warnings; in lines."""
        found = [step for step in self.steps.values() if step.state not in _NO_FAILURE]
        printed = [line for step in found for line in step.log if line.strip()][-_LINES:]
        failed = [f"{step.name}: {step.error or step.state}" for step in found]
        return [line[:_WIDTH] for line in (*failed, *printed, *(f"a warning: {said}" for said in self.warnings))]


async def record(lab: Lab, run_id: str) -> Record:
    """What a run left; ask when it has ended.

    Raises:
        LabError: neither the engine nor ML Metadata tells.
    """
    endpoint = lab.platform.settings["KFP_ENDPOINT"]
    try:
        made = await lab.platform.pipelines.ask("GET", f"runs/{run_id}/artifacts")
    except RefusedRequest as refused:
        if refused.status != 404:
            raise
        return _stored(await _asked(lab, run_id, endpoint))
    run = await lab.platform.pipelines.run(run_id)
    rows = _rows(run)
    steps = {row["display_name"]: _told(row) for row in rows}
    if failed := next((row for row in rows if row.get("state") == "FAILED" and row.get("pod_name")), None):
        text = await lab.platform.pipelines.log(run_id, failed["task_id"])
        steps[failed["display_name"]] = replace(_told(failed), log=text.splitlines())
    artifacts = {str(each["artifact_id"]): _kept(each, endpoint) for each in made.get("artifacts") or []}
    return Record(steps, artifacts, run.get("warnings") or ())


def progress(run: Plain, left: Record | None = None) -> str:
    """A run's state, those of its steps, and its error's first line.

    Args:
        left: what the run left, when it has ended. Kubeflow writes that a run has ended before it writes that its steps
            have.
    """
    told = [(row["display_name"], row["state"]) for row in _rows(run) if row.get("state")]
    if left is not None:
        told = [(step.name, step.state) for step in left.steps.values()]
    steps = [f"{name} {state.lower()}" for name, state in told]
    reason = str((run.get("error") or {}).get("message", "")).splitlines()
    return f"{run.get('state', 'PENDING')} ({', '.join(steps) or 'no step yet'})" + (f": {reason[0]}" if reason else "")


def _rows(run: Plain) -> list[Plain]:
    """A run's rows of steps: not Kubeflow's others, some of which have no name."""
    rows = (run.get("run_details") or {}).get("task_details") or []
    return [
        row for row in rows
        if row.get("display_name") and ("kind" in row or not _AROUND.fullmatch(row["display_name"]))
    ]  # fmt: skip


def _told(row: Plain) -> Step:
    """A step as the embedded engine's API tells of it."""
    inputs, outputs = (
        {name: [str(number) for number in found["artifact_ids"]] for name, found in (row.get(side) or {}).items()}
        for side in ("inputs", "outputs")
    )
    why = str((row.get("error") or {}).get("message", "")).partition("\n")[0]
    return Step(row["display_name"], row.get("state", "PENDING"), bool(row.get("cached")), inputs, outputs, why)


def _kept(artifact: Plain, endpoint: str) -> Artifact:
    """An artifact as the embedded engine's API tells of it."""
    url = f"{endpoint}/apis/v2beta1/artifacts/{artifact['artifact_id']}/content"
    return Artifact(artifact["name"], artifact.get("type", ""), url, artifact.get("metadata") or {})


def _stored(found: Plain) -> Record:
    """A run as ML Metadata tells of it."""
    return Record(
        {each["name"]: Step(**each) for each in found["steps"]},
        {number: Artifact(**each) for number, each in found["artifacts"].items()},
    )


async def _asked(lab: Lab, run_id: str, endpoint: str) -> Plain:
    """What ML Metadata has of a run."""
    namespace = (urlsplit(endpoint).hostname or "").partition(".")[2]
    output = await lab.programs.run(
        _IMAGE, "python3", "/checker/metadata_store.py",
        files={"metadata_store.py": _program()},
        env={"KFP_RUN": run_id, "KFP_PAGES": f"http://{PAGES}.{namespace}"}, within=_ASKED_WITHIN,
    )  # fmt: skip
    return output.json()


def _program() -> str:
    """What asks ML Metadata. Imported where it is needed only: it makes classes of its messages."""
    from mlops_lab.kit import metadata_store

    return Path(metadata_store.__file__).read_text()
