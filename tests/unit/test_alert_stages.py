"""Lab 17: what the checker reads of logs and messages, and how its stages wait for each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import LabError
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, made_up_lab

checks, notifications = loaded("17"), loaded("17", "notifications")


def test_a_complaint_is_told_without_the_folder_that_a_configmap_lies_in() -> None:
    line = 'ts=1 level=error msg="x" err="parsing \\"/etc/p/..2026_01_01_10.5/rules.yaml\\": unclosed left parenthesis"'
    assert checks.complaint(line) == 'parsing "/etc/p/rules.yaml": unclosed left parenthesis'


def pod(name: str, made: str, restarts: int, ready: bool = False) -> dict[str, Any]:
    states = [{"restartCount": restarts, "ready": ready}]
    return {"metadata": {"name": name, "creationTimestamp": made}, "status": {"containerStatuses": states}}


def test_a_container_that_was_started_three_times_ends_again_and_again() -> None:
    assert checks.ends_again([pod("a", "1", 2)])
    assert not checks.ends_again([pod("a", "1", 1), pod("b", "2", 5, ready=True), {"metadata": {}}])


def test_the_newest_pod_complains_of_its_run_before_or_else_of_this_one() -> None:
    asked: list[tuple[str, bool]] = []

    async def logs(name: str, *, tail: int, previous: bool) -> str:
        asked.append((name, previous))
        if previous:
            raise LabError("no previous container", "")
        return "started\nlevel=error err=bad\n"

    lab = made_up_lab("17", objects=NothingThere(logs=logs))
    assert asyncio.run(checks.complaints(lab, [pod("old", "1", 0), pod("new", "2", 0)])) == ("bad",)
    assert asked == [("new", True), ("new", False)]
    assert asyncio.run(checks.complaints(lab, [])) == ()


def test_a_rule_file_is_made_of_what_prometheus_has_loaded() -> None:
    recording = {"type": "recording", "name": "a:b", "query": "sum(x)"}
    alerting = {"type": "alerting", "name": "A", "query": "a:b > 1", "duration": 30.0, "labels": {"severity": "info"}}
    assert checks.rule_file([{"name": "g", "rules": [recording, alerting]}]) == {
        "groups": [
            {
                "name": "0-g",
                "rules": [
                    {"record": "a:b", "expr": "sum(x)", "labels": {}},
                    {
                        "alert": "A",
                        "expr": "a:b > 1",
                        "labels": {"severity": "info"},
                        "annotations": {},
                        "for": "30s",
                        "keep_firing_for": "0s",
                    },
                ],
            }
        ]
    }


def test_where_an_alert_went_that_did_not_go_where_it_should() -> None:
    message = {"alerts": [{"status": "firing", "labels": {"severity": "critical"}}]}
    assert checks.Notifications().elsewhere("critical") == "it came to nobody"
    assert checks.Notifications(notes_all=[message]).elsewhere("critical") == "it came to the chat alone"


def rule(name: str, severity: str, **annotations: str) -> dict[str, Any]:
    labels = {"severity": severity, "service": "model", "share": "{{ $value }}"}
    return {"type": "alerting", "name": name, "query": "up", "labels": labels, "annotations": annotations}


def alert(name: str, severity: str, since: int = 40, lasted: int = 60, **more: str) -> Any:
    labels = {"alertname": name, "severity": severity, "service": "model", "share": str(since), **more}
    return checks.day.Fired(labels, since, lasted)


WHOLE = {"summary": "it is slow", "runbook_url": "https://runbooks.example.org/slow"}
GROUPS = [{"rules": [rule("Slow", "warning", **WHOLE), rule("Errors", "critical", **WHOLE)]},
          {"rules": [rule("Bare", "warning", summary=" "), rule("Down", "critical", **WHOLE)]}]  # fmt: skip
TRIALS = checks.Plan(random.Random(1)).trials


@pytest.mark.parametrize(
    ("fired", "said"),
    [
        ([alert("Slow", "warning")], None),
        ([alert("Slow", "warning"), alert("Slow", "warning", pod="b")], None),
        ([], "nothing new"),
        ([alert("Slow", "warning", 130)], "130 s"),
        ([alert("Slow", "warning"), alert("Errors", "critical")], "Errors fires with severity critical as well"),
        ([alert("Slow", "warning"), alert("Bare", "warning")], "Bare has no summary and no runbook_url"),
        ([alert("Slow", "warning", -20)], "it fired before, too"),
        ([alert("Slow", "warning", -20), alert("Slow", "warning", 30)], "it fired before, too"),
        ([alert("PodAway", "warning", -300), alert("Down", "critical", -900), alert("Slow", "warning")], None),
        ([alert("PodAway", "warning", -300), alert("Slow", "warning", 130)], "130 s"),
    ],
)
def test_the_alerts_of_slow_answers_are_judged(fired: list[Any], said: str | None) -> None:
    found = checks.wrong("slow", TRIALS["slow"], fired, GROUPS)
    assert (found and found[0]) == said


def test_an_alert_of_a_group_that_is_looked_at_seldom_is_late() -> None:
    groups = [{**GROUPS[0], "interval": 60.0}, GROUPS[1]]
    assert checks.wrong("slow", TRIALS["slow"], [alert("Slow", "warning", 70)], groups) is None
    assert checks.wrong("slow", TRIALS["slow"], [alert("Slow", "warning", 80)], groups)[0] == "130 s"


@pytest.mark.parametrize(
    ("fired", "fires_on"),
    [
        ([alert("Down", "critical", 40, 470)], ""),
        ([alert("Down", "critical", 40, 480)], "Down"),
        ([alert("Down", "critical", 40, 100), alert("Down", "critical", 370, 150)], "Down"),
        ([alert("Down", "critical", 40, 470), alert("DownForLong", "critical", 100, 360)], ""),
        ([alert("Down", "critical", 40, 480), alert("DownForLong", "critical", 300, 130)], "Down"),
        ([alert("Slow", "warning", 40, 420)], ""),
        ([alert("Down", "critical", -300, 900)], ""),
        ([], ""),
    ],
)
def test_an_alert_that_told_of_a_fault_in_time_has_ended_in_time_after_it(fired: list[Any], fires_on: str) -> None:
    said = [f"{TRIALS['gone'].what}: {fires_on} fires on"] if fires_on else []
    assert checks.lingering(TRIALS, {"gone": fired}) == said


@pytest.mark.parametrize("known", ["50.", "5[01].", "5[0-2].", "5[0-8].", "5[1-9].", "500|502|503|504", "50.|51[01]"])
def test_whoever_leaves_out_some_of_5xx_misses_a_fault_whatever_is_drawn(known: str) -> None:
    for seed in range(50):
        trials, seen = checks.Plan(random.Random(seed)).trials, list[float]()
        for moment in (trials[name].during for name in ("errors", "errors-few", "errors-all")):
            statuses = [moment.status, moment.also or moment.status]
            assert all(re.fullmatch("5..", each) for each in statuses)
            seen.append(moment.errors * sum(bool(re.fullmatch(known, each)) for each in statuses) / len(statuses))
        assert min(seen) < 0.05


def test_a_fault_is_over_after_six_minutes_and_slow_answers_by_day_after_more_than_an_hour() -> None:
    for name, trial in TRIALS.items():
        assert trial.lasts == (70 if name == "slow" else 6) * 60
        over = checks.LEAD + trial.lasts
        assert trial.moment(over) != trial.before == trial.moment(over + checks.STEP) == trial.moment(checks.LEAD)


def test_errors_may_have_a_warning_beside_the_critical_alert() -> None:
    fired = [alert("Errors", "critical"), alert("Bare", "warning")]
    assert checks.wrong("errors", TRIALS["errors"], fired, GROUPS) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"labels": {"severity": "none"}, "annotations": {}}, []),
        ({"labels": {"severity": "{{ $labels.how }}", "service": "model"}}, []),
        ({"labels": {"severity": "warning"}}, ["Slow has no service"]),
        ({"labels": {"severity": "warning"}, "query": "sum by (service) (x)"}, []),
        ({"labels": {"severity": "page", "service": "model"}}, ["Slow has severity page"]),
        ({"annotations": {"summary": "it is slow"}}, ["Slow has no runbook_url"]),
    ],
)
def test_each_alert_has_labels_and_annotations_also_one_that_never_fires(change: Any, said: list[str]) -> None:
    groups = [{"rules": [{**rule("Slow", "warning", **WHOLE), **change}]}]
    assert checks.unlabelled(groups, [{"pod": "a"}], {}) == said


def test_a_label_may_come_from_the_series_and_an_alert_that_fires_shows_it() -> None:
    groups = [{"rules": [{**rule("Slow", "warning", **WHOLE), "labels": {"severity": "warning"}}]}]
    fired = {"slow": [alert("Slow", "warning")], "slow-few": [alert("Slow", "warning", service="other")]}
    assert checks.unlabelled(groups, [{"service": "model"}], fired) == ["Slow fired with service other"]


def test_what_fires_for_errors_and_for_another_fault_must_not_bring_the_release_before() -> None:
    found = {
        "errors": [alert("Errors", "critical"), alert("Backs", "critical")],
        "gone": [alert("Backs", "critical", 50), alert("Down", "critical"), alert("Down", "critical")],
        "slow": [alert("Slow", "warning", pod="a"), alert("Slow", "warning", pod="b"), alert("Errors", "critical")],
    }
    labels = checks.no_reason_to_fall_back(TRIALS, found)
    said = [("Slow", "a"), ("Slow", "b"), ("Backs", None), ("Down", None)]
    assert [(each["alertname"], each.get("pod")) for each in labels] == said


def test_what_tells_nobody_may_bring_it_in_no_other_case_than_errors() -> None:
    found = {
        "normal": [alert("Starts", "none", pod="a"), alert("Starts", "none", pod="b"), alert("Slow", "warning")],
        "errors": [alert("Errors", "critical"), alert("Backs", "info")],
        "gone": [alert("Waits", "info"), alert("Old", "info", -300)],
    }
    labels = checks.no_reason_to_fall_back(TRIALS, found)
    assert [(each["alertname"], each.get("pod")) for each in labels] == [("Waits", None), ("Starts", "a")]
    for place in ("normal", "gone"):
        more = {**found, place: [*found[place], alert("Backs", "info")]}
        assert "Backs" in [each["alertname"] for each in checks.no_reason_to_fall_back(TRIALS, more)]


@pytest.mark.parametrize(("severity", "silent"), [("info", True), ("none", True), ("warning", False), ("", False)])
def test_what_tells_nobody_may_fire_on_a_normal_day(severity: str, silent: bool) -> None:
    lab, known = made_up_lab("17"), {"planned": checks.Plan(random.Random(1))}
    known["replayed"] = {"normal": [alert("Noise", severity)]}

    async def once(stage: Any) -> Any:
        return known[stage.__name__]

    lab.once = once  # type: ignore[method-assign,assignment]
    with contextlib.nullcontext() if silent else pytest.raises(Failure, match="no alert fires"):
        asyncio.run(checks.silent_through_a_normal_day.run(lab))


@pytest.mark.parametrize(("mistake", "hours"), [("", 24), ("falls_back_once", 24), ("routes_and_groups", 4)])
def test_what_fires_on_the_whole_day_may_bring_the_release_before(mistake: str, hours: int) -> None:
    lab17, asked = loaded("17"), list[int]()

    async def replay(lab: Any, hours: int) -> dict[str, Any]:
        asked.append(hours)
        return {}

    lab17.replay.replay = replay
    asyncio.run(lab17.replayed(made_up_lab("17", mistake=mistake)))
    assert asked == [hours]


ROUTES = """
route:
  receiver: chat
  routes:
    - receiver: pager
      matchers: [severity="critical"]
      routes:
        - matchers: [service="model"]
          mute_time_intervals: [night]
    - {receiver: chat, active_time_intervals: [office hours]}
