"""The load generator's own tests (images/load), run with the Go that the images are built with."""

import subprocess

import pytest

from mlops_lab.base.paths import project
from mlops_lab.images.recipes.golang import compiler

pytestmark = pytest.mark.alone  # requests leave at planned moments, and come back within limits
FOLDER = project() / "images" / "load"


def go(*args: str) -> None:
    done = subprocess.run([compiler(), *args], cwd=FOLDER, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schedule_results_and_limits() -> None:
    go("vet", ".")
    go("test", "-short", ".")


@pytest.mark.long
def test_a_thousand_requests_a_second_with_half_a_core() -> None:
    go("test", "-count=1", "-run", "TestAThousandRequestsASecond", ".")
