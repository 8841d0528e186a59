"""What lab 07 makes of answers, of a change of the key, and of places where a key shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused
from mlops_lab.kube.execs import NotStarted
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, NoTraffic, made_up_lab

KEY = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def lab07() -> Any:
    """The lab's checker."""
    return loaded("07")


def report(statuses: Mapping[int, int], due: float = 0.0) -> LoadReport:
    rows = tuple(
        Request(due, 0, 0.01, status, "", "connection refused" if not status else "")
        for status, many in statuses.items()
        for _ in range(many)
    )
    return LoadReport(rows, len(rows), len(rows), 0, 1.0)


@pytest.mark.parametrize(
    ("text", "found"), [("0.3", 0.3), (" 0.3\n", 0.3), (None, None), ("late", None), ("nan", None), ("1e999", None)]
)
def test_a_threshold_is_a_plain_number(lab07: Any, text: str | None, found: float | None) -> None:
    assert lab07.number(text) == found


@pytest.mark.parametrize("text", ["30", "1.01", "-0.1", "late"])
def test_a_threshold_beyond_0_and_1_is_none(text: str) -> None:
    lab07 = loaded("07")

    async def now() -> Object:
        return {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"threshold": text}}

    lab = with_objects(named=lambda kind, name: SimpleNamespace(now=now))
    with pytest.raises(Failure, match="from 0 to 1"):
        asyncio.run(lab07.follows_the_threshold.run(lab))


OWN = [number / 40 for number in range(40)]


def test_another_threshold_turns_eight_verdicts_and_is_the_probability_of_a_flight(lab07: Any) -> None:
    new = lab07.other_threshold(OWN, OWN, 0.3)
    assert float(new) in OWN and lab07.turns(OWN, float(new), 0.3) >= 8


def test_where_probabilities_are_rounded_the_threshold_is_between_them(lab07: Any) -> None:
    for served in ([one + 1e-7 for one in OWN], []):
        new = float(lab07.other_threshold(OWN, served, 0.3))
        assert lab07.turns(OWN, new, 0.3) >= 8 and min(abs(one - new) for one in OWN) > 1e-4


def body(late: Any, third: float = 0.3) -> str:
    return json.dumps({"late": late, "probabilities": [0.5, 0.1, third]})


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, body([True, False, True]), ""),
        (200, body([True, False, False]), "false for a flight whose probability is 0.3, the threshold itself"),
        (200, body([True, False, False], 0.30000000000000004), ""),  # as another machine adds it up
        (200, '{"late": [true, false, false]}', ""),
        (200, body([False, False, True]), "wrong for 1 of 3 flights"),
        (200, '{"late": [1, 0, 1]}', "`late` is not 3 times true or false"),
        (200, '{"late": [true]}', "`late` is not 3 times true or false"),
        (200, "[]", "`late` is not 3 times true or false"),
        (500, "", "status 500"),
        (0, "", "no answer: refused"),
    ],
)
def test_late_is_right_for_each_flight_and_at_the_threshold_itself(
    lab07: Any, status: int, body: str, said: str
) -> None:
    answer = Answer(status, {}, body.encode(), 0.01, "refused", "http://model/predict")
    assert lab07.wrong_in(answer, [0.5, 0.1, 0.3], 0.3) == said


@pytest.mark.parametrize("pods", [1, 3])
def test_every_pod_is_asked_whether_it_goes_by_the_threshold(pods: int) -> None:
    asked: list[str] = []
    lab07 = loaded("07")

    async def answered(lab: Any, body: Any, key: str) -> Answer:
        asked.append(key)
        return Answer(200, {}, b'{"late": [true], "probabilities": [0.5]}', 0.01, "", "http://model/predict")

    async def pods_of(service: str) -> list[Object]:
        return [pod()] * pods

    async def known(lab: Any) -> Any:
        return SimpleNamespace(current=KEY)

    lab07.answered, lab07.read_keys = answered, known
    lab = made_up_lab(objects=NothingThere(pods_of=pods_of))
    assert asyncio.run(lab07.judged_by(lab, [0.5], 0.3)).ok
    assert asked == [KEY] * 10 * pods


def test_who_is_refused_is_answered_and_other_statuses_are_lost(lab07: Any) -> None:
    good = lab07.all_answered(report({200: 3, 401: 1}), report({403: 2}))
    assert good.ok and good.seen == "all of 6 requests answered"
    bad = lab07.all_answered(report({200: 3, 0: 2}), report({403: 2, 503: 1}))
    assert not bad.ok and bad.seen == "3 of 8 were not"
    assert bad.evidence == ("2 x connection refused", "1 x status 503")


class Requests:
    """A load whose answers change at some moment; half a second passes with each look."""

    def __init__(self, before: int, after: int, at: float) -> None:
        self.before, self.after, self.at, self._elapsed = before, after, at, 0.0

    @property
    def elapsed(self) -> float:
        self._elapsed += 0.25
        return self._elapsed

    @property
    def seen(self) -> Any:
        return SimpleNamespace(window=lambda begin, end: report({self.after if begin >= self.at else self.before: 20}))