"""


@pytest.mark.parametrize(
    ("original", "found"),
    [
        (ROUTES, ["mute_time_intervals night"]),
        (ROUTES.replace("night", "night, noon"), ["mute_time_intervals night noon"]),
        (ROUTES.replace("mute_time_intervals: [night]", "continue: true"), []),
        ("route: &a {receiver: pager, routes: [*a]}", []),
        ("route: [", []),
        ("route: 7", []),
        (None, []),
    ],
)
def test_the_pagers_routes_have_time_intervals_or_not(original: str | None, found: list[str]) -> None:
    async def get(service: str, path: str, *, port: int) -> Any:
        return SimpleNamespace(fields_if_any={"config": {"original": original}})

    lab = made_up_lab("17", traffic=NoTraffic(get=get))
    assert asyncio.run(notifications.asleep(lab, {"pager"})) == found


def test_with_many_requests_at_the_model_come_some_through_the_gateway() -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        words = [f"{url}/version", "48", "20", f"{url}/predict", '{"rows": []}']
        subprocess.run([sys.executable, "-c", loaded("17", "tracing").ASK, *words], check=True, timeout=30)
        server.shutdown()
    assert (asked.count("/version"), asked.count('{"rows": []}')) == (48, 8)


def test_all_signs_of_a_word_are_in_an_id() -> None:
    found = checks.strange_id(random.Random(1))
    assert found[0] == "-" and set(checks.SIGNS) <= set(found) and len(found) == 128


def test_ids_look_alike_or_are_quite_short() -> None:
    found = [loaded("17", "tracing").like("check.1a", number) for number in range(24)]
    assert {1, 2, 3, 4} < {len(each) for each in found} and "check.1a" not in found
    assert sum("check.1a" in each for each in found) >= 8


def test_the_gateways_own_log_has_the_line_that_is_asked_for() -> None:
    request = checks.Request("with an id", 200, answered=200, id="a.b")
    line = json.dumps({"request_id": "a.b", "status": 200})
    checks.compared(request, [line, "a warning of kubectl's"], [line, "GET /healthz was answered"])
    assert (request.logged, request.foreign) == (True, 0)
    checks.compared(request, [line, "POST /predict was answered"], ["POST /predict was answered", "request_id=a.b"])
    assert (request.logged, request.foreign) == (False, 1)
    assert request.of_gateway == 1
    came = json.dumps({"request_id": "a.b", "event": "received"})
    checks.compared(request, [line], [came, line, line.replace("a.b", "a.c")])
    assert (request.logged, request.of_gateway) == (True, 2)
    checks.compared(request, [line], [line.replace("200", '"200"')])
    assert not request.logged, "its status is a text"


class World:
    """An Alertmanager that tells of what is posted at once, and a responder that acts on one alert."""

    def __init__(self, acts_on: str, *, one_group: bool) -> None:
        self.acts_on, self.one_group, self.image = acts_on, one_group, "v2"
        self.boxes: dict[str, list[Any]] = {"pager": [], "chat": []}
        self.labels: list[dict[str, str]] = []

    async def post(self, lab: Any, alerts: list[Any]) -> None:
        new = [{**each, "status": "firing"} for each in alerts if each["labels"] not in self.labels]
        self.labels += [each["labels"] for each in new]
        if any(each["labels"]["alertname"] == self.acts_on for each in new):
            self.image = "v1"
        groups: dict[Any, list[Any]] = {}
        for each in new:
            labels = each["labels"]
            place = "pager" if labels["severity"] == "critical" else "chat"
            if place == "pager" or labels["service"] != self.labels[0]["service"]:
                groups.setdefault((place, "" if self.one_group else labels["alertname"]), []).append(each)
        for (place, _), told in groups.items():
            box = self.boxes[place]
            box.append({"alerts": [*(box[-1]["alerts"] if box and self.one_group else []), *told], "ago": 0.1})

    async def inbox(self, lab: Any, place: str, after: int = -1) -> tuple[list[Any], int]:
        return list(self.boxes[place]), 0

    async def release(self, lab: Any) -> str:
        return self.image


class Elsewhere(World):
    """What is about the model and of one severity goes to the responder, by a receiver of its own."""

    severity = ""

    async def post(self, lab: Any, alerts: list[Any]) -> None:
        await super().post(lab, [each for each in alerts if not self.takes(each["labels"])])

    def takes(self, labels: dict[str, str]) -> bool:
        return labels["service"] == "model" and labels["severity"] == self.severity

    async def inbox(self, lab: Any, place: str, after: int = -1) -> tuple[list[Any], int]:
        return [{**each, "receiver": place} for each in self.boxes[place]], 0


OWN = [{"alertname": name, "severity": severity, "service": "model"}
       for name, severity in (("Slow", "warning"), ("Down", "critical"), ("Few", "info"))]  # fmt: skip


def notified(
    monkeypatch: pytest.MonkeyPatch,
    acts_on: str = "",
    own: Any = None,
    one_group: bool = False,
    acted_on: tuple[str, ...] = (),
    world: type[World] = World,
    **rooms: Any,
) -> Any:
    async def nothing(*given: Any, **more: Any) -> None: ...

    made = world(acts_on, one_group=one_group)
    for name in ("post", "inbox", "release"):
        monkeypatch.setattr(notifications, name, getattr(made, name))
    monkeypatch.setattr(notifications, "in_service", nothing)
    return asyncio.run(notifications.notified(made_up_lab("17", **rooms), own, acted_on))


@pytest.mark.parametrize("own", [None, [], OWN])
@pytest.mark.parametrize("one_group", [False, True])
def test_three_pods_are_one_message_however_else_alerts_are_grouped(
    monkeypatch: pytest.MonkeyPatch, own: Any, one_group: bool
) -> None:
    story = notified(monkeypatch, own=own, one_group=one_group)
    assert (len(story.pages), story.pods, story.changed) == (1, [3], "")
    assert (len(story.notes) > 0, {*story.noted}, story.woken, story.doubled) == (True, {3}, 0, 0)


@pytest.mark.parametrize("own", [None, OWN])
@pytest.mark.parametrize(
    ("severity", "receiver", "said"),
    [
        ("warning", "responder", "a warning about service model"),
        ("critical", "responder", "a critical alert about service model"),
        ("warning", "chat", ""),
        ("critical", "pager", ""),
        ("none", "responder", ""),
    ],
)
def test_other_teams_alerts_about_the_model_are_heard_of(
    monkeypatch: pytest.MonkeyPatch, own: Any, severity: str, receiver: str, said: str
) -> None:
    async def get(service: str, path: str, *, port: int) -> Any:
        assert re.search("filter=alertname%3D%22[A-Za-z]+-[0-9a-f]{6}%22$", path)
        return SimpleNamespace(text=json.dumps([{"receivers": [{"name": receiver}]}]))

    monkeypatch.setattr(Elsewhere, "severity", severity)
    for limit in ("WITHIN", "MORE_WITHIN"):
        monkeypatch.setattr(notifications, limit, 0.1)
    story = notified(monkeypatch, own=own, world=Elsewhere, traffic=NoTraffic(get=get))
    assert story.unheard.startswith(said) and bool(story.unheard) is bool(said)


@pytest.mark.parametrize("label", checks.OF_A_POD)
def test_each_label_of_a_pods_own_tells_three_pods_apart(monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    posted: list[Any] = []
    post = World.post

    async def kept(world: World, lab: Any, alerts: list[Any]) -> None:
        posted.extend(alerts)
        await post(world, lab, alerts)

    monkeypatch.setattr(World, "post", kept)
    notified(monkeypatch)
    found: dict[str, set[str]] = {}
    for each in posted:
        if "pod" in each["labels"]:
            found.setdefault(each["labels"]["alertname"], set()).add(each["labels"].get(label, ""))
    assert [len(values) for values in found.values()] == [3, 3]


@pytest.mark.parametrize(
    ("place", "counts", "right"),
    [
        ("pager", [3], True), ("pager", [3, 3], False), ("pager", [1, 1, 1], False), ("chat", [3], True),
        ("chat", [3, 3], True), ("chat", [1, 1, 1], False), ("chat", [1, 3], False), ("chat", [], False),
    ],
)  # fmt: skip
def test_what_several_pods_have_in_common_is_one_message(place: str, counts: list[int], right: bool) -> None:
    assert notifications.one_message(place, counts).ok is right


def test_where_all_fails_from_the_first_answer_on_there_is_no_series_of_others() -> None:
    plan, targets = checks.Plan(random.Random(1)), [{"job": "model", "pod": f"m-{each}"} for each in range(3)]
    tests = checks.day.replays(plan, targets, [], "rules.yaml", 1)["tests"]
    (trial,) = (each for each in tests if each["name"] == "errors-all")
    seen = {each["series"]: each["values"] for each in trial["input_series"] if "+" in each["values"]}
    answers = {series: values for series, values in seen.items() if 'route="/predict",status=' in series}
    old, new = (
        {series.split('status="')[1][:3]: values for series, values in answers.items() if f'pod="{pod}"' in series}
        for pod in ("m-0", "m-0-1")
    )
    status = plan.trials["errors-all"].during.status
    assert old.keys() == {"200", "422", "500"} and new.keys() == {"200", "422", "500", status}
    begins, lasts = checks.LEAD // checks.STEP + 1, checks.FAULT // checks.STEP
    afterwards = {code for code, values in new.items() if values.startswith(f"_x{begins} _ _x{lasts - 1} ")}
    assert afterwards == new.keys() - {status}


@pytest.mark.parametrize(("acts_on", "posted"), [("Slow", False), ("Down", True), ("Few", False)])
def test_an_alert_of_the_learners_own_must_not_bring_the_release_before(
    monkeypatch: pytest.MonkeyPatch, acts_on: str, posted: bool
) -> None:
    story = notified(monkeypatch, acts_on, OWN)
    assert story.changed == "v1"
    assert ("Down" in story.posted) is posted
    assert notified(monkeypatch, acts_on).changed == ""


def test_an_alert_with_a_name_in_which_the_learners_own_is_a_part_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = notified(monkeypatch, own=OWN, acted_on=("Errors",))
    close = [each for each in story.posted if "Errors" in each]
    assert len(close) == 2 and "Errors" not in close
    assert close[0].endswith("Errors") and close[1].startswith("Errors")
    assert "eRRORS" in story.posted
    assert not [each for each in notified(monkeypatch, acted_on=("Errors",)).posted if "Errors" in each]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("ModelErrors", {"Model Errors"}), ("HTTPErrors", {"HTTP Errors"}), ("model_errors", {"model_ errors"}),
        ("Model-Errors", {"Model- Errors"}), ("errors", {"err ors"}), ("5xx", {"5 xx"}), ("500", {"5 00"}),
        ("ErrorBudgetBurns", {"Error BudgetBurns", "ErrorBudget Burns"}),
        ("ModelTooManyErrors", {"Model TooManyErrors", "ModelToo ManyErrors", "ModelTooMany Errors"}),
    ],
)  # fmt: skip
def test_a_name_that_is_near_has_a_word_more_at_each_place_or_other_capitals(name: str, split: set[str]) -> None:
    words, seen = "|".join(notifications.WORDS), set[str]()
    for seed in range(20):
        before, after, *others = notifications.near(random.Random(seed), name)
        assert re.fullmatch(f"({words}){name}", before) and re.fullmatch(f"{name}({words})", after)
        assert (name.swapcase() in others) is (name != "500") and name not in others
        inside = {each for each in others if each != name.swapcase()}
        assert len(inside) == min(len(split), notifications.PLACES)
        seen |= {re.sub(words, " ", each) for each in inside}
    assert seen == split


@pytest.mark.parametrize("matcher", [".*Errors", "ModelErrors.*", "Model.*Errors", "(?i)ModelErrors"])
def test_what_takes_more_than_one_name_takes_one_that_is_near(matcher: str) -> None:
    for seed in range(20):
        assert any(re.fullmatch(matcher, each) for each in notifications.near(random.Random(seed), "ModelErrors"))


def test_rules_that_never_fire_are_not_silent() -> None:
    assert checks.fires_for_each_fault in checks.silent_through_a_normal_day.needs


@pytest.mark.parametrize(
    ("others", "said"), [(("b", "c"), ""), (("b", "b"), "2 ids"), (("a",), "1 ids"), (("", ""), "2 ids")]
)
def test_each_request_without_an_id_gets_one_of_its_own(others: tuple[str, ...], said: str) -> None:
    lab = made_up_lab("17")

    async def once(stage: Any) -> Any:
        if stage.__name__ == "followed":
            return []
        return [checks.Request("without an id", 200, answered=200, id="a", others=others)]

    lab.once = once  # type: ignore[method-assign,assignment]
    try:
        asyncio.run(checks.finds_a_request.run(lab))
        assert not said
    except Failure as failed:
        assert said and said in failed.seen


@pytest.mark.parametrize(
    ("after", "unlogged", "said"),
    [
        ((("a.1", "a.1"), ("a.2", "a.2")), (), ""),
        ((("a.1", "a.2"), ("a.2", "a.2")), (), "a.1 came back as a.2"),
        ((("a.1", ""),), (), "a.1 came back as no id"),
        ((("a.1", "a.1"), ("a.2", "a.2")), ("a.2",), "without 1 of them"),
    ],
)
def test_requests_at_the_same_time_have_an_id_each(after: Any, unlogged: Any, said: str) -> None:
    request = checks.Request("with an id", 200, answered=200, id="a", after=after, unlogged=unlogged)
    try:
        checks.at_once.answered(request)
        checks.at_once.logged(request)
        assert not said
    except Failure as failed:
        assert said and said in failed.seen


@pytest.mark.parametrize(("back", "said"), [("a.2", "several requests at once"), ("7f", "however short or long it is")])
def test_an_id_that_is_not_taken_over_is_told_from_one_that_threads_share(back: str, said: str) -> None:
    request = checks.Request("with an id", 200, answered=200, id="a", after=(("a.1", back), ("a.2", "a.2")))
    with pytest.raises(Failure) as failed:
        checks.at_once.answered(request)
    assert said in failed.value.why


def test_a_model_that_the_learner_has_mended_is_no_fault_of_the_machine() -> None:
    class Mended:
        async def now(self) -> dict[str, Any]:
            return {"data": {"serve.py": "print(1)", "world.py": "print(2)"}}

    lab = made_up_lab("17", objects=NothingThere(named=lambda kind, name: Mended()))
    with pytest.raises(Failure, match="ConfigMap world"):
        asyncio.run(loaded("17", "world").untouched(lab))


@pytest.mark.parametrize(
    ("alerts", "ago", "ends"),
    [
        ([{"status": "firing", "labels": {"alertname": "A"}}], 120, False),
        ([{"status": "resolved", "labels": {"alertname": "B"}}, {"status": "resolved", "labels": "A"}], 120, False),
        ([{"status": "resolved", "labels": {"alertname": "A"}}], 120, True),
        ([{"status": "resolved", "labels": {"alertname": "A"}}], 90, False),
    ],
)
def test_the_pager_hears_of_the_end_of_anothers_alert(
    monkeypatch: pytest.MonkeyPatch, alerts: list[Any], ago: float, ends: bool
) -> None:
    async def inbox(lab: Any, place: str, after: int) -> tuple[list[Any], int]:
        assert (place, after) == ("pager", 7)
        return [{"alerts": alerts, "ago": ago}], 8

    monkeypatch.setattr(notifications, "inbox", inbox)
    story = notifications.Notifications(critical="A", over=time.monotonic() - 200, told=7)
    heard = notifications.must_hear_of_the_end(made_up_lab("17"), story)
    if ends:
        asyncio.run(heard)
    else:
        with pytest.raises(Failure, match="about another service"):
            asyncio.run(heard)


def test_of_an_end_that_could_not_be_posted_nobody_has_to_hear() -> None:
    asyncio.run(notifications.must_hear_of_the_end(made_up_lab("17"), notifications.Notifications(critical="A")))


def traced_by(folder: Path, program: str) -> Any:
    """What is known of a request that a program in the shell's language has traced."""
    (folder / "trace").write_text(f"#!/bin/sh\n{program}\n")
    (folder / "trace").chmod(0o755)
    lab, request = made_up_lab("17", folder), checks.Request("with an id", 200, answered=200, id="a")

    async def once(stage: Any) -> Any:
        return [request]

    lab.once = once  # type: ignore[method-assign,assignment]
    asyncio.run(checks.traced(lab))
    return request


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ('echo "{}"; echo "a warning" >&2', ()),
        ('echo; echo "== gateway =="; echo "{}"; echo "a warning" >&2', ("== gateway ==",)),
    ],
)
def test_what_is_no_json_on_standard_output_is_told_from_standard_error(
    tmp_path: Path, program: str, said: tuple[str, ...]
) -> None:
    request = traced_by(tmp_path, program)
    assert request.sentences == said
    assert [each.name for each in tmp_path.iterdir()] == ["trace"]


