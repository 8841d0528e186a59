"""Every lab on the live cluster: an untouched start scores nothing, a solution passes, a mistake fails as it says.

The whole matrix (each solution twice, every mistake) is `lab verify --all`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_lab.base.errors import ExitCode
from mlops_lab.base.paths import project
from mlops_lab.kube.client import Kube
from mlops_lab.labs.catalog import about, resolve
from mlops_lab.labs.parts import needed
from tests.e2e.conftest import lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

LABS = sorted(path.parent.name for path in (project() / "labs").glob("*/lab.toml"))


@pytest.mark.parametrize("slug", LABS)
def test_lab(slug: str, cluster: Kube, tmp_path: Path) -> None:
    if parts := needed(about(resolve(slug)).needs):
        brought = lab("up", "--with", ",".join(parts), within=1800)
        assert brought.returncode == 0, brought.stdout + brought.stderr
    report = tmp_path / "verify.json"
    words = ("verify", slug, "--once", "--json", str(report))
    done = lab(*words)
    if done.returncode == ExitCode.ENVIRONMENT:
        done = lab(*words, "--resume")  # of the steps that something hindered nothing is known yet: only they run again
    assert done.returncode == 0, done.stdout + done.stderr
    (verified,) = json.loads(report.read_text())["labs"]
    kinds = {step["step"].split()[0] for step in verified["steps"]}
    assert {"form", "start", "solution", "wrong"} <= kinds
    assert {step["outcome"] for step in verified["steps"]} == {"honest"}


def test_with_the_api_server_paused_every_verdict_is_an_error(cluster: Kube, tmp_path: Path) -> None:
    report = tmp_path / "verify.json"
    done = lab("verify", LABS[0], "--only", "outage", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    (verified,) = json.loads(report.read_text())["labs"]
    (step,) = verified["steps"]
    assert {result["verdict"] for result in step["results"]} == {"error"}
