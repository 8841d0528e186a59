"""The run of checks: each verdict reached, order and exclusiveness, and whose fault a failure is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Check, Result, Verdict, at_most, current, expect, observe, run
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.run import run_checks
from tests.made_up import NothingThere, made_up_lab

Body = Callable[[Any], Awaitable[None]]


def made(name: str, body: Body, needs: Sequence[Check] = (), owns: str = "") -> Check:
    return Check(name, f"{name} does its part.", body, 2, tuple(needs), (), owns)


async def passes(lab: Any) -> None:
    await asyncio.sleep(0)


async def fails(lab: Any) -> None:
    raise Failure("two pods", "one pod", "no HPA")


async def breaks(lab: Any) -> None:
    raise LabError("Prometheus does not answer", "lab status", "connection refused")


async def is_buggy(lab: Any) -> None:
    raise ZeroDivisionError("oops")


def results(checks: Sequence[Check], **options: Any) -> list[Result]:
    return asyncio.run(run_checks(None, checks, **options))


def verdicts(checks: Sequence[Check], **options: Any) -> list[Verdict]:
    return [result.verdict for result in results(checks, **options)]


def test_a_pass_earns_its_points_and_a_failure_explains() -> None:
    good, bad = results([made("good", passes), made("bad", fails)])
    assert (good.verdict, good.earned) == (Verdict.PASS, 2)
    assert (bad.verdict, bad.earned) == (Verdict.FAIL, 0)
    assert (bad.expected, bad.seen, bad.why) == ("two pods", "one pod", "no HPA")


def test_what_no_terminal_can_print_is_replaced_in_the_report() -> None:
    async def strange(lab: Any) -> None:
        raise Unmet(Observation(False, "v1", "\ud800", evidence=("a \udfff",)), "a \ud800")

    (found,) = results([made("strange", strange)])
    assert (found.expected, found.seen, found.why, found.evidence) == ("v1", "?", "a ?", ("a ?",))


def test_environment_and_bugs_are_errors_never_failures() -> None:
    trouble, bug = results([made("trouble", breaks), made("bug", is_buggy)])
    assert (trouble.verdict, bug.verdict) == (Verdict.ERROR, Verdict.ERROR)
    assert "Prometheus does not answer; lab status" in trouble.why
    assert trouble.evidence == ("connection refused",)
    assert "ZeroDivisionError: oops" in bug.why
    assert any("is_buggy" in line for line in bug.evidence)


def test_what_needs_a_failed_check_is_blocked_and_never_runs() -> None:
    ran = []

    async def records(lab: Any) -> None:
        ran.append(1)

    first = made("first", fails)
    second = made("second", records, [first])
    third = made("third", records, [second])
    assert verdicts([first, second, third]) == [Verdict.FAIL, Verdict.BLOCKED, Verdict.BLOCKED]
    assert ran == []


def test_what_needs_an_errored_check_is_an_error_too() -> None:
    first = made("first", breaks)
    assert verdicts([first, made("second", passes, [first])]) == [Verdict.ERROR, Verdict.ERROR]


def test_an_unwell_cluster_makes_every_verdict_an_error() -> None:
    found = results([made("good", passes), made("bad", fails)], environment=lambda: ["node worker is not Ready"])
    assert [each.verdict for each in found] == [Verdict.ERROR, Verdict.ERROR]
    assert found[0].why == "node worker is not Ready"


def test_an_api_server_that_does_not_answer_makes_every_verdict_an_error() -> None:
    def away() -> list[str]:
        raise LabError("the API server does not answer", "lab status")

    assert verdicts([made("good", passes)], environment=away) == [Verdict.ERROR]


def test_a_failure_on_a_cluster_that_broke_meanwhile_is_an_error() -> None:
    answers = iter([[], ["DNS is down"]])
    (found,) = results([made("bad", fails)], environment=lambda: next(answers))
    assert found.verdict is Verdict.ERROR
    assert "DNS is down" in found.why


def test_a_failure_on_a_healthy_cluster_stays_a_failure() -> None:
    assert verdicts([made("bad", fails)], environment=list) == [Verdict.FAIL]


@pytest.mark.parametrize("when", [1, 2])
def test_a_bug_in_the_look_at_the_environment_is_an_error_and_costs_no_other_result(when: int) -> None:
    looks = iter(range(1, 9))

    def environment() -> list[str]:
        if next(looks) == when:
            raise KeyError("cpu")
        return []

    good, bad = results([made("good", passes), made("bad", fails)], environment=environment)
    assert good.verdict is (Verdict.ERROR if when == 1 else Verdict.PASS)
    assert (bad.verdict, "the checker itself failed: KeyError: 'cpu'" in bad.why) == (Verdict.ERROR, True)


def test_a_failure_stands_where_its_events_cannot_be_told() -> None:
    lab = made_up_lab(objects=NothingThere())
    (found,) = asyncio.run(run_checks(lab, [made("bad", fails)]))
    assert (found.verdict, found.trace["events"]) == (Verdict.FAIL, [])


def test_whatever_else_breaks_in_a_judgement_is_that_checks_error() -> None:
    class Picky(run.Silent):
        def started(self, check: Check) -> None:
            if check.name == "bad":
                raise ValueError("no such line")

    good, bad = results([made("good", passes), made("bad", passes)], listener=Picky())
    assert (good.verdict, bad.verdict) == (Verdict.PASS, Verdict.ERROR)
    assert "ValueError: no such line" in bad.why and bad.evidence


def test_independent_checks_run_side_by_side_and_owners_alone_in_order() -> None:
    inside: list[str] = []
    seen: dict[str, list[str]] = {}

    def body(name: str) -> Body:
        async def work(lab: Any) -> None:
            inside.append(name)
            await asyncio.sleep(0.02)
            seen[name] = list(inside)
            await asyncio.sleep(0.02)
            inside.remove(name)

        return work

    names = [("a", ""), ("load", "model"), ("b", ""), ("fault", "model")]
    assert set(verdicts([made(name, body(name), owns=owns) for name, owns in names])) == {Verdict.PASS}
    assert sorted(seen["a"]) == ["a", "b"]
    assert seen["load"] == ["load"]
    assert seen["fault"] == ["fault"]
    assert list(seen).index("load") < list(seen).index("fault")


def test_an_owner_that_is_blocked_lets_the_next_one_run() -> None:
    first = made("first", fails)
    blocked = made("blocked", passes, [first], owns="model")
    assert verdicts([first, blocked, made("next", passes, owns="model")])[2] is Verdict.PASS


def test_what_has_no_verdict_when_time_is_up_is_waiting_with_what_it_saw() -> None:
    async def waits(lab: Any) -> None:
        current.say("Deployment model: readyReplicas 1", 42)
        await asyncio.sleep(30)

    quick, slow = results([made("quick", passes), made("slow", waits)], within=0.2)
    assert quick.verdict is Verdict.PASS
    assert (slow.verdict, slow.seen, slow.why) == (
        Verdict.WAITING,
        "Deployment model: readyReplicas 1",
        "42 s were left",
    )


def test_a_check_without_end_is_the_checkers_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CHECK_LIMIT", 0.05)

    async def hangs(lab: Any) -> None:
        await asyncio.sleep(30)

    (found,) = results([made("hangs", hangs)])
    assert (found.verdict, found.why) == (Verdict.ERROR, "the check did not end within 0.05 s")


def test_waiting_is_told_apart_from_the_checks_own_time() -> None:
    async def waits(lab: Any) -> None:
        with current.waits(), current.waits():
            await asyncio.sleep(0.1)

    (found,) = results([made("waits", waits)])
    assert found.waited == pytest.approx(0.1, abs=0.05)
    assert found.seconds - found.waited < 0.05


def test_listeners_hear_starts_waits_and_ends() -> None:
    heard: list[str] = []

    class Ear:
        def started(self, check: Check) -> None:
            heard.append(f"{check.name} starts")

        def waiting(self, check: Check, state: str, left: float) -> None:
            heard.append(f"{check.name} waits: {state}, {left:g} s")

        def finished(self, result: Result) -> None:
            heard.append(f"{result.check} {result.verdict}")

    async def waits(lab: Any) -> None:
        current.say("1 pod", 5)

    results([made("one", waits)], listener=Ear())
    assert heard == ["one starts", "one waits: 1 pod, 5 s", "one pass"]


def test_a_pass_reports_what_it_saw() -> None:
    async def looks(lab: Any) -> None:
        expect(observe("failed requests", 0, at_most(0))).because("never shown")
        expect(observe("p99", 0.031, at_most(1), unit="s")).because("never shown")

    (found,) = results([made("looks", looks)])
    assert found.seen == "failed requests: 0; p99: 0.031 s"


def test_what_a_check_had_no_answer_from_in_time_is_not_the_checks_own_limit() -> None:
    async def unanswered(lab: Any) -> None:
        raise TimeoutError("no banner came")

    (found,) = results([made("unanswered", unanswered)])
    assert found.verdict is Verdict.ERROR
    assert "TimeoutError: no banner came" in found.why and any("unanswered" in line for line in found.evidence)


def test_a_lab_knows_which_checks_are_of_this_run() -> None:
    known: list[bool] = []

    async def asks(lab: Any) -> None:
        known.extend([lab.runs(other, first), lab.runs(other)])

    first, other = made("first", asks), made("other", passes)
    asyncio.run(run_checks(made_up_lab(), [first]))
    assert known == [True, False]