@pytest.mark.parametrize(
    ("said", "foreign"),
    [("printf 'looking in the logs ... '", 0), ("""echo '{"level": "info"}'""", 0), ("echo 1", 0), ("", 1)],
)
def test_what_standard_error_says_in_between_takes_nothing_away(tmp_path: Path, said: str, foreign: int) -> None:
    line = '{"service": "model", "request_id": "a"}'
    other = f"echo '{line}'".replace('"a"', '"b"') if foreign else ":"
    request = traced_by(tmp_path, f"{said or ':'} >&2; echo '{line}'; {other}")
    assert (len(request.lines), request.foreign, request.sentences) == (1, foreign, ())


@pytest.mark.parametrize(
    ("status", "answered", "right"), [(200, 200, True), (200, 502, False), (500, 500, True), (500, 502, True),
                                      (500, 0, False), (500, 200, False), (422, 500, False)],
)  # fmt: skip
def test_of_a_model_that_fails_a_gateway_may_say_more_than_one_status(status: int, answered: int, right: bool) -> None:
    assert checks.Request("", status, answered=answered).right is right


def test_of_a_request_that_fails_both_lines_of_the_model_are_asked_for() -> None:
    lab, line = made_up_lab("17"), {"request_id": "a", "service": "model", "status": 500}
    request = checks.Request("without weather", 500, answered=502, id="a", of_model=2, logged=True)
    request.lines = [{**line, "service": "gateway", "status": 502}, line]

    async def once(stage: Any) -> Any:
        return [request] if stage.__name__ == "requested" else [(request, checks.Observation(True, "", ""))]

    lab.once = once  # type: ignore[method-assign,assignment]
    with pytest.raises(Failure, match="2 lines of model"):
        asyncio.run(checks.finds_a_request.run(lab))
    request.lines.append({"request_id": "a", "service": "model", "error": "TypeError"})
    asyncio.run(checks.finds_a_request.run(lab))


