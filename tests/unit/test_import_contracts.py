"""The contracts of import-linter in pyproject.toml: imports that point down keep them, and others break them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

BREAKS = {
    "kube/__init__.py": "import mlops_lab.cli",
    "learner/__init__.py": "import mlops_lab.proof",
    "measure/cluster/__init__.py": "import mlops_lab.measure.services",
    "labs/__init__.py": "from kubernetes.client import CoreV1Api",
    "platform/__init__.py": "import kfp",
    "checks/__init__.py": "from rich.console import Console",
}


def lint(tmp_path: Path, breaks: dict[str, str]) -> str:
    """What lint-imports prints of a package that has the project's packages, each of them empty but for `breaks`."""
    for folder in (ROOT / "src" / "mlops_lab").rglob("__init__.py"):
        file = tmp_path / folder.relative_to(ROOT / "src")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for name, text in breaks.items():
        (tmp_path / "mlops_lab" / name).write_text(text + "\n")
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return " ".join(done.stdout.split())


def test_what_holds_for_all_layers_but_one_names_all_the_others() -> None:
    (layers,) = (each["layers"] for each in CONTRACTS if each["name"] == "imports point down")
    names = {name for row in layers for name in row.split(" | ")}
    missing = {each["name"]: names - set(each["source_modules"]) for each in CONTRACTS if "source_modules" in each}
    one_but = {name: without for name, without in missing.items() if name.startswith("only ")}
    assert one_but == {
        "only kube imports the Kubernetes client, and what that stands on": {"mlops_lab.kube"},
        "only cli speaks in colours and tables": {"mlops_lab.cli"},
    }


def test_a_package_without_imports_keeps_every_contract(tmp_path: Path) -> None:
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in lint(tmp_path, {})


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    said = lint(tmp_path, BREAKS)
    for contract in CONTRACTS:
        assert f"{contract['name']} BROKEN" in said
    for step in ("mlops_lab.kube -> mlops_lab.cli", "mlops_lab.learner -> mlops_lab.proof"):
        assert step in said
