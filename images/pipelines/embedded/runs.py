"""What happens to runs, whoever asks for it: made, moved from state to state, ended, tried again, deleted.

Each function is one transaction. The reconciler (reconcile.py) then brings the pods in line with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import uuid
from typing import Any

from embedded import differences, ir
from embedded.artifacts import Artifacts
from embedded.errors import ApiError, missing
from embedded.store import Store, now

ACTIVE = ("PENDING", "RUNNING", "CANCELING")
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def make(
    store: Store,
    *,
    name: str,
    document: dict[str, Any],
    parameters: dict[str, Any],
    experiment: str,
    description: str = "",
    pipeline: str = "",
    version: str = "",
    account: str = "",
    recurring: str = "",
    scheduled: str = "",
) -> sqlite3.Row:
    """A new run, PENDING; it has its own copy of the pipeline.

    Raises:
        ApiError: a parameter is wrong.
    """
    values = ir.parameters(document, parameters)
    key, created = str(uuid.uuid4()), now()
    warnings = differences.found(document["pipeline_spec"], values)  # before others have to wait for the store
    with store.write() as db:
        store.insert(
            "runs", id=key, name=name, description=description, experiment=experiment, storage="AVAILABLE",
            pipeline=pipeline, version=version, spec=document, parameters=values, root="", account=account,
            created=created, scheduled=scheduled or created, state="PENDING", recurring=recurring,
            history=[{"update_time": created, "state": "PENDING"}],
        )  # fmt: skip
        warn(store, key, warnings)
        db.execute("update experiments set last_run = ? where id = ?", (created, experiment))
        return get(store, key)


def get(store: Store, key: str) -> sqlite3.Row:
    """A run.

    Raises:
        ApiError: there is none.
    """
    row = store.row("select * from runs where id = ?", key)
    if row is None:
        raise missing("run", key)
    return row


def warn(store: Store, key: str, sentences: list[str]) -> None:
    """Add warnings to a run; one that it has already is not added again."""
    with store.write() as db:
        for text in sentences:
            db.execute("insert or ignore into warnings (run, text) values (?, ?)", (key, text[:2000]))


def move(store: Store, key: str, state: str, error: str = "") -> None:
    """Put a run into a state; one that has ended stays as it ended. Its unfinished tasks end with it."""
    with store.write() as db:
        row = get(store, key)
        if row["state"] in ENDED or row["state"] == state:
            return
        at = now()
        ended = state in ENDED
        store.update(
            "runs", key, state=state, error=error or row["error"], finished=at if ended else "",
            history=_more(row["history"], state, at),
        )  # fmt: skip
        if ended:
            left = "CANCELED" if state == "CANCELED" else "FAILED"
            why = "the run was terminated" if state == "CANCELED" else "the run ended before it"
            open_tasks = "select id from tasks where run = ? and state in ('PENDING', 'RUNNING')"
            for task in store.rows(open_tasks, key):
                move_task(store, task["id"], left, why)
            db.execute(
                "update attempts set state = ?, ended = ?, error = ? where run = ? and state in ('WAITING', 'RUNNING')",
                (left, at, why, key),
            )


def move_task(store: Store, key: str, state: str, error: str = "") -> None:
    """Put a task into a state, with the time in its history."""
    with store.write():
        row = store.row("select * from tasks where id = ?", key)
        if row is None or row["state"] == state:
            return
        at = now()
        begins = row["started"] or (at if state not in ("PENDING", "SKIPPED") else "")
        ends = at if state in ENDED else ""
        history = _more(row["history"], state, at)
        store.update("tasks", key, state=state, error=error, started=begins, finished=ends, history=history)


def terminate(store: Store, key: str) -> None:
    """Ask for a run's end; the reconciler deletes its pods.

    Raises:
        ApiError: it has ended already.
    """
    with store.write():
        row = get(store, key)
        if row["state"] in ENDED:
            raise ApiError("FAILED_PRECONDITION", f"the run has ended already: {row['state']}")
        move(store, key, "CANCELING")


def retry(store: Store, key: str) -> None:
    """Run again what did not succeed; what succeeded keeps its results. Exit tasks run again in any case.

    Raises:
        ApiError: it has not failed.
    """
    with store.write() as db:
        row = get(store, key)
        if row["state"] not in ("FAILED", "CANCELED"):
            raise ApiError("FAILED_PRECONDITION", f"only a run that failed can be retried; this one is {row['state']}")
        at = now()
        again = """select id from tasks where run = ? and
            (state not in ('SUCCEEDED', 'SKIPPED') or kind in ('exit', 'dag'))"""
        for task in store.rows(again, key):
            move_task(store, task["id"], "PENDING")
            db.execute("delete from artifacts where task = ?", (task["id"],))
            store.update("tasks", task["id"], started="", finished="", outputs={})
        store.update(
            "runs", key, state="PENDING", error="", finished="", round=row["round"] + 1, lives=0, trouble="",
            history=_more(row["history"], "PENDING", at),
        )  # fmt: skip


def delete(store: Store, artifacts: Artifacts, key: str) -> None:
    """Delete a run, with its logs and with all that its steps stored but what other runs refer to.

    Raises:
        ApiError: there is none.
    """
    with store.write() as db:
        get(store, key)
        lost = "select uri from artifacts where run = ? except select uri from artifacts where run != ?"
        uris = [row["uri"] for row in store.rows(lost, key, key)]
        attempts = [row["id"] for row in store.rows("select id from attempts where run = ?", key)]
        name = store.value("select json_extract(spec, '$.pipeline_spec.pipelineInfo.name') from runs where id = ?", key)
        db.execute("delete from runs where id = ?", (key,))
    artifacts.remove([found for uri in uris if (found := artifacts.key(uri))], attempts)
    _clear(store, artifacts, artifacts.run(name, key))


def sweep(store: Store, artifacts: Artifacts) -> None:
    """Remove the files of runs that there are no more: a server may have been killed after it deleted a run, and before
    it removed those. For a server that does not serve yet."""
    known = {row["id"] for row in store.rows("select id from runs")}
    for key, folder in list(artifacts.runs()):
        if key not in known:
            _clear(store, artifacts, folder)
    tried = {row["id"] for row in store.rows("select id from attempts")}
    artifacts.remove([], [each for each in artifacts.logs() if each not in tried])


def _clear(store: Store, artifacts: Artifacts, folder: str) -> None:
    begin = artifacts.uri(f"{folder}/")
    named = store.rows("select uri from artifacts where uri >= ? and uri < ?", begin, f"{begin[:-1]}0")  # 0 follows /
    artifacts.clear(folder, {artifacts.key(row["uri"]) for row in named})


def token(store: Store, kind: str, key: str, number: int = 0) -> str:
    """What a pod shows to be let in: for a driver (its run and generation) or a launcher (its attempt)."""
    text = f"{kind}.{key}.{number}"
    return f"{text}.{hmac.new(store.secret, text.encode(), hashlib.sha256).hexdigest()}"


def shown(store: Store, given: str, kind: str) -> tuple[str, int]:
    """The key and number of a token.

    Raises:
        ApiError: this server did not make it.
    """
    parts = given.split(".")
    if given.isascii() and len(parts) == 4 and parts[0] == kind and parts[2].isdecimal() and len(parts[2]) < 10:
        key, number = parts[1], int(parts[2])
        if hmac.compare_digest(given, token(store, kind, key, number)):
            return key, number
    raise ApiError("UNAUTHENTICATED", "this address is for the pods of runs")


def _more(history: str, state: str, at: str) -> list[Any]:
    return [*json.loads(history), {"update_time": at, "state": state}]
