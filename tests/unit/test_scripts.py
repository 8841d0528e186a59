"""The scripts' own command lines: what they say of themselves, what they refuse, and what `scripts/test` hands on."""

from __future__ import annotations

import ast
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlops_lab.base.paths import project

NAMES = ("commit-subject", "lint", "lock-go", "picture", "quickstart", "set-urls", "setup", "test", "types")


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
    examples = done.stdout.partition("\nExamples:\n")[2].splitlines()
    assert examples and all(line.startswith("  ") and f"scripts/{name}" in line for line in examples)
    assert [path.name for path in clone.iterdir()] == ["scripts"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lint", ("--fix",)),
        ("quickstart", ("--fast",)),
        ("setup", ("dev",)),
        ("setup", ("--dev", "now")),
        ("types", ("src",)),
    ],
)
def test_an_unknown_argument_is_refused(clone: Path, name: str, words: tuple[str, ...]) -> None:
    done = run(clone, name, *words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"{name}: unknown argument {words[-1]}\n  next: scripts/{name} --help\n"
    assert [path.name for path in clone.iterdir()] == ["scripts"]


@pytest.mark.parametrize("words", [(), ("lab", "demo", "10")])
def test_a_picture_is_of_one_command(clone: Path, words: tuple[str, ...]) -> None:
    done = run(clone, "picture", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"picture: one command is wanted, not {len(words)}; put it in quotes\n  next: scripts/picture --help\n"
    )


def test_quickstart_hands_the_bundle_on_by_its_whole_path(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    for file in (clone / "scripts" / "setup", clone / ".venv" / "bin" / "lab"):
        file.write_text(f'#!/bin/sh\necho {file.name} "$@" >>{clone}/log\n')
        file.chmod(0o755)
    (clone / "elsewhere").mkdir()
    words = [str(clone / "scripts" / "quickstart"), "--bundle", "a b.bundle"]
    subprocess.run(words, check=True, timeout=30, cwd=clone / "elsewhere")
    file = clone / "elsewhere" / "a b.bundle"
    assert (clone / "log").read_text().splitlines() == [
        f"setup --bundle {file}",
        f"lab up --bundle {file}",
        "lab demo 10",
    ]


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("quickstart", ("--bundle",), "--bundle needs a file"),
        ("setup", ("--bundle",), "--bundle needs a file"),
        ("setup", ("--dev", "--bundle", "x"), "a bundle has no packages for --dev"),
    ],
)
def test_a_bundle_that_can_not_be_meant_is_refused(clone: Path, name: str, words: tuple[str, ...], said: str) -> None:
    done = run(clone, name, *words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"{name}: {said}\n  next: scripts/{name} --help\n"


@pytest.fixture
def locked(clone: Path) -> Path:
    """A clone with what `scripts/setup` reads."""
    for name in ("requirements/setup.txt", "requirements/lab.txt", "requirements/dev.txt", "pyproject.toml"):
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text(name)
    return clone


@pytest.mark.parametrize("ensurepip", [True, False])
def test_setup_from_a_bundle_asks_no_index(locked: Path, ensurepip: bool) -> None:
    """All that pip and uv are asked for, they are to find in the folder that the bundle was laid out in."""
    clone = locked
    (clone / "x.bundle").touch()
    (clone / "wheels").mkdir()
    (clone / "wheels" / "pip-1-py3-none-any.whl").touch()
    python = clone / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f'  "-c import sys; "*) exit 0 ;;\n  "-c import ensurepip, venv") exit {int(not ensurepip)} ;;\n'
        f'  "-c "*) exec {sys.executable} "$@" ;;\n'
        f'  "-m mlops_lab"*) echo "$*" >>{clone}/log; [ ! -e {clone}/bad ] || exit 3; echo {clone}/wheels ;;\n'
        f'  "-m venv"*) ;;\n'
        f'  *) echo "$*" >>{clone}/log ;;\nesac\n'
        'case "$*" in "-m venv "*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;; esac\n'
    )
    python.chmod(0o755)
    env = {**os.environ, "PYTHON": str(python)}
    words = [str(clone / "scripts" / "setup"), "--bundle", "x.bundle"]
    (clone / "bad").touch()
    done = subprocess.run(words, env=env, cwd=clone, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3 and not (clone / ".venv").exists(), "a bundle that is no good changes nothing"
    (clone / "bad").unlink()
    done = subprocess.run(words, env=env, cwd=clone, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    lines = (clone / "log").read_text().splitlines()
    assert f"-m mlops_lab.images.bundle.wheels {clone}/x.bundle requirements/setup.txt requirements/lab.txt" in lines
    asked = [line for line in lines if " install " in line and "--editable" not in line]
    assert len(asked) == (2 if ensurepip else 3)
    assert all(f"--no-index --find-links {clone}/wheels" in line and "--require-hashes" in line for line in asked)
    assert all("--offline" in line for line in lines if "-m uv" in line)
    assert not (clone / "wheels").exists(), "what was laid out is of no more use"


# A Python whose `-m venv .venv` makes an environment with this same program in it; what pip is asked is in `log`.
PYTHON = """#!/bin/sh
case "$*" in
  "-c import mlops_lab") [ ! -e gone ] ;;
  "-c import ensurepip, venv") [ ! -e no-venv ] ;;
  "-c "*) exec {python} "$@" ;;
  "-m venv .venv") [ ! -e full ] || {{ echo "Error: No space left on device" >&2; mkdir .venv; exit 1; }}
    mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/bin/lab || exit 1
    echo "command = /usr/bin/python3 -m venv $(pwd -P)/.venv" >.venv/pyvenv.cfg ;;
  "-m pip --version") [ ! -e gone ] ;;
  *) echo "$*" >>log ;;
esac
"""


def set_up(clone: Path, *words: str) -> tuple[int, str, bool]:
    """The exit code and errors of `scripts/setup`, and whether it made a .venv."""
    (clone / "log").unlink(missing_ok=True)
    (clone / "python").write_text(PYTHON.format(python=sys.executable))
    (clone / "python").chmod(0o755)
    done = subprocess.run(
        [str(clone / "scripts" / "setup"), *words], env={**os.environ, "PYTHON": str(clone / "python")},
        cwd=clone, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr, (clone / "log").exists()


def test_an_environment_that_was_made_elsewhere_or_whose_python_is_gone_is_made_anew(
    locked: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    said = "setting up .venv from requirements/lab.txt\n"
    assert set_up(locked) == (0, said, True)
    assert set_up(locked) == (0, "", False)
    copy = tmp_path_factory.mktemp("other") / "a copy"
    shutil.copytree(locked, copy)
    (copy / ".venv" / "of-the-first").touch()
    assert set_up(copy) == (0, said, True)
    assert not (copy / ".venv" / "of-the-first").exists() and set_up(copy) == (0, "", False)
    (copy / "gone").touch()
    assert set_up(copy) == (0, said, True)


def test_why_no_environment_could_be_made_is_said(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (locked / "full").touch()
    code, said, made = set_up(locked)
    assert (code, made, (locked / ".venv").exists()) == (3, False, False)
    assert "Error: No space left on device\nsetup: .venv could not be made" in said and "no venv module" not in said
    (locked / "no-venv").touch()
    (locked / "id").write_text("#!/bin/sh\necho 1000\n")
    (locked / "id").chmod(0o755)
    monkeypatch.setenv("PATH", f"{locked}:{os.environ['PATH']}")
    code, said, made = set_up(locked)
    assert (code, made) == (3, False) and "python has no venv module\n  next: install it" in said


def test_a_bundle_that_is_not_there_is_said_even_where_all_is_set_up(locked: Path) -> None:
    assert set_up(locked)[0] == 0
    code, said, made = set_up(locked, "--bundle", "none")
    assert (code, made) == (3, False) and said.startswith(f"setup: there is no file {locked}/none\n  next: ")


@pytest.fixture
def suite(clone: Path) -> Path:
    """A clone whose linters find no fault, and whose pytest plays `rows/MARK`, or else prints its arguments."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    quiet = ("ruff", "lint-imports", "mypy", "shellcheck")
    for file in (clone / "scripts" / "setup", *(programs / each for each in quiet)):
        file.write_text("#!/bin/sh\nexit 0\n")
    (programs / "pytest").write_text(
        "#!/bin/sh\nmark=${4%% and not long}\n"
        '[ ! -e "rows/$mark" ] || exec sh "rows/$mark"\n'
        "printf '<%s> ' \"$@\"\necho\n"
    )
    for file in programs.iterdir():
        file.chmod(0o755)
    (clone / "rows").mkdir()
    return clone


ROWS = (
    *("not cluster and not alone", "second_cluster"),
    *("cluster and not second_cluster and not labs", "(labs or alone)"),
)


@pytest.mark.parametrize(
    ("words", "which", "rest"),
    [
        ((), " and not long", ""),
        (("--long",), "", ""),
        (("tests/unit", "-k", "a b"), " and not long", " <tests/unit> <-k> <a b>"),
        (("tests/unit", "--long", "-x"), "", " <tests/unit> <-x>"),
    ],
)
def test_test_hands_pytest_all_but_its_own_option(suite: Path, words: tuple[str, ...], which: str, rest: str) -> None:
    live = rest or " <tests/e2e> <tests/conformance> <tests/unit/test_load_program.py>"
    workers = min(2 * (os.cpu_count() or 1), 8)
    done = run(suite, "test", *words)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("<")] == [
        f"<--reruns> <1> <-m> <cluster and not second_cluster and not labs{which}>{live} ",
        f"<--reruns> <1> <-m> <second_cluster{which}>{live} ",
        f"<--reruns> <1> <-m> <not cluster and not alone{which}> <--numprocesses> <{workers}> <--dist> <loadfile>"
        f"{rest} ",
        f"<--reruns> <1> <-m> <(labs or alone){which}>{live} ",
    ]


@pytest.mark.parametrize("bad", ROWS)
def test_a_failure_in_any_row_is_the_suites(suite: Path, bad: str) -> None:
    for row in ROWS:
        (suite / "rows" / row).write_text(f"echo '{row}'; exit {1 if row == bad else 0}")
    done = run(suite, "test")
    assert done.returncode == 1
    assert {line for line in done.stdout.splitlines() if line in ROWS} == set(ROWS)


def test_a_row_without_tests_is_no_failure_unless_all_are(suite: Path) -> None:
    for row in ROWS:
        (suite / "rows" / row).write_text("exit 5")
    assert run(suite, "test").returncode == 5
    (suite / "rows" / "second_cluster").write_text("exit 0")
    assert run(suite, "test").returncode == 0


def test_programs_of_tests_keep_what_they_compile(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for row in ROWS:
        (suite / "rows" / row).write_text('[ -z "${PYTHONDONTWRITEBYTECODE+set}" ]')
    assert run(suite, "test").returncode == 0


def test_an_interrupt_ends_what_runs_beside_and_lets_it_clear_up(suite: Path) -> None:
    (suite / "rows" / "second_cluster").write_text(
        "exec python3 -c 'import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        'open("began", "w")\n'
        "try: time.sleep(60)\n"
        'except KeyboardInterrupt: open("cleared", "w")\''
    )
    (suite / "rows" / ROWS[2]).write_text("while [ ! -e began ]; do sleep 0.05; done; kill -TERM $PPID")
    assert run(suite, "test").returncode == 130
    assert (suite / "cleared").exists()


def test_lint_stops_at_the_first_linter_that_finds_fault_and_gives_shellcheck_each_shell_program(clone: Path) -> None:
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "lint-imports", "mypy"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >>log\n[ ! -e bad-for-{name} ]\n")
    (programs / "shellcheck").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>log\n')
    (clone / "scripts" / "setup").write_text("#!/bin/sh\nexit 0\n")
    for file in programs.iterdir():
        file.chmod(0o755)
    files = {
        "images/node/preload": "#!/bin/sh\n",
        ".ci/run": "#!/usr/bin/env bash\n",
        "a.py": "#!/usr/bin/env python3\n",
    }
    for name, text in {**files, "docs/a.md": "text\n#!/bin/sh\n", ".hidden/b": "#!/bin/sh\n"}.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(text)
    done = run(clone, "lint")
    assert done.returncode == 0, done.stderr
    firsts = {file.name: file.read_text().partition("\n")[0] for file in (clone / "scripts").iterdir()}
    own = sorted(f"./scripts/{name}" for name, line in firsts.items() if line.startswith("#!") and line.endswith("sh"))
    assert {"./scripts/lint", "./scripts/test"} <= set(own)
    assert (clone / "log").read_text().split() == [
        "ruff", "ruff", "lint-imports", "mypy", "./.ci/run", "./images/node/preload", *own,
    ]  # fmt: skip
    (clone / "log").unlink()
    (clone / "bad-for-lint-imports").touch()
    assert run(clone, "lint").returncode != 0
    assert (clone / "log").read_text().split() == ["ruff", "ruff", "lint-imports"]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("labs/09: a candidate", ""),
        ("kube, scripts: one way\n\nBecause it is so.", ""),
        ("# what git writes\n\nscripts/te: found\n# more", ""),
        ("Merge branch 'labs'", ""),
        ('Revert "labs/09: a candidate"', ""),
        ("fixup! anything", ""),
        ("Lab 09: a candidate", "does not begin with its scope"),
        ("a candidate", "does not begin with its scope"),
        ("labs/09:a candidate", "does not begin with its scope"),
        ("labs/09: ", "does not begin with its scope"),
        ("", "does not begin with its scope"),
        ("labs/77: a candidate", "begins with labs/77"),
        ("labs/09, nowhere: a candidate", "begins with nowhere"),
        ("labs/09: a candidate.", "ends with a full stop"),
        (f"labs/09: {'a' * 91}", ""),
        (f"labs/09: {'a' * 92}", "has 101 characters, more than 100"),
    ],
)
def test_a_commits_subject_names_a_scope_that_is_there(message: str, fault: str, clone: Path) -> None:
    (clone / "labs" / "09-registry").mkdir(parents=True)
    (clone / "src" / "mlops_lab" / "kube").mkdir(parents=True)
    (clone / "message").write_text(message)
    done = run(clone, "commit-subject", "message")
    assert done.returncode == (1 if fault else 0), done.stderr
    assert fault in done.stderr and ("next: write it as" in done.stderr) == bool(fault)


def test_a_commits_subject_is_in_one_file(clone: Path) -> None:
    done = run(clone, "commit-subject")
    assert done.returncode == 2 and "next: scripts/commit-subject --help" in done.stderr


URL = "https://forge.example/owner/mlops-lab"


@pytest.fixture
def named(clone: Path) -> Path:
    """A clone with some files that name the repository's address."""
    (clone / "pyproject.toml").write_text(f'[project.urls]\nSource = "{URL}"\nIssues = "{URL}/issues"\n')
    (clone / "README.md").write_text(
        f"git clone {URL} mlops-lab\nSee {URL}. Not {URL}-fork, nor https://kind.sigs.k8s.io.\n"
    )
    (clone / ".github" / "ISSUE_TEMPLATE").mkdir(parents=True)
    (clone / ".github" / "ISSUE_TEMPLATE" / "config.yml").write_text(f"url: {URL}/blob/main/docs/trouble.md\n")
    return clone


@pytest.mark.parametrize(
    ("words", "url", "below"),
    [
        (("https://github.com/some-one/my-labs",), "https://github.com/some-one/my-labs", ""),
        (("https://gitlab.com/group/sub/labs.git/",), "https://gitlab.com/group/sub/labs.git", "/-"),
        (("https://gitlab.com/group/sub/labs.git",), "https://gitlab.com/group/sub/labs", "/-"),
        (("--gitlab", "http://git.example.org:8080/labs"), "http://git.example.org:8080/labs", "/-"),
    ],
)
def test_one_command_puts_the_address_in_and_twice_changes_nothing(
    words: tuple[str, ...], url: str, below: str, named: Path
) -> None:
    done = run(named, "set-urls", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "changed .github/ISSUE_TEMPLATE/config.yml", "changed README.md", "changed pyproject.toml",
    ]  # fmt: skip
    url = url.removesuffix(".git")
    assert (named / "pyproject.toml").read_text() == (
        f'[project.urls]\nSource = "{url}"\nIssues = "{url}{below}/issues"\n'
    )
    assert (named / "README.md").read_text() == (
        f"git clone {url} mlops-lab\nSee {url}. Not {URL}-fork, nor https://kind.sigs.k8s.io.\n"
    )
    config = named / ".github" / "ISSUE_TEMPLATE" / "config.yml"
    assert config.read_text() == f"url: {url}{below}/blob/main/docs/trouble.md\n"
    again = run(named, "set-urls", *words)
    assert (again.returncode, again.stdout) == (0, "")
    back = run(named, "set-urls", URL)
    assert back.returncode == 0 and config.read_text() == f"url: {URL}/blob/main/docs/trouble.md\n"


@pytest.mark.parametrize("words", [(), ("forge.example/owner/name",), (URL, URL), ("https://forge.example",)])
def test_what_is_no_address_is_refused(words: tuple[str, ...], named: Path) -> None:
    done = run(named, "set-urls", *words)
    assert done.returncode == 2 and "next: scripts/set-urls --help" in done.stderr
    assert URL in (named / "pyproject.toml").read_text()


def test_the_address_stands_nowhere_that_the_command_does_not_look() -> None:
    root = project()
    address = tomllib.loads((root / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    shown = (path for path in root.iterdir() if not path.name.startswith(".") or path.name.startswith(".git"))
    files = [each for path in shown if path.name != ".git" for each in (path, *path.rglob("*")) if each.is_file()]
    naming = [file for file in files if address.encode() in file.read_bytes()]
    own = ("tests", "scripts")  # their help and examples
    named = {name for file in naming if not (name := str(file.relative_to(root))).startswith(own)}
    places = runpy.run_path(str(root / "scripts" / "set-urls"))["PLACES"]
    assert named == {
        str(file.relative_to(root)) for place in places for file in root.glob(place) if address in file.read_text()
    }
    assert {"pyproject.toml", "README.md", "CONTRIBUTING.md"} <= named


def test_what_needs_the_cluster_or_runs_alone_is_where_the_script_looks_for_it() -> None:
    files = [file for file in (project() / "tests").rglob("*.py") if file != Path(__file__)]
    places = {file.relative_to(project()).parts[1] for file in files if "mark.cluster" in file.read_text()}
    assert places == {"e2e", "conformance"}
    alone = {str(file.relative_to(project())) for file in files if "mark.alone" in file.read_text()}
    assert alone == {"tests/unit/test_load_program.py"}


def test_marks_stand_at_tests_and_not_at_what_helps_them() -> None:
    """`scripts/test` chooses by marks; pytest ignores one at a function that is no test."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    astray = [
        f"{file.relative_to(project())}:{node.lineno} {node.name}"
        for file in sorted((project() / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, kinds) and not node.name.lower().startswith("test")
        if any(ast.unparse(each).startswith("pytest.mark.") for each in node.decorator_list)
    ]
    assert astray == []
