"""Lab 26's receivers of alerts, right ones and wrong ones, against pipelines that are played: how many runs they start.

The same programs run in the cluster when the lab is verified; here a drift takes a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.paths import project
from mlops_lab.checks import Failure
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import lay_out, solutions, wrongs
from mlops_lab.measure.services.pipelines import Pipelines
from tests.lab_programs import loaded
from tests.made_up import NothingThere, cancelled, made_up_lab
from tests.mistakes import one_of_each_check

LAB = project() / "labs" / "26-retraining-loop"
TODAY, WINDOW = "2013-07-11", ("2013-06-14", "2013-07-11")
Message = dict[str, Any]


class World:
    """Kubeflow Pipelines and the warehouse, as far as receivers ask them."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.experiments: list[dict[str, str]] = [{"display_name": "other", "experiment_id": "0"}]
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/experiments" in self.path:
                    return self.answer({"experiments": world.experiments})
                if "/runs" in self.path:
                    return self.answer({"runs": world.runs[::-1]})
                return self.answer({"today": TODAY})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/experiments"):
                    world.experiments.append({**body, "experiment_id": "7"})
                    return self.answer(world.experiments[-1])
                time.sleep(0.1)  # as a real one: two messages at once have the time to meet here
                known = {"run_id": str(len(world.runs)), "created_at": stamp(datetime.now(UTC)), "state": "RUNNING"}
                world.runs.append({**known, **body})
                return self.answer(world.runs[-1])

            def answer(self, found: dict[str, Any]) -> None:
                text = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self, state: str = "SUCCEEDED") -> None:
        """All runs that go on end now."""
        for run in self.runs:
            if "finished_at" not in run:
                run |= {"finished_at": stamp(datetime.now(UTC)), "state": state}
        time.sleep(0.01)


class Receiver:
    """A receiver's process, with the paths and addresses of the cluster replaced by ones that are here."""

    def __init__(self, text: str, world: World, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "pipeline.yaml").write_text("pipelineInfo: {name: retrain}\n")
        for old, new in (
            ("/compiled/pipeline.yaml", str(folder / "pipeline.yaml")),
            ('f"http://days.{NAMESPACE}"', f'"http://127.0.0.1:{world.port}"'),
            ('(("", 8080)', f'(("127.0.0.1", {self.port})'),
        ):
            assert text.count(old) == 1 or old.startswith('(("'), old
            text = text.replace(old, new)
        self.file = folder / "retrain.py"
        self.file.write_text(text)
        url = f"http://127.0.0.1:{world.port}"
        self.env = {
            **os.environ, "LAB_NAMESPACE": "lab-26", "KFP_EXPERIMENT": "lab-26", "MODEL_NAME": "lab-26",
            "KFP_ENDPOINT": url, "MLFLOW_TRACKING_URI": url,
        }  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, self.file], env=self.env, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def tell(self, message: Message) -> None:
        data = json.dumps(message).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", data, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()


def stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(name: str, began: datetime, *, over: bool = False, kind: str = "FeatureDrift") -> dict[str, Any]:
    return {
        "status": "resolved" if over else "firing", "fingerprint": name, "startsAt": stamp(began),
        "labels": {"alertname": kind, "of": name}, "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip


def message(*alerts: dict[str, Any]) -> Message:
    firing = any(each["status"] == "firing" for each in alerts)
    return {"status": "firing" if firing else "resolved", "alerts": list(alerts), "groupKey": "g", "version": "4"}


def story(receiver: Receiver, world: World) -> dict[str, int]:
    """What the checker does, and how many runs there were after each of it."""
    found: dict[str, int] = {}

    def note(what: str) -> None:
        time.sleep(2.6 if "reconcile" in receiver.file.read_text() else 0.2)
        found[what] = len(world.runs)

    receiver.tell(message(alert("temp", datetime.now(UTC) - timedelta(minutes=10), over=True)))
    note("resolved")
    for kind in ("ErrorRateHigh", "NodeClockDrift", "PredictionsAlike", "FeatureStoreDrift", "featureDrift"):
        receiver.tell(message(alert("answers", datetime.now(UTC), kind=kind)))
    note("no drift")
    world.end()
    began = datetime.now(UTC)
    firing = message(alert("temp", began))
    another = message(alert("wind_speed", datetime.now(UTC)))
    both = [threading.Thread(target=receiver.tell, args=(each,)) for each in (firing, another, firing)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    note("twice")
    during = datetime.now(UTC)
    receiver.tell(firing)
    note("again")
    receiver.tell(message(alert("temp", began), alert("visib", datetime.now(UTC))))
    note("another feature")
    world.end()
    receiver.tell(firing)
    note("after the end")
    receiver.tell(message(alert("precip", during)))
    note("a feature of before")
    receiver.tell(message(alert("temp", began), alert("hour", datetime.now(UTC), over=True)))
    note("beside what is over")
    receiver.stop()
    receiver.start()
    receiver.tell(firing)
    note("another pod")
    over, old = alert("hour", began, over=True), alert("precip", during)
    receiver.tell(message(old, over, alert("temp", datetime.now(UTC)), alert("distance", during)))
    note("another drift")
    world.end("FAILED")
    cut_off = message(alert("visib", datetime.now(UTC)))
    receiver.tell(cut_off)
    note("a drift whose run is ended")
    world.end("CANCELED")
    receiver.tell(cut_off)
    note("that drift again")
    receiver.tell(message(alert("prediction", datetime.now(UTC), kind="PredictionDrift")))
    note("a drift of predictions")
    return found


WHEN = (
    "resolved", "no drift", "twice", "again", "another feature", "after the end", "a feature of before",
    "beside what is over", "another pod", "another drift", "a drift whose run is ended", "that drift again",
    "a drift of predictions",
)  # fmt: skip
RIGHT = dict(zip(WHEN, (0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 4), strict=True))


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.server.shutdown()
    found.server.server_close()


def laid_out(name: str, folder: Path) -> str:
    """A variant's receiver."""
    exercise = Exercise(LAB, "26", "retraining-loop")
    variant = next(each for each in (*solutions(exercise), *wrongs(exercise)) if each.name == name)
    lay_out(variant, folder / "workspace")
    return (folder / "workspace" / "retrain.py").read_text()


def told(name: str, world: World, folder: Path) -> dict[str, int]:
    receiver = Receiver(laid_out(name, folder), world, folder)
    try:
        return story(receiver, world)
    finally:
        receiver.stop()


# The story of a program that looks at intervals takes half a minute.
@pytest.mark.parametrize("solution", ["receiver", pytest.param("controller", marks=pytest.mark.long)])
def test_a_solution_starts_one_run_for_each_drift(solution: str, world: World, tmp_path: Path) -> None:
    assert told(solution, world, tmp_path) == RIGHT
    for run in world.runs:
        given = run["runtime_config"]["parameters"]
        assert (given["first_day"], given["last_day"]) == WINDOW
        assert run["experiment_id"] == "7"


MISTAKES = (
    ("starts_one_run--each-message", "twice", 3),
    ("starts_one_run--resolved-too", "resolved", 1),
    ("starts_one_run--remembered-in-the-pod", "another pod", 2),
    ("starts_one_run--any-alert", "no drift", 1),
    ("starts_one_run--until-the-run-began", "a feature of before", 2),
    ("refuses_poison--once-and-never-again", "another drift", 1),
    ("starts_one_run--a-run-for-each-alert", "twice", 2),
    ("starts_one_run--a-lock-for-each-alert", "twice", 2),
    ("starts_one_run--the-messages-status", "beside what is over", 2),
    ("refuses_poison--the-first-of-a-message", "another drift", 1),
    ("refuses_poison--the-last-of-a-message", "another drift", 1),
    ("starts_one_run--any-name-with-drift", "no drift", 1),
    ("refuses_worse--features-alone", "a drift of predictions", 3),
    ("refuses_worse--cancelled-is-under-way", "a drift of predictions", 3),
    ("refuses_worse--a-cancelled-run-did-nothing", "that drift again", 4),
    ("starts_one_run--any-name-that-begins-so", "no drift", 1),
    ("starts_one_run--any-name-that-begins-and-ends-so", "no drift", 1),
    ("refuses_poison--a-run-for-each-that-is-firing", "another drift", 4),
)


# A story takes seconds.
@pytest.mark.parametrize(("wrong", "when", "runs"), one_of_each_check({each[0]: each for each in MISTAKES}))
def test_a_mistake_shows_when_it_should(wrong: str, when: str, runs: int, world: World, tmp_path: Path) -> None:
    found = told(wrong, world, tmp_path)
    before = WHEN[: WHEN.index(when)]
    assert {each: found[each] for each in before} == {each: RIGHT[each] for each in before}
    assert found[when] == runs != RIGHT[when]


def test_two_receivers_without_a_lock_start_two_runs(world: World, tmp_path: Path) -> None:
    text = laid_out("starts_one_run--two-receivers", tmp_path)
    folders = [tmp_path / each for each in ("one", "other")]
    for each in folders:
        each.mkdir()
    both = [Receiver(text, world, each) for each in folders]
    try:
        firing = message(alert("temp", datetime.now(UTC)))
        told = [threading.Thread(target=each.tell, args=(firing,)) for each in both]
        for each in told:
            each.start()
        for each in told:
            each.join()
    finally:
        for each in both:
            each.stop()
    assert len(world.runs) == 2


@pytest.mark.parametrize(("pods", "messages"), [(0, 6), (1, 6), (2, 12)])
def test_an_alert_is_told_at_once_so_often_that_each_pod_hears_it(
    pods: int, messages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, posted = loaded("26", "scenario"), list[Message]()

    async def nothing(*given: Any, **more: Any) -> None: ...

    async def none(*given: Any) -> list[Any]:
        return []

    async def pods_of(service: str) -> list[Any]:
        return [{"metadata": {"name": f"{service}-{number}"}} for number in range(pods)]

    async def post(lab: Any, body: Message) -> int:
        posted.append(body)
        return 200

    async def first_version(lab: Any) -> Any:
        return SimpleNamespace(value="2")

    async def begins(*given: Any, statuses: list[int]) -> Any:
        return scenario.Observation(False, "1 run begins", f"{len(statuses)} messages")

    for name, what in {
        "set_warehouse": nothing, "clear": nothing, "again": nothing, "post": post, "begins": begins, "new_runs": none,
        "first_version": first_version,
    }.items():  # fmt: skip
        monkeypatch.setattr(scenario, name, what)
    platform = SimpleNamespace(
        pipelines=SimpleNamespace(runs=none), prometheus=SimpleNamespace(labels={"namespace": "lab-26"})
    )
    lab = made_up_lab("26", platform=platform, objects=NothingThere(pods_of=pods_of))
    story = asyncio.run(scenario.repeated_alert(lab))
    assert len(posted) == messages and story.started.seen == f"{messages} messages"


def test_each_run_of_the_checker_has_days_of_its_own() -> None:
    days, drawn = loaded("26", "days"), set()
    for seed in range(8):
        lab = made_up_lab("26")
        lab.seed = seed
        found, same = (asyncio.run(days.days(lab)) for _ in range(2))
        assert found == same
        drawn.add(found)
    assert len(drawn) == 8
    for bar in (each / 100 for each in range(50, 90)):  # what serves above a bar is right in one of the two at most
        assert not any(days.NOTHING_NEW[worse][0] < bar <= days.DRIFTED[better][0] for worse, better in days.PAIRS)
    assert {better for _, better in days.PAIRS} == {*days.DRIFTED}
    assert {worse for worse, _ in days.PAIRS} == {*days.NOTHING_NEW}
    assert {(each.righted, each.drifted) for each in drawn} <= {*days.PAIRS}
    assert all(theirs - ours > 0.03 for ours, theirs in days.NOTHING_NEW.values())
    assert "2013-03-08" not in days.NOTHING_NEW  # the weeks up to the day before make a better model
    assert all(ours - theirs > 0.09 for ours, theirs in days.DRIFTED.values())
    found = days.Days("2013-02-14", "2013-07-11", "2013-07-24", ("held_out", "learnt"))
    assert (found.turned(0), found.turned(1)) == (["2013-02-08", "2013-02-14"], ["2013-06-14", "2013-07-04"])
    assert set(days.NOTHING_NEW) < set(days.POISONED)
    assert found.storms == ("2013-07-23", "2013-07-24")


@pytest.mark.parametrize(
    ("span", "right"),
    [
        ("2013-06-18 to 2013-07-08", True), ("2013-06-17 to 2013-07-07", True), ("2013-06-19 to 2013-07-09", False),
        ("2013-06-17 to 2013-07-08", False), ("2013-06-18 to 2013-07-07", False), ("2013-06-16 to 2013-07-06", False),
        ("2013-06-18", False), ("2013-06-31 to 2013-07-08", False),
    ],
)  # fmt: skip
def test_three_weeks_are_21_days(span: str, right: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = loaded("26", "versions")

    async def tags_of(lab: Any, version: str) -> dict[str, str]:
        return {"pipeline.run": "r", "data.days": span}

    monkeypatch.setattr(versions, "tags_of", tags_of)
    assert asyncio.run(versions.lineage(made_up_lab("26"), "2", "r", "2013-07-15")).ok is right


@pytest.mark.parametrize(("runs", "ok"), [(["a"], True), (["b", "a"], False)])
def test_a_new_alert_gets_one_run(runs: list[str], ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, looked = loaded("26", "scenario"), list[str]()

    async def nothing(*given: Any, **more: Any) -> None: ...

    async def known() -> list[Any]:
        return []

    async def posted(*given: Any) -> int:
        return 200

    async def begins(*given: Any, **more: Any) -> Any:
        return scenario.Observation(True, "1 run begins", "1 run", runs[-1:])

    async def ends(*given: Any, **more: Any) -> Any:
        return scenario.Observation(True, "the run ends", "it did")

    async def new_runs(*given: Any) -> list[dict[str, str]]:
        return [{"run_id": each} for each in runs]

    async def look(story: Any, run: str) -> None:
        looked.append(run)

    for name, what in {
        "set_warehouse": nothing, "clear": nothing, "post": posted, "begins": begins, "ends": ends,
        "new_runs": new_runs,
    }.items():  # fmt: skip
        monkeypatch.setattr(scenario, name, what)
    lab = made_up_lab("26", platform=SimpleNamespace(pipelines=SimpleNamespace(runs=known)))
    story = asyncio.run(scenario.one_run(lab, "2013-06-15", [], dict, look))
    assert (story.once.ok, looked) == (ok, ["a"] if ok else [])
    why = loaded("26").of_a_run(story.once, "more")
    assert ("one drift gets one run" in why) is not ok


@pytest.mark.parametrize(
    ("begun", "later", "state", "once", "ended"),
    [
        (["a"], ["a"], "CANCELED", True, True), (["a"], ["b", "a"], "CANCELED", False, True),
        (["a"], ["a"], "CANCELING", True, False), ([], [], "", False, False),
    ],
)  # fmt: skip
def test_a_run_is_ended_as_soon_as_it_has_begun(
    begun: list[str], later: list[str], state: str, once: bool, ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, done, posted, left = loaded("26", "scenario"), list[str](), list[Message](), list[bool]()

    async def nothing(*given: Any, **more: Any) -> None: ...

    async def known() -> list[Any]:
        return []

    async def post(lab: Any, body: Message) -> int:
        posted.append(body)
        return 200

    async def begins(*given: Any, **more: Any) -> Any:
        return scenario.Observation(bool(begun), "1 run begins", "", begun)

    async def end(run: str) -> None:
        done.append(f"ended {run}")

    async def ends(lab: Any, run: str) -> Any:
        return scenario.Observation(Pipelines.over({"state": state}), "the run ends", state)

    async def pause(seconds: float) -> None:
        done.append(f"waited {seconds:.0f} s")

    async def new_runs(*given: Any) -> list[dict[str, str]]:
        return [{"run_id": each} for each in later]

    async def clear(lab: Any, unchanged: bool) -> None:
        left.append(unchanged)

    for name, what in {
        "set_warehouse": nothing, "clear": clear, "post": post, "begins": begins, "ends": ends, "new_runs": new_runs,
    }.items():  # fmt: skip
        monkeypatch.setattr(scenario, name, what)
    platform = SimpleNamespace(
        pipelines=SimpleNamespace(runs=known, end=end), prometheus=SimpleNamespace(labels={"namespace": "lab-26"})
    )
    lab = made_up_lab("26", platform=platform, time=SimpleNamespace(pause=pause))
    story = asyncio.run(scenario.cut_off(lab))
    assert [[each["labels"]["alertname"] for each in body["alerts"]] for body in posted[:1]] == [["FeatureDrift"]]
    assert posted[1:] == (posted[:1] if begun else [])  # told again when its run has been ended
    assert (story.once.ok, story.ended.ok, left) == (once, ended, [once and ended])
    assert done == (["ended a", "waited 10 s"] if begun else [])


def test_the_days_of_last_time_are_not_those_of_today(world: World, tmp_path: Path) -> None:
    assert told("refuses_poison--the-days-of-last-time", world, tmp_path) == RIGHT
    given = world.runs[-1]["runtime_config"]["parameters"]
    assert (given["first_day"], given["last_day"]) != WINDOW


@pytest.mark.parametrize(
    ("firing", "states", "ended", "why"),
    [
        ([], ["SUCCEEDED", "FAILED"], [], ""),
        ([], ["RUNNING", "CANCELED"], ["0"], ""),
        (["temp"], ["SUCCEEDED"], [], "FeatureDrift of temp; no run under way.*Stop your passengers"),
        (["temp"], ["RUNNING"], [], "FeatureDrift of temp; 1 run under way.*Stop your passengers"),
    ],
)
def test_what_the_learner_tries_out_has_its_end_first(
    firing: list[str], states: list[str], ended: list[str], why: str
) -> None:
    still, found = loaded("26", "still"), list[str]()

    async def runs() -> list[Any]:
        return [{"run_id": str(number), "state": state} for number, state in enumerate(states)]

    async def end(run: str) -> None:
        found.append(run)

    async def query(expr: str) -> list[Any]:
        assert "firing|pending" in expr
        return [SimpleNamespace(labels={"alertname": "FeatureDrift", "of": each}) for each in firing]

    pipelines = SimpleNamespace(runs=runs, end=end, over=Pipelines.over)
    platform = SimpleNamespace(pipelines=pipelines, prometheus=SimpleNamespace(matcher="", query=query))
    with pytest.raises(Failure, match=f"(?s){why}") if why else contextlib.nullcontext():
        asyncio.run(still.nothing_goes_on(made_up_lab("26", platform=platform)))
    assert found == ended


def test_the_warehouse_is_put_back_first_also_by_who_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, done = loaded("26", "scenario"), list[str]()

    async def put(lab: Any, what: str) -> None:
        done.append(what)

    async def first(lab: Any) -> Any:
        done.append("looked at the registry")
        return SimpleNamespace(value="")

    async def runs() -> list[Any]:
        return []

    monkeypatch.setattr(scenario, "set_warehouse", put)
    monkeypatch.setattr(scenario, "first_version", first)
    lab = made_up_lab("26", platform=SimpleNamespace(pipelines=SimpleNamespace(runs=runs)))

    async def play() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await scenario.clear(lab, False)

    cancelled(play)
    assert done == [scenario.HOME, "looked at the registry"]
