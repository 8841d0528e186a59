"""Labs on the live cluster, by turns: an untouched start scores nothing, a solution passes, a mistake fails as it says.

Those have their turn that have changed since they were last proved, and then the oldest proofs, as many as the suite
has minutes for; the summary says which were left out. Every lab's form is looked at each time, without a cluster
(tests/unit/test_labs_form.py). The whole matrix (each solution twice, every mistake) is `lab verify --all`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kube.client import Kube
from mlops_lab.labs.catalog import about, exercises
from mlops_lab.labs.parts import needed
from mlops_lab.proof import together, turns
from tests.e2e.conftest import BY_TURNS, all_gone, lab

# What was begun goes on to its end, and what was not honest beside others has a second try.
_WITHIN = 5400
pytestmark = [pytest.mark.cluster, pytest.mark.labs, pytest.mark.timeout(_WITHIN + 900)]
LABS = exercises(project() / "labs")


@pytest.fixture(scope="module")
def verified(
    cluster: Kube, deleted: list[str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What `lab verify` found, as it writes it."""
    all_gone(cluster, deleted)  # a verification compares what is in the cluster before and after
    minutes = turns.minutes()
    chosen = turns.fitting(turns.turns(LABS), minutes * 60, together.lanes())
    parts = sorted({part for turn in chosen for part in needed(about(turn.exercise).needs)})
    if parts:
        brought = lab("up", "--with", ",".join(parts), within=1800)
        assert brought.returncode == 0, brought.stdout + brought.stderr
    report = tmp_path_factory.mktemp("labs") / "verify.json"
    words = ("--all", "--once", "--budget", str(minutes), "--json", str(report))
    done = lab("verify", *words, within=_WITHIN)
    assert report.is_file(), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(report.read_text())
    for each in told["labs"]:
        for said in (said for step in each["steps"] if step["outcome"] == "honest" for said in step["says"]):
            warnings.warn(f"{each['lab']}: {said}", stacklevel=1)
    request.config.stash[BY_TURNS] = told
    return told


def test_labs_whose_turn_it_is_are_honest(verified: dict[str, Any], subtests: pytest.Subtests) -> None:
    assert verified["labs"]
    for each in verified["labs"]:
        with subtests.test(each["lab"]):
            complaints = {step["step"]: step["says"] for step in each["steps"] if step["outcome"] != "honest"}
            assert complaints == {}
            assert {"form", "start", "solution", "wrong"} <= {step["step"].split()[0] for step in each["steps"]}


def test_every_lab_is_verified_or_said_to_be_left_out(verified: dict[str, Any]) -> None:
    told = [each["lab"] for part in ("labs", "left out") for each in verified[part]]
    assert sorted(told) == [each.slug for each in LABS]


def test_with_the_api_server_paused_every_verdict_is_an_error(cluster: Kube, tmp_path: Path) -> None:
    report = tmp_path / "verify.json"
    done = lab("verify", LABS[0].number, "--only", "outage", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(report.read_text())["labs"]
    (step,) = found["steps"]
    assert {result["verdict"] for result in step["results"]} == {"error"}
