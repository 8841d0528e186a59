"""`lab exam`: what its commands print, and one line for each thing that can't be."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from mlops_lab.base.locking import at_once
from mlops_lab.base.paths import state
from mlops_lab.checks.verdicts import Result
from mlops_lab.cli.main import main
from mlops_lab.cluster import shell
from mlops_lab.exam import sitting
from mlops_lab.exam.state import Store, workspace
from mlops_lab.labs.running import Interrupted
from mlops_lab.proof import tasks as proof
from mlops_lab.proof.ledger import HONEST, Done
from mlops_lab.tasks import clusters
from mlops_lab.tasks.rendering import Rendered
from tests.made_up_exams import MadeUpStage, MadeUpTime, made_up_bank

Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("labs")
    made_up_bank(root / "exam", each=1)
    domains = {exam: {} for exam in ("cka", "ckad", "mlops")}
    domains["cka"] = {"storage": ["something", "something else"]}
    text = "".join(
        f"[{exam}]\n" + "".join(f"{domain} = {json.dumps(lines)}\n" for domain, lines in own.items())
        for exam, own in domains.items()
    )
    (root / "exam/curriculum.toml").write_text(text)
    return root


@pytest.fixture
def stage(labs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpStage:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(labs))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    found = MadeUpStage()
    monkeypatch.setattr(sitting, "Clusters", lambda: found)
    return found


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> MadeUpTime:
    found = MadeUpTime()
    made = sitting.Exams.__init__
    monkeypatch.setattr(
        sitting.Exams, "__init__", lambda self, *given, **more: made(self, *given, **{**more, "moment": found})
    )
    return found


@pytest.fixture
def lab(stage: MadeUpStage, time: MadeUpTime, capsys: pytest.CaptureFixture[str]) -> Lab:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["exam", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def started(lab: Lab) -> Lab:
    assert lab("start", "cka", "--minutes", "24", "--seed", "3")[0] == 0
    return lab


def solve() -> None:
    store = Store()
    found = store.open()
    assert found is not None
    for seat in found.seats:
        folder = store.rendered(found, seat).folder
        (workspace(seat) / "answer").write_text(json.loads((folder / "checker/drawn.json").read_text())["thing"])
        (workspace(seat) / "more").touch()


def test_a_start_shows_the_first_task_and_where_it_is(lab: Lab) -> None:
    code, out, err = lab("start", "cka", "--minutes", "24", "--seed", "3")
    assert code == 0
    assert "Exam 1: cka, seed 3. 5 tasks in 24 minutes" in out
    assert "Task 1 of 5" in out
    assert "export KUBECONFIG=" in out
    assert "ok task 5" in err


def test_what_is_to_be_typed_works_in_a_folder_with_spaces(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "My Labs"))
    _, out, _ = lab("start", "cka", "--minutes", "24", "--seed", "3")
    (line,) = [line for line in out.splitlines() if line.startswith("  cd ")]
    found = Store().open()
    assert found is not None
    folder = workspace(found.seats[0])
    assert shlex.split(line) == ["cd", f"{folder};", "export", f"KUBECONFIG={folder}/.lab/kubeconfig"]


@pytest.mark.parametrize(
    ("when", "hint"),
    [
        ("begin", "go on with it: lab exam resume; give it up: lab exam stop"),
        ("installed", "run the same command again; it continues from there"),
    ],
)
def test_a_start_that_is_interrupted_says_how_to_go_on(
    lab: Lab, stage: MadeUpStage, monkeypatch: pytest.MonkeyPatch, when: str, hint: str
) -> None:
    def interrupted(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, when, interrupted)
        code, out, err = lab("start", "cka", "--minutes", "24", "--seed", "3")
    assert (code, out) == (130, "")
    assert err.endswith(f"lab: interrupted\n  next: {hint}\n")
    again = ["resume"] if "resume" in hint else ["start", "cka", "--minutes", "24", "--seed", "3"]
    assert lab(*again)[0] == 0
    assert "0:24:00 left" in lab("time")[1]


def test_status_has_all_tasks_flags_and_notes(started: Lab) -> None:
    started("flag", "2")
    started("note", "2", "look", "again")
    started("task", "2")
    code, out, _ = started("status")
    assert code == 0
    assert "0:24:00 left" in out
    assert "> flagged" in out
    assert "note: look again" in out
    assert out.count(" min") >= 1


def test_a_task_is_shown_with_its_note_and_the_time(started: Lab) -> None:
    started("note", "3", "half")
    code, out, _ = started("task", "3")
    assert code == 0
    assert "Your note: half" in out
    assert "In Namespace `" in out
    assert out.rstrip().endswith("0:24:00 left")
    assert started("time")[1] == "0:24:00 left\n"


def test_handed_in_the_sheet_is_shown_kept_and_printed_in_every_form(started: Lab, tmp_path: Path) -> None:
    solve()
    code, out, _ = started("submit", "--yes")
    assert code == 0
    assert "Exam 1, cka, seed 3: 100.0 %, PASSED (66 % pass)" in out
    assert "Your files are in" in out
    sheet = json.loads(started("sheet", "--json")[1])
    assert sheet["score"] == 100
    code, _, _ = started("sheet", "1", "--html", str(tmp_path / "a.html"), "--junit", str(tmp_path / "a.xml"))
    assert code == 0
    assert "passed" in (tmp_path / "a.html").read_text()
    suites = ElementTree.fromstring((tmp_path / "a.xml").read_text())
    assert [suite.get("tests") for suite in suites] == ["2"] * 5
    assert "-- solution file" in started("sheet")[1]
    assert "-- solution file" in started("solution", "2")[1]
    assert started("solution", "2")[1].startswith("Exam 1 (cka), task 2\n\n# The ")


def test_while_an_exam_is_not_graded_yet_no_solution_of_another_is_shown(
    started: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    started("submit", "--yes")
    started("start", "cka", "--minutes", "24", "--seed", "4")
    with Store().change(2) as sitting:
        sitting.phase = "grading"
    code, out, err = started("solution", "1")
    assert (code, out) == (2, "") and "an exam has no solutions before its end" in err
    assert started("solution", "1", "--exam", "1")[1].startswith("Exam 1 (cka), task 1\n")


def test_where_too_little_could_be_graded_that_is_said_and_as_it_is_it_ends(started: Lab, stage: MadeUpStage) -> None:
    solve()
    _, *rest = (seat.task for seat in Store().load(1).seats)
    stage.errors = {f"{task}/{name}": 99 for task in rest for name in ("first", "second")}
    code, out, err = started("submit", "--yes")
    assert (code, out) == (3, "")
    assert "% of the exam could be graded, so it is not over yet" in err
    code, out, _ = started("submit", "--as-it-is")
    assert code == 1
    assert "100.0 %, NOT PASSED" in out
    assert "which are too few to pass" in out
    assert Store().load(1).phase == "ended"


def test_interrupted_while_it_is_graded_it_is_one_line_and_goes_on(
    started: Lab, stage: MadeUpStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve()
    first = Store().load(1).seats[0].task
    stage.errors = {f"{first}/second": 2}
    with monkeypatch.context() as patch:

        def check(rendered: Rendered, *given: Any) -> list[Result]:
            if rendered.name == first and first in stage.checked:
                raise Interrupted([])
            return MadeUpStage.check(stage, rendered, *given)

        patch.setattr(stage, "check", check)
        code, out, err = started("submit", "--yes")
    assert (code, out) == (130, "")
    assert "lab: interrupted\n  next: run the same command again; it continues from there" in err
    assert Store().load(1).phase == "grading"
    assert started("submit")[0] == 0


def test_a_shell_begins_in_a_tasks_folder_and_says_if_that_is_gone(
    started: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(shell, "enter", lambda kubeconfig="": opened.append((str(Path.cwd()), kubeconfig)))
    monkeypatch.chdir(tmp_path)
    found = Store().open()
    assert found is not None
    folder = workspace(found.seats[2])
    assert started("shell")[0] == started("shell", "3")[0] == 0
    assert opened == [(str(tmp_path), ""), (str(folder), str(folder / ".lab/kubeconfig"))]
    rmtree(folder)
    code, _, err = started("shell", "3")
    assert (code, len(opened)) == (2, 2)
    assert f"the folder {folder} can't be entered: No such file or directory" in err
    assert "lab exam shell" in err


def test_not_passed_it_says_what_was_lost_and_exits_with_1(started: Lab) -> None:
    code, out, _ = started("submit", "--yes")
    assert code == 1
    assert "0.0 %, NOT PASSED" in out
    for word in ("expected", "seen", "why"):
        assert word in out


@pytest.mark.parametrize(
    "words",
    [["time"], ["task", "1"], ["status"], ["flag", "1"], ["submit"], ["resume"], ["shell"], ["shell", "2"]],
)
def test_when_the_time_is_over_any_command_grades_what_is_there(
    started: Lab, time: MadeUpTime, words: list[str]
) -> None:
    solve()
    time.pass_(24 * 60 + 61)
    code, out, _ = started(*words)
    assert code == 0
    assert "PASSED" in out
    assert "graded 0:01:01 after the end" in out
    assert Store().load(1).phase == "ended"


def test_practising(lab: Lab) -> None:
    lab("start", "cka", "--minutes", "24", "--seed", "3", "--practice")
    code, out, _ = lab("check", "1")
    assert code == 1
    assert "0 of 3 points" in out
    assert "Hint 1 of 3" in lab("hint", "1")[1]
    assert "0 of 3" in lab("status")[1]
    assert lab("reset", "1")[0] == 0
    solve()
    assert lab("check", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "cka"], "exam 1 (cka) is under way, 0:24:00 were left at the last look"),
        (["start", "cks"], "'cks' is not one of"),
        (["start", "cka", "--quick", "--minutes", "60"], "--quick has 25 minutes"),
        (["task", "9"], "there is no task 9"),
        (["flag", "0"], "there is no task 0"),
        (["check", "1"], "an exam has no checks before its end"),
        (["hint", "1"], "an exam has no hints before its end"),
        (["reset", "1"], "an exam has no reset, as a real one, before its end"),
        (["solution", "1"], "an exam has no solutions before its end"),
        (["sheet", "7"], "there was no exam 7"),
        (["sheet"], "no exam was graded yet"),
        (["submit"], "nobody is here to agree to this, so nothing was done"),
        (["stop"], "nobody is here to agree to this, so nothing was done"),
        (["tasks", "cks"], "'cks' is not one of"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(started: Lab, words: list[str], said: str) -> None:
    code, out, err = started(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 2
    assert Store().load(1).phase == "running"


@pytest.mark.parametrize("words", [["submit"], ["stop"]])
def test_who_says_no_has_interrupted_nothing(started: Lab, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt="": "n")
    code, _, err = started(*words)
    assert (code, err) == (2, "Nothing was done\n")
    assert Store().load(1).phase == "running"


@pytest.mark.parametrize(
    "words", [["status"], ["task"], ["time"], ["flag", "1"], ["submit"], ["stop"], ["resume"], ["check", "1"]]
)
def test_without_an_exam_each_command_says_how_to_begin(lab: Lab, words: list[str]) -> None:
    code, out, err = lab(*words)
    assert (code, out) == (2, "")
    assert "no exam is under way" in err
    assert "lab exam start" in err


def test_while_the_cluster_does_not_answer_the_clock_stands_and_that_is_said(
    started: Lab, stage: MadeUpStage, time: MadeUpTime
) -> None:
    stage.down = "the API server does not answer"
    code, out, err = started("time")
    assert (code, out) == (0, "0:24:00 left, and the clock stands\n")
    assert "the clock stands until a command sees that it does" in err
    time.pass_(100)
    stage.down = ""
    code, out, err = started("time")
    assert out == "0:24:00 left\n"
    assert "0:01:40 are given back" in err


def test_given_up_it_leaves_nothing_but_the_files(started: Lab, stage: MadeUpStage) -> None:
    code, out, _ = started("stop", "--yes")
    assert code == 0
    assert "Exam 1 is taken away; your files are in" in out
    assert not stage.namespaces
    assert "stopped" in started("history")[1]


def test_the_history_draws_scores_over_time(started: Lab) -> None:
    assert "There were no exams" not in started("history")[1]
    started("submit", "--yes")
    started("start", "cka", "--minutes", "24", "--seed", "4")
    solve()
    started("submit", "--yes")
    out = started("history")[1]
    assert "not passed" in out
    assert "100.0 %  passed" in out
    assert "percent" in out
    assert [row["score"] for row in json.loads(started("history", "--json")[1])] == [0, 100]


def test_the_bank_by_domain_and_what_is_missing(lab: Lab) -> None:
    out = lab("tasks")[1]
    assert "cka: 5 tasks" in out
    assert "storage (10 %): 1 tasks, 3 min" in out
    assert "storage-0: The storage-0" in lab("tasks", "cka")[1]
    assert json.loads(lab("tasks", "cka", "--json")[1])["cka"]["storage"] == ["storage-0"]
    assert "cka: 1 of the curriculum's lines have no task\n  storage: something else" in lab("tasks", "--missing")[1]
    assert json.loads(lab("tasks", "cka", "--missing", "--json")[1]) == {"cka": {"storage": ["something else"]}}


def test_a_task_is_proved_by_one_command_at_a_time_and_what_another_has_proved_is_left_out(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved: list[str] = []

    def prove(task: Any, place: Any, **more: Any) -> list[Done]:
        with at_once(state() / f"prove-{task.name}.lock") as holder:
            assert "lab" in holder
        proved.append(task.name)
        return [Done("start", HONEST, [], seconds=1)]

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(clusters, "make", lambda tasks: {"": None, "main": None})
    monkeypatch.setattr(clusters, "end", lambda tasks: None)
    assert lab("prove", "storage-0")[:2] == (0, "storage-0: The storage-0\n  1 s\n")
    held = iter([False, True])  # when the command begins, and once it is its turn
    monkeypatch.setattr(proof, "holds", lambda task: next(held))
    assert lab("prove", "storage-0", "--resume")[:2] == (0, "")
    assert proved == ["storage-0"]


def test_no_task_is_proved_on_what_an_exam_stands_on(
    started: Lab, lab: Lab, labs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the proof takes away afterwards would be the exam's; and none begins while there is a proof."""
    own = tmp_path / "labs"
    copytree(labs, own)
    file = own / "exam/storage-0/task.toml"
    file.write_text(f'{file.read_text()}cluster = "nodes"\n')
    monkeypatch.setenv("MLOPS_LAB_LABS", str(own))
    ended: list[list[str]] = []
    begun: list[tuple[int, str, str]] = []

    def prove(task: Any, place: Any, **more: Any) -> list[Done]:
        if not Store().open():
            begun.append(lab("start", "cka", "--minutes", "24", "--seed", "3"))
        return [Done("start", HONEST, [], seconds=1)]

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(clusters, "make", lambda tasks: {"nodes": None, "main": None})
    monkeypatch.setattr(clusters, "end", lambda tasks: ended.append([task.name for task in tasks]))
    code, out, err = started("prove", "storage-0")
    assert (code, out, ended) == (2, "", [])
    assert "exam 1 (cka) is under way" in err
    assert "lab exam stop" in err
    other = next(each.name for each in sorted((own / "exam").iterdir()) if each.is_dir() and each.name != "storage-0")
    assert started("prove", other)[0] == 0, "that does not stand on it"
    started("stop", "--yes")
    ended.clear()
    assert started("prove", "storage-0")[0] == 0
    assert ended == [["storage-0"]]
    assert [code for code, _, _ in begun] == [3]
    assert "another `lab` command is using the exam" in begun[0][2]


