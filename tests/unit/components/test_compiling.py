"""A pipeline is compiled where only kfp's runtime is, as in the components' image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.components.conftest import CARRIED, ROOT

WITHOUT = """
import sys
sys.modules["kfp.client"] = sys.modules["kfp_server_api"] = None  # the image has neither
"""


def compile_file(file: Path, out: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(WITHOUT)
    env = {**os.environ, "_KFP_RUNTIME": "true", "PYTHONPATH": os.pathsep.join([str(folder), *CARRIED])}
    words = [sys.executable, "-m", "components.compiling", file, out]
    return subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_loop_is_compiled_without_kfps_client(tmp_path: Path) -> None:
    done = compile_file(ROOT / "components" / "retrain.py", tmp_path / "out.yaml", tmp_path)
    assert done.returncode == 0, done.stderr
    spec = yaml.safe_load((tmp_path / "out.yaml").read_text())
    assert spec["pipelineInfo"]["name"] == "retrain"
    images = {each["container"]["image"] for each in spec["deploymentSpec"]["executors"].values()}
    assert images == {"localhost:5001/components:1"}


@pytest.mark.parametrize("text", ["", "from kfp import dsl\n"])
def test_a_file_without_a_pipeline_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "empty.py"
    file.write_text(text)
    done = compile_file(file, tmp_path / "out.yaml", tmp_path)
    assert done.returncode == 1
    assert "defines no pipeline" in done.stderr