def test_a_change_is_done_once_only_right_answers_came_for_a_while(lab07: Any) -> None:
    turn = asyncio.run(lab07.turned(made_up_lab(), Requests(401, 200, 4), Requests(200, 401, 6), 60))
    assert 4 <= turn.served <= 6 and turn.served <= turn.refused
    assert turn.let_in("the new key").ok and "is served after" in turn.let_in("the new key").seen
    never = asyncio.run(lab07.turned(made_up_lab(), Requests(401, 200, 99), Requests(200, 401, 1), 10))
    seen = never.let_in("the new key")
    assert (never.served, seen.ok, seen.seen) == (None, False, "after 60 s: 20 x 401")
    assert never.kept_out("the old key").ok


def pod(uid: str = "1", **status: Any) -> Object:
    return {"kind": "Pod", "metadata": {"name": "model-1", "uid": uid}, "status": status}


def with_objects(**instead: Any) -> Any:
    return made_up_lab(objects=NothingThere(**instead))


def test_a_key_in_a_process_is_told_by_its_variable_and_not_shown(lab07: Any) -> None:
    lines = ["== /proc/1/environ", "PATH=/bin", f"API_KEY={KEY}", "== /proc/1/cmdline", "server", KEY, f"API_KEY={KEY}"]

    async def run_in(name: str, *command: str, **more: Any) -> Printed:
        return Printed(0, lines, "")

    runs = pod(containerStatuses=[{"name": "server", "state": {"running": {}}}, {"name": "done", "state": {}}])
    found = asyncio.run(lab07.in_processes(with_objects(run_in=run_in), runs, lab07.forms(KEY)))
    assert found == [
        "pod model-1, container server: environment variable API_KEY (/proc/1/environ)",
        "pod model-1, container server: command line (/proc/1/cmdline)",
    ]


@pytest.mark.parametrize(
    "line", [KEY, f"key: {KEY}", f"{KEY}=", f"{KEY}={KEY}", base64.b64encode(KEY.encode()).decode()]
)
def test_a_variable_of_several_lines_shows_no_key_either(lab07: Any, line: str) -> None:
    lines = ["== /proc/1/environ", "SETTINGS=threshold: 0.3", line]
    assert lab07.told(pod(), "server", lines, lab07.forms(KEY)) == [
        "pod model-1, container server: a line of the environment (/proc/1/environ)"
    ]


def test_where_there_is_no_shell_nobody_dumps_an_environment_with_one(lab07: Any) -> None:
    async def run_in(name: str, *command: str, container: str, **more: Any) -> Printed:
        if container == "bare":
            raise NotStarted("sh could not be run", "see whether its image has that program")
        return Printed(0, ["== env", f"API_KEY={KEY}"], "")

    async def now() -> Object:
        return pod()

    lab = with_objects(run_in=run_in, named=lambda kind, name: SimpleNamespace(now=now))
    runs = pod(containerStatuses=[{"name": name, "state": {"running": {}}} for name in ("bare", "server")])
    found = asyncio.run(lab07.in_processes(lab, runs, lab07.forms(KEY)))
    assert found == ["pod model-1, container server: environment variable API_KEY (env)"]


