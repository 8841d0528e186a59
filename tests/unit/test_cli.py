"""The `lab` command: exit codes, one clear line for each error, what it must not import, and what it prints."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import click
import pytest

from mlops_lab.base import paths
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.cli.arguments import LabName, Provable
from mlops_lab.cli.main import SECTIONS, cli, main
from mlops_lab.cluster import record
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import Docker
from mlops_lab.images import catalog, prune
from mlops_lab.images.recipes import postgres
from mlops_lab.labs.catalog import exercises, resolve
from mlops_lab.labs.checker import checks
from mlops_lab.labs.running import Interrupted
from mlops_lab.learner.records import Records
from mlops_lab.platform.releases import RELEASES
from mlops_lab.proof.skeleton import make
from mlops_lab.tasks.task import named
from tests.command import lab
from tests.made_up_exams import made_up_task
from tests.new_labs import filled

FREE = max(int(each.number) for each in exercises(paths.project() / "labs")) + 1  # after the project's own labs

CHECKS = '''
import asyncio
from mlops_lab.checks import Lab, check, expect, equal_to, observe

@check(points=2)
async def first(lab: Lab) -> None:
    """First."""
    word = (lab.work.folder / "word").read_text().strip()
    (lab.work.folder / "begun").touch()
    if word == "wait":
        await asyncio.sleep(30)
    if word == "bug":
        raise ZeroDivisionError
    expect(observe("word", word, equal_to("good"))).because("the word must be good")

@check(points=1, needs=first)
async def second(lab: Lab) -> None:
    """Second."""
'''


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    folder = make("10-scale", tmp_path / "labs")
    (folder / "checker/__init__.py").write_text(CHECKS)
    return tmp_path


class StartedKube:
    """A cluster on which every lab is started and all is well."""

    context = "kind-mlops-lab"

    def find(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        return {"metadata": {"name": name}}


@pytest.fixture
def word(places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cluster that is well, and the learner's file whose word decides."""
    monkeypatch.setattr(
        "mlops_lab.labs.target.target",
        lambda timeout=10.0: SimpleNamespace(kube=StartedKube(), registry="r", control_plane="", engine="docker"),
    )
    monkeypatch.setattr("mlops_lab.measure.cluster.environment.problems", lambda kube, parts, lab: [])
    file = places / "work/10-scale/word"
    file.parent.mkdir(parents=True)
    file.write_text("good")
    yield file


# A command in a process of its own, on a cluster that is well.
ON_A_CLUSTER = """
import types
import mlops_lab.labs.target as target, mlops_lab.measure.cluster.environment as environment
from mlops_lab.base.errors import LabError
from mlops_lab.cli.main import main
from mlops_lab.learner import lifecycle

def done(*_):
    raise LabError("it has begun anew", "")

kube = types.SimpleNamespace(find=lambda *a, **k: {"metadata": {"name": "x"}}, context="kind-mlops-lab")
target.target = lambda timeout=10: types.SimpleNamespace(kube=kube, registry="r")
environment.problems = lambda kube, parts, lab: []
lifecycle.start = lifecycle.reset = done
main()
"""