def test_all_lines_of_a_gateway_that_logs_two_are_asked_for() -> None:
    lab, line = made_up_lab("17"), {"request_id": "a", "service": "gateway", "status": 200}
    request = checks.Request("with an id", 200, answered=200, id="a", of_gateway=2, logged=True)
    request.lines = [line, {**line, "service": "model"}]

    async def once(stage: Any) -> Any:
        return [request] if stage.__name__ == "requested" else [(request, checks.Observation(True, "", ""))]

    lab.once = once  # type: ignore[method-assign,assignment]
    with pytest.raises(Failure, match="2 lines of gateway"):
        asyncio.run(checks.finds_a_request.run(lab))
    request.lines.append({"request_id": "a", "service": "gateway", "event": "received"})
    asyncio.run(checks.finds_a_request.run(lab))


def test_a_responder_that_is_told_late_acts_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([*["v2"] * 10, *["v1"] * 100])

    async def release(lab: Any) -> str:
        return next(looks)

    monkeypatch.setattr(World, "release", lambda self, lab: release(lab))
    assert notified(monkeypatch, own=OWN).changed == "v1"


@pytest.mark.parametrize(
    ("check", "fails", "timed"),
    [
        ("routes_and_groups", {"posted": notifications.Notifications(waited=60)}, True),
        ("pages_within_two_minutes", {"failing": checks.Story(waited=120)}, True),
        ("resolves", {"failing": checks.Story(waited_for_end=90), "posted": notifications.Notifications(),
                      "planned": checks.Plan(random.Random(1)), "replayed": {}}, True),
        ("resolves", {"failing": checks.Story(resolved=20), "posted": notifications.Notifications(),
                      "planned": checks.Plan(random.Random(1)),
                      "replayed": {"gone": [alert("Down", "critical", 40, 480)]}}, None),
        ("falls_back_once", {"failing": checks.Story(["v2"]), "posted": notifications.Notifications()}, True),
        ("falls_back_once", {"failing": checks.Story(["v2", "v1", "v2"]), "posted": notifications.Notifications()},
         None),
    ],
)  # fmt: skip
def test_what_does_not_come_in_time_may_be_a_starved_machines_fault(
    check: str, fails: dict[str, Any], timed: bool | None
) -> None:
    lab17, lab = loaded("17"), made_up_lab("17")

    async def nothing(*given: Any, **more: Any) -> None: ...

    async def once(stage: Any) -> Any:
        return fails[stage.__name__]

    lab.once = once  # type: ignore[method-assign,assignment]
    lab17.runs = lab17.settled = nothing
    with pytest.raises(Failure) as failed:
        asyncio.run(getattr(lab17, check).run(lab))
    assert failed.value.timed is timed