@pytest.mark.parametrize(
    ("leaves", "looks", "right"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_a_pod_of_another_image_that_is_being_deleted_is_the_servers_no_more(
    leaves: bool, looks: bool, right: bool
) -> None:
    """Nor is what kubectl debug has added to one."""
    lab07 = loaded("07")

    def of(image: str, **metadata: Any) -> Object:
        containers = [{"name": "server", "image": f"localhost:5001/{image}"}]
        return {"metadata": {"name": "model-1", **metadata}, "spec": {"containers": containers}, "status": {}}

    async def pods(lab: Any) -> list[Object]:
        other = of("flight-delay:v1", **({"deletionTimestamp": "now"} if leaves else {}))
        if looks:
            own = of("workbench:1")
            return [own | {"spec": own["spec"] | {"ephemeralContainers": other["spec"]["containers"]}}]
        return [of("workbench:1"), other]

    async def known(lab: Any) -> Any:
        return SimpleNamespace(current=KEY, stored="")

    async def well(*given: Any, **more: Any) -> Observation:
        return READY

    async def let_in(*given: Any, **more: Any) -> Observation:
        return Observation(True, "", "", Counter({200: 20}))

    async def answered(*given: Any, **more: Any) -> Answer:
        return Answer(200, {}, b'{"model_version": "v1", "probabilities": [0.5]}', 0.01, "", "http://model")

    hidden = SimpleNamespace(body={}, rows=[{}], probabilities=lambda version: [0.5])
    lab07.exists = lab07.must_answer = lab07.not_ready_yet = well
    lab07.in_force = let_in
    lab07.owned_pods, lab07.read_keys, lab07.answered = pods, known, answered
    objects = NothingThere(deployment=lambda name: SimpleNamespace(rolled_out=well))
    lab = made_up_lab("07", objects=objects, traffic=NoTraffic(hidden_rows=lambda count: hidden, get=answered))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="in all containers"):
        asyncio.run(lab07.lets_partners_in.run(lab))


@pytest.mark.parametrize("there", [True, False])
def test_a_log_that_cant_be_read_counts_only_while_its_pod_is_there(lab07: Any, there: bool) -> None:
    async def logs(name: str, container: str, *, previous: bool, **more: Any) -> str:
        raise LabError("no such log", "check again")

    async def now() -> Object | None:
        return pod("1" if there else "2")

    lab = with_objects(logs=logs, named=lambda kind, name: SimpleNamespace(now=now))
    runs = pod(containerStatuses=[{"name": "server", "restartCount": 1, "state": {"running": {}}}])
    if there:
        with pytest.raises(LabError):
            asyncio.run(lab07.in_logs(lab, runs, {"the key": KEY}))
    else:
        assert asyncio.run(lab07.in_logs(lab, runs, {"the key": KEY})) == []


def test_a_key_is_found_in_the_log_from_before_a_restart(lab07: Any) -> None:
    async def logs(name: str, container: str, *, previous: bool, **more: Any) -> str:
        return f"key {KEY}" if previous else "well"

    runs = pod(containerStatuses=[{"name": "server", "restartCount": 1, "state": {"running": {}}}])
    found = asyncio.run(lab07.in_logs(with_objects(logs=logs), runs, {"the key": KEY}))
    assert found == ["the key in the log of pod model-1, container server, before its restart"]


def test_kubelets_are_hurried_by_an_annotation_that_is_taken_away(lab07: Any) -> None:
    marks: list[str | None] = []
    one, marked = pod(), asyncio.Event()

    async def listed(kind: str) -> list[Object]:
        return [one]

    async def patch(kind: str, name: str, patch: Object) -> Object:
        marks.append(patch["metadata"]["annotations"][lab07.MARK])
        one["metadata"] |= patch["metadata"]
        marked.set()
        return one

    async def hurry() -> None:
        async with lab07.kubelets_hurried(with_objects(all=listed, patch=patch)):
            await marked.wait()

    asyncio.run(hurry())
    assert marks == ["1", None]


def test_a_line_end_in_the_secret_is_told_to_who_is_refused(lab07: Any) -> None:
    assert "ends with a line end" in lab07.why_not_let_in(Counter({401: 20}), "MTIzCg==")
    plain = lab07.why_not_let_in(Counter({401: 20}), "MTIz")
    assert "line end" not in plain and "jsonpath={.data.key}" in plain


def test_sidecars_and_debug_containers_are_looked_into_as_well(lab07: Any) -> None:
    runs: Object = {"state": {"running": {}}}
    found = pod(
        containerStatuses=[{"name": "server", **runs}, {"name": "over", "state": {"terminated": {}}}],
        initContainerStatuses=[{"name": "sidecar", **runs}, {"name": "prepared", "state": {"terminated": {}}}],
        ephemeralContainerStatuses=[{"name": "debugger", **runs}],
    )
    assert lab07.running(found) == ["sidecar", "debugger", "server"]


def test_a_second_secret_with_the_key_shows_it(lab07: Any) -> None:
    assert "Secret" in lab07.KINDS
    encoded = base64.b64encode(KEY.encode()).decode()
    item = {"kind": "Secret", "metadata": {"name": "backup"}, "data": {"key": encoded}}
    assert list(lab07.in_object(item, lab07.forms(KEY))) == ["Secret backup: data.key"]


@pytest.mark.parametrize("before", ["", "API_KEY=", "curl -H X-API-Key: ", "ab"])
def test_a_key_within_other_text_is_found_in_another_secret(lab07: Any, before: str) -> None:
    encoded = base64.b64encode(f"{before}{KEY} and more\n".encode()).decode()
    signs = lab07.forms(KEY)
    assert lab07.has(f"log: {encoded}", signs)
    secret = {"kind": "Secret", "metadata": {"name": "env"}, "data": {".env": encoded, "other": "AAAA", "no": "?"}}
    assert list(lab07.in_object(secret, signs)) == ["Secret env: data..env"]
    assert not list(lab07.in_object(secret | {"data": {"x": base64.b64encode(b"nothing").decode()}}, signs))


@pytest.mark.parametrize("how", ["env", "envFrom"])
def test_a_container_that_does_not_run_now_gets_the_key_by_its_template(lab07: Any, how: str) -> None:
    env = {
        "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key"}}}],
        "envFrom": [{"secretRef": {"name": "api-key"}}],
    }
    pods = {"containers": [{"name": "a"}], "initContainers": [{"name": "look", how: env[how]}]}
    job = {
        "kind": "CronJob",
        "metadata": {"name": "n"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": pods}}}},
    }
    (said,) = lab07.takes_it_as_variable(job, "api-key")
    assert said == "CronJob n: container look gets Secret api-key as environment"
    assert not list(lab07.takes_it_as_variable(job, "another"))


@pytest.mark.parametrize(("own", "lengths"), [(20, (16, 72)), (16, (24, 72)), (72, (16, 80))])
def test_the_vault_changes_to_a_key_as_short_as_may_be_and_to_a_long_one(
    lab07: Any, own: int, lengths: tuple[int, int]
) -> None:
    async def now() -> Object:
        return {"data": {"key": base64.b64encode(b"k" * own).decode()}}

    keys = asyncio.run(lab07.read_keys(with_objects(named=lambda kind, name: SimpleNamespace(now=now))))
    assert (len(keys.new), len(keys.longer)) == lengths


@pytest.mark.parametrize(("statuses", "right"), [({200: 20}, True), ({200: 19, 401: 1}, False), ({401: 20}, False)])
def test_a_longer_key_is_served_where_all_requests_with_it_are_let_in(statuses: Mapping[int, int], right: bool) -> None:
    lab07 = loaded("07")

    async def asked(lab: Any, key: str) -> Counter[int]:
        return Counter(statuses)

    lab07.statuses = asked
    seen = asyncio.run(lab07.longer_served(made_up_lab(), "k" * 72))
    assert seen.ok is right and "72 characters" in seen.expected


def test_a_vaults_key_has_signs(lab07: Any) -> None:
    made = [lab07.new_key(16) for _ in range(200)]
    assert {len(each) for each in made} == {16} and len(set(made)) == 200
    assert all(len(set(each) & set(lab07.SIGNS)) >= 4 for each in made)
    # As a log shows it, in JSON too.
    assert all(json.dumps(each) == f'"{each}"' and each.isascii() and each.isprintable() for each in made)


def differ(one: str, other: str) -> list[int]:
    return [place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]


@pytest.mark.parametrize("key", [KEY, "x" * 20, "A-key/of=the+vault's"])
def test_others_are_no_key_parts_of_it_and_what_looks_like_it(lab07: Any, key: str) -> None:
    async def now() -> Object:
        return {"data": {"key": base64.b64encode(key.encode()).decode()}}

    keys = asyncio.run(lab07.read_keys(with_objects(named=lambda kind, name: SimpleNamespace(now=now))))
    others = list(keys.others.values())
    assert keys.current == key and key not in others and keys.new not in others and key.swapcase() in (key, *others)
    assert {None, "", key[:10], key[10:], key[:-1], key[1:], f"{key}x"} <= set(others)
    for at in (0, len(key) // 2, len(key) - 1):
        assert any(each and len(each) == len(key) and differ(each, key) == [at] for each in others)
    assert any(each and not each.isascii() and each[:-1] == key for each in others)


def test_a_second_key_is_tried_wherever_it_stands(lab07: Any) -> None:
    def there(kind: str, **more: Any) -> Object:
        return {"kind": kind, "metadata": {"name": "one"}, **more}

    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    program = (
        f"""KEYS = ["{KEY}","tests-only-1"]; OTHER = 'of-nobody-2'  # "two words here" "short"\nA = "tests-only-1"\n"""
    )
    variables = [{"name": "DEV", "value": "of-a-variable"}, {"name": "HOST", "valueFrom": {}}, {"name": "NO"}]
    items = [
        there(
            "Secret",
            data={"key": encoded(KEY), "crew": encoded("of-the-crew-3\n"), "blob": "/w==", "long": "QUFB" * 99},
        ),
        there("ConfigMap", data={"server.py": program, "spare": "of-a-config-map"}),
        there("ConfigMap"),
        there("Pod", spec={"containers": [{"name": "a", "env": variables}, {"name": "b"}]}),
    ]
    found = lab07.lying_around(items, {KEY, None})
    assert list(found.values()) == [
        "of-the-crew-3", "tests-only-1", "of-nobody-2", "of-a-config-map", "of-a-variable"
    ]  # fmt: skip
    assert not any(word in what for what in found for word in found.values())
    assert [what.split(" (")[0] for what in found] == [
        "what stands in entry crew of Secret one",
        "what stands in entry server.py of ConfigMap one",
        "what stands in entry server.py of ConfigMap one",
        "what stands in entry spare of ConfigMap one",
        "what stands in variable DEV of pod one",
    ]
    assert "a second key" in lab07.why_let_in(dict.fromkeys(found, 200))
    many = there("ConfigMap", data={"words": " ".join(f'"word-{number:05}"' for number in range(200))})
    assert len(lab07.lying_around([many], ())) == lab07.MOST_WORDS


def test_who_looks_only_at_ascii_is_told_of_bytes(lab07: Any) -> None:
    other = "the right key and a letter that is not ASCII"
    assert "bytes alone" in lab07.why_let_in({other: 500}) and "compare for equality" in lab07.why_let_in({other: 200})


def test_who_takes_keys_of_other_case_is_told_of_that_and_who_takes_parts_of_parts(lab07: Any) -> None:
    case, part = "the right key in other case", "the right key's first half"
    assert "lower()" in lab07.why_let_in({case: 200, "the right key and a letter that is not ASCII": 500})
    assert "a part is enough" in lab07.why_let_in({part: 200}) and "a part" in lab07.why_let_in({case: 200, part: 200})


@pytest.mark.parametrize(
    ("valid", "let_in", "right"),
    [
        (lambda key, given: given == key, 0, True),
        (lambda key, given: given[:64] == key[:64], 3, False),
        (lambda key, given: given[:72] == key[:72], 1, False),
        (lambda key, given: key.startswith(given), 1, True),  # keeps_others_out fails for that
    ],
)
def test_a_key_that_is_cut_before_it_is_compared_shows_by_a_long_one_that_differs_at_its_end(
    valid: Callable[[str, str], bool], let_in: int, right: bool
) -> None:
    lab07 = loaded("07")
    keys = SimpleNamespace(current=KEY, new="n" * 16, longer="k" * 72)
    served = [KEY]

    async def known(lab: Any) -> Any:
        return keys

    async def patch(kind: str, name: str, change: Object) -> None:
        served.append(base64.b64decode(change["data"]["key"]).decode())

    async def answered(lab: Any, body: Any, key: str) -> Answer:
        return Answer(200 if valid(served[-1], key) else 401, {}, b"", 0.01, "", "http://model")

    async def statuses(lab: Any, key: str) -> Counter[int]:
        return Counter({200 if key == served[-1] else 401: 20})

    async def turned(*given: Any, **more: Any) -> Any:
        return lab07.Turn(1.0, 1.0, Counter(), Counter())

    async def put_back(*given: Any) -> bool:
        served.append(KEY)
        return True

    async def shown(*given: Any) -> tuple[list[str], list[str]]:
        return [], []

    async def present() -> Object:
        return {}

    @contextlib.asynccontextmanager
    async def watching(*given: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(result=list)

    @contextlib.asynccontextmanager
    async def load(*given: Any, **more: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(report=report({200: 3}))

    lab07.read_keys, lab07.answered, lab07.statuses, lab07.turned = known, answered, statuses, turned
    lab07.put_back, lab07.shown, lab07.watching, lab07.load = put_back, shown, watching, load
    lab = with_objects(named=lambda kind, name: SimpleNamespace(present=present), patch=patch)
    rotation = asyncio.run(lab07.rotated(lab))
    assert served == [KEY, keys.new, keys.longer, KEY]
    assert rotation.served_again.ok and rotation.refused.ok
    assert (rotation.not_quite.ok, len(rotation.not_quite.value)) == (not let_in, let_in)

    async def once(function: Any) -> Any:
        return keys if function is known else rotation

    lab.once = once
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="longer key"):
        asyncio.run(lab07.refuses_the_old_key.run(lab))
    if let_in:
        assert "cuts keys" in lab07.why_let_in(rotation.not_quite.value)


def test_a_key_comes_with_what_cannot_be_read_and_to_where_nobody_is(lab07: Any) -> None:
    asked: list[tuple[str, str, Any]] = []

    class Traffic(NoTraffic):
        async def request(self, how: str, service: str, path: str, body: Any, *, headers: Any) -> Answer:
            assert (service, headers) == ("model", {"X-API-Key": KEY})
            asked.append((how, path, body))
            return Answer(500, {}, b"", 0.01, "", "http://model")

    asyncio.run(lab07.ill_asked(made_up_lab(traffic=Traffic()), KEY))
    assert {how for how, _, _ in asked} == {"GET", "POST"} and len({path for _, path, _ in asked}) == 2
    assert ("POST", "/predict", "no JSON") in asked and ("POST", "/predict", {}) in asked


@pytest.mark.parametrize(
    ("kind", "status", "right"), [("Ingress", 403, True), ("Ingress", 500, False), ("Pod", 403, False)]
)
def test_what_is_not_the_checkers_to_list_is_nobodys_mistake(lab07: Any, kind: str, status: int, right: bool) -> None:
    async def listed(kind: str) -> list[Object]:
        raise Refused("no", "", status)

    with contextlib.nullcontext() if right else pytest.raises(Refused):
        assert asyncio.run(lab07.listed(with_objects(all=listed), kind)) == []


def test_an_ingress_with_the_key_in_an_annotation_shows_it(lab07: Any) -> None:
    assert "Ingress" in lab07.BESIDE and not {*lab07.KINDS} & {*lab07.BESIDE}
    item = {"kind": "Ingress", "metadata": {"name": "model", "annotations": {"snippet": f'if (x != "{KEY}") {{}}'}}}
    assert list(lab07.in_object(item, lab07.forms(KEY))) == ["Ingress model: metadata.annotations.snippet"]


@pytest.mark.parametrize(
    ("readyz", "predicts", "right", "asked"),
    [
        ([0, 0, 503, 200], 500, True, 3), ([0, 200], 500, False, 2), ([0, 200], 200, True, 2), ([0, 0], 0, True, 2),
        ([0, 500, 503], 500, False, 2), ([404], 500, False, 1),
    ],
)  # fmt: skip
def test_a_pod_is_not_ready_while_its_model_loads(readyz: list[int], predicts: int, right: bool, asked: int) -> None:
    lab07 = loaded("07")
    given: list[int] = []

    def said(status: int) -> Answer:
        return Answer(status, {}, b"", 0.01, "", "http://copy")

    async def answers(path: str, **limits: float) -> AsyncIterator[Answer]:
        for each in readyz:
            given.append(each)
            yield said(each)

    @contextlib.asynccontextmanager
    async def copied(*things: Any, **more: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(answers=answers, ended=None)

    async def answered(lab: Any, body: Any, key: str, *, service: str) -> Answer:
        return said(predicts)

    async def known(lab: Any) -> Any:
        return SimpleNamespace(current=KEY)

    lab07.copied, lab07.answered, lab07.read_keys = copied, answered, known
    seen = asyncio.run(lab07.not_ready_yet(made_up_lab()))
    assert (seen.ok, len(given)) == (right, asked) and seen.seen
    assert not right or str(seen).startswith("GET /readyz of a copy that still loads: ")


@pytest.mark.parametrize(
    ("volume", "mounted"),
    [
        ({"secret": {"secretName": "api-key"}}, True),
        ({"projected": {"sources": [{"configMap": {"name": "x"}}, {"secret": {"name": "api-key"}}]}}, True),
        ({"projected": {"sources": [{"configMap": {"name": "api-key"}}, {"downwardAPI": {}}]}}, False),
        ({"configMap": {"name": "api-key"}}, False),
        ({"emptyDir": {}}, False),
    ],
)
def test_a_volume_shows_a_secret_alone_or_among_others(lab07: Any, volume: Object, mounted: bool) -> None:
    container = {"name": "server", "volumeMounts": [{"name": "key", "mountPath": "/run/key"}]}
    one = pod() | {"spec": {"containers": [container], "volumes": [{"name": "key", **volume}]}}

    async def pods_of(service: str) -> list[Object]:
        return [one]

    why = asyncio.run(lab07.why_not_followed(with_objects(pods_of=pods_of), "Secret", "api-key"))
    assert ("is mounted, and the kubelet" in why) is mounted


def test_probes_that_need_not_come_are_run_while_a_container_is_watched() -> None:
    inside = loaded("07", "inside")
    run: list[tuple[str, ...]] = []
    ask = {"exec": {"command": ["sh", "-c", "ask"]}}
    container = {
        "name": "server",
        "startupProbe": ask,
        "readinessProbe": {"exec": {"command": ["often"]}},
        "livenessProbe": {"exec": {"command": ["rare"]}, "periodSeconds": 60},
    }

    async def run_in(name: str, *command: str, container: str, within: float) -> Printed:
        run.append(command)
        if command == ("rare",):
            raise LabError("it has ended", "check again")
        return Printed(0, [], "")

    async def now() -> None:
        return None

    lab = with_objects(run_in=run_in, named=lambda kind, name: SimpleNamespace(now=now))
    asyncio.run(inside._probed(lab, pod(), container))
    assert run == [("rare",), ("sh", "-c", "ask")] * 3
    run.clear()
    asyncio.run(inside._probed(lab, pod(), {"name": "server", "livenessProbe": {"httpGet": {"path": "/readyz"}}}))
    assert not run


HOOK = {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "ask"]}}}}


