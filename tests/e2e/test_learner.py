"""A learner's way through a lab on the live cluster: start, check, explain, solve; and an author's new lab."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mlops_lab.base.paths import state
from mlops_lab.kube.client import Kube
from tests.e2e.conftest import lab

pytestmark = pytest.mark.cluster
SPACE = "lab-97"
ENVIRONMENT = 3  # the exit code of a check that the environment kept from a verdict


@pytest.fixture
def env(cluster: Kube, tmp_path: Path) -> dict[str, str]:
    """A learner of the test's own, on the cluster that is up, with one lab: the skeleton."""
    home = tmp_path / "home"
    found = {
        "MLOPS_LAB_HOME": str(home),
        "MLOPS_LAB_LABS": str(tmp_path / "labs"),
        "MLOPS_LAB_WORKSPACE": str(tmp_path / "w"),
    }
    with pytest.MonkeyPatch.context() as patch:
        here = state() / "clusters"
        patch.setenv("MLOPS_LAB_HOME", str(home))
        shutil.copytree(here, state() / "clusters")
    assert lab("new", "97-two-pods", env=found).returncode == 0
    return found


def judged(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`lab check` until there is a verdict: on a machine that is starved by what runs beside, there rightly is none."""
    for _ in range(5):
        done = lab("check", "97", env=env)
        if done.returncode != ENVIRONMENT:
            break
    return done


def test_a_learner_fails_asks_why_and_passes(env: dict[str, str], cluster: Kube, tmp_path: Path) -> None:
    folder = tmp_path / "labs" / "97-two-pods"

    def apply(file: Path) -> None:
        cluster.apply([yaml.safe_load(file.read_text())], SPACE)

    try:
        started = lab("start", "97", env=env)
        assert started.returncode == 0, started.stderr
        assert (tmp_path / "w/97-two-pods/model.yaml").is_file()

        apply(folder / "wrong/two_pods_are_ready--one-replica/model.yaml")
        failed = judged(env)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert "lab explain 97" in failed.stdout
        why = lab("explain", "97", "two_pods_are_ready", "--json", env=env)
        trace = json.loads(why.stdout)["trace"]
        assert trace["objects"] == ["Deployment/model"]
        assert any("ScalingReplicaSet" in event for event in trace["events"]), trace
        assert any("Pod model-" in event for event in trace["events"]), trace

        apply(folder / "solution/manifests/model.yaml")
        passed = judged(env)
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert lab("explain", "97", env=env).returncode == 2
        kept = [json.loads(line) for line in lab("records", env=env).stdout.splitlines()]
        assert list(dict.fromkeys((each["passed"], each["points"]) for each in kept)) == [(False, 0), (True, 2)]
        assert json.loads(lab("path", "--json", env=env).stdout)["next"] is None
        assert lab("solution", "97", env=env).returncode == 0
    finally:
        cluster.delete("Namespace", SPACE)
        cluster.wait_gone("Namespace", SPACE, within=180)


def test_a_new_lab_is_not_honest_yet(env: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "verify.json"
    done = lab("verify", "97", "--once", "--json", str(report), env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    (verified,) = json.loads(report.read_text())["labs"]
    found = {step["step"]: step["outcome"] for step in verified["steps"]}
    mistake = "wrong two_pods_are_ready--mistake-2"
    assert (found.pop("form"), found.pop(mistake)) == ("dishonest", "dishonest")
    assert set(found.values()) == {"honest"}, verified


def test_a_new_lab_about_a_job_has_a_solution_that_passes(env: dict[str, str], tmp_path: Path) -> None:
    assert lab("new", "98-nightly-scores", "--shape", "job", env=env).returncode == 0
    report = tmp_path / "verify.json"
    done = lab("verify", "98", "--variant", "solution/kustomize", "--json", str(report), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the_job_completes passed: " in done.stderr
    (verified,) = json.loads(report.read_text())["labs"]
    names = ["solution kustomize", "solution kustomize, then reset"]
    assert {step["step"]: step["outcome"] for step in verified["steps"]} == dict.fromkeys(names, "honest")


@pytest.mark.timeout(1900)  # where nothing is cached yet its images are built
def test_a_demo_passes_and_leaves_nothing(cluster: Kube) -> None:
    shown = lab("demo", "19")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "20 of 20 points" in shown.stdout, shown.stdout
    left = {each["metadata"]["name"] for each in cluster.list("Namespace")}
    assert not {name for name in left if name.startswith("demo-")}
