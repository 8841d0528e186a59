"""Whose turn it is, what fits into some minutes, and the data and the page of what is proved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.proof import page, turns
from mlops_lab.proof.content import Content, content_of
from mlops_lab.proof.ledger import Done, Ledger
from mlops_lab.proof.proofs import SHORT, WHOLE, Part, Proof, adopt, keep, part, proofs
from mlops_lab.proof.skeleton import make
from mlops_lab.proof.turns import Turn, fitting

CONTENT = Content("f", "c", "p", "e")
OLD = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def labs(tmp_path: Path) -> list[Exercise]:
    return [Exercise(make(f"{number}-lab", tmp_path / number), number, "lab") for number in ("11", "12", "13", "14")]


def step(outcome: str = "honest", at: str = OLD, seconds: float = 1.25) -> dict[str, Any]:
    return {"outcome": outcome, "at": at, "seconds": seconds}


def prove(exercise: Exercise, at: str = OLD, content: Content | None = None, *forms: str, seconds: float = 60) -> None:
    """Let a lab have been proved."""
    its = content or content_of(exercise)
    keep(exercise, {"form": step(at=at, seconds=seconds)}, its, {form: ["form"] for form in forms or (SHORT,)})


def numbers(found: list[Turn]) -> list[str]:
    return [turn.exercise.number for turn in found]


def test_a_proof_has_the_oldest_time_and_all_seconds(labs: list[Exercise]) -> None:
    late = {"form": step(at="2026-01-03T00:00:00+00:00"), "start": step()}
    assert keep(labs[0], late, CONTENT, {SHORT: ["form", "start"], WHOLE: ["form", "start", "outage"]})
    assert proofs(labs[0]) == {SHORT: Proof(OLD, 2.5, 2, CONTENT)}
    assert not keep(labs[0], late, CONTENT, {SHORT: ["form", "start"]})


@pytest.mark.parametrize(
    ("outcome", "content", "stays"),
    [
        ("dishonest", CONTENT, False),
        ("environment", CONTENT, True),
        (None, CONTENT, True),
        ("dishonest", Content("f", "c", "p", "x"), True),
    ],
)
def test_only_a_dishonest_step_of_the_same_content_takes_a_proof_back(
    labs: list[Exercise], outcome: str | None, content: Content, stays: bool
) -> None:
    prove(labs[0], OLD, CONTENT, SHORT, WHOLE)
    before = (labs[0].folder / "proof.json").read_text()
    keep(labs[0], {"form": step(outcome)} if outcome else {}, content, {SHORT: ["form"]})
    assert (SHORT in proofs(labs[0])) is stays
    assert WHOLE in proofs(labs[0])
    assert ((labs[0].folder / "proof.json").read_text() == before) is stays


def test_what_was_installed_from_a_wheel_keeps_no_proof(tmp_path: Path) -> None:
    lab = Exercise(make("11-lab", tmp_path / "_project/labs"), "11", "lab")
    assert not keep(lab, {"form": step()}, CONTENT, {SHORT: ["form"]})
    assert not (lab.folder / "proof.json").exists()


BOTH = {SHORT: ["form"], WHOLE: ["form", "start", "wrong a--b"]}


def test_a_whole_proof_is_made_in_parts_on_several_machines(labs: list[Exercise], tmp_path: Path) -> None:
    lab, now = labs[0], content_of(labs[0])
    assert keep(lab, {"form": step(seconds=1), "start": step("dishonest")}, now, BOTH)
    assert part(lab) == part(lab, now.key) == Part(1, 3)
    # Another machine, whose ledger knows nothing.
    ledger = Ledger(tmp_path / "verify.json")
    assert adopt(lab, now.key, ledger, BOTH[WHOLE]) == ["form"]
    assert adopt(lab, now.key, ledger, BOTH[WHOLE]) == []
    known = ledger.steps(lab.slug, now.key)["form"]
    assert (known["outcome"], known["seconds"], known["at"]) == ("honest", 1, OLD)
    assert not ledger.read()["labs"][lab.slug]["verified"]
    assert keep(lab, {"start": step(at="2026-01-03T00:00:00+00:00"), "wrong a--b": step()}, now, BOTH)
    assert part(lab) == Part(3, 3)
    assert proofs(lab)[WHOLE] == Proof(OLD, 3.5, 3, now)


def test_a_ledger_prefers_what_it_has_done_itself(labs: list[Exercise], tmp_path: Path) -> None:
    lab, now, ledger = labs[0], content_of(labs[0]), Ledger(tmp_path / "verify.json")
    keep(lab, {"form": step(), "start": step()}, now, BOTH)
    ledger.keep(lab.slug, now.key, Done("start", "dishonest"), wanted=BOTH[WHOLE])
    assert adopt(lab, now.key, ledger, BOTH[WHOLE]) == ["form"]
    assert ledger.steps(lab.slug, now.key)["start"]["outcome"] == "dishonest"


@pytest.mark.parametrize(("outcome", "left"), [("dishonest", 1), ("environment", 2), ("honest", 2)])
def test_a_step_that_was_honest_goes_only_for_the_labs_own_fault(labs: list[Exercise], outcome: str, left: int) -> None:
    lab, now = labs[0], content_of(labs[0])
    keep(lab, {"form": step(), "start": step()}, now, BOTH)
    keep(lab, {"start": step(outcome)}, now, BOTH)
    assert part(lab) == Part(left, 3)


def test_after_a_change_the_steps_hold_that_do_not_rest_on_it(labs: list[Exercise], tmp_path: Path) -> None:
    lab = labs[0]
    (lab.folder / "wrong/a--b").mkdir(parents=True)
    keep(lab, {name: step() for name in BOTH[WHOLE]}, content_of(lab), BOTH)
    (lab.folder / "wrong/a--b/notes.txt").write_text("another\n")
    assert part(lab, content_of(lab).key) == Part(1, 3)
    assert adopt(lab, content_of(lab).key, Ledger(tmp_path / "verify.json"), BOTH[WHOLE]) == ["start"]
    (found,) = turns.turns([lab], WHOLE)
    assert str(found).endswith("(whole); changed since: its folder; 1 of 3 steps hold")
    assert found.plain()["steps that hold"] == 1
    (short,) = turns.turns([lab], SHORT)
    assert "hold" not in str(short)
    # What the lab no longer has, or rests on what changed, is no longer written down.
    keep(lab, {}, content_of(lab), {SHORT: ["form"], WHOLE: ["form", "start"]})
    assert part(lab) == Part(1, 2)


def test_each_step_has_a_line(labs: list[Exercise]) -> None:
    now = content_of(labs[0])
    keep(labs[0], {"start": step()}, now, BOTH)
    line = f'      "start": {{"at": "{OLD}", "seconds": 1.25, "rests": "{now.key.of("start")}"}}'
    assert line in (labs[0].folder / "proof.json").read_text().splitlines()


@pytest.mark.parametrize("text", ["{", "[]", '{"short": {"at": "now"}}', '{"short": 1}', '{"steps": {"of": 1}}'])
def test_a_damaged_proof_is_said(labs: list[Exercise], text: str) -> None:
    (labs[0].folder / "proof.json").write_text(text)
    with pytest.raises(LabError, match=r"the proof of lab .* is damaged: .*proof.json"):
        proofs(labs[0])


def test_changed_labs_come_first_and_then_the_oldest_proof(labs: list[Exercise]) -> None:
    one, two, three, _ = labs
    prove(one, "2026-05-01T00:00:00+00:00")
    prove(two, "2026-04-01T00:00:00+00:00")
    prove(three, "2026-06-01T00:00:00+00:00")
    assert numbers(turns.turns(labs)) == ["14", "12", "11", "13"]
    (three.folder / "README.md").write_text("# Another\n")
    found = turns.turns(labs)
    assert numbers(found) == ["14", "13", "12", "11"]
    assert [turn.fresh for turn in found] == [False, False, True, True]
    assert str(found[0]) == "never proved"
    assert str(found[1]).endswith("(short); changed since: its folder")
    assert "changed" not in str(found[2])


@pytest.mark.parametrize(
    ("changed", "order"),
    [
        ({"11": "engine", "12": "platform", "13": "checker", "14": "folder"}, ["14", "13", "12", "11"]),
        ({"12": "engine", "13": "engine"}, ["12", "13", "11", "14"]),
        ({"14": "platform"}, ["14", "11", "12", "13"]),
    ],
)
def test_the_nearer_a_change_is_to_a_lab_the_sooner_is_its_turn(
    labs: list[Exercise], changed: dict[str, str], order: list[str]
) -> None:
    for number, lab in enumerate(labs):
        now = content_of(lab)
        parts = {name: getattr(now, name) for name in ("folder", "checker", "platform", "engine")}
        if lab.number in changed:
            parts[changed[lab.number]] = "another"
        prove(lab, f"2026-01-0{number + 1}T00:00:00+00:00", Content(**parts))
    found = turns.turns(labs)
    assert numbers(found) == order
    assert {turn.exercise.number: turn.changed[0] for turn in found if turn.changed} == changed


def test_a_whole_proof_counts_for_the_short_form_and_not_the_other_way_round(labs: list[Exercise]) -> None:
    prove(labs[0], "2026-05-01T00:00:00+00:00", None, WHOLE)
    prove(labs[0], OLD, None, SHORT, seconds=7)
    (short,) = turns.turns(labs[:1], SHORT)
    assert (short.form, short.fresh, short.seconds) == (WHOLE, True, 7)
    prove(labs[1], OLD, None, SHORT)
    (whole,) = turns.turns(labs[1:2], WHOLE)
    assert (whole.proof, whole.seconds) == (None, None)
    # A newer proof of what the lab no longer is says less than an older one of what it is.
    prove(labs[0], "2026-06-01T00:00:00+00:00", CONTENT, WHOLE)
    (short,) = turns.turns(labs[:1], SHORT)
    assert (short.form, short.fresh) == (SHORT, True)


def turn(number: str, seconds: float | None, quiet: bool = False) -> Turn:
    return Turn(Exercise(Path(f"{number}-lab"), number, "lab"), (), None, "", seconds, quiet)


@pytest.mark.parametrize(
    ("queue", "seconds", "lanes", "fit"),
    [
        ([turn("1", 100), turn("2", 100), turn("3", 100)], 200, 1, ["1", "2"]),
        ([turn("1", 100), turn("2", 100), turn("3", 100)], 200, 2, ["1", "2", "3"]),
        ([turn("1", 100), turn("2", 150), turn("3", 50)], 160, 1, ["1", "3"]),
        ([turn("1", 300), turn("2", 10)], 100, 3, ["1"]),  # or it would never have its turn
        ([turn("1", 301), turn("2", 10)], 100, 3, ["2"]),  # not even then
        ([turn("1", 50), turn("2", 60, quiet=True), turn("3", 50)], 110, 2, ["1", "2", "3"]),
        ([turn("1", 50), turn("2", 61, quiet=True), turn("3", 50)], 110, 2, ["1", "3"]),
        ([turn("1", 40), turn("2", None), turn("3", None), turn("4", None)], 130, 1, ["1", "2", "3"]),
        ([turn("1", None), turn("2", None)], 300, 1, ["1"]),
        ([], 300, 1, []),
    ],
)
def test_what_fits(queue: list[Turn], seconds: float, lanes: int, fit: list[str]) -> None:
    assert numbers(fitting(queue, seconds, lanes)) == fit


def test_everyone_has_a_turn_in_time(labs: list[Exercise]) -> None:
    """Whatever each lab takes, and how little time there is each time."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    took = {"11": 290.0, "12": 10.0, "13": 250.0, "14": 10.0}
    for lab in labs:
        prove(lab, day.isoformat(), seconds=took[lab.number])
    seen: set[str] = set()
    for passed in range(1, len(labs) + 1):
        for each in fitting(turns.turns(labs), 200, 1):
            seen.add(each.exercise.number)
            when = (day + timedelta(days=passed)).isoformat()
            prove(each.exercise, when, seconds=took[each.exercise.number])
    assert seen == set(took)


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=2, hours=3), "2 days ago"),
    ],
)
def test_ages(ago: timedelta, said: str) -> None:
    assert turns.age((datetime.now(UTC) - ago).isoformat()) == said