@pytest.mark.parametrize("needs", ['cluster = "nodes"', 'addons = ["traefik"]'])
def test_two_proofs_do_not_take_away_what_the_other_stands_on(
    needs: str, lab: Lab, labs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "labs"
    copytree(labs, own)
    first, second, other = sorted(each.name for each in (own / "exam").iterdir() if each.is_dir())[:3]
    for name in (first, second):
        file = own / "exam" / name / "task.toml"
        file.write_text(f"{file.read_text()}{needs}\n")
    monkeypatch.setenv("MLOPS_LAB_LABS", str(own))
    ended: list[list[str]] = []
    meanwhile: list[tuple[int, str, str]] = []

    def prove(task: Any, place: Any, **more: Any) -> list[Done]:
        if task.name == first:
            meanwhile.extend([lab("prove", second), lab("prove", other)])
        return [Done("start", HONEST, [], seconds=1)]

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(clusters, "make", lambda tasks: {"nodes": None, "main": None})
    monkeypatch.setattr(clusters, "end", lambda tasks: ended.append([task.name for task in tasks]))
    assert lab("prove", first)[0] == 0
    (code, _, err), (beside, _, _) = meanwhile
    what = "second cluster" if "nodes" in needs else "add-on traefik"
    assert code == 3 and f"another `lab` command is using the {what}: `lab" in err and "wait for it to end" in err
    assert beside == 0, "that stands on neither"
    assert ended == [[other], [first]]
    assert lab("prove", second)[0] == 0
