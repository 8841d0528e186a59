"""The sandbox for a learner's program: what it does there is data for the judge, and nothing of it is left."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kit import sandbox
from mlops_lab.kit.sandbox import asking, process
from mlops_lab.kit.sandbox.process import Ended, Raised, Sandbox, Trouble
from tests.made_up import Room, made_up_lab

STARTS = 60.0  # s
_PR_CAPBSET_DROP = 24  # linux/prctl.h
_LOOK_INTO_OTHERS = (19, 21, 38)  # linux/capability.h: CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON

DRIVER = """
import learner

def answer(message):
    what, *more = message
    return {"said": getattr(learner, what)(*more)}
"""
LEARNER = """
import os, subprocess, sys, time

seen = []

def keep(what):
    seen.append(what)
    return seen

def fail():
    raise ValueError("no such flight")

def hang():
    print("I hang", flush=True)
    time.sleep(60)

def leave(code):
    os._exit(code)

def fill():
    return len(bytearray(1 << 31))

def variables():
    return sorted(os.environ)

def start():
    return subprocess.Popen(["sleep", "600"]).pid

def burn():
    while True:
        pass

def rename():
    with open("/proc/self/comm", "wb") as name:
        name.write(b"a\\xe6\\xa8")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "toy_driver.py").write_text(DRIVER)
    monkeypatch.syspath_prepend(str(tmp_path / "drivers"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "learner.py").write_text(LEARNER)
    return work


@pytest.fixture
def toy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    box = Sandbox("toy_driver", folder, memory=1 << 30, within=STARTS)
    yield box
    box.close()


def test_each_run_begins_with_what_was_imported_and_nothing_more(toy: Sandbox) -> None:
    for _ in range(2):
        toy.begin()
        assert toy.ask(("keep", 1), within=STARTS) == {"said": [1]}
        assert toy.ask(("keep", 2), within=STARTS) == {"said": [1, 2]}
        assert toy.memory() > 0
        toy.end()


def test_a_program_may_have_any_name_that_the_kernel_takes(toy: Sandbox) -> None:
    toy.begin()
    toy.ask(("rename",), within=STARTS)
    assert toy.memory() > 0


def test_what_a_program_does_is_said_in_words_and_never_raised_as_the_judges(toy: Sandbox) -> None:
    toy.begin()
    with pytest.raises(Raised, match="it raised ValueError: no such flight") as raised:
        toy.ask(("fail",), within=STARTS)
    assert (raised.value.text, raised.value.lines) == (
        "ValueError: no such flight", ['learner.py, line 11, in fail: raise ValueError("no such flight")'],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("message", "kind", "said"),
    [(("leave", 3), Ended, "its process ended with exit code 3"), (("fill",), Raised, "it raised MemoryError")],
)
def test_a_program_that_ends_or_fills_the_memory_is_told_of(
    message: Any, kind: type[Trouble], said: str, toy: Sandbox
) -> None:
    toy.begin()
    with pytest.raises(kind, match=said):
        toy.ask(message, within=STARTS)


def test_a_program_that_hangs_has_its_time_and_no_more(toy: Sandbox) -> None:
    toy.begin()
    began = time.monotonic()
    with pytest.raises(Trouble, match=r"did not return within 1 s \(a call\)") as trouble:
        toy.ask(("hang",), within=1, what="a call")
    assert trouble.value.lines == ["printed: I hang"]
    assert time.monotonic() - began < 30
    assert toy.spent.idle > 0.5 > toy.spent.cpu


def test_computing_without_end_is_ended_by_the_kernel(toy: Sandbox) -> None:
    toy.begin(cpu_seconds=1)
    with pytest.raises(Ended, match="by signal"):
        toy.ask(("burn",), within=STARTS)


def test_a_program_knows_nothing_of_the_platform(toy: Sandbox) -> None:
    toy.begin()
    known = toy.ask(("variables",), within=STARTS)["said"]
    assert "PATH" in known and "MLFLOW_TRACKING_URI" not in known


def test_what_a_program_has_started_ends_with_it(toy: Sandbox) -> None:
    toy.begin()
    pid = toy.ask(("start",), within=STARTS)["said"]
    assert Path(f"/proc/{pid}").exists()
    toy.close()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "said"),
    [("def (", "SyntaxError"), ("import nowhere", "No module named 'nowhere'"), ("raise SystemExit", "SystemExit")],
)
def test_a_program_that_cant_be_imported_is_no_sandbox(text: str, said: str, folder: Path) -> None:
    (folder / "learner.py").write_text(text)
    with pytest.raises(Raised, match=said) as raised:
        Sandbox("toy_driver", folder, memory=1 << 30, within=STARTS)
    assert raised.value.lines[-1].startswith("learner.py, line 1")