def begin(*words: str) -> subprocess.Popen[str]:
    """A command, running."""
    return subprocess.Popen(
        [sys.executable, "-c", ON_A_CLUSTER, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    assert true()


def test_every_command_has_a_short_help_of_its_own_and_an_example() -> None:
    for name, (_, line) in {key: value for each in SECTIONS.values() for key, value in each.items()}.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.help is not None
        assert command.help.strip().splitlines()[0] == line
        assert f"lab {name}" in command.help, f"lab {name} has no example in its help"


# Commands and parameters whose words name a task; a check; and a variant, with the folder below which it is.
_TASKS = {
    ("lab exam prove", "names"), ("lab exam render", "name"), ("lab exam start", "only"), ("lab exam new", "like"),
}  # fmt: skip
_CHECKS = {("lab check", "names"), ("lab explain", "name")}
_VARIANTS = {
    ("lab verify", "of"): "", ("lab exam prove", "of"): "",
    ("lab demo", "name"): "solution", ("lab solution", "name"): "solution",
}  # fmt: skip


def _examples(command: click.Command, ctx: click.Context) -> Iterator[tuple[click.Context, str]]:
    """Each example of a command's help and of those below it, with the command that it calls."""
    for line in (command.help or "").partition("Examples:\n")[2].splitlines():
        # What stands behind two spaces, a pipe or a redirection is no word of the command's.
        line = re.split(r" {2,}| [|>]", line.strip())[0]
        if words := line.partition("lab ")[2]:
            yield _called(words), line
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _examples(below, click.Context(below, info_name=name, parent=ctx))


def _called(line: str) -> click.Context:
    """The command that the words call; its `args` are those left for it."""
    words, ctx = shlex.split(line), click.Context(cli, info_name="lab")
    while isinstance(ctx.command, click.Group) and words:
        command = ctx.command.get_command(ctx, words[0])
        assert command is not None, f"lab {line}: there is no command {words[0]!r}"
        ctx, words = click.Context(command, info_name=words[0], parent=ctx), words[1:]
    ctx.args = words
    return ctx


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []


def test_examples_name_options_labs_checks_variants_and_tasks_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_LABS", str(paths.project() / "labs"))
    looked: set[tuple[str, str]] = set()
    for called, line in _examples(cli, click.Context(cli, info_name="lab")):
        command, path = called.command, called.command_path
        given, _, _ = command.make_parser(called).parse_args(list(called.args))  # fails on an unknown option
        kinds = {each.name: each.type for each in command.params}
        words = [(name, kinds[name], text) for name, value in given.items() for text in _texts(value)]
        folders = []  # of labs and tasks
        for name, kind, text in words:
            if isinstance(kind, (LabName, Provable)):
                folders.append(kind.convert(text, None, None).folder)
            elif name == "labs":
                folders += [resolve(each).folder for each in text.split(",") if each != "all"]
            elif (path, name) in _TASKS:
                looked.add((path, name))
                folders.append(named(text).folder)
        for name, _, text in words:
            if (path, name) in _CHECKS:
                looked.add((path, name))
                assert all(text in [each.name for each in checks(resolve(folder.name))] for folder in folders), line
            elif (path, name) in _VARIANTS:
                looked.add((path, name))
                assert all((folder / _VARIANTS[path, name] / text).is_dir() for folder in folders), line
    # None is passed over because its parameter has another name now.
    assert looked == _TASKS | _CHECKS | _VARIANTS.keys()


def test_help_names_every_part_of_the_platform(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("up", "bundle"):
        assert lab(command, "--help") == 0
        assert ", ".join(each.part for each in RELEASES) in " ".join(capsys.readouterr().out.split())


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("--help") == 0
    text = capsys.readouterr().out
    for section, commands in SECTIONS.items():
        assert f"{section}:" in text
        assert all(line in text for _, line in commands.values())


def test_list_and_help_import_no_kubernetes_no_yaml_no_rich(places: Path) -> None:
    for words in (["--help"], ["list"], ["list"], ["check", "--help"]):
        code = (
            "import sys\nfrom mlops_lab.cli.main import main\n"
            f"try: main({words})\nexcept SystemExit: pass\n"
            "heavy = {name.split('.')[0] for name in sys.modules} & "
            "{'kubernetes', 'rich', 'yaml', 'urllib3', 'asyncio', 'websocket', 'cyclonedx'}\n"
            "print(f'heavy: {sorted(heavy)}; msgspec: {\"msgspec\" in sys.modules}')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "heavy: []" in done.stdout, done.stdout
    assert "msgspec: False" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["lsit"], 2, "lab: there is no command 'lsit'; did you mean list"),
        (["check"], 2, "lab: Missing argument 'LAB'"),
        (["check", "99"], 2, "lab: there is no lab '99'"),
        (["check", "10", "frist"], 2, "lab: there is no check 'frist' in this lab"),
        (["check", "10", "--within", "soon"], 2, "lab: Invalid value for '--within'"),
        (["verify"], 2, "lab: no lab was named"),
        (["solution", "10"], 2, "lab: lab 10-scale is not passed yet"),
        (["new", "Bad Name"], 2, "lab: 'Bad Name' is no name for a lab"),
        (["new", "scale"], 2, "lab: lab 10-scale is there already"),
        (["start", "10"], 3, "lab: there is no cluster"),
        (["check", "10"], 3, "lab: there is no cluster"),
        (["reset", "10"], 3, "lab: there is no cluster"),
    ],
)
def test_an_error_is_one_clear_line_and_what_to_do_next(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(*words) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Resetting")]
    assert lines[0].startswith(said)
    assert lines[1].startswith("  next: ")
    assert len(lines) == 2


def test_a_broken_lab_toml_ends_with_exit_2(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (places / "labs/10-scale/lab.toml").write_text('title = "x"\nlevel = 3\n')
    assert lab("list") == 2
    assert "lab.toml:2: field level: Expected `str`, got `int`" in capsys.readouterr().err


def test_a_checker_that_is_no_program_is_said_by_file_and_line(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (places / "labs/10-scale/checker/__init__.py").write_text("def check(:\n")
    assert lab("verify", "10", "--only", "form") == 1
    said = "".join(capsys.readouterr())
    assert "labs/10-scale/checker/__init__.py:1: SyntaxError" in said and "Traceback" not in said


def test_yaml_that_does_not_parse_ends_before_anything_runs(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (places / "work/10-scale").mkdir(parents=True)
    (places / "work/10-scale/model.yaml").write_text("a: 1\n b: [\n")
    assert lab("check", "10") == 2
    assert "work/10-scale/model.yaml:2: this is not valid YAML" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "code", "shown"),
    [
        ("good", 0, "3 of 3 points: 2 passed"),
        ("bad", 1, "0 of 3 points: 1 failed, 1 blocked"),
        ("bug", 3, "0 of 3 points: 2 in error"),
    ],
)
def test_check_reports_records_and_ends_with_the_right_code(
    word: Path, written: str, code: int, shown: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    word.write_text(written)
    assert lab("check", "10", "--junit", str(tmp_path / "report.xml")) == code
    assert shown in capsys.readouterr().out
    assert "<testsuite" in (tmp_path / "report.xml").read_text()
    own = Records().progress()["10"]
    assert (own.attempts, own.state) == (1, "passed" if code == 0 else "tried")


def test_a_junit_file_that_cannot_be_written_is_said_after_the_report(
    word: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    new = tmp_path / "made/for/report.xml"
    assert lab("check", "10", "--junit", str(new)) == 0
    assert "<testsuite" in new.read_text()
    capsys.readouterr()
    assert lab("check", "10", "--junit", str(new / "below.xml")) == 3
    said = capsys.readouterr()
    assert "3 of 3 points: 2 passed" in said.out
    assert "below.xml cannot be written" in said.err and "next: name another file with --junit" in said.err


def test_after_a_pass_the_next_lab_is_the_plans_first_that_is_not_passed(
    word: Path, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("09-before", "11-after", "12-first"):
        make(name, places / "labs")
    (places / "labs/path.toml").write_text(
        'hours = 1\nreading = 0.0\n[[week]]\ntitle = "A"\nable = "a"\n'
        'labs = ["10-scale", "12-first", "09-before", "11-after"]\n'
    )
    Records().attempt("12", [PASSED], whole=True)
    assert lab("check", "10") == 0
    assert "lab solution 10; then lab start 09\n" in capsys.readouterr().out
    for number in ("09", "11"):
        Records().attempt(number, [PASSED], whole=True)
    assert lab("check", "10") == 0
    assert capsys.readouterr().out.endswith("lab solution 10\n")


def test_trouble_with_the_environment_sends_to_the_clusters_state(
    word: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word.write_text("bug")
    assert lab("check", "10") == 3
    assert capsys.readouterr().out.rstrip().endswith("the environment has a problem, not your work: lab status")


def test_check_as_json_is_only_json(word: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word.write_text("bad")
    assert lab("check", "10", "--json") == 1
    whole = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in whole["checks"]] == ["fail", "blocked"]


def test_check_of_one_runs_what_it_needs_and_does_not_pass_the_lab(
    word: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab("check", "10", "first") == 0
    assert "2 of 2 points" in capsys.readouterr().out
    assert Records().progress()["10"].state == "tried"
    assert lab("check", "10", "second") == 0
    assert "3 of 3 points" in capsys.readouterr().out


def test_within_leaves_unfinished_checks_waiting(word: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word.write_text("wait")
    assert lab("check", "10", "--within", "1") == 1
    out = capsys.readouterr().out
    assert "WAITING" in out and "lab explain" not in out
    assert out.rstrip().endswith("next: give the checks more time: lab check 10, without --within or with a longer one")


def test_ctrl_c_gives_a_report_with_waiting(word: Path, places: Path) -> None:
    word.write_text("wait")
    process = begin("check", "10")
    until(word.with_name("begun").exists)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "WAITING   0/2  first" in out
    assert "WAITING   0/1  second" in out
    assert Records().progress()["10"].attempts == 1


def test_two_commands_on_one_lab_take_turns_and_the_second_says_whom_it_waits_for(word: Path, places: Path) -> None:
    other = make("11-other", places / "labs")
    (other / "checker/__init__.py").write_text(CHECKS)
    (places / "work/11-other").mkdir()
    (places / "work/11-other/word").write_text("good")
    word.write_text("wait")
    first = begin("check", "10")
    until(word.with_name("begun").exists)
    word.write_text("good")
    waiting = [begin(*words) for words in (["check", "10"], ["reset", "10"], ["start", "10"])]
    for each in waiting:
        assert each.stderr is not None
        said = each.stderr.readline()
        assert f"another `lab` command is using lab 10: `lab check 10` (process {first.pid}, since " in said
    beside = begin("check", "11")  # another lab waits for nobody
    out, trouble = beside.communicate(timeout=30)
    assert (beside.returncode, "using lab" in trouble) == (0, False), out + trouble
    assert [each.poll() for each in (first, *waiting)] == [None] * 4
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    ended = [each.communicate(timeout=30) for each in waiting]
    assert [each.returncode for each in waiting] == [0, 3, 3]
    assert "3 of 3 points" in ended[0][0] and all("it has begun anew" in each[1] for each in ended[1:])


def test_a_report_is_shown_even_if_it_cannot_be_recorded(
    word: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise LabError("the records can't be written", "free some space")

    monkeypatch.setattr(Records, "attempt", full)
    assert lab("check", "10") == 3
    said = capsys.readouterr()
    assert "3 of 3 points" in said.out and "the records can't be written" in said.err


def test_records_that_are_damaged_are_said_before_a_check_takes_minutes(
    word: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Records().file.parent.mkdir(parents=True, exist_ok=True)
    Records().file.write_bytes(b"no database" * 200)
    for words in (["check", "10"], ["watch", "10"], ["start", "10"], ["reset", "10"]):
        assert lab(*words) == 3
        assert "can't be read or written" in capsys.readouterr().err
    assert not word.with_name("begun").exists()


def test_a_lab_is_taken_away_and_not_started_again(
    word: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone: list[str] = []
    monkeypatch.setattr("mlops_lab.labs.namespaces.remove", lambda kube, exercise, namespace: gone.append(namespace))
    assert lab("reset", "10", "--end") == 0
    said = capsys.readouterr().out
    assert "Your files are backed up in" in said and "Lab 10 is taken away" in said
    assert gone == ["lab-10"]
    assert not word.exists()


def test_what_is_to_be_typed_works_in_a_folder_with_spaces(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlops_lab.cli.labs import _say_begun
    from mlops_lab.labs.workspace import Filled
    from mlops_lab.learner.lifecycle import Begun

    folder = places / "My Labs/10-scale"
    _say_begun(exercises()[0], Begun(Filled(folder, kept=["model.yaml"]), folder / ".lab/kubeconfig", 0))
    out = capsys.readouterr().out
    assert "kept  model.yaml (it differs from the lab's own, so it stays as it is)" in out
    typed = [shlex.split(line) for line in out[out.index("next: ") + 6 :].splitlines()[:2]]
    assert typed == [["cd", str(folder)], ["export", f"KUBECONFIG={folder}/.lab/kubeconfig"]]


def test_a_shell_begins_in_the_labs_folder(word: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("mlops_lab.cluster.shell.show", seen.append)
    monkeypatch.setattr("mlops_lab.cluster.shell.enter", lambda kubeconfig: seen.extend((kubeconfig, str(Path.cwd()))))
    monkeypatch.chdir(word.parent)
    assert lab("shell", "10") == 0
    assert seen == ["lab 10 lab-10", str(word.parent / ".lab/kubeconfig"), str(word.parent)]


def test_list_shows_progress(word: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab("list")
    assert "10  scale" in (text := capsys.readouterr().out)
    assert " new " in text
    lab("check", "10")
    lab("solution", "10", "manifests")
    assert "-- model.yaml" in capsys.readouterr().out
    lab("list")
    assert "passed      3/3" in capsys.readouterr().out
    lab("list", "--json")
    (row,) = json.loads(capsys.readouterr().out)
    lab("list")
    assert "next: you have passed all labs" in capsys.readouterr().out
    assert (row["state"], row["best"], row["possible"], row["revealed"]) == ("passed", 3, 3, False)


PASSED = Result("first", "First.", Verdict.PASS, 2)
FAILED = Result("first", "First.", Verdict.FAIL, 2, expected="good", seen="bad", why="because " * 20)


class Demonstrated:
    """A stage that keeps what was asked of it; its checks end as they are told to."""

    asked: ClassVar[list[str]] = []
    ends: ClassVar[list[Result] | Interrupted] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def fresh(self) -> None:
        self.asked.append("fresh")

    def work(self, variant: Any) -> None:
        self.asked.append(f"work {variant.name}")

    def checked(self, listener: Any) -> list[Result]:
        if isinstance(self.ends, Interrupted):
            raise self.ends
        return self.ends

    def clear(self) -> None:
        self.asked.append("clear")


@pytest.mark.parametrize(
    ("ends", "code"), [([PASSED], 0), ([FAILED], 1), (Interrupted([]), 130)], ids=["passes", "fails", "interrupted"]
)
def test_a_demo_brings_the_labs_images_and_clears_up_however_it_ends(
    ends: Any,
    code: int,
    word: Path,
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr("mlops_lab.proof.stage.LiveStage", Demonstrated)
    monkeypatch.setattr("mlops_lab.labs.images.bring", lambda names: Demonstrated.asked.append(f"images {names}"))
    monkeypatch.setattr(Demonstrated, "asked", [])
    monkeypatch.setattr(Demonstrated, "ends", ends)
    with (places / "labs/10-scale/lab.toml").open("a") as file:
        file.write('images = ["workbench:1"]\n')
    assert lab("demo", "10") == code
    assert Demonstrated.asked == ["images ('workbench:1',)", "fresh", "work kustomize", "clear"]
    assert all(len(line) <= 70 for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("command", ["list", "path"])
def test_a_folder_without_labs_is_named(
    command: str, places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where MLOPS_LAB_LABS has a slip of the pen."""
    monkeypatch.setenv("MLOPS_LAB_LABS", str(places / "lasb"))
    assert lab(command) == 0
    said = capsys.readouterr().out
    assert f"no labs in {places / 'lasb'}" in said and "unset MLOPS_LAB_LABS" in said


def test_a_revealed_solution_is_marked_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("solution", "10", "--reveal") == 0
    capsys.readouterr()
    lab("list")
    assert "its solution was shown before it was passed" in capsys.readouterr().out


def test_hints_come_one_more_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    lab("hint", "10")
    assert "Hint 2" not in capsys.readouterr().out
    lab("hint", "10")
    assert "Hint 2 of 3" in capsys.readouterr().out


OWNER = "see who owns it and the folders above (after `sudo lab` it is root), or name another folder: MLOPS_LAB_HOME"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LabError("it broke", "mend it", "one\ntwo"), 3, "it broke\n  | one\n  | two\n  next: mend it\n"),
        (UsageError("no such thing", "name another"), 2, "no such thing\n  next: name another\n"),
        (KeyboardInterrupt(), 130, "interrupted\n  next: run the same command again; it continues from there\n"),
        (OSError(28, "No space left", "/x"), 3, "the disk is full (/x)\n  next: free some space: lab images prune\n"),
        (OSError(13, "Not permitted", "/x"), 3, f"/x can't be read or written: Not permitted\n  next: {OWNER}\n"),
        (OSError(30, "Read-only", "/x"), 3, f"/x can't be read or written: Read-only\n  next: {OWNER}\n"),
    ],
)
def test_exceptions_become_one_line_and_a_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**options: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    assert lab("list") == code
    assert capsys.readouterr().err == f"lab: {said}"


@pytest.mark.parametrize(("named", "where"), [("home", "home"), ("./home/", "home"), ("~/x", "user/x")])
def test_a_home_that_is_named_from_here_is_the_same_one_elsewhere(
    named: str, where: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker takes no such name for a folder, and the shell of `lab shell` begins in another one."""
    seen: list[str] = []

    def elsewhere(**options: Any) -> None:
        os.chdir("/")
        seen.extend([str(paths.cache()), os.environ["MLOPS_LAB_HOME"]])

    monkeypatch.setattr(cli, "main", elsewhere)
    monkeypatch.chdir(places)
    monkeypatch.setenv("HOME", str(places / "user"))
    monkeypatch.setenv("MLOPS_LAB_HOME", named)
    assert lab("shell", "10") == 0
    assert seen == [str(places / where / "cache"), str(places / where)]


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_change_no_exit_code(closed: str) -> None:
    line = f"{shlex.quote(sys.executable)} -m mlops_lab.cli.main"
    done = subprocess.run(["bash", "-c", f"{line} hint 10 {closed}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Records().progress()["10"].hints == 1


def test_a_disk_without_room_for_a_temporary_file_is_no_bug(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python tries each folder that there is, and says in the end that there is none."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(places / "full")])
    monkeypatch.setattr(cli, "main", lambda **options: tempfile.mkdtemp())
    assert lab("doctor") == 3
    said = capsys.readouterr().err
    assert "no room for a temporary file" in said and str(places / "full") in said and "TMPDIR" in said


@pytest.mark.parametrize("bug", [ZeroDivisionError(), PermissionError(13, "Permission denied")])
def test_a_bug_shows_its_traceback(bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: Any) -> None:
        raise bug

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(type(bug)):
        main(["list"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_and_what_they_ask(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("completion", shell) == 0
    assert "_LAB_COMPLETE" in capsys.readouterr().out


def test_the_example_for_bash_works_in_a_home_without_completions(places: Path) -> None:
    help_ = cli.get_command(click.Context(cli), "completion").help  # type: ignore[union-attr]
    lines = [line.strip() for line in str(help_).partition("Examples:\n")[2].splitlines() if "bash" in line]
    program = f'lab() {{ {shlex.quote(sys.executable)} -m mlops_lab.cli.main "$@"; }}'
    environment = {**os.environ, "HOME": str(places)}
    subprocess.run(["bash", "-ec", "\n".join([program, *lines])], env=environment, check=True)
    assert "_LAB_COMPLETE" in (places / ".local/share/bash-completion/completions/lab").read_text()


def test_labs_and_checks_are_completed(places: Path) -> None:
    def completed(words: str, place: int) -> str:
        environment = {**os.environ, "_LAB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        code = "from mlops_lab.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    assert completed("lab wa", 1) == "plain,watch\n"
    assert completed("lab start 1", 2) == "plain,10\n"
    assert completed("lab start sc", 2) == "plain,scale\n"
    assert completed("lab check 10 s", 3) == "plain,second\n"


@pytest.mark.parametrize("words", [["--old"], []])
def test_what_nobody_can_tell_the_use_of_is_not_removed(
    words: list[str], places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = paths.cache() / "registry" / "blob"
    kept.parent.mkdir(parents=True)
    kept.write_text("in use")
    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: None)
    monkeypatch.setattr(record, "made", lambda: None if words else Cluster("kind-x", "r", "small", "image", False))
    assert lab("images", "prune", "--yes", *words) == 3
    assert kept.exists() and "no container engine answers" in capsys.readouterr().err
    monkeypatch.setattr(record, "made", lambda: None)
    assert lab("images", "prune", "--yes") == 0  # no engine and no cluster
    assert not kept.exists()


@pytest.mark.parametrize("words", [("build", "nonsense"), ("push", "example.org/x", "nonsense")])
def test_an_image_that_there_is_not_is_a_mistake_in_the_command(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlops_lab.engine.start.ensure", lambda say: pytest.fail("looked for an engine, to start it"))
    assert lab("images", *words) == 2
    assert "no image 'nonsense' in the catalog" in capsys.readouterr().err


def test_no_cluster_is_made_while_the_user_is_asked_what_may_go(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = paths.cache() / "registry" / "blob"
    kept.parent.mkdir(parents=True)
    kept.write_text("in use")
    asked: list[str] = []

    def answer(question: str) -> bool:
        with pytest.raises(LabError, match=r"using the cluster: `lab"), exclusive(Progress(), wait=False):
            pass
        asked.append(question)
        return True

    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: None)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.confirm", answer)
    assert lab("images", "prune") == 0
    assert asked == ["Remove all this?"] and not kept.exists()


def test_without_a_terminal_nothing_is_removed_that_nobody_agreed_to(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = paths.cache() / "registry" / "blob"
    kept.parent.mkdir(parents=True)
    kept.write_text("in use")
    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: None)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    assert lab("images", "prune") == 2
    assert "nobody is here to agree to this" in capsys.readouterr().err and kept.exists()


def test_what_can_not_be_removed_is_not_said_to_be(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("registry", "logs"):
        (paths.cache() / name).mkdir(parents=True)
    removed = shutil.rmtree
    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: None)
    monkeypatch.setattr(shutil, "rmtree", lambda path, **more: path.name == "registry" or removed(path, **more))
    assert lab("images", "prune", "--yes") == LabError.exit_code
    said = capsys.readouterr()
    assert f"something of {paths.cache() / 'registry'} is left" in said.err and "Removed" not in said.out
    monkeypatch.setattr(shutil, "rmtree", removed)
    assert lab("images", "prune", "--yes") == 0
    assert "Removed" in capsys.readouterr().out


@pytest.mark.parametrize("mirror", ["", "registry.example.org/labs"])
def test_images_of_a_mirror_and_of_both_ways_are_known(
    mirror: str, places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Docker({"ServerVersion": "28", "Architecture": "x86_64"})
    modes: tuple[Literal["pull", "build"], ...] = ("pull", "build")
    refs = {mode: catalog.sources(mode, engine.arch, mirror).image(postgres.NAME).ref for mode in modes}
    there = [*refs.values(), f"mlops-lab/{postgres.NAME}-000000000000"]
    monkeypatch.setenv("MLOPS_LAB_MIRROR", mirror)
    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: engine)
    monkeypatch.setattr("mlops_lab.images.prune.images", lambda docker: [prune.Held(ref, 10**6) for ref in there])
    monkeypatch.setattr("mlops_lab.images.prune.remove", lambda docker, held: [])
    assert lab("images", "prune", "--old", "--yes") == 0
    said = capsys.readouterr().out
    assert there[-1] in said and not any(ref in said for ref in refs.values())
    monkeypatch.setattr("mlops_lab.images.build.last_mode", lambda: "pull")
    assert lab("images", "list") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{postgres.NAME} "))
    assert line.endswith("pulled, 1 MB")


def test_a_clusters_size_is_not_ignored_where_another_one_is_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "named", lambda: Cluster("far", "r"))
    assert lab("up", "--nodes", "small") == 2
    assert "but far is in use" in capsys.readouterr().err
    assert lab("up", "--addon", "traefik") == 2
    assert "--addon is for a cluster that `lab up` makes" in capsys.readouterr().err


def test_verify_without_a_cluster_ends_as_the_environments_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("verify", "10", "--only", "start") == 3
    assert "there is no cluster" in capsys.readouterr().err


def test_verify_of_a_lab_that_cannot_be_read_goes_on_with_the_next(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(make("11-other", places / "labs"))
    (places / "labs/10-scale/checker/__init__.py").write_text("import nothing_of_that_name\n")
    file = places / "verify.json"
    assert lab("verify", "--all", "--only", "form", "--json", str(file)) == 1
    out = capsys.readouterr().out
    assert "__init__.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name' (and " in out
    (broken,) = json.loads(file.read_text())["labs"][0]["steps"]
    assert (broken["step"], broken["outcome"]) == ("lab", "dishonest")
    assert broken["says"][0].endswith("__init__.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'")
    assert not any("tell the lab's author" in line for line in broken["says"])
    assert "11-other: 1 of 1 steps honest" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["10", "--variant", "wrong/two_pods"], "there is no variant 'wrong/two_pods' here"),
        (["10", "--variant", "solution/manifests", "--only", "form"], "that is none of form"),
        (["--all", "--variant", "solution/manifests"], "--variant is for one lab"),
        (["10", "--variant", "solution/manifests", "--budget", "3"], "--variant and --budget exclude each other"),
        (["10", "--variant", "solution/manifests", "--once"], "--variant and --once exclude each other"),
        (["10", "--budget", "0"], "'--budget'"),
    ],
)
def test_a_choice_of_steps_that_cannot_be_is_refused(
    places: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make("11-other", places / "labs")
    assert lab("verify", *words) == 2
    assert said in capsys.readouterr().err


def test_a_mistake_over_a_solution_that_is_not_there_is_the_labs_own_fault(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = places / "labs/10-scale/wrong/two_pods_are_ready--mistake-2/variant.toml"
    file.write_text(file.read_text().replace("manifests", "nosuch"))
    assert lab("verify", "10", "--only", "form") == 1
    assert "there is no solution 'solution/nosuch'" in capsys.readouterr().out
    assert lab("verify", "10", "--variant", f"wrong/{file.parent.name}") == 1
    assert "there is no solution 'solution/nosuch'" in capsys.readouterr().out


def test_an_author_reads_what_a_pass_says(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlops_lab.checks.verdicts import Result, Verdict
    from tests.unit.test_labs_verify import ToldStage

    class Talking(ToldStage):
        def checked(self, mistake: str = "") -> list[Result]:
            return [Result("first", "First.", Verdict.PASS, 2, seen="2 pods"), Result("second", "S.", Verdict.PASS, 1)]

    monkeypatch.setattr("mlops_lab.cli.verify._live_stage", lambda *_: Talking(lambda work: Verdict.PASS))
    of = ("--variant", "solution/manifests", "--variant", "wrong/two_pods_are_ready--mistake-2")
    assert lab("verify", "10", *of) == 1
    told = capsys.readouterr().err
    assert told.count("first passed: 2 pods") == 1
    assert told.count("second passed: it says nothing") == 1


def test_by_turns_says_what_was_left_out(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A skeleton takes as long as any: three minutes, as nobody knows better."""
    make("11-other", places / "labs")
    begun: list[Any] = []

    def start(words: Any) -> subprocess.Popen[str]:
        begun.append(words)
        done = {"step": "form", "outcome": "honest", "says": [], "seconds": 1.0, "at": "", "results": []}
        text = json.dumps({"labs": [{"lab": words[1], "steps": [done]}]})
        code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
        file = words[list(words).index("--json") + 1]
        return subprocess.Popen([sys.executable, "-c", code, file, text], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("mlops_lab.proof.together._start", start)
    report = places / "verify.json"
    assert lab("verify", "--all", "--once", "--budget", "4", "--jobs", "1", "--json", str(report)) == 0
    assert [words[:3] for words in begun] == [["verify", "10-scale", "--once"]]
    out = capsys.readouterr().out
    assert "10-scale: 1 of 1 steps honest" in out
    assert "left out for want of time, 1:\n  11-other: never proved" in out
    whole = json.loads(report.read_text())
    assert [each["lab"] for each in whole["labs"]] == ["10-scale"]
    assert [(each["lab"], each["fresh"]) for each in whole["left out"]] == [("11-other", False)]


def test_proofs_says_how_fresh_they_are(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlops_lab.labs.catalog import resolve
    from mlops_lab.proof.content import content_of
    from mlops_lab.proof.proofs import keep

    make("11-other", places / "labs")
    step = {"outcome": "honest", "at": "2026-01-02T03:04:05+00:00", "seconds": 1}
    keep(resolve("10"), {"form": step}, content_of(resolve("10")), {"short": ["form"]})
    assert lab("proofs") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "11-other  renew  never proved"
    assert second.startswith("10-scale  holds  proved ") and second.endswith("days ago (short)")
    assert lab("proofs", "10", "--whole", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["lab"], told["fresh"], told["in words"]) == ("10-scale", False, "never proved")


def test_proofs_says_it_of_tasks_too(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_task(places / "labs/exam", "good", {"cka": "storage"})
    assert lab("proofs") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["10-scale", "renew", "never", "proved"],
        ["good", "renew", "never", "proved"],
    ]
    assert lab("proofs", "good", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["task"], told["fresh"]) == ("good", False)
    assert lab("proofs", "goods") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["more", "--shape", "pod"], "there is no shape 'pod'"),
        (["more", "--shape", "job", "--like", "10"], "--shape and --like exclude each other"),
        (["more", "--like", "98"], "there is no lab '98'"),
    ],
)
def test_a_lab_of_no_shape_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("new", *words) == 2
    assert said in capsys.readouterr().err


def test_a_number_of_the_projects_labs_is_not_free_in_another_folder(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab("new", "11-more", "--into", str(places / "own")) == 2
    assert "lab 11-autoscale-on-requests is there already" in capsys.readouterr().err
    assert not (places / "own").exists()
    assert lab("new", "more", "--into", str(places / "own")) == 0
    assert [each.slug for each in exercises(places / "own")] == [f"{FREE}-more"]


@pytest.mark.parametrize("words", [["--shape", "job"], ["--shape", "deployment"], ["--like", "10"]])
def test_a_lab_of_each_shape(places: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("new", "more", *words) == 0
    assert (places / f"labs/{FREE}-more/checker/__init__.py").is_file()
    assert "next: fill it" in capsys.readouterr().out


def test_a_lab_like_one_of_the_projects_where_the_folder_of_labs_has_none(places: Path) -> None:
    assert lab("new", "more", "--like", "12") == 0
    assert "Copied from lab 12-" in (places / f"labs/{FREE}-more/README.md").read_text()
    assert lab("new", "yet-more", "--like", "10") == 0
    assert "Copied from lab 10-scale" in (places / f"labs/{FREE + 1}-yet-more/README.md").read_text()


def test_a_new_lab_is_well_formed_once_it_is_filled(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("new", "batch-scoring") == 0
    assert f"labs/{FREE}-batch-scoring" in capsys.readouterr().out
    file = places / "verify.json"
    assert lab("verify", str(FREE), "--only", "form", "--json", str(file)) == 1
    assert f"{FREE}-batch-scoring: 0 of 1 steps honest" in capsys.readouterr().out
    filled(places / f"labs/{FREE}-batch-scoring")
    assert lab("verify", str(FREE), "--only", "form", "--json", str(file)) == 0
    (verified,) = json.loads(file.read_text())["labs"]
    assert verified["steps"][0]["says"] == []
    assert f"{FREE}-batch-scoring: 1 of 1 steps honest" in capsys.readouterr().out


# What `lab watch` has for Enter, in a program of its own.
ENTER = """
import pathlib, sys, threading, time, types
from mlops_lab.cli import labs

said = lambda: pathlib.Path(sys.argv[1], "again").touch()
threading.Thread(target=labs._listen, args=(types.SimpleNamespace(again=said),), daemon=True).start()
time.sleep(0.5)
pathlib.Path(sys.argv[1], "goes-on").touch()
time.sleep(60)
"""


@pytest.mark.parametrize(("behind", "asked"), [(" &", False), ("", True)])
def test_a_watch_in_the_background_goes_on_and_leaves_what_is_typed_to_the_shell(
    behind: str, asked: bool, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    (tmp_path / "enter.py").write_text(ENTER)
    shell = subprocess.Popen(
        ["bash", "--norc", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        words = [sys.executable, str(tmp_path / "enter.py"), str(tmp_path)]
        os.write(ours, f"{shlex.join(words)}{behind}\n".encode())
        until((tmp_path / "goes-on").exists)
        os.write(ours, f"\ntouch {shlex.quote(str(tmp_path / 'typed'))}\n".encode())
        until((tmp_path / ("again" if asked else "typed")).exists)
        time.sleep(0.2)
        assert (tmp_path / "again").exists() == asked
    finally:
        os.close(theirs)
        os.close(ours)  # hangs up: the shell ends, and sends that on to its jobs
        assert shell.wait(30) is not None


def test_every_verdict_has_a_place_in_the_live_view() -> None:
    import io

    from mlops_lab.checks.check import Check
    from mlops_lab.cli.live import Lines, Screen
    from mlops_lab.labs.rows import Rows

    async def nothing(lab: Any) -> None: ...

    check = Check("ready", "Ready.", nothing, 2)
    out = io.StringIO()
    lines, screen = Lines(out, results=True), Screen()
    for view in (lines, screen):
        rows = Rows([check], view)
        rows.say("checking")
        rows.started(check)
        rows.waiting(check, "Deployment model: readyReplicas 1", 80)
        rows.finished(Result("ready", "Ready.", Verdict.FAIL, 2, expected="2", seen="1", why="because"))
    from rich.console import Console

    console = Console(file=(drawn := io.StringIO()), width=100)
    console.print(screen.table())
    assert "expected 2; seen 1. because" in drawn.getvalue()
    text = out.getvalue()
    assert ".. ready: Deployment model: readyReplicas 1 (80 s left)" in text
    assert "FAIL      0/2  ready: Ready." in text
    assert "   seen: 1" in text


@pytest.mark.parametrize(
    ("changed", "words", "left_out"),
    [
        (False, ["--resume"], True),
        (True, ["--resume"], False),  # the lab is no longer what was proved
        (False, [], False),
        (False, ["--resume", "--only", "start"], False),
        (False, ["--resume", "--variant", "solution/manifests"], False),
    ],
)
def test_resume_leaves_out_a_lab_whose_committed_proof_holds(
    places: Path, changed: bool, words: list[str], left_out: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlops_lab.labs.catalog import exercises
    from mlops_lab.proof.content import content_of
    from mlops_lab.proof.proofs import WHOLE, keep

    (exercise,) = exercises()
    step = {"outcome": "honest", "at": "2026-01-02T03:04:05+00:00", "seconds": 1.0}
    keep(exercise, {"form": step}, content_of(exercise), {WHOLE: ["form"]})
    if changed:
        (exercise.folder / "hints.md").write_text("# Others\n")
    report = places / "verify.json"
    # Without a cluster, whatever is not left out is the environment's fault, but for the form.
    assert (lab("verify", "10", *words, "--json", str(report)) == 0) is left_out
    assert ("10-scale: proved" in capsys.readouterr().err) is left_out
    whole = json.loads(report.read_text()) if report.exists() else {"proved before": []}
    assert [each["lab"] for each in whole["proved before"]] == (["10-scale"] if left_out else [])


def test_resume_takes_steps_from_the_repositorys_record(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlops_lab.labs.catalog import exercises
    from mlops_lab.proof.content import content_of
    from mlops_lab.proof.proofs import SHORT, WHOLE, keep

    (exercise,) = exercises()
    step = {"outcome": "honest", "at": "2026-01-02T03:04:05+00:00", "seconds": 1.0}
    keep(exercise, {"start": step}, content_of(exercise), {SHORT: ["form"], WHOLE: ["form", "start"]})
    words = ("verify", "10", "--only", "start")
    assert lab(*words, "--resume") != 0  # there is no cluster for the other step
    said = capsys.readouterr().err
    assert "1 of 13 steps taken as the repository has them" in said
    assert "2/2 start, applied" in said
    assert "1/2 start" not in said
    assert lab(*words) != 0
    assert "1/2 start" in capsys.readouterr().err
