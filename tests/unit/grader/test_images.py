"""The grader's image has what grading needs and no solution; Kueue's manifests are held to graders' Jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.classroom.grader import grading
from mlops_lab.classroom.grader.outcome import PARTS, content_of
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import flight_delay, golang, grader, kueue
from mlops_lab.labs.catalog import exercises
from mlops_lab.measure.traffic.flights import hidden_rows

_ASKED = """
import sys
from mlops_lab.classroom.grader import __main__, grading, outcome
from mlops_lab.labs import checker
from mlops_lab.labs.catalog import exercises
import mlops_lab.measure.services.backfill, mlops_lab.measure.traffic.load, mlops_lab.measure.cluster.environment
for each in exercises():
    checker.checks(each)
    print(each.number, outcome.content_of(each.folder))
own = [each.__file__ or "" for name, each in sys.modules.items() if name.split(".")[0] == "mlops_lab"]
assert all(each.startswith(sys.argv[1]) for each in own)
"""


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's /app, of links."""
    top = tmp_path_factory.mktemp("app")
    for name, source in grader.contents().items():
        place = top / name.removeprefix("project/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            subprocess.run(["cp", "-rl", source, place], check=True)
        else:
            os.link(source, place)
    return top


def test_all_that_grading_imports_is_in_it_and_labs_are_what_they_are_in_a_clone(laid: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKED, str(laid)], env={"PYTHONPATH": str(laid / "src"), "HOME": str(laid)},
        capture_output=True, text=True, cwd=laid,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = dict(line.split() for line in done.stdout.splitlines())
    assert said == {each.number: content_of(each.folder) for each in exercises()}


def test_no_solution_is_in_it(laid: Path) -> None:
    for lab in (laid / "labs").iterdir():
        assert {each.name for each in lab.iterdir()} <= set(PARTS)
    solutions = {each.read_bytes() for lab in exercises() for each in (lab.folder / "solution").rglob("*.yaml")}
    given = {each.read_bytes() for lab in exercises() for each in (lab.folder / "start").rglob("*.yaml")}
    assert not {each.read_bytes() for each in laid.rglob("*.yaml")} & (solutions - given)


def test_programs_of_learners_find_checkers_and_labs_empty() -> None:
    from mlops_lab.classroom.grader.grading import HIDDEN, PACKAGES

    places = {f"/app/{name.removeprefix('project/')}" for name in grader.contents()}
    shown = [each for each in places if not any(each.startswith(f"{hidden}/") for hidden in HIDDEN)]
    others = sorted(each for each in shown if not each.endswith(".lock"))
    assert others == ["/app/charts/monitoring/dashboards", "/app/versions.toml"]
    assert (
        PACKAGES not in HIDDEN
        and "PYTHONPATH=/app/src:/app/site" in (project() / "images" / "grader" / "Dockerfile").read_text()
    )


def test_checkers_find_the_flights_that_nobody_else_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    made = tmp_path / "made"
    made.mkdir()
    rows = {"rows": [{"a": 1}, {"a": 2}], "probabilities": {"v1": [0.5, 0.25]}, "auc": {"v1": 0.75}}
    (made / "hidden.json").write_text(json.dumps(rows))
    grader.lay_flights(flight_delay.train(sources("build", "amd64")), made, tmp_path / "hidden")
    for _ in range(2):  # a container that is started again has the cache of before
        grading.know(tmp_path / "hidden")
    found = hidden_rows(2)
    assert (found.rows, found.auc) == (({"a": 1}, {"a": 2}), {"v1": 0.75})
    assert flight_delay.TRAIN in {each.name for each in sources("build", "amd64").image(grader.NAME).needs}


def webhook(group: str, **more: Any) -> dict[str, Any]:
    return {"name": group, "rules": [{"apiGroups": [group], "resources": ["x"]}], **more}


def made(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **more}


def controller() -> dict[str, Any]:
    ports = [{"name": "webhook-server", "containerPort": 9443}, {"name": "visibility", "containerPort": 8082}]
    container = {
        "image": "staging/kueue:main",
        "imagePullPolicy": "Always",
        "args": ["--config=/c", "--zap-log-level=2"],
        "ports": ports,
    }
    return made("Deployment", "c", spec={"template": {"spec": {"containers": [container]}}})


def test_kueue_is_held_to_the_jobs_of_graders() -> None:
    found = kueue.adjusted([
        made("Namespace", "kueue-system"), made("ClusterRole", "kueue-rayjob-editor-role"), controller(),
        made("ClusterRole", "kueue-manager-role"), made("APIService", "v1beta1.visibility.kueue.x-k8s.io"),
        made("ConfigMap", "kueue-manager-config"),
        made("MutatingWebhookConfiguration", "m",
             webhooks=[webhook("batch"), webhook("apps"), webhook(""), webhook("kueue.x-k8s.io")]),
    ])  # fmt: skip
    by = {each["kind"]: each for each in found}
    assert [each["metadata"]["name"] for each in found if each["kind"] == "ClusterRole"] == ["kueue-manager-role"]
    assert "APIService" not in by
    hooks = by["MutatingWebhookConfiguration"]["webhooks"]
    assert [each["name"] for each in hooks] == ["batch", "kueue.x-k8s.io"]
    assert hooks[0]["namespaceSelector"] == {"matchLabels": {"mlops-lab/queued": "true"}}
    (container,) = by["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == str(pin("images.kueue.name"))
    assert container["args"] == ["--config=/c", "--feature-gates=VisibilityOnDemand=false", "--zap-log-level=info"]
    settings = yaml.safe_load(by["ConfigMap"]["data"]["controller_manager_config.yaml"])
    assert settings["integrations"]["frameworks"] == ["batch/job"] and not settings["manageJobsWithoutQueueName"]


def test_kueues_image_is_of_its_modules_version() -> None:
    assert str(pin("images.kueue.name")).rpartition(":")[2] == golang.required(
        project() / "images" / "kueue", "sigs.k8s.io/kueue"
    )