@pytest.mark.parametrize("line", [b"[" * 60_000 + b"\n", b'{"made": 1}\n' * 5000, b"{}" * 600_000])
def test_a_programs_process_can_say_what_it_likes(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ENDS_WITHIN", 0.3)
    here, there = socket.socketpair()
    box = object.__new__(Sandbox)
    box._connection, box._kept, box._pid = here, b"", os.getpid()
    monkeypatch.setattr(Sandbox, "printed", [])
    monkeypatch.setattr(box, "_send", lambda *given: None)
    read, began = box._line, time.monotonic()

    def endless(*given: Any) -> Any:
        if b"\n" not in box._kept:
            box._kept += line
        if len(line) > process.LONGEST:
            there.send(b"{}")
        return read(*given)

    monkeypatch.setattr(box, "_line", endless)
    with pytest.raises(Trouble, match="its own side"):
        box.end()
    assert time.monotonic() - began < 5
    here.close()
    there.close()


def test_what_is_sent_runs_with_the_standard_library_alone(tmp_path: Path) -> None:
    checker = tmp_path / "checker"
    checker.mkdir()
    (checker / "judge.py").write_text(
        "import json, pathlib, sys\nimport streams\nfrom mlops_lab.kit.sandbox.process import Sandbox\n"
        "work = pathlib.Path(sys.argv[2])\n"
        f"box = Sandbox(f'{{__package__}}.driver', work, memory=1 << 30, within={STARTS})\n"
        f"box.begin()\nprint(json.dumps(box.ask(('keep', streams.FIRST), within={STARTS})))\nbox.close()\n"
    )
    (checker / "driver.py").write_text(DRIVER)
    (tmp_path / "streams.py").write_text("FIRST = 7\n")
    work = tmp_path / "work"
    work.mkdir()
    (work / "learner.py").write_text(LEARNER)
    (work / "json.py").write_text("raise SystemExit('the judge imports the learner's')")
    packed = tmp_path / "programs.zip"
    packed.write_bytes(sandbox.archive(checker / "judge.py", [checker / "driver.py", tmp_path / "streams.py"]))
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(packed), f"{sandbox.PACKAGE}.judge", str(work)],
        cwd=work, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ('{"said": [7]}\n', 0), done.stderr


def test_a_judge_gets_the_learners_files_and_its_own_settings(tmp_path: Path) -> None:
    sent: dict[str, Any] = {}

    class Output:
        def json(self) -> dict[str, Any]:
            return {"seen": 1}

    async def run(image: str, *words: str, **more: Any) -> Output:
        sent.update(more, words=words, image=image)
        return Output()

    (tmp_path / "judge.py").write_text("print('{}')\n")
    lab = made_up_lab(programs=Room(apart=run))
    judging = sandbox.judged(lab, tmp_path / "judge.py", program={"a.py": b"\xff"}, env={"SEED": "1"}, within=9)
    assert asyncio.run(judging) == {"seen": 1}
    assert sent["words"] == ("python3", "/checker/programs.zip", f"{sandbox.PACKAGE}.judge")
    assert json.loads(sent["files"]["learner.json"]) == {"a.py": "/w=="}
    assert (sent["env"], sent["within"]) == ({"SEED": "1"}, 9)


FORGED = '{"answers": [{"values": [1.0]}, {"values": [1.0]}]}'
FORGERY = f"""
import ctypes, json, os, pathlib

def print_it():
    print({FORGED!r}, flush=True)
    os.write(1, b{FORGED!r} + b"\\n")
    return "printed"

def leave():
    print_it()
    os._exit(0)

def patch():
    json.dumps = lambda *given, **more: {FORGED!r}
    return "patched"

def parent(name):
    judge = pathlib.Path(f"/proc/{{judge_of(os.getppid())}}").joinpath(name)
    try:
        return judge.read_bytes()[:200].decode(errors="replace")
    except OSError as refused:
        return type(refused).__name__

def judge_of(pid):
    return int(pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[1])
"""