@pytest.mark.parametrize(
    ("toggles", "stays", "images"), [(True, True, ["v1", "v2"]), (True, False, ["v1"]), (False, True, ["v1"])]
)
def test_who_hears_of_the_end_later_than_the_pager_hears_of_it_while_the_release_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, toggles: bool, stays: bool, images: list[str]
) -> None:
    fault, now = loaded("17", "fault"), {"image": "v1"}
    labels = {"alertname": "Errors", "severity": "critical", "service": "model"}

    async def nothing(*given: Any, **more: Any) -> None: ...

    async def inbox(lab: Any, place: str, after: int = -1) -> tuple[list[Any], int]:
        told = [{"status": status, "labels": labels, "annotations": {}} for status in ("firing", "resolved")]
        return [{"alerts": told, "ago": 0.0}], 1

    async def fares(lab: Any) -> dict[str, Any]:
        return {"first_failed": 60.0, "last_failed": 20.0}

    async def release(lab: Any) -> str:
        return now["image"]

    async def post(service: str, path: str, body: Any, *, port: int) -> None:
        assert (service, path, port) == ("alertmanager", "/-/reload", 9093)
        now["image"] = "v2" if toggles else now["image"]

    for name in ("in_service", "quiet", "leave_weather_out", "put_in_service"):
        monkeypatch.setattr(fault, name, nothing)
    for each in (inbox, fares, release):
        monkeypatch.setattr(fault, each.__name__, each)
    monkeypatch.setattr(fault, "AFTERWARDS", 0.05)
    lab = made_up_lab("17", traffic=NoTraffic(post=post))
    story = asyncio.run(fault.inject_fault(lab, whole=True, stays=stays))
    assert (story.images, round(story.resolved)) == (images, 20)


