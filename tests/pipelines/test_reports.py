"""What pods tell the server: too late, twice, or more than it can keep."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.conformance import pipelines
from tests.pipelines.engine import Engine
from tests.pipelines.test_bounds import token
from tests.pipelines.test_robust import running, start


def driver_token(engine: Engine, run: str) -> str:
    pod = json.loads((engine.pod(engine.drivers(run)[-1]) / "manifest.json").read_text())
    (shown,) = [each["value"] for each in pod["spec"]["containers"][0]["env"] if each["name"] == "DRIVER_TOKEN"]
    return str(shown)


class Late:
    """A request whose body comes in two parts."""

    def __init__(self, engine: Engine, path: str, body: Any, shown: str) -> None:
        self._rest, self._connection = json.dumps(body).encode(), http.client.HTTPConnection("127.0.0.1", engine.port)
        self._connection.putrequest("POST", f"/internal/{path}")
        self._connection.putheader("Authorization", f"Bearer {shown}")
        self._connection.putheader("Content-Length", str(len(self._rest)))
        self._connection.endheaders(self._rest[:1])

    def status(self) -> int:
        """Send the rest; the answer's status."""
        self._connection.send(self._rest[1:])
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def test_what_comes_after_a_run_has_ended_changes_nothing_even_if_it_began_before(engine: Engine) -> None:
    run = start(engine, pipelines.slow, seconds=600.0)
    step, shown = token(engine, running(engine, run, "wait")), driver_token(engine, run)
    ((task, wanted),) = engine.sql("select task, wanted from attempts where run = ?", run)
    another = {"task": task, "number": 1000, "wanted": json.loads(wanted)}
    assert engine.ask("/internal/run/attempts", another, token=shown)[0] == 200  # as after a thousand that failed
    late = [
        Late(engine, "attempt/result", {"exit_code": 0}, step),
        Late(engine, "run/attempts", {**another, "number": 7}, shown),
        Late(engine, "run/tasks", {"path": "new", "name": "new", "parent": "", "kind": "dag"}, shown),
        Late(engine, "run/warnings", {"text": "too late"}, shown),
        Late(engine, "run/finish", {"state": "SUCCEEDED", "outputs": {"a": 1}}, shown),
    ]
    engine.api(f"runs/{run}:terminate", {})
    engine.ended(run)
    assert [each.status() for each in late] == [409] * len(late)
    states = {state for (state,) in engine.sql("select state from attempts where run = ?", run)}
    assert states <= {"CANCELED", "FAILED"}  # as the server ended them, or their launchers when they were told to end
    assert engine.sql("select state, outputs from runs where id = ?", run) == [("CANCELED", "{}")]
    assert "new" not in engine.tasks(run) and engine.api(f"runs/{run}")["warnings"] == []
    # What the run tried before is not what it tries when it is retried, however often that was.
    engine.api(f"runs/{run}:retry", {})
    assert running(engine, run, "wait").endswith("-1-0")
    engine.api(f"runs/{run}:terminate", {})
    engine.ended(run)


def test_an_end_is_told_as_a_whole_and_may_be_told_again(engine: Engine) -> None:
    run = start(engine, pipelines.slow, seconds=600.0)
    step, shown = token(engine, running(engine, run, "wait")), driver_token(engine, run)
    kept = {"state": "SUCCEEDED", "outputs": {"a": 1}}
    assert engine.ask("/internal/run/finish", {**kept, "outputs": 10**30}, token=shown)[0] == 500  # can't be kept
    assert engine.api(f"runs/{run}")["state"] == "RUNNING"
    given = {"exit_code": 3, "error": "exit code 3"}
    for body, status in ((given, 200), (given, 200), ({"exit_code": 0}, 409)):
        assert engine.ask("/internal/attempt/result", body, token=step)[0] == status
    assert engine.ended(run)["error"]["message"] == "task wait failed: exit code 3"