@pytest.mark.parametrize(
    ("more", "run"),
    [
        ({"initContainers": [{"name": "look"}]}, []),
        ({"containers": [{"name": "server", "image": "workbench:1", "command": ["sh", "-c", "ask; serve"]}]}, []),
        ({"containers": [{"name": "server", "image": "workbench:1", **HOOK}]}, [("sh", "-c", "ask")]),
        ({"containers": [{"name": "server", "image": "workbench:1", "lifecycle": {"preStop": {"sleep": {}}}}]}, []),
    ],
)
def test_a_copy_is_watched_from_its_beginning_to_its_end(more: Object, run: list[tuple[str, ...]]) -> None:
    lab07, made, ran, waited = loaded("07"), list[Object](), list[tuple[str, ...]](), list[float]()
    one = pod() | {"spec": {"containers": [{"name": "server", "image": "workbench:1"}], **more}}

    async def service(name: str) -> Object:
        return {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}

    async def now() -> Object:
        return {"status": {"phase": "Succeeded"}}

    async def logs(name: str, container: str, *, tail: int | None) -> str:
        return f"== /proc/7/cmdline\nask\n{KEY}\n"

    @contextlib.asynccontextmanager
    async def standing(lab: Any, objects: list[Object], *, grace: int) -> AsyncIterator[None]:
        made.extend(objects)
        yield

    async def run_in(name: str, *command: str, container: str, within: float) -> None:
        ran.append(command)
        raise LabError("it has ended", "check again")

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    lab07.standing = standing
    lab = with_objects(service=service, logs=logs, run_in=run_in, named=lambda kind, name: SimpleNamespace(now=now))
    lab.time.pause = pause
    found = asyncio.run(lab07.begun(lab, one, lab07.WATCH, lab07.forms(KEY)))
    assert found == ["pod model-1, container of any name, while it starts: command line (/proc/7/cmdline)"]
    assert ran == run and waited == [lab07.SCRIPTS]
    (copy,) = made
    watcher, *others = copy["spec"]["initContainers"]
    assert copy["spec"]["shareProcessNamespace"] and watcher["restartPolicy"] == "Always"
    assert others == [{"name": "look", "volumeMounts": []}] * ("initContainers" in more)