def may_not_trace() -> None:
    """Have no right to look into other processes, as nobody has in a pod; the tests may run as root, who has it."""
    if os.getuid() == 0:
        for each in _LOOK_INTO_OTHERS:
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, each, 0, 0, 0)


def judged_forgery(tmp_path: Path, *questions: list[str]) -> tuple[subprocess.CompletedProcess[str], Any]:
    """What the judge prints, in a process of its own, of questions to a learner's program that forges."""
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "learner.py").write_text(FORGERY)
    (tmp_path / "prepare.py").write_text("")
    packed = tmp_path / "programs.zip"
    packed.write_bytes(sandbox.archive(tmp_path / "driver.py", [tmp_path / "prepare.py"]))
    text = tmp_path / "run.py"
    text.write_text(
        "import pathlib, sys\nsys.path.insert(0, sys.argv[1])\nfrom mlops_lab.kit.sandbox import asking, process\n"
        f"asking.WORK = pathlib.Path({str(tmp_path / 'work')!r})\n"
        f"sys.path.append({str(tmp_path)!r})\nasking.main()\n"
    )
    env = {
        **os.environ, "PYTHONPATH": "", "DRIVER": f"{sandbox.PACKAGE}.driver", "QUESTIONS": json.dumps(questions),
        "WITHIN": str(STARTS), "LABELS": "0110",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(text), str(packed)],
        capture_output=True, text=True, timeout=120, env=env, check=False, preexec_fn=may_not_trace,
    )  # fmt: skip
    return done, json.loads(done.stdout.splitlines()[-1])


def test_a_forged_last_line_is_no_answer(tmp_path: Path) -> None:
    done, found = judged_forgery(tmp_path, ["print_it"], ["patch"], ["parent", "environ"])
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1, done.stderr
    # Its own process speaks as it likes from then on, and that is data; what the judge prints is the judge's.
    assert found["answers"][0] == {"said": "printed"}
    assert len(found["answers"]) == 3


def test_a_program_that_ends_the_process_has_no_answer(tmp_path: Path) -> None:
    _, found = judged_forgery(tmp_path, ["leave"], ["print_it"])
    assert [each["error"] for each in found["answers"]] == ["its process ended with exit code 0"] * 2


def test_nobody_reads_what_the_judge_knows(tmp_path: Path) -> None:
    _, found = judged_forgery(tmp_path, ["parent", "environ"], ["parent", "mem"])
    assert [each["said"] for each in found["answers"]] == ["PermissionError"] * 2


def asked_lab(answers: Any, code: int = 0, before: bool = True) -> tuple[Any, dict[str, Any]]:
    from mlops_lab.measure.pods.script import Output

    sent: dict[str, Any] = {}

    async def apart(image: str, *words: str, **more: Any) -> Output:
        sent.update(more, words=words)
        prepared = Output(0, 'fetched\n{"labels": "01"}') if before else None
        return Output(code, json.dumps({"answers": answers}), prepared)

    return made_up_lab(programs=Room(apart=apart)), sent


def asked(lab: Any, tmp_path: Path) -> sandbox.Asked:
    for name in ("driver.py", "prepare.py"):
        (tmp_path / name).write_text("")
    asking_now = sandbox.asked(
        lab, tmp_path / "driver.py", questions=[["load"], ["rows", "a"]], prepare=tmp_path / "prepare.py",
        settings={"MODEL_URI": "models:/m"}, hides=("/data",), within=9,
    )  # fmt: skip
    return asyncio.run(asking_now)


def test_only_the_preparing_program_is_told_where_things_are(tmp_path: Path) -> None:
    lab, sent = asked_lab([{}, ["what"]])
    found = asked(lab, tmp_path)
    assert (found.prepared, found.answers) == ({"labels": "01"}, [{}, {"error": "no answer"}])
    assert sent["prepare_env"] == {"MODEL_URI": "models:/m"} and sent["hides"] == ("/data",)
    assert set(sent["env"]) == {"DRIVER", "QUESTIONS", "WITHIN"}
    assert sent["words"][-1] == asking.__name__
    assert sent["prepare"][-1] == f"{sandbox.PACKAGE}.prepare"


@pytest.mark.parametrize(
    "lab", [asked_lab([{}])[0], asked_lab(7)[0], asked_lab([{}, {}], code=1)[0], asked_lab([{}, {}], before=False)[0]]
)
def test_a_pod_without_answers_is_the_environments_fault(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(LabError):
        asked(lab, tmp_path)
