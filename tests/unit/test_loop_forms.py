"""The retraining loop's forms for CI systems: each file's own steps are run, against a KFP and an MLflow played."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kit import ci_forms

LAB = project() / "labs" / "26-retraining-loop"
CI = LAB / "ci"
ALERT, ENDED, LATER = "2013-07-12T08:00:00.123Z", "2013-07-12T08:03:00Z", "2013-07-12T09:00:00Z"


def github() -> list[str]:
    return ci_forms.github((CI / "github-actions.yaml").read_text())


def gitlab() -> list[str]:
    return ci_forms.gitlab((CI / "gitlab-ci.yaml").read_text())


def jenkins() -> list[str]:
    return ci_forms.jenkins((CI / "Jenkinsfile").read_text())


class Operator:
    """BashOperator, as far as the DAG uses it: keeps its command and what comes after it."""

    made: list[Operator] = []  # noqa: RUF012

    def __init__(self, task_id: str, bash_command: str, **rest: Any) -> None:
        assert set(rest) == {"cwd", "env", "append_env"}, "what BashOperator takes"
        self.command, self.after = bash_command, ""
        Operator.made.append(self)

    def __rshift__(self, other: Operator) -> Operator:
        other.after = self.command
        return other


class Dag:
    def __init__(self, **given: Any) -> None:
        assert given["max_active_runs"] == 1 and given["schedule"] is None

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None: ...


def airflow() -> list[str]:
    operators = "airflow.providers.standard.operators.bash"
    parents = [operators.rsplit(".", number)[0] for number in range(1, 5)]
    fakes: dict[str, dict[str, Any]] = {name: {} for name in parents}
    fakes |= {"airflow.sdk": {"DAG": Dag}, operators: {"BashOperator": Operator}}
    before = {name: sys.modules.get(name) for name in fakes}
    Operator.made = []
    try:
        for name, members in fakes.items():
            sys.modules[name] = types.ModuleType(name)
            vars(sys.modules[name]).update(members)
        runpy.run_path(str(CI / "airflow_dag.py"))
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module
    commands = [each.command for each in Operator.made]
    assert [each.after for each in Operator.made] == ["", *commands[:-1]], "one after the other"
    return commands


class Played:
    """KFP and MLflow, as far as the steps ask them."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.ends = "SUCCEEDED"
        self.version = "1"
        played = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(played.get(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(played.post(self.path, body))

            def answer(self, found: dict[str, Any]) -> None:
                text = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def get(self, path: str) -> dict[str, Any]:
        if "/experiments" in path:
            return {"experiments": [{"display_name": "other", "experiment_id": "0"}]}
        if "/runs?" in path:
            return {"runs": self.runs[-1:]}
        if "/runs/" in path:
            run = next(each for each in self.runs if path.endswith(each["run_id"]))
            run["asked"] = run.get("asked", 0) + 1
            if run["asked"] > 1:
                run |= {"state": self.ends, "finished_at": ENDED}
            return run
        tags = [{"key": "data.days", "value": "2013-06-14 to 2013-07-04"}]
        return {"model_version": {"version": self.version, "tags": tags}}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/experiments"):
            return {"experiment_id": "7", "display_name": body["display_name"]}
        run = {"run_id": f"run-{len(self.runs)}", "state": "RUNNING", "body": body}
        self.runs.append(run)
        return run


@pytest.fixture
def played() -> Iterator[Played]:
    found = Played()
    yield found
    found.server.shutdown()
    found.server.server_close()


def follow(
    commands: list[str], played: Played, folder: Path, since: str = ALERT
) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps as a CI system does: in a clone, one after the other, until one fails.

    Args:
        since: when the alert began.
    """
    if not (folder / "ci").exists():
        (folder / "ci").symlink_to(CI)
        (folder / "pipeline.py").symlink_to(LAB / "solution" / "receiver" / "pipeline.py")
    paths = [project(), project() / "components", project() / "images" / "flight-delay"]
    env = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "_KFP_RUNTIME": "true",
        "PYTHONPATH": os.pathsep.join(map(str, paths)), "TODAY": "2013-07-11", "SINCE": since,
        "KFP_ENDPOINT": played.url, "KFP_EXPERIMENT": "mine", "MLFLOW_TRACKING_URI": played.url, "MODEL_NAME": "mine",
        "DAYS_URL": "http://days", "MODEL_URL": "http://model",
    }  # fmt: skip
    done = []
    for command in commands:
        words = ["bash", "-ec", command]
        done.append(subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False))
        if done[-1].returncode:
            break
    return done


FORMS = [github, gitlab, jenkins, airflow]


def test_all_forms_take_the_same_steps() -> None:
    """So the tests below follow those of one."""
    assert len({tuple(form()) for form in FORMS}) == 1


def test_its_steps_bring_a_version_into_service(played: Played, tmp_path: Path) -> None:
    done = follow(github(), played, tmp_path)
    assert len(done) == 4 and not done[-1].returncode, done[-1].stderr
    (run,) = played.runs
    given = run["body"]["runtime_config"]["parameters"]
    assert (given["first_day"], given["last_day"]) == ("2013-06-14", "2013-07-11")
    assert run["body"]["pipeline_spec"]["pipelineInfo"]["name"] == "retrain"
    assert run["body"]["experiment_id"] == "7"
    assert "version 1 is in production; days 2013-06-14 to 2013-07-04" in done[-1].stdout


def test_a_run_that_fails_fails_the_job(played: Played, tmp_path: Path) -> None:
    played.ends = "FAILED"
    done = follow(github(), played, tmp_path)
    assert len(done) == 3 and done[-1].returncode == 1
    assert "FAILED" in done[-1].stdout


def test_a_job_that_comes_while_a_run_is_under_way_waits_for_that(played: Played, tmp_path: Path) -> None:
    steps = github()
    follow(steps[:2], played, tmp_path)
    done = follow(steps, played, tmp_path)
    assert len(played.runs) == 1 and not done[-1].returncode
    assert "run-0 is under way" in done[1].stdout


def test_a_job_for_an_alert_that_a_run_has_dealt_with_starts_none(played: Played, tmp_path: Path) -> None:
    steps = github()
    follow(steps, played, tmp_path)
    done = follow(steps, played, tmp_path)
    assert len(played.runs) == 1 and not done[-1].returncode
    assert "run-0 has dealt with it" in done[1].stdout
    done = follow(steps, played, tmp_path, since=LATER)
    assert len(played.runs) == 2 and not done[-1].returncode