def test_a_day_and_the_faults_come_into_the_pod_one_after_the_other() -> None:
    names = "namespace", "instance", "node", "pod", "pod_template_hash", "app", "job", "container", "endpoint"
    targets = [{name: f"{name}-of-the-model-{each}" for name in names} for each in range(3)]
    known = {"loaded": SimpleNamespace(groups=[], targets=targets, others=[]), "planned": checks.Plan(random.Random(1))}
    given: list[list[str]] = []

    async def once(stage: Any) -> Any:
        return known[stage.__name__]

    async def run(image: str, *command: str, files: dict[str, str], within: float) -> Any:
        assert sum(len(text.encode()) for text in files.values()) < 1 << 20, "as much as a ConfigMap holds"
        given.append([each["name"] for each in json.loads(files["replays.json"])["tests"]])
        query = f'ALERTS{{replay!=\\"{given[-1][0]}/0/count\\"}}'
        text = f'    expr: "{query}", time: 1h,\n        exp: nil\n        got: {{alertname="A"}} 1E+01\n'
        return SimpleNamespace(code=1, text=text)

    lab = made_up_lab("17", programs=SimpleNamespace(run=run))
    lab.once = once  # type: ignore[method-assign,assignment]
    fired = asyncio.run(loaded("17", "replay").replay(lab, 24))
    assert given[0] == ["normal"] and given[1] == [*known["planned"].trials] and len(given) == 2
    assert [*fired] == ["normal", given[1][0]], "what fired in both is told"
