"""Kubeflow Pipelines as checks use it: runs started and followed through the v2beta1 REST API.

Only the embedded engine has an API for a run's artifacts and logs; all else is KFP's own API.

https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.rest import RefusedRequest, Rest

# The collections whose objects a lab may leave, by their path; runs first, since experiments hold them.
KINDS = ("runs", "recurringruns", "pipelines", "experiments")
LARGEST = 1_000_000  # characters of a compiled pipeline, and values with its aliases written out
_KEYS = {"runs": "run_id", "recurringruns": "recurring_run_id", "pipelines": "pipeline_id",
         "experiments": "experiment_id"}  # fmt: skip
_LISTS = {"recurringruns": "recurringRuns"}
_OVER = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


class Pipelines:
    """The cluster's pipelines; what it returns are the REST API's objects as plain dicts."""

    def __init__(self, forwards: PortForwards) -> None:
        self._rest = Rest(forwards, "pipelines", "/apis/v2beta1")

    def ask(self, method: str, path: str, body: Any = None, **query: str | int) -> dict[str, Any]:
        """Any question of the REST API below `/apis/v2beta1`; raises as `Rest.ask`."""
        return self._rest.ask(method, path, body, query)

    def all(self, kind: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Every object of a collection (see `KINDS`)."""
        token = ""
        while True:
            found = self.ask("GET", kind, page_size=100, **query, **({"page_token": token} if token else {}))
            yield from found.get(_LISTS.get(kind, kind)) or []
            token = found.get("next_page_token") or ""
            if not token:
                return

    def experiment(self, name: str) -> dict[str, Any]:
        """The experiment of that name; created if there is none."""
        known = self._experiment(name)
        if known is None:
            try:
                return self.ask("POST", "experiments", {"display_name": name})
            except RefusedRequest as refused:
                known = self._experiment(name) if refused.status == 409 else None  # made by another meanwhile
                if known is None:
                    raise
        return known

    def _experiment(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self.all("experiments") if each["display_name"] == name), None)

    def start(self, spec: dict[str, Any], arguments: dict[str, Any], *, experiment: str, name: str = "") -> str:
        """Start a run of a compiled pipeline and return its id.

        Args:
            spec: the pipeline's intermediate representation, as the compiler wrote it.
            experiment: the experiment's name; the lab's namespace, so that a reset finds the run.
        """
        body = {
            "display_name": name or experiment,
            "experiment_id": self.experiment(experiment)["experiment_id"],
            "pipeline_spec": spec,
            "runtime_config": {"parameters": arguments},
        }
        return str(self.ask("POST", "runs", body)["run_id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """A run with its state and its tasks' details."""
        return self.ask("GET", f"runs/{run_id}")

    @staticmethod
    def over(run: dict[str, Any]) -> bool:
        """Has a run ended, well or not?"""
        return run.get("state") in _OVER

    def end(self, run_id: str) -> None:
        """Terminate a running run; one that has ended, or ends meanwhile, stays as it is."""
        if self.over(self.run(run_id)):
            return
        try:
            self.ask("POST", f"runs/{run_id}:terminate")
        except RefusedRequest:
            if not self.over(self.run(run_id)):
                raise

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """The runs of an experiment by its name, newest first; none where there is no such experiment."""
        known = self._experiment(experiment)
        if known is None:
            return []
        return list(self.all("runs", experiment_id=known["experiment_id"], sort_by="created_at desc"))

    def artifacts(self, run_id: str) -> dict[str, dict[str, Any]]:
        """A run's artifacts by their id: name, type, task, metadata.

        Raises:
            LabError: the engine has no such API; KFP's own has none.
        """
        try:
            found = self.ask("GET", f"runs/{run_id}/artifacts")
        except RefusedRequest as refused:
            if refused.status != 404:
                raise
            said = "this cluster's engine of pipelines does not tell what a run made"
            raise LabError(said, "use the engine that can: lab up --engine embedded", refused.body) from refused
        return {str(each["artifact_id"]): each for each in found["artifacts"]}

    def log(self, run_id: str, task_id: str) -> str:
        """What a task printed; empty for one that never began."""
        try:
            return self._rest.text("GET", f"runs/{run_id}/tasks/{task_id}/log")
        except RefusedRequest as refused:
            if refused.status == 404:
                return ""
            raise

    def names(self) -> list[tuple[str, str, str]]:
        """What there is: kind, id and display name of each object. A run has its experiment's name before its own."""
        called = {each["experiment_id"]: each["display_name"] for each in self.all("experiments")}
        found = []
        for kind in KINDS:
            for each in self.all(kind):
                of = called.get(each.get("experiment_id", ""), "") if kind in ("runs", "recurringruns") else ""
                found.append((kind, str(each[_KEYS[kind]]), f"{of}/{each['display_name']}".lstrip("/")))
        return found

    def remove(self, kind: str, number: str) -> None:
        """Remove an object by its kind and id; a running run is terminated first, a pipeline goes with its versions."""
        if kind == "runs":
            self.end(number)
        self.ask("DELETE", f"{kind}/{number}", **({"cascade": "true"} if kind == "pipelines" else {}))


def package(text: str) -> dict[str, Any]:
    """A pipeline as the SDK's compiler wrote it, in the form that `Pipelines.start` takes.

    Raises:
        ValueError: the text is no compiled pipeline.
    """
    import yaml

    if len(text) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} characters; pipelines have some thousands")
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
        _expanded(documents, {})
        json.dumps(documents)
    except yaml.YAMLError as broken:
        raise ValueError(f"it is no YAML: {broken}") from broken
    except RecursionError as deep:
        raise ValueError("it is nested too deep to be read") from deep
    except TypeError as strange:  # a date or a set, which YAML has
        raise ValueError(f"it holds what JSON has no form for: {strange}") from strange
    if not documents or not all(isinstance(each, dict) for each in documents) or "pipelineInfo" not in documents[0]:
        raise ValueError("it has no pipelineInfo, which the SDK's compiler writes")
    # A second document holds what is set on Kubernetes alone, such as secrets and volumes.
    return documents[0] if len(documents) == 1 else {"pipeline_spec": documents[0], "platform_spec": documents[1]}


def _expanded(value: Any, known: dict[int, int]) -> int:
    """How many values there are with each YAML alias written out; of text its characters.

    Raises:
        ValueError: too many, or one holds itself.
    """
    if not isinstance(value, dict | list):
        return len(value) if isinstance(value, str) else 1
    if id(value) not in known:
        known[id(value)] = LARGEST + 1  # as long as it is being counted: it must not hold itself
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_expanded(each, known) for each in parts)
    if known[id(value)] > LARGEST:
        raise ValueError("its YAML aliases, written out, have no end, or far too many values")
    return known[id(value)]


def tasks(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A run's tasks by their display name; of several with one name the last."""
    return {each["display_name"]: each for each in (run.get("run_details") or {}).get("task_details") or []}