@pytest.mark.parametrize("text", ["", "7.5"])
def test_the_suites_minutes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_PROOF_MINUTES", text)
    assert turns.minutes() == (float(text) if text else 5)


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_minutes_that_are_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_PROOF_MINUTES", text)
    with pytest.raises(UsageError, match="MLOPS_LAB_PROOF_MINUTES"):
        turns.minutes()


def test_the_page_is_made_of_the_data() -> None:
    """Where this fails: `lab proofs --page`, and commit the page."""
    assert (project() / "docs" / "proofs.md").read_text() == page.page(
        exercises(project() / "labs"), page.bank(project() / "labs")
    )


def test_the_page_has_a_row_for_each_lab(labs: list[Exercise]) -> None:
    prove(labs[0], OLD, CONTENT, SHORT, WHOLE, seconds=200)
    prove(labs[1], OLD, CONTENT, SHORT)
    rows = page.page(labs).splitlines()[-4:]
    proved = f"2026-01-02 03:04 | 3 min 20 s | `{CONTENT.key}`"
    assert rows[0] == f"| 11-lab | {proved} | {proved} | 1 of 1 |"
    assert rows[1] == f"| 12-lab | never | - | - | 2026-01-02 03:04 | 60 s | `{CONTENT.key}` | - |"
    assert rows[2] == "| 13-lab | never | - | - | never | - | - | - |"


def test_the_page_is_written_where_there_are_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    page.write(tmp_path)
    assert (tmp_path / "proofs.md").read_text() == page.page(
        exercises(project() / "labs"), page.bank(project() / "labs")
    )
    page.write(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    (tmp_path / "proofs.md").mkdir()
    with pytest.raises(LabError, match=r"proofs.md cannot be written"):
        page.write(tmp_path)
    assert [path.name for path in tmp_path.glob(".proofs*")] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole["short"]["content"].pop("engine"),
        lambda whole: whole["short"]["content"].update(more="x"),
        lambda whole: whole["short"].pop("at"),
    ],
)
def test_data_of_another_form_is_not_taken(labs: list[Exercise], damage: Callable[[dict[str, Any]], Any]) -> None:
    prove(labs[0])
    file = labs[0].folder / "proof.json"
    whole = json.loads(file.read_text())
    damage(whole)
    file.write_text(json.dumps(whole))
    with pytest.raises(LabError):
        proofs(labs[0])
