"""The tests of what wraps a task's command (images/pipelines/launcher), run with the Go that builds it."""

import subprocess

import pytest

from mlops_lab.base.paths import project
from mlops_lab.images.recipes.golang import compiler

FOLDER = project() / "images" / "pipelines" / "launcher"


@pytest.mark.parametrize("words", [("vet", "."), ("test", ".")], ids=lambda words: words[0])
def test_go(words: tuple[str, str]) -> None:
    done = subprocess.run([compiler(), *words], cwd=FOLDER, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
