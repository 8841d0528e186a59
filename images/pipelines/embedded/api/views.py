"""Database rows as the JSON of the KFP API."""

from __future__ import annotations

import sqlite3
from typing import Any

from embedded import jsons
from embedded.store import Store


def experiment(row: sqlite3.Row) -> dict[str, Any]:
    """V2beta1Experiment."""
    return _present(
        experiment_id=row["id"],
        display_name=row["name"],
        description=row["description"],
        created_at=row["created"],
        storage_state=row["storage"],
        last_run_created_at=row["last_run"],
    )


def pipeline(row: sqlite3.Row) -> dict[str, Any]:
    """V2beta1Pipeline."""
    return _present(
        pipeline_id=row["id"],
        name=row["name"],
        display_name=row["display"],
        description=row["description"],
        created_at=row["created"],
        tags=jsons.kept(row["tags"]),
    )


def version(row: sqlite3.Row) -> dict[str, Any]:
    """V2beta1PipelineVersion."""
    return _present(
        pipeline_id=row["pipeline"],
        pipeline_version_id=row["id"],
        name=row["name"],
        display_name=row["display"],
        description=row["description"],
        created_at=row["created"],
        pipeline_spec=_document(row["spec"]),
        code_source_url=row["url"],
        tags=jsons.kept(row["tags"]),
    )


def run(store: Store, row: sqlite3.Row, *, details: bool) -> dict[str, Any]:
    """V2beta1Run.

    Args:
        details: with its tasks and pipeline; lists leave them out.
    """
    view = _present(
        run_id=row["id"],
        display_name=row["name"],
        state=row["state"],
        error=_error(row["error"]),
        warnings=warnings(store, row["id"]) if details else None,  # not in KFP's API
        description=row["description"],
        experiment_id=row["experiment"],
        storage_state=row["storage"],
        service_account=row["account"],
        created_at=row["created"],
        scheduled_at=row["scheduled"],
        finished_at=row["finished"],
        recurring_run_id=row["recurring"],
        state_history=jsons.kept(row["history"]),
        runtime_config=_config(row),
        pipeline_version_reference=_reference(row),
    )
    if details:
        if not row["version"]:
            view["pipeline_spec"] = _document(row["spec"])
        view["run_details"] = {"task_details": tasks(store, row["id"], values=True)}
    return view


def warnings(store: Store, run: str) -> list[str]:
    """What Kubeflow Pipelines' own backend would do otherwise with this run; see embedded/differences.py."""
    return [row["text"] for row in store.rows("select text from warnings where run = ? order by rowid", run)]


def recurring(row: sqlite3.Row) -> dict[str, Any]:
    """V2beta1RecurringRun."""
    return _present(
        recurring_run_id=row["id"],
        display_name=row["name"],
        description=row["description"],
        experiment_id=row["experiment"],
        service_account=row["account"],
        created_at=row["created"],
        updated_at=row["updated"],
        trigger=jsons.kept(row["trigger"]),
        status=row["status"],
        mode="ENABLE" if row["status"] == "ENABLED" else "DISABLE",
        max_concurrency=str(row["concurrency"]),
        no_catchup=not row["catchup"],
        runtime_config=_config(row),
        pipeline_version_reference=_reference(row),
        pipeline_spec=None if row["pipeline"] else _document(row["spec"]),
    )


_TASK = "id, run, path, name, parent, kind, state, error, created, started, finished, history, cached"
# What a task has besides that is large. What its driver alone needs of its outputs stays in the database.
_VALUES = """inputs, iif(json_valid(outputs), json_object('parameters', json_extract(outputs, '$.parameters')), outputs)
    as made"""