PROJECTED = {"projected": {"sources": [{"secret": {"name": "api-key"}}]}}


@pytest.mark.parametrize(
    ("volume", "there"),
    [({"secret": {"secretName": "api-key"}}, True), (PROJECTED, True), ({"secret": {"secretName": "other"}}, False)],
)
def test_pods_of_others_that_have_the_secret_are_watched(volume: Object, there: bool) -> None:
    inside = loaded("07", "inside")
    prober = [
        {
            "metadata": {"name": f"prober-{number}", "ownerReferences": [{"uid": "set"}]},
            "spec": {"volumes": [volume], "containers": []},
            "status": {"phase": "Running"},
        }
        for number in range(2)
    ]
    own = {**pod(), "spec": {"volumes": [volume]}, "status": {"phase": "Running"}}

    async def all_of(kind: str) -> list[Object]:
        return [own, *prober]

    async def owned(lab: Any) -> list[Object]:
        return [own]

    inside.owned_pods = owned
    found = asyncio.run(inside.others_with_it(with_objects(all=all_of)))
    assert found == (prober[:1] if there else [])


@pytest.mark.parametrize("content", [None, b"no gzip"])
def test_the_key_in_what_helm_keeps_of_a_release_is_seen(lab07: Any, content: bytes | None) -> None:
    text = json.dumps({"manifest": f"data: {{key: {base64.b64encode(KEY.encode()).decode()}}}"}).encode()
    release = base64.b64encode(base64.b64encode(content or gzip.compress(text))).decode()
    secret = {
        "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.model.v1"}, "data": {"release": release},
    }  # fmt: skip
    found = list(lab07.in_object(secret, lab07.forms(KEY)))
    assert found == ([] if content else ["Secret sh.helm.release.v1.model.v1: data.release"])


