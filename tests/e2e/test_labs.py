"""Every lab on the live cluster: an untouched start scores nothing, a solution passes, a mistake fails as it says.

The whole matrix (each solution twice, every mistake) is `lab verify --all`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kube.client import Kube
from mlops_lab.labs.catalog import about, resolve
from mlops_lab.labs.parts import needed
from tests.e2e.conftest import all_gone, lab

# The first test of the module waits for all labs, which are verified side by side, and alone where that goes wrong.
_WITHIN = 5400
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(_WITHIN + 900)]
LABS = sorted(path.parent.name for path in (project() / "labs").glob("*/lab.toml"))


@pytest.fixture(scope="module")
def verified(
    cluster: Kube, deleted: list[str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What `lab verify` found, by lab; of those labs that are asked for."""
    all_gone(cluster, deleted)  # a verification compares what is in the cluster before and after
    names = {item.name for item in request.session.items}
    wanted = [slug for slug in LABS if f"test_lab[{slug}]" in names]
    parts = sorted({part for slug in wanted for part in needed(about(resolve(slug)).needs)})
    if parts:
        brought = lab("up", "--with", ",".join(parts), within=1800)
        assert brought.returncode == 0, brought.stdout + brought.stderr
    report = tmp_path_factory.mktemp("labs") / "verify.json"
    done = lab("verify", *wanted, "--once", "--json", str(report), within=_WITHIN)
    assert report.is_file(), done.stdout + done.stderr
    told = {each["lab"]: each["steps"] for each in json.loads(report.read_text())["labs"]}
    for slug, steps in told.items():
        for said in (said for step in steps if step["outcome"] == "honest" for said in step["says"]):
            warnings.warn(f"{slug}: {said}", stacklevel=1)
    return told


@pytest.mark.parametrize("slug", LABS)
def test_lab(slug: str, verified: dict[str, Any]) -> None:
    steps = verified[slug]
    complaints = {step["step"]: step["says"] for step in steps if step["outcome"] != "honest"}
    assert complaints == {}
    assert {"form", "start", "solution", "wrong"} <= {step["step"].split()[0] for step in steps}


def test_with_the_api_server_paused_every_verdict_is_an_error(cluster: Kube, tmp_path: Path) -> None:
    report = tmp_path / "verify.json"
    done = lab("verify", LABS[0], "--only", "outage", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(report.read_text())["labs"]
    (step,) = found["steps"]
    assert {result["verdict"] for result in step["results"]} == {"error"}