def tasks(store: Store, run: str, *, values: bool) -> list[dict[str, Any]]:
    """V2beta1PipelineTaskDetail of every task of a run, in the order they were met; steps inside a loop or a condition
    name it as their parent.

    Args:
        values: with what each read and made.
    """
    columns = _TASK + (f", {_VALUES}" if values else "")
    rows = store.rows(f"select {columns} from tasks where run = ? order by created, rowid", run)
    pods: dict[str, list[str]] = {}
    for attempt in store.rows("select task, pod from attempts where run = ? order by number", run):
        pods.setdefault(attempt["task"], []).append(attempt["pod"])
    made: dict[str, dict[str, list[str]]] = {}
    for artifact in store.rows("select id, task, name from artifacts where run = ?", run):
        made.setdefault(artifact["task"], {}).setdefault(artifact["name"], []).append(artifact["id"])
    children: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        children.setdefault(row["parent"], []).append({"task_id": row["id"]})
    return [
        {
            **_task(row, pods.get(row["id"], []), made.get(row["id"], {}), children.get(row["id"], [])),
            **(_values(row) if values else {}),
        }
        for row in rows
    ]


def values(store: Store, task: str) -> dict[str, Any]:
    """What a task read and made, as `tasks` has it."""
    row = store.row(f"select {_VALUES} from tasks where id = ?", task)
    return _values(row) if row else {}


def _values(row: sqlite3.Row) -> dict[str, Any]:
    inputs = jsons.kept(row["inputs"])
    return {
        "inputs": {name: {"artifact_ids": ids} for name, ids in inputs.get("artifacts", {}).items()},
        # Not in KFP's API, where a UI reads them from ML Metadata; clients skip what they don't know.
        "input_parameters": inputs.get("parameters", {}),
        "output_parameters": jsons.kept(row["made"]).get("parameters") or {},
    }


def _task(
    row: sqlite3.Row, pods: list[str], made: dict[str, list[str]], children: list[dict[str, str]]
) -> dict[str, Any]:
    return _present(
        run_id=row["run"],
        task_id=row["id"],
        display_name=row["path"].rpartition("/")[2],  # as KFP's backend, which knows no other name
        parent_task_id=row["parent"],
        create_time=row["created"],
        start_time=row["started"],
        end_time=row["finished"],
        state=row["state"],
        error=_error(row["error"]),
        state_history=jsons.kept(row["history"]),
        pod_name=pods[-1] if pods else "",
        executor_detail=_present(main_job=pods[-1], failed_main_jobs=pods[:-1]) if pods else None,
        outputs={name: {"artifact_ids": ids} for name, ids in made.items()},
        child_tasks=children,
        # Not in KFP's API.
        title=row["name"],
        kind=row["kind"],
        path=row["path"],
        cached=bool(row["cached"]),
    )


def made(store: Store, run: str) -> list[sqlite3.Row]:
    """A run's artifacts in the order they were made, with the path and the name of the step that made each."""
    return store.rows(
        "select artifacts.*, tasks.path, tasks.name as step from artifacts join tasks on tasks.id = artifacts.task "
        "where artifacts.run = ? order by artifacts.created, artifacts.rowid",
        run,
    )


def metrics(row: sqlite3.Row) -> list[tuple[str, float]]:
    """The numbers in a Metrics artifact."""
    if row["type"] != "system.Metrics":
        return []
    kept = sorted(jsons.kept(row["metadata"]).items())
    return [(name, value) for name, value in kept if isinstance(value, (int, float)) and not isinstance(value, bool)]


def artifact(row: sqlite3.Row) -> dict[str, Any]:
    """An artifact: of KFP's later API the fields that there are."""
    return _present(
        artifact_id=row["id"],
        run_id=row["run"],
        task_id=row["task"],
        name=row["name"],
        type=row["type"],
        uri=row["uri"],
        metadata=jsons.kept(row["metadata"]),
        created_at=row["created"],
    )


def _config(row: sqlite3.Row) -> dict[str, Any]:
    return _present(parameters=jsons.kept(row["parameters"]))


def _reference(row: sqlite3.Row) -> dict[str, Any] | None:
    if not row["pipeline"]:
        return None
    return _present(pipeline_id=row["pipeline"], pipeline_version_id=row["version"])


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = jsons.kept(text)
    return document if document.get("platform_spec") else dict(document["pipeline_spec"])


def _error(text: str) -> dict[str, Any] | None:
    return {"code": 13, "message": text, "details": []} if text else None


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ("", None)}