RUNS, WAITS = {"state": {"running": {}}}, {"state": {"waiting": {}}}


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ({"containerStatuses": [RUNS, WAITS]}, False),
        ({"containerStatuses": [RUNS, {"state": {"terminated": {}}}]}, True),
        ({"phase": "Failed", "containerStatuses": [WAITS]}, True),
        ({"phase": "Pending"}, False),
    ],
)
def test_a_pods_beginning_is_over_once_all_its_containers_run(lab07: Any, status: Object, over: bool) -> None:
    assert lab07.has_begun(pod(**status)) is over
    assert lab07.has_begun(None)


@pytest.mark.parametrize("changeable", [True, False])
def test_the_new_key_is_looked_for_too_where_there_can_be_one(changeable: bool) -> None:
    lab07 = loaded("07")
    rotation = SimpleNamespace(shown=["pod model-1, container server: environment variable API_KEY"])

    async def listed(kind: str) -> list[Object]:
        return []

    async def present() -> Object:
        return {"immutable": not changeable}

    async def once(function: Any) -> Any:
        return {"read_keys": SimpleNamespace(current=KEY), "rotated": rotation}[function.__name__]

    lab = with_objects(all=listed, named=lambda kind, name: SimpleNamespace(present=present))
    lab.once = once
    with pytest.raises(Failure, match="API_KEY") if changeable else contextlib.nullcontext():
        asyncio.run(lab07.key_only_in_the_secret.run(lab))


