"""Labs verified side by side: how many at once, who runs alone, and what an interruption or a broken one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.engine import host
from mlops_lab.labs.catalog import Exercise
from mlops_lab.proof.together import Together, lanes, options

# Plays `lab verify`: notes when it ran and with which steps, and writes what it found.
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
words = sys.argv[2:]
slug, file = words[1], words[words.index("--json") + 1]
kinds = [words[at + 1] for at, word in enumerate(words) if word == "--only"]
notes = Path(sys.argv[1])
began = time.monotonic()
def end(*_):
    (notes / f"{slug}.cleared").touch()
    sys.exit(130)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a child of a shell's background job
signal.signal(signal.SIGTERM, end)
(notes / f"{slug}.began").touch()
print(f"{slug} at work", file=sys.stderr, flush=True)
time.sleep(float(os.environ.get("TAKES", "0.3")))
if "broken" in slug or ("breaks-alone" in slug and "--resume" in words):
    sys.exit("lab: no cluster is up\\n  next: lab up")
first = not (notes / f"{slug}.again").exists()
(notes / f"{slug}.again").touch()
bad = {"wrong"} if "never" in slug or "breaks" in slug or ("alone" in slug and first) else set()
poor = "dishonest"
if "shaky" in slug:
    bad, poor = ({"wrong"} if first else set()), "environment"
steps = [
    {"step": kind, "outcome": poor if kind in bad else "honest", "says": ["too slow"] if kind in bad else [],
     "seconds": 0.1, "at": "", "results": []} for kind in kinds
]
Path(file).write_text(json.dumps({"labs": [{"lab": slug, "steps": steps}]}))
with (notes / "ran").open("a") as ran:
    ran.write(json.dumps([slug, kinds, began, time.monotonic(), words]) + "\\n")
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[[Sequence[str]], subprocess.Popen[str]]:
    program = tmp_path / "verify.py"
    program.write_text(PROGRAM)

    def begin(words: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(program), str(tmp_path), *words], stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    return begin


def labs(tmp_path: Path, **quiet: bool) -> list[Exercise]:
    found = []
    for number, (name, alone) in enumerate(quiet.items(), 1):
        folder = tmp_path / f"{number:02d}-{name}"
        folder.mkdir()
        (folder / "lab.toml").write_text(
            f'title = "A"\nlevel = "B"\nminutes = 5\nsummary = "Do it."\nquiet = {str(alone).lower()}\n'
        )
        found.append(Exercise(folder, f"{number:02d}", name))
    return found


def ran(tmp_path: Path) -> list[Any]:
    import json

    return [json.loads(line) for line in (tmp_path / "ran").read_text().splitlines()]


def at_once(spans: Sequence[tuple[float, float]]) -> int:
    return max(sum(begin <= other[0] < end for begin, end in spans) for other in spans)


def test_labs_run_side_by_side_but_quiet_ones_and_outages_alone(tmp_path: Path, start: Any) -> None:
    heard: list[tuple[str, str]] = []
    together = Together(2, options(once=False, resume=True), lambda *said: heard.append(said), start)
    known = labs(tmp_path, a=False, b=True, c=False, d=True, e=False)
    found = together.verify(known, (), outage=True)
    wanted = ["form", "start", "solutions", "wrong", "reset", "outage"]
    assert {slug: [done.step for done in steps] for slug, steps in found.items()} == {
        lab.slug: wanted for lab in known
    }  # fmt: skip
    whole = ran(tmp_path)
    assert all("--resume" in words and "--once" not in words for *_, words in whole)
    spans = {(slug[3:], "outage" in kinds): (begin, end) for slug, kinds, begin, end, _ in whole}
    assert at_once([span for (name, outage), span in spans.items() if not outage and name in "ace"]) == 2
    for (name, outage), span in spans.items():
        if outage or name in "bd":
            others = [other for key, other in spans.items() if key != (name, outage)]
            assert not [other for other in others if other[0] < span[1] and span[0] < other[1]], (name, outage)
    assert max(end for (_, outage), (_, end) in spans.items() if not outage) < min(
        begin for (_, outage), (begin, _) in spans.items() if outage
    )
    assert ("01", "01-a at work") in heard


def test_only_some_steps(tmp_path: Path, start: Any) -> None:
    together = Together(2, (), lambda *said: None, start)
    found = together.verify(labs(tmp_path, a=False, b=False), ("wrong", "form"), outage=True)
    assert [done.step for done in found["01-a"]] == ["form", "wrong"]
    assert [kinds for _, kinds, *_ in ran(tmp_path)] == [["form", "wrong"]] * 2


def test_one_that_breaks_is_the_environments_and_the_others_go_on(tmp_path: Path, start: Any) -> None:
    found = Together(2, (), lambda *said: None, start).verify(
        labs(tmp_path, broken=False, b=False), ("form",), outage=False
    )
    (step,) = found["01-broken"]
    assert (step.outcome, step.says) == ("environment", ["its verification ended with 1: no cluster is up"])
    assert found["02-b"][0].outcome == "honest"


def test_what_was_not_honest_beside_others_is_done_again_alone(tmp_path: Path, start: Any) -> None:
    heard: list[tuple[str, str]] = []
    together = Together(2, ["--once"], lambda *said: heard.append(said), start)
    found = together.verify(labs(tmp_path, alone=False, never=False, c=False, d=True), ("wrong",), outage=False)
    first = "alone; beside other labs it was dishonest: too slow"
    assert {slug: [(done.outcome, done.says) for done in steps] for slug, steps in found.items()} == {
        "01-alone": [("honest", [first])],
        "02-never": [("dishonest", ["too slow", first])],
        "03-c": [("honest", [])],
        "04-d": [("honest", [])],
    }
    whole = ran(tmp_path)
    again = [(begin, end) for _, _, begin, end, words in whole if "--resume" in words]
    assert sorted(slug for slug, *_ in whole) == ["01-alone", "01-alone", "02-never", "02-never", "03-c", "04-d"]
    assert len(again) == 2
    for span in again:
        others = [(begin, end) for *_, begin, end, _ in whole if (begin, end) != span]
        assert not [other for other in others if other[0] < span[1] and span[0] < other[1]]
    assert ("01", "once more, alone, since not honest beside other labs: wrong") in heard


def test_a_second_try_that_breaks_takes_nothing_back(tmp_path: Path, start: Any) -> None:
    known = labs(tmp_path, **{"breaks-alone": False, "alone": False})
    found = Together(2, (), lambda *said: None, start).verify(known, ("form", "wrong"), outage=False)
    assert [(done.step, done.outcome) for done in found["01-breaks-alone"]] == [
        ("form", "honest"), ("wrong", "dishonest"), ("lab", "environment"),
    ]  # fmt: skip
    assert [done.outcome for done in found["02-alone"]] == ["honest", "honest"]


def test_form_is_not_looked_at_twice(tmp_path: Path, start: Any) -> None:
    known = labs(tmp_path, alone=False, b=False)
    found = Together(2, (), lambda *said: None, start).verify(known, ("form", "wrong"), outage=False)
    assert [(done.step, done.outcome) for done in found["01-alone"]] == [("form", "honest"), ("wrong", "honest")]
    assert [kinds for slug, kinds, *_ in ran(tmp_path) if slug == "01-alone"] == [["form", "wrong"], ["wrong"]]


def test_a_lab_that_cannot_be_read_says_so_itself_and_stops_no_other(tmp_path: Path, start: Any) -> None:
    known = labs(tmp_path, a=False, b=False, c=False)
    (known[1].folder / "lab.toml").write_text("title = ")
    together = Together(2, (), lambda *said: None, start)
    assert together.verify(known, ("form",), outage=True).keys() == {"01-a", "02-b", "03-c"}
    assert [slug for slug, *_ in ran(tmp_path)][-1] == "02-b"


@pytest.mark.parametrize(("cores", "gigabytes", "wanted"), [(2, 24, 3), (8, 16, 4), (4, 8, 3), (2, 4, 1), (None, 2, 1)])
def test_lanes_by_cores_and_memory(
    cores: int | None, gigabytes: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.proof.together.answering", lambda within: None)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(host, "memory", lambda: gigabytes * 2.0**30)
    assert lanes() == wanted
    monkeypatch.setattr(
        "mlops_lab.proof.together.answering", lambda within: SimpleNamespace(cpus=1, memory=64 * 2**30)
    )  # the engine's, not the host's
    assert lanes() == 2


def test_alone_from_the_beginning_nothing_is_done_twice(tmp_path: Path, start: Any) -> None:
    found = Together(2, (), lambda *said: None, start).verify(labs(tmp_path, never=False), ("wrong",), outage=False)
    assert [done.outcome for done in found["01-never"]] == ["dishonest"]
    assert len(ran(tmp_path)) == 1


def test_what_the_environment_kept_from_an_end_is_done_once_more(tmp_path: Path, start: Any) -> None:
    heard: list[tuple[str, str]] = []
    known = labs(tmp_path, shaky=True)
    found = Together(2, (), lambda *said: heard.append(said), start).verify(known, ("form", "wrong"), outage=False)
    said = "at a second try; at first it was environment: too slow"
    assert [(done.step, done.outcome, done.says) for done in found["01-shaky"]] == [
        ("form", "honest", []), ("wrong", "honest", [said]),
    ]  # fmt: skip
    assert [kinds for _, kinds, *_ in ran(tmp_path)] == [["form", "wrong"], ["wrong"]]
    assert ("01", "once more, alone, since the environment was at fault: wrong") in heard


def test_an_interruption_reaches_each_and_waits_until_it_has_cleared_up(
    tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKES", "60")
    known = labs(tmp_path, a=False, b=False, c=False)

    def interrupt() -> None:
        end = time.monotonic() + 20
        while len(list(tmp_path.glob("*.began"))) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        Together(2, (), lambda *said: None, start).verify(known, ("form",), outage=False)
    assert sorted(path.name for path in tmp_path.glob("*.cleared")) == ["01-a.cleared", "02-b.cleared"]
    assert not (tmp_path / "03-c.began").exists()


def test_no_lab_is_begun_when_its_time_would_be_over(tmp_path: Path, start: Any) -> None:
    known = labs(tmp_path, a=False, b=False, c=False, d=True)
    takes = {"01-a": 900.0, "02-b": 900.0, "03-c": 0.2, "04-d": 900.0}
    together = Together(1, (), lambda *said: None, start, within=300.0, takes=takes)
    found = together.verify(known, ("wrong",), outage=True)
    # The first is begun whatever it takes, and goes on to its end; so does its second try.
    assert list(found) == ["01-a", "03-c"]
    assert [lab.slug for lab in together.left] == ["02-b", "04-d"]
    assert sorted({slug for slug, *_ in ran(tmp_path)}) == ["01-a", "03-c"]


def test_what_was_begun_has_its_second_try_and_its_outage_when_time_is_over(tmp_path: Path, start: Any) -> None:
    known = labs(tmp_path, alone=False, b=False)
    together = Together(2, (), lambda *said: None, start, within=0.0001, takes={"02-b": 60.0})
    found = together.verify(known, ("wrong", "outage"), outage=True)
    assert [(done.step, done.outcome) for done in found["01-alone"]] == [("wrong", "honest"), ("outage", "honest")]
    assert [lab.slug for lab in together.left] == ["02-b"]


@pytest.mark.parametrize(("within", "order"), [(60.0, ["03-c", "01-a", "02-b", "04-d"]), (float("inf"), None)])
def test_the_quiet_lab_whose_turn_it_is_does_not_wait_for_all_others(
    tmp_path: Path, start: Any, within: float, order: list[str] | None
) -> None:
    a, b, c, d = labs(tmp_path, a=False, b=False, c=True, d=True)
    found = Together(1, (), lambda *said: None, start, within=within).verify([c, a, b, d], ("wrong",), outage=False)
    assert list(found) == ["03-c", "01-a", "02-b", "04-d"]
    assert [slug for slug, *_ in ran(tmp_path)] == (order or ["01-a", "02-b", "03-c", "04-d"])
