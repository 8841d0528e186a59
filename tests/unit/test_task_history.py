"""What tasks have in MLflow: the program goes there whole, and asks what MLflow's server answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.tasks import history
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import SETUP, Rendered, render
from mlops_lab.tasks.task import Task, bank, named, tasks
from tests.made_up_exams import made_up_task

WITH_ONE = [task for task in tasks(bank()) if (task.folder / SETUP / history.FILE).is_file()]
ONE = (
    "from mlops_lab.tasks.mlflow_rest import ask, data_set\n\nprint(ask.__name__, data_set('training', 'd1')['tags'])\n"
)


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    folder = made_up_task(tmp_path / "exam", "good", {"cka": "storage"})
    (folder / SETUP / history.FILE).write_text(ONE)
    return render(named("good", tmp_path / "exam"), 3, "exam-1", tmp_path / "rendered" / "good")


def test_the_program_brings_what_it_imports(rendered: Rendered) -> None:
    text = history.program(rendered.folder / SETUP / history.FILE)
    done = subprocess.run(  # isolated: no package of this project is there
        [sys.executable, "-I", "-S", "-"], input=text, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ask [{'key': 'mlflow.data.context', 'value': 'training'}]\n"


def test_it_runs_where_mlflow_does(rendered: Rendered, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho "$KUBECONFIG $*" >{tmp_path}/asked\ncat >{tmp_path}/read\ntest ! -f fails\n')
    kubectl.chmod(0o755)
    place: Any = Place(None, "", {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})  # type: ignore[arg-type]
    history.make(place, rendered, tmp_path)
    said = "--namespace=mlops-lab-tracking exec --stdin deployment/mlflow -- python3 -"
    assert (tmp_path / "asked").read_text() == f"{tmp_path}/.lab/kubeconfig {said}\n"
    assert (tmp_path / "read").read_text() == history.program(rendered.folder / SETUP / history.FILE)
    (tmp_path / "fails").touch()
    with pytest.raises(LabError) as failed:
        history.make(place, rendered, tmp_path)
    assert failed.value.hint == "the task's own program failed; tell its author"
    (rendered.folder / SETUP / history.FILE).unlink()
    (tmp_path / "asked").unlink()
    history.make(place, rendered, tmp_path)
    assert not (tmp_path / "asked").exists()


def test_tasks_of_the_bank_have_one() -> None:
    assert len(WITH_ONE) > 5


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("task", WITH_ONE, ids=lambda task: task.name)
def test_a_tasks_program_makes_its_model(
    task: Task, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []

    def answer(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert isinstance(request.data, bytes)
        asked.append((request.full_url.partition("/api/2.0/mlflow/")[2], json.loads(request.data)))
        return io.BytesIO(json.dumps({"experiment_id": "7", "run": {"info": {"run_id": f"r{len(asked)}"}}}).encode())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    monkeypatch.setitem(sys.modules, "mlops_lab.tasks.mlflow_rest", None)  # its own is used
    file = render(task, seed, "exam-1", tmp_path / task.name).folder / SETUP / history.FILE
    exec(compile(history.program(file), str(file), "exec"), {"__name__": "__main__"})
    assert [body["name"] for path, body in asked if path == "registered-models/create"] == ["exam-1"]
    versions = [body for path, body in asked if path == "model-versions/create"]
    runs = [body for path, body in asked if path == "runs/create"]
    assert {each["name"] for each in versions} <= {"exam-1"} and len(runs) in (0, len(versions))
    aliases = [int(body["version"]) for path, body in asked if path == "registered-models/alias"]
    assert all(1 <= number <= len(versions) for number in aliases) and len(aliases) == bool(versions)