@pytest.mark.parametrize(("followed", "last"), [(0, 20), (1, 20), (2, 20), (3, 20), (4, 60), (5, 60)])
def test_the_threshold_is_followed_to_none_to_one_and_back_as_well(followed: int, last: float) -> None:
    """As many changes as are followed, and the seconds that the way back has."""
    lab07 = loaded("07")
    asked: list[tuple[float, float]] = []
    patched: list[float] = []

    async def patch(kind: str, name: str, change: Object) -> None:
        patched.append(float(change["data"]["threshold"]))

    async def judged_by(lab: Any, own: Any, threshold: float, *, within: float = 60) -> Any:
        asked.append((threshold, within))
        return SimpleNamespace(ok=len(asked) <= followed)

    async def known(lab: Any) -> Any:
        return SimpleNamespace(current=KEY)

    async def put_back(lab: Any, before: Object) -> bool:
        return True

    async def answered(lab: Any, body: Any, key: str) -> Answer:
        return Answer(200, {}, b"{}", 0.01, "", "http://model/predict")

    class Traffic(NoTraffic):
        def hidden_rows(self, count: int) -> Any:
            return SimpleNamespace(body={}, probabilities=lambda version: OWN)

        @contextlib.asynccontextmanager
        async def load(self, *given: Any, **more: Any) -> AsyncIterator[Any]:
            yield SimpleNamespace(elapsed=5.0, report=report({200: 3}))

    async def present() -> Object:
        return {"data": {"threshold": "0.3"}}

    lab07.judged_by, lab07.read_keys, lab07.put_back, lab07.answered = judged_by, known, put_back, answered
    objects = NothingThere(named=lambda kind, name: SimpleNamespace(present=present), patch=patch)
    change = asyncio.run(lab07.changed(made_up_lab(objects=objects, traffic=Traffic())))
    seen = [change.followed, change.to_the_digit, change.down_to_none, change.up_to_one, change.followed_again]
    assert [each.ok for each in seen] == [followed > each for each in range(5)]
    assert asked[-1] == (0.3, last) and [each for each, _ in asked[:-1]] == patched
    assert patched[1:] == [float(change.above), 0.0, 1.0][:followed]


def test_a_threshold_is_just_above_a_flight_to_who_rounds() -> None:
    lab07 = loaded("07")
    for before in (0.3, 0.8):
        for _ in range(100):
            text = lab07.just_above(OWN, before)
            new = float(text)
            (below,) = [one for one in OWN if 0 < new - one < 1e-4]
            assert new - below > 2e-6 and lab07.turns(OWN, new, before) >= 4 and "e" not in text
            assert round(below, 3) == round(new, 3)
    assert float(lab07.just_above([0.5], 0.5)) > 0.5


