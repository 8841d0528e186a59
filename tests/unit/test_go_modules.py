"""The Go modules of the images ask for the same versions: what is compiled for one program then serves the others."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.steps import Step, closure

MODULES = sorted((project() / "images").rglob("go.mod"))
# Programs that don't compile with the version that the others have: they replace it, each for itself.
OLDER = {
    "github.com/docker/go-connections": {"node"},  # kube-router
    "github.com/KimMachineGun/automemlimit": {"alertmanager", "kube-state-metrics"},
    "github.com/prometheus/procfs": {"node-exporter"},
}
# Some take the others' versions and raise none (scripts/lock-go), so one may be alone in asking for a later one.
LATER = {
    "github.com/go-errors/errors": {"kwok"},
    "github.com/mattn/go-runewidth": {"exam-node"},
    "github.com/onsi/ginkgo/v2": {"exam-node"},
    "github.com/onsi/gomega": {"exam-node"},
}
APART = OLDER | LATER
_REQUIRED = re.compile(r"^\s*(?:require )?(\S+) (v\S+)(?: // indirect)?$", re.MULTILINE)
_REPLACED = re.compile(r"^\s*(?:replace )?(\S+) => (\S+) (v\S+)$", re.MULTILINE)


def versions(texts: dict[str, str]) -> dict[str, dict[str, set[str]]]:
    """For each module the versions that are compiled, each with the programs that ask for it; and so for `go`."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, text in texts.items():
        replaced = {old: f"{version} for {new}" for old, new, version in _REPLACED.findall(text)}
        for module, version in _REQUIRED.findall(text):
            used = replaced.get(module, "")
            found[module][version if used in ("", f"{version} for {module}") else used].add(name)
        found["go"][re.findall(r"^go (\S+)$", text, re.MULTILINE)[0]].add(name)
    return found


def unlike(texts: dict[str, str], older: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
    """What is not the same in all, apart from what some are allowed to have older."""
    return {
        module: dict(each)
        for module, each in versions(texts).items()
        if len([names for names in each.values() if not names <= older.get(module, set())]) > 1
    }


def test_all_modules_ask_for_the_same_versions() -> None:
    texts = {path.parent.name: path.read_text() for path in MODULES}
    assert len(texts) == len(MODULES) > 10
    assert unlike(texts, APART) == {}, "run scripts/lock-go"


def test_what_is_apart_is_so_for_a_reason() -> None:
    texts = {path.parent.name: path.read_text() for path in MODULES}
    assert set(unlike(texts, {})) == set(APART)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("require a.b/c v1.0.0 // indirect\n", set()),
        ("require a.b/c v1.0.1 // indirect\n", {"a.b/c"}),
        ("require a.b/c v1.0.0\n\nreplace a.b/c => a.b/c v1.0.0\n", set()),
        ("require a.b/c v1.0.0\n\nreplace a.b/c => a.b/c v0.9.0\n", {"a.b/c"}),
        ("require a.b/c v1.0.0\n\nreplace a.b/c => a.b/d v1.0.0\n", {"a.b/c"}),
    ],
)
def test_a_version_of_its_own_is_noticed(other: str, found: set[str]) -> None:
    texts = {"one": "module one\n\ngo 1.26.7\n\nrequire (\n\ta.b/c v1.0.0\n)\n", "two": f"go 1.26.7\n\n{other}"}
    assert set(unlike(texts, {})) == found
    assert unlike(texts, {"a.b/c": {"two"}}) == {}
    assert set(unlike(texts | {"three": "go 1.26.8\n"}, {"a.b/c": {"two"}})) == {"go"}


def test_kubernetes_libraries_are_those_of_the_cluster() -> None:
    wanted = "v0" + str(pin("kubernetes.version")).removeprefix("v1")
    texts = {path.parent.name: path.read_text() for path in MODULES}
    for module in ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/apiserver"):
        assert set(versions(texts)[module]) == {wanted}


def test_what_stands_on_kubernetes_libraries_is_compiled_after_them() -> None:
    known = sources("build", "amd64")
    steps = closure([known.image(name) for name in CATALOG])
    go = {step.name: step for step in steps if step.name.startswith("go/")}
    kubernetes = go.pop("go/kubernetes")
    del go["go/pipelines-launcher"]  # needs nothing but Go's own packages
    assert {name for name, step in go.items() if kubernetes not in step.after} == set()


def test_what_is_compiled_for_one_program_only_is_not_held_against_the_rest() -> None:
    """A key goes by the program's own module: another's new version makes nothing else anew."""
    known = sources("build", "amd64")
    steps: list[Step] = closure([known.image(name) for name in CATALOG])
    for step in steps:
        folders = {path.parent for path in step.inputs if isinstance(path, Path) and path.name == "go.mod"}
        assert len(folders) <= 1, step.name
