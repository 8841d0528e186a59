"""Probes: what a target gave, read from what the program in the pod prints, and which ways are then wrong."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.checks import Failure, LabError, Observation
from mlops_lab.checks.rooms.objects import Objects, Printed
from mlops_lab.kit import probes
from mlops_lab.kit.probes import Probe, Way, address_behind, judged, tried
from mlops_lab.kube.errors import NotFound, Refused
from tests.made_up import NothingThere, made_up_lab


class Space(NothingThere):
    """A namespace in which pods run at once, and whose probes see what is given."""

    def __init__(self, gives: dict[str, str], *, refuses: Exception | None = None, code: int = 0) -> None:
        self.gives, self.refuses, self.code = gives, refuses, code
        self.pods: dict[str, Any] = {}
        self.asked: list[tuple[str, ...]] = []

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return self.pods.get(name)

        async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
            pod = self.pods[name] | {"status": {"phase": "Running"}}
            return Observation(test(pod), expected, shown(pod))

        return SimpleNamespace(now=now, until=until)

    async def apply(self, objects: Any) -> None:
        if self.refuses:
            raise self.refuses
        self.pods |= {each["metadata"]["name"]: each for each in objects}

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.pods.pop(name, None)

    async def run_in(self, pod: str, *command: str, container: str | None = None) -> Printed:
        assert pod in self.pods, "asked before it stands"
        targets = command[5:]
        self.asked.append(targets)
        printed = json.dumps({each: self.gives.get(f"{pod} {each}", "") for each in targets})
        return Printed(self.code, [printed] if not self.code else [], "killed")


def probe(space: Space, name: str) -> Probe:
    return Probe(cast(Objects, space), name, {"app": name})


def test_each_way_is_tried_once_from_its_probe_and_the_probes_are_gone_afterwards() -> None:
    here, there = Space({"a tcp:x:1": "open", "a dns:y": "10.0.0.1"}), Space({"b tcp:x:1": "open"})
    a, b = probe(here, "a"), probe(there, "b")
    ways = [
        Way(a, "tcp:x:1", True, "a to x"),
        Way(a, "dns:y", True, "a to y", "10.0.0.1"),
        Way(b, "tcp:x:1", False, "b to x"),
        Way(b, "tcp:z:1", True, "b to z"),
    ]
    gave = asyncio.run(tried(made_up_lab(), ways))
    assert [way.right(gave[way]) for way in ways] == [True, True, False, False]
    assert (here.asked, there.asked) == ([("tcp:x:1", "dns:y")], [("tcp:x:1", "tcp:z:1")])
    assert not here.pods and not there.pods
    assert judged(gave, ways[:2], "both").ok
    wrong = judged(gave, ways, "all")
    assert (wrong.ok, wrong.seen, wrong.evidence) == (False, "open: b to x", ("closed: b to z",))


def test_an_answer_of_somebody_else_is_wrong() -> None:
    way = Way(probe(Space({}), "a"), "http://x/", True, "a to x", "hello")
    assert way.right("hello, you") and not way.right("goodbye\nhello?"[:7])
    assert way.seen("goodbye\nyou") == "another answer, 'goodbye': a to x"


def test_a_namespace_that_takes_no_pods_is_the_learners_failure() -> None:
    for refusal in (NotFound("no namespace", ""), Refused("forbidden", "", 403)):
        with pytest.raises(Failure, match="take pods"):
            asyncio.run(tried(made_up_lab(), [Way(probe(Space({}, refuses=refusal), "a"), "tcp:x:1", True, "")]))
    for trouble in (Refused("too many requests", "", 500), LabError("away", "")):
        with pytest.raises(LabError):
            asyncio.run(tried(made_up_lab(), [Way(probe(Space({}, refuses=trouble), "a"), "tcp:x:1", True, "")]))


def test_a_program_that_was_cut_off_is_no_answer() -> None:
    space = Space({}, code=137)
    with pytest.raises(LabError, match="killed"):
        asyncio.run(tried(made_up_lab(), [Way(probe(space, "a"), "tcp:x:1", False, "")]))
    assert not space.pods


def test_no_service_leads_to_a_probe() -> None:
    spec = probe(Space({}), "a").pod("image")["spec"]
    assert spec["readinessGates"] == [{"conditionType": "mlops-lab/never"}]


@pytest.mark.parametrize(("ready", "address"), [("True", "10.1.2.3"), ("False", None)])
def test_an_address_is_that_of_a_ready_pod(ready: str, address: str | None) -> None:
    pod = {"metadata": {}, "status": {"podIP": "10.1.2.3", "conditions": [{"type": "Ready", "status": ready}]}}

    async def pods_until(service: str, test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        return Observation(test([pod]), expected, shown([pod]), [pod])

    objects = cast(Objects, SimpleNamespace(pods_until=pods_until))
    if address:
        assert asyncio.run(address_behind(objects, "api")) == address
        return
    with pytest.raises(Failure, match="0 of 1 pods behind Service api are ready"):
        asyncio.run(address_behind(objects, "api"))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *words: Any) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_program_says_of_each_target_what_it_gave(port: int) -> None:
    here = f"127.0.0.1:{port}"
    targets = [
        f"http://{here}/", f"http://{here}/nothing", f"tcp:{here}", "tcp:127.0.0.1:1", "http://127.0.0.1:1/",
        "dns:localhost", "dns:no.such.name.invalid.", "tcp:no port",
    ]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", probes._TRY, *targets], capture_output=True, text=True, timeout=20)
    seen = json.loads(done.stdout)
    assert [seen[each] for each in targets[:5]] == ["hello", "status 404", "open", "", ""]
    assert "127.0.0.1" in seen["dns:localhost"]
    assert (seen["dns:no.such.name.invalid."], seen["tcp:no port"]) == ("", "")


class SlowSpace(Space):
    """A namespace that takes a pod also from who is cut off meanwhile, but then a moment later."""

    async def apply(self, objects: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            await super().apply(objects)


def test_where_one_probe_can_not_stand_none_of_the_others_is_left() -> None:
    refuses, slow = Space({}, refuses=Refused("forbidden", "", 403)), SlowSpace({})
    ways = [Way(probe(refuses, "a"), "tcp:x:1", True, ""), Way(probe(slow, "b"), "tcp:x:1", True, "")]
    with pytest.raises(Failure, match="take pods"):
        asyncio.run(tried(made_up_lab(), ways))
    assert not slow.pods


def test_a_probe_in_a_pod_with_several_containers_is_run_in_the_one_that_is_named() -> None:
    asked: list[str | None] = []

    async def run_in(pod: str, *command: str, container: str | None = None) -> Printed:
        asked.append(container)
        return Printed(0, ['{"tcp:x:1": "open"}'], "")

    objects = cast(Objects, SimpleNamespace(run_in=run_in))
    assert asyncio.run(Probe(objects, "a", container="server").tries("tcp:x:1")) == {"tcp:x:1": "open"}
    asyncio.run(Probe(objects, "a").tries("tcp:x:1"))
    assert asked == ["server", None]