def test_who_asks_from_within_a_pod_is_told_by_what_the_key_is() -> None:
    lab07 = loaded("07")
    given: list[str] = []
    one = pod(phase="Running")
    one["spec"] = {"containers": [{"name": "server", "ports": [{"name": "http", "containerPort": 8080}]}]}

    async def owned_pods(lab: Any) -> list[Object]:
        return [one]

    async def service(name: str) -> Object:
        return {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}

    async def run_in(name: str, *command: str, container: str, within: float) -> Printed:
        given.extend([name, container, *command[4:]])
        return Printed(0, ["127.0.0.1:8080 0 401", "127.0.0.1:8080 1 0", "[::1]:9090 0 200", "no status"], "")

    lab07.owned_pods = owned_pods
    lab = with_objects(service=service, run_in=run_in)
    asked = lab07.asked_inside(lab, {"rows": []}, {"no key": None, "a key of the checker's": "stranger"})
    assert asyncio.run(asked) == {"no key at 127.0.0.1:8080": 401, "no key at [::1]:9090": 200}
    assert given == ["model-1", "server", "8080", "X-API-Key", '{"rows": []}', "-", "stranger"]


class Door(BaseHTTPRequestHandler):
    """Lets everybody in who has no key, and refuses the others."""

    def do_POST(self) -> None:
        self.send_response(401 if self.headers.get("X-API-Key") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *given: Any) -> None: ...


def test_each_port_that_something_listens_on_in_the_pod_is_asked(lab07: Any, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Door)) for _ in range(3)]
        for each in doors:
            threading.Thread(target=each.serve_forever, daemon=True).start()
            stack.callback(each.shutdown)
        own, any_address, mapped = (each.server_address[1] for each in doors)
        tables = {
            "tcp": [f"00000000:{any_address:04X} 00000000:0000 0A", f"0100007F:{own:04X} 0100007F:0001 01"],
            "tcp6": [f"{'0' * 16}FFFF00000100007F:{mapped:04X} {'0' * 32}:0000 0A"],
        }
        for name, rows in tables.items():
            numbered = [f"  {number}: {row}" for number, row in enumerate(rows)]
            (tmp_path / name).write_text("\n".join(["  sl  local_address rem_address   st", *numbered]))
        asked = [sys.executable, "-c", lab07.ASK, str(tmp_path), str(own), "X-API-Key", "{}", "-", "a-key"]
        printed = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    seen = lab07.statuses_by(["no key", "another"], printed.splitlines())
    assert seen == {
        f"{what} at 127.0.0.1:{port}": status
        for port in (own, any_address, mapped)
        for what, status in (("no key", 200), ("another", 401))
    }


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ({"ports": [{"port": 80, "targetPort": 9090}]}, 9090),
        ({"ports": [{"port": 80}]}, 80),
        ({"ports": [{"port": 81, "targetPort": 8081}, {"port": 80, "targetPort": "http"}]}, 8080),
        ({"ports": [{"port": 80, "targetPort": "web"}]}, None),
    ],
)
def test_the_port_that_the_service_leads_to(lab07: Any, service: Object, port: int | None) -> None:
    spec = {"containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}, {"name": "b"}]}
    assert lab07.target({"spec": service}, {"spec": spec}) == port


def test_a_program_that_runs_for_a_moment_is_seen(lab07: Any, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    command, environ = tmp_path / "7" / "cmdline", tmp_path / "7" / "environ"
    command.write_text("sh\0-c\0ask")
    (tmp_path / "meminfo").write_text(KEY)
    watch = subprocess.Popen(
        [sys.executable, "-u", "-c", lab07.WATCH, "60", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    lines: list[str] = []

    def until(*wanted: str) -> None:
        while not {f"{each}\n" for each in wanted} <= set(lines):
            assert watch.stdout is not None
            lines.append(watch.stdout.readline())
            assert lines[-1], f"the watcher ended after {lines}"

    try:
        until("sh")
        command.write_text(f"ask\0{KEY}")
        environ.write_text(f"PATH=/bin\0TOKEN=a{KEY}\0")
        until(KEY, f"TOKEN=a{KEY}")
        command.unlink()
        time.sleep(0.5)  # 25 looks more
    finally:
        watch.kill()
        lines += watch.communicate()[0].splitlines(keepends=True)
    lines = [each.rstrip("\n") for each in lines]
    assert lines.count(f"== {tmp_path}/7/environ") == 1
    assert {each.partition(" (")[0] for each in lab07.told(pod(), "server", lines, lab07.forms(KEY))} == {
        "pod model-1, container server: command line",
        "pod model-1, container server: environment variable TOKEN",
    }


@pytest.mark.parametrize("limit", ["", "256Mi", "64Mi", "48Mi"])
def test_a_container_without_room_is_not_watched(lab07: Any, limit: str) -> None:
    container = {"resources": {"limits": {"memory": limit}}} if limit else {}
    assert lab07.has_room(container) is (limit != "48Mi")


def test_what_watches_ends_after_the_block_or_with_its_failure() -> None:
    lab07 = loaded("07")
    ended: list[Any] = []

    async def watched(lab: Any, signs: Any) -> list[str]:
        await asyncio.sleep(0.01)
        ended.append(signs)
        return ["a place"]

    async def play(broken: bool) -> list[str]:
        async with lab07.watching(made_up_lab(), ["key"]) as watch:
            if broken:
                raise Failure("this", "that", "")
        found: list[str] = watch.result()
        return found

    lab07.watched = watched
    assert asyncio.run(play(False)) == ["a place"] and ended == [["key"]]
    with pytest.raises(Failure):
        asyncio.run(play(True))
    assert ended == [["key"]]
