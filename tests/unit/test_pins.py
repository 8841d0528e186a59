"""What has to be written down with its version in more than one place is the same version in each."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang

ROOT = project()
LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), *sorted((ROOT / "images").glob("*/*.lock"))]
LISTS = [*sorted((ROOT / "requirements").glob("*.in")), *sorted((ROOT / "images").glob("*/*.in"))]
# Packages of one project that are released together, under the name of the one that says which version.
FAMILIES = {"mlflow-skinny": "mlflow", "kfp-pipeline-spec": "kfp", "kfp-server-api": "kfp"}
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==([0-9][^\s;\\]*)", re.MULTILINE)

Places = dict[str, dict[str, set[str]]]  # package: version: files


def pinned(texts: dict[str, str]) -> Places:
    """The packages that these files name by one version, those of a family under its name."""
    found: Places = defaultdict(lambda: defaultdict(set))
    for name, text in texts.items():
        for package, version in _PIN.findall(text):
            found[FAMILIES.get(package, package)][version].add(name)
    return found


def asked_for() -> Places:
    """What the project's own files ask for by version: lists of requirements and pyproject.toml."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [
        *wanted["project"]["dependencies"],
        *(line for group in wanted["dependency-groups"].values() for line in group),
    ]
    return pinned({**texts(LISTS), "pyproject.toml": "\n".join(lines)})


def texts(files: list[Path]) -> dict[str, str]:
    return {str(file.relative_to(ROOT)): file.read_text() for file in files}


ASKED, LOCKED = asked_for(), pinned(texts(LOCKS))


def test_kfp_mlflow_and_uv_are_found_where_they_are_asked_for_and_locked() -> None:
    asked = {package: set().union(*places.values()) for package, places in ASKED.items()}
    locked = {package: set().union(*places.values()) for package, places in LOCKED.items()}
    assert asked["kfp"] == {
        "pyproject.toml", "images/kfp-python/requirements.in", "images/pipelines/requirements.in",
    }  # fmt: skip
    assert asked["mlflow"] >= {f"images/{name}/requirements.in" for name in ("mlflow", "components", "serving")}
    assert asked["uv"] == {"requirements/setup.in"}
    for package in ("kfp", "uv"):
        assert locked[package] >= {"requirements/lab.txt", "requirements/dev.txt"}
    assert "requirements/dev.txt" in locked["mlflow"] and "requirements/setup.txt" in locked["uv"]


@pytest.mark.parametrize("package", sorted(ASKED))
def test_a_package_that_is_asked_for_by_version_is_the_same_everywhere(package: str) -> None:
    assert len(ASKED[package]) == 1, dict(ASKED[package])
    assert dict(LOCKED[package]).keys() == ASKED[package].keys(), dict(LOCKED[package])


def test_two_versions_of_a_family_are_seen() -> None:
    texts = {"a": "mlflow==3.1\n    --hash=sha256:0\n", "b": "x\nmlflow-skinny[extra]==3.2 \\\n", "c": "mlflow>=3"}
    assert pinned(texts) == {"mlflow": {"3.1": {"a"}, "3.2": {"b"}}}


@pytest.mark.parametrize(("chart", "package"), [("mlflow", "mlflow"), ("pipelines", "kfp")])
def test_a_chart_names_the_version_that_its_image_has(chart: str, package: str) -> None:
    meta = yaml.safe_load((ROOT / "charts" / chart / "Chart.yaml").read_text())
    assert {meta["appVersion"]} == ASKED[package].keys()


@pytest.mark.parametrize(
    ("folder", "module", "version"),
    [
        ("kind", "sigs.k8s.io/kind", pin("kind.version")),
        ("node", "k8s.io/kubernetes", pin("kubernetes.version")),
        ("node", "sigs.k8s.io/metrics-server", pin("images.metrics-server.name").rpartition(":")[2]),
    ],
)
def test_what_is_built_is_the_version_of_versions_toml(folder: str, module: str, version: str) -> None:
    assert golang.required(ROOT / "images" / folder, module) == version
