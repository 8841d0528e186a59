"""What lab 25 decides about judges and canaries, what its world sends, and that its solutions are right there."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import runpy
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.base.paths import project
from mlops_lab.kit import sandbox
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import lay_out, wrongs
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, Room, made_up_lab

LAB = project() / "labs" / "25-canary-and-ab-test"
SOLUTIONS = ("fixed-horizon", "sequential")


@pytest.fixture(scope="module")
def lab25() -> Any:
    return loaded("25")


# The judge


def said(kinds: dict[str, str], each: dict[str, int], verdict: Callable[[str, int], str]) -> list[tuple[str, str, int]]:
    return [(kind, verdict(kind, number), 20) for kind in kinds for number in range(each[kind])]


def test_one_in_twenty_is_held_with_what_chance_may_add(lab25: Any) -> None:
    assert [lab25.most(count) for count in (25, 40, 150, 160)] == [6, 8, 18, 18]


@pytest.mark.parametrize(
    ("wrong", "ok"), [(lambda number: number < 4, True), (lambda number: number < 5, False), (lambda _: False, True)]
)
def test_all_kinds_count_together(lab25: Any, wrong: Callable[[int], bool], ok: bool) -> None:
    found = said(lab25.GOOD, lab25.EACH, lambda _, number: "take back" if wrong(number) else "promote")
    assert lab25.errs_seldom(found, lab25.GOOD, "promote").ok is ok


@pytest.mark.parametrize("verdict", ["promote", ""])
def test_each_kind_counts_by_itself(lab25: Any, verdict: str) -> None:
    found = said(lab25.BAD, lab25.EACH, lambda kind, number: verdict if kind == "tail" and number < 8 else "take back")
    seen = lab25.errs_seldom(found, lab25.BAD, "take back")
    assert not seen.ok
    assert "much slower in some answers: 8 of 25 wrong" in seen.seen
    assert ("promoted" if verdict else "never decided") in seen.seen


@pytest.mark.parametrize("verdict", ["promote", "take back", "", "coin"])
def test_what_says_the_same_always_earns_nothing(lab25: Any, verdict: str) -> None:
    kinds = lab25.GOOD | lab25.BAD
    found = said(
        kinds, lab25.EACH, lambda _, number: ("promote", "take back")[number % 2] if verdict == "coin" else verdict
    )
    assert not lab25.looked_at_all(found).ok


@pytest.mark.parametrize("verdict", ["promote", "take back", ""])
def test_what_has_no_outcomes_is_never_promoted(lab25: Any, verdict: str) -> None:
    found = [("same", "promote", 9), *[("no outcomes", "", 36)] * 9, ("no outcomes", verdict, 35)]
    seen = lab25.none_unknown(found)
    assert seen.ok is (verdict != "promote")
    assert "of 10 candidates" in seen.expected
    assert seen.ok or seen.seen == "1 are, at look 35 the first"


def test_what_has_no_outcomes_is_neither_good_nor_bad(lab25: Any) -> None:
    kinds = lab25.GOOD | lab25.BAD
    right = said(kinds, lab25.EACH, lambda kind, _: "promote" if kind in lab25.GOOD else "take back")
    for found in (right, [*right, *[("no outcomes", "promote", 35)] * 10]):
        assert lab25.looked_at_all(found).ok
        assert lab25.errs_seldom(found, lab25.BAD, "take back").ok


def test_each_canary_is_played_as_often_as_is_said(lab25: Any) -> None:
    played = Counter(loaded("25", "play").order(lab25.EACH, np.random.default_rng(1)))
    assert played == lab25.EACH
    assert played.total() == 320, "README says so"


def test_a_trouble_says_whether_outcomes_came(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = loaded("25", "verdicts")
    monkeypatch.setattr(verdicts, "must_be_there", lambda *given: None)
    for kind, where in (
        ("no outcomes", "in canary 2, whose outcomes never come: it broke"),
        ("same", "in canary 2: it"),
    ):

        async def once(story: Any, kind: str = kind) -> Any:
            return {"verdicts": [["same", "promote", 9]], "trouble": "it broke", "kind": kind, "lines": []}

        lab = made_up_lab("25")
        lab.once = once  # type: ignore[method-assign,assignment]
        with pytest.raises(Failure) as failed:
            asyncio.run(verdicts.verdicts(lab))
        assert failed.value.seen.startswith(where)


def test_a_candidate_is_as_bad_as_the_readme_says() -> None:
    streams, rng = loaded("25", "streams"), np.random.default_rng(3)
    for kind in streams.BAD:
        for _ in range(6):
            stable, candidate, _ = streams.drawn(kind, rng)
            if kind == "errors":
                assert candidate.errors - stable.errors >= 0.05
            if kind in ("slow", "tail"):
                factor = candidate.median / stable.median * (1 + (streams.TAIL_TIMES - 1) * candidate.tail)
                assert factor >= 1.5
            if kind in ("too high", "too low", "mixed up"):
                assert losses(candidate, rng) - losses(stable, rng) > 0.15


@pytest.mark.parametrize("kind", ["errors", "slow"])
def test_half_of_the_bad_ones_are_near_to_the_limit(kind: str) -> None:
    streams, rng = loaded("25", "streams"), np.random.default_rng(9)
    pairs = [streams.drawn(kind, rng)[:2] for _ in range(400)]
    near = [
        other.errors - one.errors < 0.06 if kind == "errors" else other.median < 1.6 * one.median
        for one, other in pairs
    ]
    assert 160 < sum(near) < 240


def losses(model: Any, rng: np.random.Generator) -> float:
    streams = loaded("25", "streams")
    _, known, late = streams._answered(model, 40_000, streams.World(), rng)
    return float(-np.log(np.where(late, known, 1 - known)).mean())


@pytest.mark.parametrize("kind", ["same", "incident", "storm"])
def test_good_ones_of_these_kinds_are_the_same(kind: str) -> None:
    streams = loaded("25", "streams")
    stable, candidate, world = streams.drawn(kind, np.random.default_rng(4))
    assert stable == candidate
    assert (world == streams.World()) is (kind == "same")


def test_a_canary_goes_on_for_three_minutes_and_its_outcomes_come_later() -> None:
    streams = loaded("25", "streams")
    found = list(streams.looks("same", np.random.default_rng(5)))
    assert len(found) * streams.EVERY == 180
    assert not found[0][0]["outcomes"]
    stable, candidate = (sum(len(look[arm]["answers"]) for look in found) for arm in (0, 1))
    assert 0.08 < candidate / (stable + candidate) < 0.12
    known = sum(len(look[0]["outcomes"]) for look in found)
    assert 0.9 * stable < known < stable


def wrong_of(judge: Callable[[], Any], times: int, seed: int) -> Counter[str]:
    """How often a judge is wrong about each kind of canary."""
    streams, rng, found = loaded("25", "streams"), np.random.default_rng(seed), Counter[str]()
    for kind in (*streams.GOOD, *streams.BAD):
        for _ in range(times):
            one = judge()
            verdict = next((said for look in streams.looks(kind, rng) if (said := one.look(*look))), "")
            found[kind] += verdict != ("promote" if kind in streams.GOOD else "take back")
    return found


def unknown(judge: Callable[[], Any], times: int) -> set[str]:
    """What a judge says of canaries whose outcomes never come."""
    streams, rng = loaded("25", "streams"), np.random.default_rng(13)
    found = set()
    for _ in range(times):
        one, seen = judge(), list(streams.looks(streams.UNKNOWN, rng))
        assert all(model["answers"] and not model["outcomes"] for look in seen for model in look)
        found.add(next((said for look in seen if (said := one.look(*look))), ""))
    return found


def test_who_promotes_when_the_time_is_over_is_wrong_about_what_has_no_outcomes_alone(tmp_path: Path) -> None:
    name = "finds_bad_ones--promotes-when-the-time-is-over"
    (mistake,) = [each for each in wrongs(Exercise(LAB, "25", "canary-and-ab-test")) if each.name == name]
    lay_out(mistake, tmp_path)
    judge = runpy.run_path(str(tmp_path / "judge.py"))["Judge"]
    assert wrong_of(judge, 2, 6).total() <= 1
    assert unknown(judge, 4) == {"promote"}
    for solution in SOLUTIONS:
        assert unknown(program(f"solution/{solution}"), 4) == {"take back"}


def program(variant: str) -> Callable[[], Any]:
    return runpy.run_path(str(LAB / variant / "judge.py"))["Judge"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_a_solutions_judge_is_right(solution: str) -> None:
    assert wrong_of(program(f"solution/{solution}"), 2, 6).total() <= 1


@pytest.mark.long
@pytest.mark.parametrize("solution", SOLUTIONS)
def test_a_solutions_judge_errs_one_time_in_a_hundred(solution: str) -> None:
    found = wrong_of(program(f"solution/{solution}"), 100, 7)
    assert max(found.values()) <= 5
    assert found.total() <= 15


def test_the_judge_of_the_beginning_is_wrong_about_good_ones(lab25: Any) -> None:
    found = wrong_of(program("start"), 8, 8)
    assert sum(found[kind] for kind in lab25.GOOD) > 8


# The split


def test_both_solutions_give_a_tenth_of_the_users_the_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"user {number}" for number in range(20_000)]
    canary = runpy.run_path(str(LAB / "solution" / "fixed-horizon" / "canary.py"))
    running = {"id": "1", "state": "running"}
    front = runpy.run_path(str(LAB / "solution" / "sequential" / "front.py"))
    front["goes_on"].update(state="running", candidate="b")
    for arm in (lambda user: canary["arm"](running, user), front["arm_of"]):
        counts = Counter(map(arm, users))
        assert 0.09 < counts["candidate"] / len(users) < 0.11
        assert [arm(user) for user in users[:50]] == [arm(user) for user in users[:50]]
    for state, arm_then in (("none", "stable"), ("taken back", "stable"), ("promoted", "candidate")):
        front["goes_on"]["state"] = state
        assert {front["arm_of"](user) for user in users[:99]} == {arm_then}
        assert {canary["arm"](running | {"state": state}, user) for user in users[:99]} == {arm_then}


# The world


class Router(BaseHTTPRequestHandler):
    """Users whose name begins with 0 get the candidate."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ports: dict[str, int]
    again = False
    outcomes: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/outcomes":
            self.outcomes += json.loads(body)["outcomes"]
            return self._say(200, b"{}")
        arm = "candidate" if self.headers["X-User"][0] == "0" else "stable"
        status, text = self._ask(arm, body)
        if status >= 500 and self.again:
            status, text = self._ask("stable", body)
        return self._say(status, text)

    def _ask(self, arm: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[arm], timeout=5)
        connection.request("POST", "/predict", body)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def _say(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def around(lab25: Any) -> Iterator[tuple[Any, Any, str]]:
    """World, the router's class, and its address."""
    models = loaded("25", "models")
    world = loaded("25", "world").World(models.Models())
    servers = models.serve(world.models, {"stable": 0, "candidate": 0})
    ports = {name: each.server_address[1] for name, each in zip(models.PORTS, servers, strict=True)}
    router = type("Bound", (Router,), {"ports": ports, "outcomes": []})
    server = models.Server(("127.0.0.1", 0), router)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield world, router, f"127.0.0.1:{server.server_address[1]}"
    for each in (*servers, server):
        each.shutdown()
        each.server_close()


def test_a_crowd_says_who_got_what(around: tuple[Any, Any, str]) -> None:
    world, _, address = around
    world.do(
        {
            "models": {
                "stable": {"median": 0.001, "version": "a"},
                "candidate": {"median": 0.001, "errors": 1.0, "version": "b"},
            }
        }
    )
    seen = world.do({"send": {"targets": [address], "rate": 800, "count": 400, "seed": 1}, "wait": True, "pick": 100})
    assert seen["sent"] == 400 == sum(seen["by"].values())
    assert seen["unlike"] == 0
    assert 5 < seen["by"]["candidate"] < 60
    assert seen["counts"] == seen["by"]
    assert all(user[0] == "0" for user in seen["users"]["candidate"])
    picked = {name: len(some) for name, some in seen["users"].items()}
    assert 99 <= sum(picked.values()) <= 101
    assert abs(picked["candidate"] / 100 - seen["by"]["candidate"] / 400) < 0.01, "in the shares of before"
    again = {"targets": [address], "rate": 800, "count": 2 * picked["stable"], "users": seen["users"]["stable"]}
    homes = world.do({"send": again, "wait": True, "homes": True})["homes"]
    assert homes == {user: ["stable"] for user in seen["users"]["stable"]}


def test_a_failure_that_is_hidden_is_seen(around: tuple[Any, Any, str]) -> None:
    world, router, address = around
    router.again = True
    world.do({"models": {"stable": {"median": 0.001}, "candidate": {"median": 0.001, "errors": 1.0}}})
    seen = world.do({"send": {"targets": [address], "rate": 800, "count": 300, "seed": 1}, "wait": True})
    assert seen["unlike"] > 5
    assert "2 models asked" in seen["examples"][0]
    world.do({"look": True, "fresh": True})
    assert world.do({"look": True})["unlike"] == 0


def test_outcomes_are_of_answers_that_did_not_fail(
    around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, router, address = around
    monkeypatch.setattr(sys.modules[type(world).__module__.replace("world", "passengers")], "OUTCOME_AFTER", (0.0, 0.1))
    world.do({"models": {"stable": {"median": 0.001}, "candidate": {"median": 0.001, "errors": 1.0}}})
    world.do({"send": {"targets": [address], "rate": 300, "outcomes": True, "seed": 1}})
    threading.Event().wait(1.6)
    seen = world.do({"stop": True})
    assert router.outcomes
    assert {each["user"][0] == "0" for each in router.outcomes} == {False}
    assert {type(each["late"]) for each in router.outcomes} == {bool}
    assert seen["refused"] == 0 < seen["posted"]


def test_what_a_model_does_not_answer_may_be_asked_again_and_fails_all_the_same(
    around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, router, address = around
    crowd = {"send": {"targets": [address], "rate": 500, "count": 40, "seed": 1}, "wait": True}

    def fails(status: int, times: int) -> Callable[[Any, str, bytes], tuple[int, bytes]]:
        def ask(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
            for _ in range(times):
                with pytest.raises(http.client.RemoteDisconnected):
                    whole(self, arm, body)
            return status, b"{}"

        return ask

    whole = router._ask
    for how, ok in ((fails(502, 1), True), (fails(503, 2), True), (fails(200, 1), False), (fails(404, 1), False)):
        monkeypatch.setattr(router, "_ask", how)
        world.do({"models": {name: {"median": 0.001, "broken": 1.0} for name in ("stable", "candidate")}})
        seen = world.do(crowd)
        assert (seen["unlike"], sum(seen["counts"].values())) == (0 if ok else 40, 40)
        assert ok or "a status of 500 or more is due" in seen["examples"][0]
    monkeypatch.setattr(router, "_ask", fails(500, 0))
    assert world.do(crowd)["unlike"] == 40, "no model was asked"

    def closes(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
        fails(0, 1)(self, arm, body)
        self.close_connection = True
        return 0, b""

    def say(self: Any, status: int, text: bytes) -> None:
        if status:
            said(self, status, text)

    said = router._say
    monkeypatch.setattr(router, "_ask", closes)
    monkeypatch.setattr(router, "_say", say)
    assert world.do(crowd)["unlike"] == 40, "no answer is none of the front's"


def test_failures_come_with_several_statuses_and_are_plain_text(
    around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, router, address = around
    both = {"median": 0.001, "errors": 0.5, "refused": 0.5}
    crowd = {"send": {"targets": [address], "rate": 800, "count": 200, "seed": 1}, "wait": True}
    came, whole = list[tuple[int, bytes]](), router._ask

    def note(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
        came.append(whole(self, arm, body))
        return came[-1]

    monkeypatch.setattr(router, "_ask", note)
    world.do({"models": {"stable": both, "candidate": both}})
    assert world.do(crowd)["unlike"] == 0
    assert {status for status, _ in came} == {200, 422, 500, 502, 503, 504}
    assert {status >= 500 for status, text in came if text.startswith(b"no prediction, trace ")} == {True}
    assert {status for status, text in came if text.startswith(b"{")} == {200, 422}
    for change in (
        lambda status, text: (min(status, 500), text),
        lambda status, text: (status, json.dumps(text.decode()).encode() if status >= 500 else text),
        lambda status, text: (status, text.strip()),
    ):
        monkeypatch.setattr(router, "_ask", lambda *given, change=change: change(*whole(*given)))
        assert 40 < world.do(crowd)["unlike"] < 160


def test_a_model_reads_chunks(around: tuple[Any, Any, str]) -> None:
    world, router, _ = around
    asked = json.dumps({"rows": [{"number": 1, "wind": 2.0}]}).encode()
    for name, port in router.ports.items():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for _ in range(2):
            connection.request("POST", "/predict", iter([asked[:9], asked[9:]]), encode_chunked=True)
            answer = connection.getresponse()
            assert (answer.status, b"probabilities" in answer.read()) == (200, True)
        connection.close()
        assert world.models.counts[name] == 2


def test_outcomes_are_told_elsewhere(around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    world, _, address = around
    passengers = sys.modules[type(world).__module__.replace("world", "passengers")]
    monkeypatch.setattr(passengers, "OUTCOME_AFTER", (0.0, 0.1))
    asked, posted = dict[str, str](), passengers.posted
    others = []

    def note(known: Any, target: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if path == "/outcomes":
            others.extend((asked[each["user"]], target) for each in json.loads(body)["outcomes"])
            return 200, b"{}"
        asked[headers["X-User"]] = target
        return posted(known, address, path, body, headers)  # type: ignore[no-any-return]

    monkeypatch.setattr(passengers, "posted", note)
    world.do({"models": {name: {"median": 0.001} for name in ("stable", "candidate")}})
    world.do({"send": {"targets": ["a", "b", "c"], "rate": 300, "outcomes": True, "elsewhere": True, "seed": 1}})
    end = time.monotonic() + 15  # at whom is drawn, once a second for each that answered
    while len({told for _, told in others}) < 3 and time.monotonic() < end:
        time.sleep(0.2)
    assert world.do({"stop": True})["unlike"] == 0
    assert {answered for answered, _ in others} == {told for _, told in others} == {"a", "b", "c"}
    assert not [each for each in others if each[0] == each[1]]


def test_a_service_that_is_too_slow_is_waited_for_in_vain(
    lab25: Any, around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, router, address = around
    passengers = sys.modules[type(world).__module__.replace("world", "passengers")]
    for name, value in {"PATIENCE": 0.3, "ANSWERS_WITHIN": 0.2, "THREADS": 2}.items():
        monkeypatch.setattr(passengers, name, value)
    monkeypatch.setattr(router, "do_POST", lambda self: threading.Event().wait(1))
    seen = world.do({"send": {"targets": [address], "rate": 500, "count": 200}, "wait": True})
    assert seen["sent"] < 20
    told = lab25.as_the_model_said(seen, "to users")
    assert (told.ok, told.timed, told.expected) == (False, True, "200 requests to users are answered in time")


def test_an_answer_that_is_made_anew_and_another_path_are_seen(
    around: tuple[Any, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, router, address = around
    crowd = {"send": {"targets": [address], "rate": 500, "count": 40, "seed": 1}, "wait": True}

    def anew(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
        status, text = whole(self, arm, body)
        known = ("model_version", "probabilities")
        return status, json.dumps({each: json.loads(text)[each] for each in known}).encode()

    def less(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
        rows = [{name: row[name] for name in ("number", "wind")} for row in json.loads(body)["rows"]]
        return whole(self, arm, json.dumps({"rows": rows}).encode())

    def spaced(self: Any, arm: str, body: bytes) -> tuple[int, bytes]:
        status, text = whole(self, arm, json.dumps(json.loads(body), indent=1).encode())
        return status, json.dumps(json.loads(text), indent=1, sort_keys=True).encode()

    whole = router._ask
    for how, said in ((anew, "the model said 200"), (less, "the model got"), (spaced, "")):
        monkeypatch.setattr(router, "_ask", how)
        world.do({"models": {"stable": {"median": 0.001}, "candidate": {"median": 0.001}}})
        seen = world.do(crowd)
        assert seen["unlike"] == (40 if said else 0)
        assert not said or said in seen["examples"][0]
    model = f"127.0.0.1:{router.ports['stable']}"
    body = {"rows": [{"number": 1, "wind": 2.0}]}
    calls = [["POST", model, "/", body], ["POST", model, "/predict", body], ["GET", "127.0.0.1:9", "/", None]]
    assert [status for status, _ in world.do({"call": calls})["answers"]] == [404, 200, 0]


def test_a_service_that_is_not_there_is_no_answer(around: tuple[Any, Any, str]) -> None:
    world, _, _ = around
    seen = world.do({"send": {"targets": ["127.0.0.1:9"], "rate": 500, "count": 20}, "wait": True})
    assert (seen["unlike"], seen["by"]) == (20, {"": 20})


def test_the_world_is_an_archive_that_python_runs(tmp_path: Path) -> None:
    checker, packed = LAB / "checker", tmp_path / "programs.zip"
    packed.write_bytes(sandbox.archive(checker / "world.py", (checker / "models.py", checker / "passengers.py")))
    command = [sys.executable, "-c", _NO_SERVERS, str(packed), f"{sandbox.PACKAGE}.world"]
    done = subprocess.run(command, input='{"look": true}\n', text=True, capture_output=True, timeout=30)
    assert (done.stdout, done.returncode) == ("{}\n", 0), done.stderr


# As `python programs.zip MODULE` runs it, but for the ports, which a test does not take.
_NO_SERVERS = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
world = importlib.import_module(sys.argv[2])
world.serve = lambda models: None
world.main()
"""


# The canaries that the checker plays, as the judges see them


Failed = Callable[[int], bool | None]
WAYS: dict[str, Failed] = {
    "right": lambda status: status == 0 or status >= 500,
    "no answer is not counted": lambda status: None if status == 0 else status >= 500,
    "refused is failed": lambda status: status == 0 or status >= 400,
    "500 alone": lambda status: status == 500,
}


def live(judge: Any, models: tuple[Any, Any], failed: Failed, rng: np.random.Generator) -> str:
    """What a judge says of a canary with 150 requests a second, whose front counts failures in some way."""
    waiting: list[list[list[Any]]] = [[], []]
    for _ in range(35):
        new = []
        for place, (model, share) in enumerate(zip(models, (675, 75), strict=True)):
            answers, outcomes = [], []
            for _ in range(rng.poisson(share)):
                status = int(rng.choice(model["fails_with"])) if rng.random() < model["errors"] else 200
                status = 422 if status == 200 and rng.random() < model.get("refused", 0) else status
                status = 0 if rng.random() < model.get("broken", 0) else status
                if (how := failed(status)) is not None:
                    answers.append([how, model["median"] * np.exp(0.4 * rng.standard_normal())])
                if status == 200:
                    told = 1 / (1 + np.exp(1.1 - 1.2 * rng.standard_normal()))
                    outcomes.append([min(max(told, 0.01), 0.99), bool(rng.random() < told)])
            new.append({"answers": answers, "outcomes": waiting[place]})
            waiting[place] = outcomes
        if said := judge.look(*new):
            return str(said)
    return ""


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_a_candidate_that_fails_as_often_in_another_way_is_promoted_by_who_counts_right(solution: str) -> None:
    canaries, judge, rng = loaded("25", "canaries"), program(f"solution/{solution}"), np.random.default_rng(11)
    good = canaries.as_good(0.075)
    bad = canaries.STABLE, canaries.STABLE | {"errors": 0.09}
    found = {
        (name, what): {live(judge(), models, way, rng) for _ in range(4)}
        for name, way in WAYS.items()
        for what, models in (("good", good), ("errors", bad))
    }
    assert found == {
        ("right", "good"): {"promote"}, ("right", "errors"): {"take back"},
        ("no answer is not counted", "good"): {"take back"}, ("no answer is not counted", "errors"): {"take back"},
        ("refused is failed", "good"): {"take back"}, ("refused is failed", "errors"): {"take back"},
        ("500 alone", "good"): {"promote"}, ("500 alone", "errors"): {"promote"},
    }  # fmt: skip


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_what_a_canary_of_before_did_is_seen_if_its_judge_goes_on(solution: str) -> None:
    canaries, rng = loaded("25", "canaries"), np.random.default_rng(12)
    good, judge = canaries.as_good(0.075), program(f"solution/{solution}")()
    share = int(canaries.BEFORE * 0.09)
    before = (
        {"answers": [[False, 0.03]] * 9 * share, "outcomes": []},
        {"answers": [[True, 0.03]] * share, "outcomes": []},
    )
    assert judge.look(*before) is None
    assert live(judge, good, WAYS["right"], rng) == "take back"


class Played:
    """A stage with requests that come as is told, and a lab whose time they take."""

    def __init__(self, ends: float, *, says: float, verdict: str = "promoted", asked: bool = False) -> None:
        self.ends, self.says, self.verdict, self.asked = ends, says, verdict, asked
        self.now, self.calls = 0.0, 0

    async def look(self, *, fresh: bool = False) -> Any:
        to_stable = min(self.now, self.ends) if self.verdict == "promoted" else self.now
        rest = max(self.now - self.ends, 0.0) if self.verdict == "promoted" else min(self.now, self.ends) / 9
        return {"counts": {"stable": round(135 * to_stable), "candidate": round(15 * to_stable + 150 * rest)}}

    async def state(self, lab: Any) -> str:
        self.calls += 1
        if self.asked and self.says > self.now:
            self.ends = self.says = self.now
        return self.verdict if self.now >= self.says else "running"

    async def pause(self, seconds: float) -> None:
        self.now += seconds

    async def eventually(self, look: Any, test: Any, *, within: float, every: float, **more: Any) -> Any:
        end = self.now + within
        while not (done := test(seen := await look())) and self.now <= end:
            self.now += every
        return loaded("25").Observation(done, "", "", seen)


@pytest.mark.parametrize(
    ("ends", "says", "asked", "shown"),
    [
        (60.0, 55.0, False, "promoted"), (185.0, 179.0, False, "promoted"), (999.0, 999.0, False, ""),
        (999.0, 55.0, False, ""),  # it only says so
        (999.0, 999.0, True, ""),  # it looks when it is asked
    ],
)  # fmt: skip
def test_nobody_asks_for_a_good_canary_before_its_requests_show_an_end(
    ends: float, says: float, asked: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries, stage = loaded("25", "canaries"), Played(ends, says=says, asked=asked)
    lab = made_up_lab("25", time=stage)
    monkeypatch.setattr(canaries, "state", stage.state)
    assert asyncio.run(canaries._shown(lab, stage, 180.0)) == shown
    assert stage.calls == bool(shown)


def test_nothing_is_decided_without_outcomes(lab25: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, lab = loaded("25", "scenario"), made_up_lab("25")
    for said, after, ok in (
        ("running", 60, True), ("taken back", 60, False), ("promoted", 109, False), ("taken back", 116, True),
        ("no state (status 503)", 60, True),
    ):  # fmt: skip

        async def state(lab: Any, said: str = said) -> str:
            return said

        monkeypatch.setattr(scenario, "state", state)
        assert asyncio.run(scenario.still_open(lab, time.monotonic() - after)).ok is ok


@pytest.mark.parametrize(
    ("said", "after", "now", "ok"),
    [
        ("running", 60, {"a": ["stable"], "b": ["candidate"]}, True),
        ("running", 60, {"a": ["stable"], "b": ["stable"]}, False),
        ("taken back", 60, {"a": ["stable"], "b": ["stable"]}, False),
        ("taken back", 130, {"a": ["stable"], "b": ["stable"]}, True),  # pods may take a minute to be ready
        ("taken back", 130, {"a": ["candidate"], "b": ["stable"]}, False),
        ("taken back", 130, {"a": ["stable"], "b": [""]}, False),
        ("running", 130, {"a": ["stable"], "b": ["stable"]}, False),
    ],
)
def test_users_keep_their_model_while_the_canary_goes_on(
    said: str, after: float, now: dict[str, list[str]], ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = loaded("25", "scenario")

    async def both(*given: Any, **more: Any) -> list[str]:
        return ["x", "y"]

    async def state(lab: Any) -> str:
        return said

    class Asked(Pods):
        async def send(self, targets: Any, **how: Any) -> None: ...

        async def done(self, **more: Any) -> Any:
            return {"homes": now}

    monkeypatch.setattr(scenario, "each_of_them", both)
    monkeypatch.setattr(scenario, "state", state)
    homes = {"a": "stable", "b": "candidate"}
    seen = asyncio.run(scenario._again(made_up_lab("25"), Asked(), homes, "then", time.monotonic() - after))
    assert seen.ok is ok


def test_all_pods_are_replaced_also_those_that_nobody_makes_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, killed = loaded("25", "scenario"), list[str]()

    def pod(name: str, phase: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": name}, "status": {"phase": phase}}

    class There(NothingThere):
        async def all(self, kind: str, selector: str = "") -> list[Any]:
            found = [
                pod("front", "Running"),
                pod("alone", "Running"),
                pod("comes", "Pending"),
                pod("done", "Succeeded"),
            ]
            return [each for each in found if each["metadata"]["name"] not in killed]

        async def kill(self, name: str, grace: int | None = None) -> None:
            killed.append(name)

    async def state(lab: Any) -> str:
        return "running"

    async def both(*given: Any, **more: Any) -> list[str]:
        return ["x", "y"]

    monkeypatch.setattr(scenario, "state", state)
    monkeypatch.setattr(scenario, "each_of_them", both)
    asyncio.run(scenario.replaced(made_up_lab("25", objects=There())))
    assert sorted(killed) == ["alone", "comes", "front"]


# The canary's interface


def answers(status: int, body: bytes) -> Any:
    async def get(*given: Any, **more: Any) -> Answer:
        return Answer(status, {}, body, 0.1, "", "")

    return NoTraffic(get=get, put=get)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, b'{"state": "taken back", "more": 1}', "taken back"), (200, b'{"state": "done"}', "no state"),
        (200, b'{"state": ["promoted"]}', "no state"), (200, b"[1]", "no state"),
        (503, b'{"state": "none"}', "no state"),
        (0, b"", "no state"), (200, b'{"state": NaN}', "no state"), (200, b"\xff" * 9, "no state"),
    ],
)  # fmt: skip
def test_whatever_is_said_of_a_canary_is_a_state_or_none(lab25: Any, status: int, body: bytes, state: str) -> None:
    assert asyncio.run(lab25.state(made_up_lab("25", traffic=answers(status, body)))).startswith(state)


@pytest.mark.parametrize("status", [0, 404, 500])
def test_a_canary_that_is_not_taken_is_the_learners_failure(lab25: Any, status: int) -> None:
    with pytest.raises(Failure, match="PUT /canary"):
        asyncio.run(lab25.put(made_up_lab("25", traffic=answers(status, b"")), "a", "b"))


class Slices(NothingThere):
    """A Service whose pods' addresses are in slices."""

    def __init__(self, *ends: tuple[str, bool | None], leaving: str = "") -> None:
        self.ends, self.leaving = ends, leaving

    async def service(self, name: str) -> Any:
        return {"spec": {"ports": [{"name": "web", "port": 80}, {"name": "other", "port": 81}]}}

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        if kind == "Pod":
            return [{"metadata": {"deletionTimestamp": "now"}, "status": {"podIP": self.leaving}}]
        ends = [{"addresses": [address], "conditions": {"ready": ready}} for address, ready in self.ends]
        return [{"ports": [{"name": "other", "port": 9}, {"name": "web", "port": 8080}], "endpoints": ends}]


def test_two_that_are_ready_are_behind_the_service(lab25: Any) -> None:
    found = asyncio.run(
        lab25.each_of_them(made_up_lab("25", objects=Slices(("10.0.0.1", True), ("10.0.0.2", None))), within=1)
    )
    assert found == ["10.0.0.1:8080", "10.0.0.2:8080"]
    for slices in (
        Slices(("10.0.0.1", True), ("10.0.0.2", False)), Slices(("10.0.0.1", True)),
        Slices(("10.0.0.1", True), ("10.0.0.2", True), leaving="10.0.0.2"),
    ):  # fmt: skip
        with pytest.raises(Failure, match="2 ready pods"):
            asyncio.run(lab25.each_of_them(made_up_lab("25", objects=slices), within=1))


class Pods:
    """A stage whose pods answer as is told; what they were asked."""

    names = {"stable": "one", "candidate": "other"}  # noqa: RUF012

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers, self.asked, self.state = answers, list[str](), "none"

    async def call(self, calls: Any) -> list[tuple[int, str]]:
        found = []
        for method, target, _, body in calls:
            self.asked.append(f"{method} {target}")
            if method == "PUT":
                self.state = "running" if body["candidate"] else "none"
            found.append(self.answers.get(method, (200, json.dumps({"state": self.state}))))
        return found


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, ""),
        ({"PUT": (409, "busy")}, "a: status 409 busy"),
        ({"POST": (500, "no canary")}, "a: status 500 no canary; b: status 500 no canary"),
        ({"GET": (200, '{"state": "promoted"}')}, "2 promoted"),
        ({"GET": (200, "[" * 9000)}, "2 no state (status 200 [["),
        ({"GET": (0, "ConnectionRefusedError")}, "2 no state (status 0 ConnectionRefusedError)"),
    ],
)
def test_each_pod_does_all_of_the_interface(
    answers: dict[str, tuple[int, str]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = loaded("25", "everywhere")

    async def both(*given: Any, **more: Any) -> list[str]:
        return ["a", "b"]

    monkeypatch.setattr(everywhere, "each_of_them", both)
    monkeypatch.setattr(everywhere, "SETTLES", 0)
    monkeypatch.setattr(everywhere, "PUT_WITHIN", 0)
    stage = Pods(**answers)
    seen = asyncio.run(everywhere.taken_at_each(made_up_lab("25"), stage))
    assert seen.ok is not bool(said)
    assert said in seen.seen
    if not said:
        assert [each for each in stage.asked if "PUT" in each] == ["PUT a", "PUT a", "PUT b", "PUT b"]
        assert asyncio.run(everywhere.one_for_another(made_up_lab("25"), stage)).ok


class Forgetful(Pods):
    """A stage whose canary is taken back without outcomes, some seconds after its judge's pod has begun."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience, self.now, self.born, self.count = patience, 0.0, 0.0, 0

    async def behave(self, *given: Any) -> None: ...

    async def send(self, targets: Any, *, rate: float, count: int = 0, **how: Any) -> None:
        self.now, self.count = self.now + count / rate, count

    async def done(self, **more: Any) -> Any:
        by = {"candidate": self.count // 10, "stable": self.count - self.count // 10}
        by = by if self.count > 1000 else {"stable": self.count}  # without a canary
        seen = {"sent": self.count, "wanted": self.count, "unlike": 0, "examples": [], "seconds": 1.0}
        return seen | {"by": by, "users": {}, "homes": {}}

    async def stop(self) -> None: ...

    async def pause(self, seconds: float) -> None:
        self.now += seconds

    async def begins(self, *given: Any) -> Any:
        self.born = self.now
        return SimpleNamespace(ok=True)

    async def replaced(self, *given: Any) -> None:
        self.born = self.now

    async def says(self, *given: Any) -> str:
        return "taken back" if self.now - self.born > self.patience else "running"


@pytest.mark.parametrize(("patience", "ok"), [(66.0, False), (120.0, True)])
def test_a_judge_that_counts_its_pods_own_minute_is_found(
    patience: float, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, stage = loaded("25", "scenario"), Forgetful(patience)

    @contextlib.asynccontextmanager
    async def staged(*given: Any) -> AsyncIterator[Any]:
        yield stage

    async def both(*given: Any, **more: Any) -> list[str]:
        return ["x", "y"]

    for name, what in {
        "staged": staged, "each_of_them": both, "service_address": both, "put": stage.begins, "state": stage.says,
        "taken_at_each": stage.begins, "one_for_another": stage.begins, "replaced": stage.replaced,
        "time": SimpleNamespace(monotonic=lambda: stage.now),
    }.items():  # fmt: skip
        monkeypatch.setattr(scenario, name, what)
    seen = asyncio.run(scenario.users(made_up_lab("25", time=stage)))
    assert seen.undecided.ok is ok


@pytest.mark.parametrize(
    ("verdict", "state", "by", "ok"),
    [
        ("promoted", "promoted", {"candidate": 80}, True),
        ("promoted", "promoted", {"candidate": 77, "": 3}, True),
        ("promoted", "promoted", {"candidate": 79, "stable": 1}, False),
        ("promoted", "promoted", {"": 80}, False),
        ("promoted", "running", {"candidate": 80}, False),
        ("taken back", "taken back", {"stable": 80}, True),
        ("taken back", "taken back", {"stable": 72, "candidate": 8}, False),
        ("taken back", "running", {"stable": 80}, False),
    ],
)
def test_a_verdict_outlives_the_pods(
    verdict: str, state: str, by: dict[str, int], ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries, done = loaded("25", "canaries"), list[str]()

    async def replaced(lab: Any) -> None:
        done.append("replaced")

    async def says_everywhere(lab: Any, stage: Any, wanted: str) -> Any:
        return canaries.Observation(state == wanted, wanted, state)

    async def address(*given: Any, **more: Any) -> Any:
        return []

    class Asked(Pods):
        async def send(self, targets: Any, **how: Any) -> None: ...

        async def done(self) -> Any:
            return {"by": by}

    for name, what in {
        "replaced": replaced, "says_everywhere": says_everywhere, "service_address": address, "each_of_them": address,
    }.items():  # fmt: skip
        monkeypatch.setattr(canaries, name, what)
    seen = asyncio.run(canaries.outlives(made_up_lab("25"), Asked(), verdict))
    assert (seen.ok, done) == (ok, ["replaced"])


@pytest.mark.parametrize("verdict", ["promoted", "taken back"])
@pytest.mark.parametrize("begins", [True, False])
def test_a_canary_with_the_names_of_one_that_is_over_begins(
    verdict: str, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries, sent = loaded("25", "canaries"), list[Any]()

    async def put(lab: Any, stable: str, candidate: str) -> None:
        sent.append((stable, candidate))

    async def says_everywhere(lab: Any, stage: Any, wanted: str, when: str) -> Any:
        return canaries.Observation(begins, f"{wanted}{when}", wanted if begins else verdict)

    for name, what in {"put": put, "says_everywhere": says_everywhere}.items():
        monkeypatch.setattr(canaries, name, what)
    stage = SimpleNamespace(names={"stable": "a", "candidate": "b"})
    seen = asyncio.run(canaries.begins_again(made_up_lab("25"), stage, verdict))
    assert (seen.ok, sent) == (begins, [("a", "b")])
    assert seen.expected == f"running after the PUT of a candidate that was {verdict}"


@pytest.mark.parametrize(
    ("verdict", "stays", "tried"),
    [("promoted", True, ["promoted"]), ("promoted", False, []), ("taken back", True, []), ("running", True, [])],
)
def test_a_good_canary_is_sent_once_more_when_its_end_has_outlived_the_pods(
    verdict: str, stays: bool, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries, lab, found = loaded("25", "canaries"), made_up_lab("25"), list[str]()

    @contextlib.asynccontextmanager
    async def staged(*given: Any) -> AsyncIterator[None]:
        yield None

    async def one(lab: Any, stage: Any, kind: str, *given: Any) -> Any:
        return [canaries.Canary(kind, verdict=verdict, after={"candidate": 9, "stable": 0})]

    async def outlives(*given: Any) -> Any:
        return canaries.Observation(stays, "", "")

    async def begins_again(lab: Any, stage: Any, verdict: str) -> Any:
        found.append(verdict)
        return canaries.Observation(True, "", "")

    async def once(story: Any) -> Any:
        return {}

    for name, what in {"staged": staged, "_tried": one, "outlives": outlives, "begins_again": begins_again}.items():
        monkeypatch.setattr(canaries, name, what)
    lab.once = once  # type: ignore[method-assign,assignment]
    (seen,) = asyncio.run(canaries.good(lab))
    assert (found, seen.again.ok) == (tried, bool(tried))


def test_the_good_candidate_has_no_place_of_its_own(lab25: Any) -> None:
    places = set()
    for seed in range(40):
        lab = made_up_lab("25")
        lab.seed = seed
        first, then = lab25.in_order(lab)
        assert sorted((*first, *then)) == sorted(lab25.WORSE)
        places.add(len(first))
        assert lab25.taken_over(lab) == then[-1] != lab25.remembered(lab)
    assert places == {0, 1, 2}


@pytest.mark.parametrize(
    ("took", "blind", "before", "some", "every"),
    [
        (25.0, 0, 2, 2, 3),
        (130.0, 0, 1, 1, 3),  # else the check that the good one is for took more than ten minutes
        (130.0, 1, 1, 2, 3),
        (130.0, 3, 1, 3, 3),
        (180.0, None, 1, 1, 1),
    ],
)
def test_the_good_candidate_waits_for_few_bad_ones_of_a_slow_judge(
    took: float, blind: int | None, before: int, some: int, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With judges that promote the first `blind` bad candidates; None has no end for any."""
    canaries, lab, tried, known = loaded("25", "canaries"), made_up_lab("25"), list[str](), dict[Any, Any]()
    lab.seed = next(seed for seed in itertools.count() if len(in_order_of(canaries, seed)) == 2)

    @contextlib.asynccontextmanager
    async def staged(*given: Any) -> AsyncIterator[None]:
        yield None

    async def one(lab: Any, stage: Any, kind: str, *given: Any) -> Any:
        tried.append(kind)
        end = "running" if blind is None else "promoted" if len(tried) <= blind else "taken back"
        return [canaries.Canary(kind, verdict=end, took=took)]

    async def outlives(*given: Any) -> Any:
        return canaries.NOT_YET

    async def once(story: Any) -> Any:
        if story not in known:
            known[story] = await story(lab)
        return known[story]

    for name, what in {"staged": staged, "_tried": one, "outlives": outlives}.items():
        monkeypatch.setattr(canaries, name, what)
    lab.once = once  # type: ignore[method-assign,assignment]
    stories = canaries.before, canaries.some_bad, canaries.bad
    assert [len(asyncio.run(once(story))) for story in stories] == [before, some, every]
    assert len(tried) == every


def in_order_of(canaries: Any, seed: int) -> list[str]:
    """The bad candidates that a seed has before the good one."""
    lab = made_up_lab("25")
    lab.seed = seed
    return list(canaries.in_order(lab)[0])


def test_a_bad_candidate_gets_its_share_and_no_more(lab25: Any) -> None:
    for harmed, ok in ((100, True), (160, True), (161, False)):
        assert lab25.harm(lab25.Canary("errors", sent=1000, harmed=harmed)).ok is ok


def promotes(lab25: Any, good: str, *bad: str, again: bool = True) -> str:
    """What `promotes_a_good_one` expects and does not see, where the canaries have these ends."""
    lab = made_up_lab("25")
    own, begins = lab25.Observation(True, "as the models said", "they are"), lab25.Observation(again, "it begins", "")
    after = {"candidate": 9, "stable": 0}

    async def once(story: Any) -> Any:
        if story.__name__ == "good":
            return [lab25.Canary("good", verdict=good, after=after, own=own, stays=own, again=begins)]
        return {str(number): [lab25.Canary("bad", verdict=verdict)] for number, verdict in enumerate(bad)}

    lab.once = once  # type: ignore[method-assign,assignment]
    try:
        asyncio.run(lab25.promotes_a_good_one.run(lab))
    except Failure as failed:
        return failed.expected
    return ""


def test_who_promotes_whatever_comes_has_promoted_no_good_one(lab25: Any) -> None:
    assert promotes(lab25, "promoted", "promoted", "taken back", "promoted") == ""
    assert "one at least" in promotes(lab25, "promoted", "promoted", "promoted", "promoted")
    assert promotes(lab25, "taken back", "taken back") == "promoted (good)"
    assert promotes(lab25, "promoted", "taken back", again=False) == "it begins"


@pytest.mark.parametrize(
    ("verdict", "why"), [("promoted", "wrong"), ("running", "late"), ("no state (status 500)", "late")]
)
def test_a_wrong_end_and_none_are_told_apart(lab25: Any, verdict: str, why: str) -> None:
    with pytest.raises(Failure) as failed:
        lab25.decided(lab25.Canary("errors", verdict=verdict, took=180), "taken back", "wrong", "late")
    assert failed.value.why == why


def test_the_first_model_serves_again_also_after_who_breaks_off() -> None:
    checker, done = loaded("25", "stage"), list[Any]()

    async def ask(*given: Any, **more: Any) -> Any:
        return {}

    async def answered(*given: Any, **more: Any) -> Any:
        return SimpleNamespace(status=200)

    async def put(service: str, path: str, body: Any, **more: Any) -> None:
        done.append((service, path, body))

    async def now() -> Any:
        return {"kind": "Service"}

    @contextlib.asynccontextmanager
    async def talk(*given: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(ask=ask)

    @contextlib.asynccontextmanager
    async def pod(*given: Any, **more: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(talk=talk, address="10.0.0.9")

    lab = made_up_lab(
        "25", programs=Room(pod=pod), traffic=Room(first_answer=answered, put=put),
        objects=NothingThere(named=lambda *given: SimpleNamespace(now=now)),
    )  # fmt: skip

    async def play() -> None:
        async with checker.staged(lab, "users"):
            task = asyncio.current_task()
            assert task is not None and task.cancel()
            await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(play())
    assert done == [("model", "/canary", {"stable": checker.FIRST, "candidate": None})]


def _scaled(kind: str, name: str, least: int, **behavior: Any) -> Any:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return {"metadata": {"name": name}, "spec": {"scaleTargetRef": target, "minReplicas": least, "behavior": behavior}}


@pytest.mark.parametrize(
    ("fronts", "scaled", "right"),
    [
        ({"front": 2}, [], True),
        ({"front": 2}, [_scaled("Deployment", "front", 2)], True),
        ({"front": 2}, [_scaled("Deployment", "judge", 1)], True),
        ({"front": 2}, [_scaled("Deployment", "front", 1)], False),
        ({"front": 3}, [_scaled("Deployment", "front", 1, scaleDown={"selectPolicy": "Disabled"})], True),
        ({"front": 1, "more": 1}, [_scaled("Deployment", "front", 1)], True),
    ],
)
def test_an_autoscaler_leaves_two_pods_behind_the_service(
    lab25: Any, fronts: dict[str, int], scaled: list[Any], right: bool
) -> None:
    def made(name: str, replicas: int, app: str) -> Any:
        template = {"metadata": {"labels": {"app": app, "of": name}}}
        return {"metadata": {"name": name}, "spec": {"replicas": replicas, "template": template}}

    there = {
        "Deployment": [made("judge", 1, "judge"), *(made(name, pods, "model") for name, pods in fronts.items())],
        "HorizontalPodAutoscaler": scaled,
    }

    async def every(kind: str, selector: str = "") -> list[Any]:
        return there.get(kind, [])

    async def service(name: str) -> Any:
        return {"spec": {"selector": {"app": "model"}}}

    made_up = made_up_lab("25", objects=NothingThere(all=every, service=service))
    assert asyncio.run(lab25.none_leaves_fewer(made_up)).ok is right
