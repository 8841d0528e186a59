"""A learner's pipeline compiled, and its runs: what is the learner's failure, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Lab
from mlops_lab.checks.observation import Unmet
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit import learner_pipelines
from mlops_lab.kit.learner_pipelines import compiled, followed, started
from mlops_lab.kit.pipeline_runs import Record
from mlops_lab.measure.services.rest import RefusedRequest
from tests.made_up import Room, made_up_lab

SPEC: dict[str, Any] = {"root": {}}
LEFT = Record(warnings=("left",))


class Engine:
    """Runs that stay in a state."""

    def __init__(self, state: str = "SUCCEEDED", refuses: Exception | None = None) -> None:
        self.state, self.refuses, self.ended = state, refuses, 0

    async def start(self, spec: Any, arguments: Any) -> str:
        if self.refuses:
            raise self.refuses
        assert (spec, arguments) == (SPEC, {"days": 3})
        return "run-7"

    async def run(self, run_id: str) -> dict[str, Any]:
        return {"run_id": run_id, "state": self.state}

    def over(self, run: dict[str, Any]) -> bool:
        return run["state"] in ("SUCCEEDED", "FAILED")

    async def end(self, run_id: str) -> None:
        self.ended += 1


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def record(lab: Lab, run_id: str) -> Record:
        return LEFT

    monkeypatch.setattr(learner_pipelines, "record", record)


def on(engine: Engine) -> Lab:
    return made_up_lab("08", platform=SimpleNamespace(pipelines=engine))


def compiling(code: int | None, without: list[str]) -> Lab:
    """A workspace whose program ends so."""

    async def command(program: str, *, within: float) -> Command:
        assert (program, within) == ("make.py", 9)
        return Command(code, "line 3: no such component\n", 1)

    @contextlib.contextmanager
    def copy(without: str) -> Iterator[Any]:
        left_out.append(without)
        yield SimpleNamespace(command=command, pipeline=lambda file: {"from": file})

    left_out = without
    return made_up_lab("08", work=Room(copy=copy))


def test_the_compiled_pipeline_is_the_one_that_the_program_wrote() -> None:
    without: list[str] = []
    assert asyncio.run(compiled(compiling(0, without), "make.py", "made.yaml", within=9)) == {"from": "made.yaml"}
    assert without == ["made.yaml"]


@pytest.mark.parametrize(("code", "seen"), [(1, "exit code 1 after 1 s"), (None, "stopped by the checker after 1 s")])
def test_a_program_that_does_not_end_well_is_a_failure(code: int | None, seen: str) -> None:
    with pytest.raises(Unmet) as failed:
        asyncio.run(compiled(compiling(code, []), "make.py", "made.yaml", within=9))
    assert (failed.value.expected, failed.value.seen) == ("./make.py: exit code 0 within 9 s", seen)
    assert list(failed.value.evidence) == ["line 3: no such component"]


def start(engine: Engine) -> str:
    return asyncio.run(started(on(engine), SPEC, {"days": 3}, takes="days", why="a whole number"))


def test_a_run_that_is_started() -> None:
    assert start(Engine()) == "run-7"


def test_arguments_that_kfp_does_not_take_are_the_learners_failure() -> None:
    with pytest.raises(Failure) as failed:
        start(Engine(refuses=RefusedRequest("KFP says: " + "x" * 400, 400, "")))
    assert failed.value.expected == "KFP takes a run with days"
    assert (failed.value.seen, failed.value.why) == ("x" * 300, "a whole number")


def test_another_refusal_is_not() -> None:
    with pytest.raises(RefusedRequest, match="no room"):
        start(Engine(refuses=RefusedRequest("no room", 503, "")))


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])
def test_a_run_is_followed_to_its_end(state: str) -> None:
    ended, left = asyncio.run(followed(on(Engine(state)), "run-7", within=9, why="it is short"))
    assert ended.ok and ended.value["state"] == state and left is LEFT


def test_a_run_that_goes_on_is_ended_and_a_failure_if_it_must_not() -> None:
    engine = Engine("RUNNING")
    ended, left = asyncio.run(followed(on(engine), "run-7", within=9))
    assert (ended.ok, ended.expected, left, engine.ended) == (False, "a run ends", LEFT, 1)
    with pytest.raises(Failure, match="it is short"):
        asyncio.run(followed(on(engine), "run-7", within=9, why="it is short"))
    assert engine.ended == 2


def test_a_run_is_ended_also_where_nobody_can_say_how_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(run_id: str) -> dict[str, Any]:
        raise LabError("KFP does not answer", "lab status")

    engine = Engine("RUNNING")
    monkeypatch.setattr(engine, "run", away)
    with pytest.raises(LabError, match="does not answer"):
        asyncio.run(followed(on(engine), "run-7", within=9))
    assert engine.ended == 1
