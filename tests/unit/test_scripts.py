"""The scripts' own command lines: what they say of themselves, what they refuse, and what `scripts/test` hands on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mlops_lab.base.paths import project

NAMES = ("quickstart", "setup", "test")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the scripts and nothing else, so that what they would do has nothing to work on."""
    shutil.copytree(project() / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(clone: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts" / name, *words], capture_output=True, text=True, timeout=30, check=False, cwd=clone
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", [("--help",), ("-h",)])
def test_help_has_usage_and_examples_and_does_nothing(clone: Path, name: str, words: tuple[str, ...]) -> None:
    done = run(clone, name, *words)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"Usage: scripts/{name}")
    assert f"\n  scripts/{name}" in done.stdout.partition("Examples:")[2]
    assert [path.name for path in clone.iterdir()] == ["scripts"]


@pytest.mark.parametrize(
    ("name", "words"), [("quickstart", ("--fast",)), ("setup", ("dev",)), ("setup", ("--dev", "now"))]
)
def test_an_unknown_argument_is_refused(clone: Path, name: str, words: tuple[str, ...]) -> None:
    done = run(clone, name, *words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"{name}: unknown argument {words[-1]}\n  next: scripts/{name} --help\n"
    assert [path.name for path in clone.iterdir()] == ["scripts"]


@pytest.mark.parametrize(
    ("words", "which", "rows", "rest"),
    [
        ((), " and not long", 2, ""),
        (("--long",), "", 1, ""),
        (("tests/unit", "-k", "a b"), " and not long", 2, " <tests/unit> <-k> <a b>"),
        (("tests/unit", "--long", "-x"), "", 1, " <tests/unit> <-x>"),
    ],
)
def test_test_hands_pytest_all_but_its_own_option(
    clone: Path, words: tuple[str, ...], which: str, rows: int, rest: str
) -> None:
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    quiet = ("ruff", "lint-imports", "mypy", "shellcheck")
    for file in (clone / "scripts" / "setup", *(programs / each for each in quiet)):
        file.write_text("#!/bin/sh\nexit 0\n")
    (programs / "pytest").write_text("#!/bin/sh\nprintf '<%s> ' \"$@\"\necho\n")
    for file in programs.iterdir():
        file.chmod(0o755)
    live = rest or " <tests/e2e> <tests/conformance>"
    done = run(clone, "test", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"<-m> <not cluster{which}> <--numprocesses> <auto> <--dist> <loadfile> <--reruns> <1>{rest} ",
        f"<-m> <cluster and not labs{which}> <--numprocesses> <{rows}> <--dist> <loadgroup> <--reruns> <1>{live} ",
        f"<-m> <labs{which}> <--reruns> <1>{live} ",
    ]


def test_what_needs_the_cluster_is_where_the_script_looks_for_it() -> None:
    files = [file for file in (project() / "tests").rglob("*.py") if "mark.cluster" in file.read_text()]
    places = {file.relative_to(project()).parts[1] for file in files if file != Path(__file__)}
    assert places == {"e2e", "conformance"}
