"""What lab 20's programs are asked, and what is done to them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mlops_lab.checks import Lab, LabError, Observation, absent, at_most, holds, is_ready, observe
from mlops_lab.kit.deployments import owned_pods, rolled_out
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.endpoints import some_pod
from mlops_lab.kit.given import differences, in_manifests
from mlops_lab.kit.inside import printed, running
from mlops_lab.kit.pods import containers_of, gone_meanwhile, leaving, name, restarts
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probe_times import ends_within, silent_at_worst
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import NotStarted
from mlops_lab.measure.traffic.http import Answer

from .budget import PARTS
from .reports import KNOWN, delivered, newest_reports
from .why import NEVER_CONTENT, NO_DRILL

START = Path(__file__).parents[1] / "start"
ROUTES: dict[str, int] = json.loads(in_manifests(START, "ConfigMap", "archive")["data"]["routes.json"])
RELEASE = "v2"
LATE_FROM = 15  # minutes
AT_ONCE, TIMES = 500, 3  # routes in a large request, and such requests
UP_WITHIN = 90  # s, for pods that were changed just before
NODES_KNOW_WITHIN = 20  # s; the nodes hear of a new pod later than the API
LARGE_WITHIN = 30  # s for the answer to a large request
ANEW_WITHIN = 45  # s: 40 that the task allows, and what the kubelet takes
OPEN_WITHIN = UP_WITHIN  # s for the container after that, and for a new pod: it reads for 8 s
REPLACED_WITHIN = 90  # s
BOOK_ASKED = 8  # times, the board as well; where the book has two pods, both answer then
HUNG = "/tmp/hung"
KILLED = 137  # exit code of what had to be killed when its time to end was over
BOOK_PORT = 8080
WATCHED_AT_MOST = 60  # s; a probe that takes longer is too late for a book that hangs
CONTENT = "a liveness probe that finds nothing wrong with the book"
# Lets the book hang without that file: a process that may open nothing more takes no connection.
STUCK = """
import contextlib, pathlib, resource, sys
found = False
for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if b"/program/book.py" in each.read_bytes().split(bytes(1)):
            resource.prlimit(int(each.parent.name), resource.RLIMIT_NOFILE, (3, 3))
            found = True
sys.exit(not found)
"""
BY_FILE, BY_LIMIT = ("touch", HUNG), ("python3", "-c", STUCK)
# Asks an address; a status of 400 or more is an error, as the kubelet takes it.
GET = """
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=5).read()
"""
# The same by TLS; who answers need not prove who it is, as to the kubelet.
GET_BY_TLS = """
import ssl, sys, urllib.request
anybody = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
urllib.request.build_opener(urllib.request.ProxyHandler({}), anybody).open(sys.argv[1], timeout=5).read()
"""
# Opens a connection to a port.
CONNECT = """
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
"""


async def must_run_as_given(lab: Lab, part: str) -> None:
    """The given program runs in all pods of a Deployment, started as it was, with nothing laid over it; no news then.

    Raises:
        Failure: something else runs.
    """
    given = in_manifests(START, "Deployment", part)["spec"]["template"]["spec"]["containers"][0]
    texts = in_manifests(START, "ConfigMap", "programs")["data"]
    digest = hashlib.sha256(texts[f"{part}.py"].encode()).hexdigest()
    why = "the programs are right as they are, and so is how they are started; what holds them up is around them"
    for pod in await owned_pods(lab, part):
        if leaving(pod):
            continue
        first = pod["spec"]["containers"][0]
        now, was = ([*(each.get("command") or []), *(each.get("args") or [])] for each in (first, given))
        must(Observation(now == was, f"{part} is started by: {' '.join(was)}", f"by: {' '.join(now)}"), why)
        yours = {key: first.get(key) for key in ("image", "command", "args", "envFrom")}
        told = {"env": [*(first.get("env") or []), *await _from_elsewhere(lab, first)]}
        laid = differences({"containers": [first | told]}, {"containers": [given | yours]})
        must(holds(not laid, f"nothing is laid over {part}'s program and image", "; ".join(laid)), why)
        said = await printed(lab, pod, "sh", "-c", "exec sha256sum /program/*", container=first["name"])
        found = {words[-1]: words[0] for words in map(str.split, said.lines)}
        same = said.code == 0 and found.get(f"/program/{part}.py") == digest
        must(holds(same, f"/program/{part}.py as it was given", "it is another program"), why)
        more = sorted({*found} - {f"/program/{each}" for each in texts})
        must(holds(not more, "/program with the given programs alone", f"beside them {', '.join(more)}"), why)


async def _from_elsewhere(lab: Lab, container: Object) -> list[Object]:
    """The variables that a container has from ConfigMaps and Secrets as a whole; their names alone."""
    found: list[Object] = []
    for each in container.get("envFrom") or []:
        kind = "Secret" if "secretRef" in each else "ConfigMap"
        source = each.get("secretRef") or each.get("configMapRef") or {}
        held: Object = await lab.objects.named(kind, str(source.get("name"))).now() or {}
        found += [{"name": f"{each.get('prefix') or ''}{key}"} for key in held.get("data") or {}]
    return found


async def opened(lab: Lab) -> Observation:
    """Does the book answer with the archive's routes?"""
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get("book", "/routes"), within=NODES_KNOW_WITHIN)
    ok = answer.status == 200 and answer.fields_if_any == ROUTES
    return _answered(ok, f"GET /routes gives the minutes of {len(ROUTES)} routes", answer)


async def must_leave_it_alone(lab: Lab) -> None:
    """The liveness probe of a book that has opened finds nothing wrong with it; no news then.

    Whoever it asks is asked in its place; where that can't be done, the book is watched for as long as it takes.

    Raises:
        Failure: it does, so the book is started anew again and again.
    """
    watched = []
    for pod in await owned_pods(lab, "book"):
        first = pod["spec"]["containers"][0]
        if leaving(pod):
            continue
        if not (command := in_its_place(first)):
            watched += [pod] if asks_from_elsewhere(first) else []
            continue
        try:
            said = await printed(lab, pod, *command, container=first["name"])
        except NotStarted:  # an exec probe without its program says nothing, neither good nor bad
            continue
        words = (said.errors.strip().splitlines() or [f"exit code {said.code}"])[-1]
        seen = f"asked as the probe asks, in the pod: {words[:160]}"
        must(holds(said.code == 0, CONTENT, seen), NEVER_CONTENT)
    await together(*(_must_run_on(lab, pod) for pod in watched))


def in_its_place(container: Object) -> list[str]:
    """A command in a container that ends well where its liveness probe does; none where no command can tell."""
    probe: Object = container.get("livenessProbe") or {}
    if "exec" in probe:
        return list(probe["exec"].get("command") or [])
    asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
    port = port_of(container, asked)
    if asked.get("host") or not isinstance(port, int):  # of a name that no port has the kubelet finds nothing out
        return []
    if "tcpSocket" in probe:
        return ["python3", "-c", CONNECT, str(port)]
    scheme, get = ("https", GET_BY_TLS) if asked.get("scheme") == "HTTPS" else ("http", GET)
    return ["python3", "-c", get, f"{scheme}://127.0.0.1:{port}/{str(asked.get('path') or '').lstrip('/')}"]


def asks_from_elsewhere(container: Object) -> bool:
    """Does a container's liveness probe ask what can't be asked from inside: another address, or by gRPC?"""
    probe: Object = container.get("livenessProbe") or {}
    return "grpc" in probe or any((probe.get(kind) or {}).get("host") for kind in ("httpGet", "tcpSocket"))


def found_out_within(pod: Object) -> float:
    """The seconds until the liveness probe of a pod's first container, by its numbers, has ended it, and a little."""
    probe = pod["spec"]["containers"][0]["livenessProbe"]
    late = int(probe.get("initialDelaySeconds") or 0)
    return min(late + silent_at_worst(probe) + ends_within(probe, pod) + 2, WATCHED_AT_MOST)


async def _must_run_on(lab: Lab, pod: Object) -> None:
    """A pod's first container runs on for as long as its liveness probe needs to end it; no news then."""
    first, before, within = pod["spec"]["containers"][0]["name"], _started_anew(pod), found_out_within(pod)

    def ended(it: Object | None) -> bool:
        return it is not None and not leaving(it) and (_started_anew(it) > before or not running(it, first))

    seen = await lab.objects.named("Pod", name(pod)).until(
        ended,
        expected="watched",
        shown=lambda it: "its container has ended" if ended(it) else "its container runs",
        within=within,
    )
    if seen.ok:
        lines = await lab.objects.evidence("Deployment", "book")
        words = f"its container has ended in the {within:g} s for which the checker watched it"
        must(Observation(False, CONTENT, words, evidence=lines, timed=True), NEVER_CONTENT)


async def forecast(lab: Lab, routes: Sequence[str]) -> Observation:
    """The model's minutes for a few routes, against the book's."""
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post("model", "/forecast", {"routes": routes}), within=NODES_KNOW_WITHIN
    )
    return _answered(_right(answer, routes), f"the minutes of {', '.join(routes)}", answer)


async def large_requests(lab: Lab, routes: Sequence[str]) -> Observation:
    """The model's minutes for as many routes as may be, a few times; its containers are not started anew meanwhile."""
    before = restarts(*await owned_pods(lab, "model"))
    expected = f"the minutes of {len(routes)} routes at once, {TIMES} times, by a container that runs on"
    for number in range(1, TIMES + 1):
        answer = await lab.traffic.post("model", "/forecast", {"routes": routes}, within=LARGE_WITHIN)
        if not _right(answer, routes):
            lines = await lab.objects.evidence("Deployment", "model")
            seen = _answered(False, expected, answer)
            return replace(seen, seen=f"request {number}: {seen.seen}", evidence=lines)
    anew = max(0, restarts(*await owned_pods(lab, "model")) - before)
    return Observation(not anew, expected, f"{TIMES} answers; its container was started anew {anew} times")


async def board_of(lab: Lab) -> tuple[Answer, Observation]:
    """The board for routes on both sides of what counts as late: the answer, and whether its rows are right."""
    edge = [next(route for route, minutes in ROUTES.items() if minutes == each) for each in (LATE_FROM - 1, LATE_FROM)]
    others = sorted({*ROUTES} - {*edge})
    routes = [*edge, *drawn(lab, "rows").sample(others, 4)]
    wanted = [{"route": each, "minutes": ROUTES[each], "late": ROUTES[each] >= LATE_FROM} for each in routes]
    path = f"/board?{urlencode([('route', each) for each in routes])}"

    def right(answer: Answer) -> bool:
        return answer.status == 200 and answer.fields_if_any.get("rows") == wanted

    answer = await lab.traffic.first_answer(lambda: lab.traffic.get("board", path), right, within=NODES_KNOW_WITHIN)
    expected = f"GET /board: {', '.join(map(_row, wanted))}"
    if right(answer):
        return answer, Observation(True, expected, f"{len(wanted)} rows, each right")
    rows = answer.fields_if_any.get("rows")
    seen = ", ".join(map(_row, rows)) if answer.status == 200 and isinstance(rows, list) else answer.shown
    return answer, Observation(False, expected, seen)


async def shows_newest(lab: Lab, answer: Answer) -> Observation:
    """Is what the board shows as the newest report one of the book's newest, whichever of their pods are asked?"""
    path = f"/board?{urlencode({'route': next(iter(ROUTES))})}"
    boards = [answer, *await asyncio.gather(*(lab.traffic.get("board", path) for _ in range(BOOK_ASKED)))]
    told = await asyncio.gather(*(lab.traffic.get("book", "/reports?last=30") for _ in range(BOOK_ASKED)))
    known = [each.fields_if_any.get("reports") for each in told if each.status == 200]
    for each in boards:
        shown = each.fields_if_any.get("newest")
        ok = isinstance(shown, dict) and bool(known) and all(isinstance(one, list) and shown in one for one in known)
        if not ok and each.status == 200:
            return Observation(False, "it shows the book's newest report", f"it shows {str(shown)[:160]}")
    return holds(bool(known), "it shows the book's newest report", "the book does not answer")


async def hung_and_back(lab: Lab) -> tuple[Observation, Observation, Observation]:
    """Make a book hang that has just opened: is its container started anew, and does it answer again then?

    A pod that goes on to hang is replaced. When it hangs is the checker's moment; so its liveness probe's numbers must
    do as well for the worst one, with the time that the container has to end.
    """
    pod = await _fresh(lab)
    now = await lab.objects.named("Pod", pod).present()
    # Of a probe that finds the file in another way the trial without one tells.
    drill = any(HUNG in json.dumps(each.get("livenessProbe")) for each in now["spec"]["containers"])
    must(holds(not drill, "a liveness probe that asks the book", "it looks for the file of the drill"), NO_DRILL)
    can = await printed(lab, now, "test", "-w", "/tmp")
    must(holds(can.code == 0, f"{HUNG} can be made", "/tmp can't be written to"), "the book's drill needs that file")
    anew = await _hung(lab, now, BY_FILE)
    then = await lab.objects.named("Pod", pod).now() or now
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get("book", "/routes", within=4), within=OPEN_WITHIN)
    if anew.ok and answer.status != 200:  # the file has outlived the container
        await lab.objects.kill(pod, grace=0)
    await rolled_out(lab, "book", within=OPEN_WITHIN)
    what = "until a book that hangs has ended by its liveness probe, at worst"
    noticed = observe(what, ended_at_worst(then), at_most(ANEW_WITHIN), unit="s", timed=False)
    return anew, noticed, _answered(answer.status == 200, "the book answers again", answer)


def ended_at_worst(pod: Object) -> float:
    """The seconds until a pod's first container has ended that hangs just after a good answer.

    What was killed has had its whole grace period before that; what ended when it was told to has taken no time.

    Args:
        pod: its first container hung, and was started anew since.
    """
    first = pod["spec"]["containers"][0]
    probe = first.get("livenessProbe") or {}
    before = [each.get("lastState") or {} for each in containers_of(pod) if each["name"] == first["name"]]
    killed = any((each.get("terminated") or {}).get("exitCode") == KILLED for each in before)
    return silent_at_worst(probe) + (ends_within(probe, pod) if probe and killed else 0)


async def hung_without_a_file(lab: Lab) -> Observation:
    """Is the book's container started anew where nothing but its silence tells that it hangs?

    A probe that asks the book itself by HTTP can't know of the drill's file; of any other one this is looked at.
    """
    expected = "a new container once the book hangs, without the drill's file"
    pods = [pod for pod in await owned_pods(lab, "book") if not leaving(pod)]
    if all(asks_the_book(pod["spec"]["containers"][0]) for pod in pods):
        return Observation(True, expected, "its liveness probe asks the book itself")
    now = await lab.objects.named("Pod", await _fresh(lab)).present()
    anew = await _hung(lab, now, BY_LIMIT, expected)
    await rolled_out(lab, "book", within=OPEN_WITHIN)
    return anew


def asks_the_book(container: Object) -> bool:
    """Does the liveness probe of the book's container ask by HTTP, and at the port on which the book listens?"""
    get = (container.get("livenessProbe") or {}).get("httpGet") or {}
    return not get.get("host") and port_of(container, get) == BOOK_PORT


def port_of(container: Object, get: Object) -> Any:
    """The number of the port that a probe of a container's asks, which may have it by name."""
    ports = {each.get("name"): each["containerPort"] for each in container.get("ports") or []}
    return ports.get(get.get("port"), get.get("port"))


async def _fresh(lab: Lab) -> str:
    """A pod of the book that has just opened, whose liveness probe has only begun.

    Its container has never ended, either: after an end the kubelet waits, longer each time.
    """
    before = {name(pod) for pod in await owned_pods(lab, "book") if not leaving(pod)}
    await asyncio.gather(*(lab.objects.kill(pod) for pod in sorted(before)))
    seen = await lab.time.eventually(
        lambda: _waiting(lab, before, ["book"]),
        lambda parts: not parts,
        expected="a new pod of the book, ready",
        shown=lambda parts: "there is none" if parts else "it is",
        within=OPEN_WITHIN,
    )
    must(seen, "the checker has deleted its pod, and a new one is made from the Deployment's template")
    # Without a readiness probe it is ready before it has read.
    await lab.traffic.first_answer(lambda: lab.traffic.get("book", "/routes", within=4), within=OPEN_WITHIN)
    return await some_pod(lab, "book")


async def _hung(
    lab: Lab, pod: Object, how: Sequence[str], expected: str = "a new container once the book hangs"
) -> Observation:
    """Let a pod's first container hang by a command, and wait until it is another one; else the pod is replaced."""
    named, before = name(pod), _started_anew(pod)
    anew = absent(f"Pod {named} runs during the check", "it was deleted meanwhile")
    try:
        done = await lab.objects.run_in(named, *how, container=pod["spec"]["containers"][0]["name"])
        if done.code and how == BY_LIMIT:  # not every node lets one process limit another
            return (anew := Observation(True, expected, "it can't be made to hang so here"))
        anew = await lab.objects.named("Pod", named).until(
            lambda it: it is not None and _started_anew(it) > before,
            expected=expected,
            shown=lambda it: f"{_started_anew(it) - before} new containers" if it else "the pod is gone",
            within=ANEW_WITHIN,
        )
    except LabError as trouble:
        if not await gone_meanwhile(lab, named, trouble):
            raise
    finally:
        if not anew.ok:
            await lab.objects.kill(named, grace=0)
    return anew


def _started_anew(pod: Object) -> int:
    """How often a pod's first container was started anew; what becomes of those beside it does not matter."""
    first = pod["spec"]["containers"][0]["name"]
    return sum(int(each.get("restartCount") or 0) for each in containers_of(pod) if each["name"] == first)


async def kept_over_new_pods(lab: Lab) -> tuple[Observation, Observation, Observation, Observation]:
    """Delete all pods of the four: do new ones come, show the same, know all reports of before, and report again?"""
    seen = await delivered(lab)
    must(seen, "the collector wrote into the book before, and what is checked must stay until the check ends")
    known = [*await newest_reports(lab, KNOWN), seen.value]
    before = {name(pod) for part in PARTS for pod in await owned_pods(lab, part) if not leaving(pod)}
    await asyncio.gather(*(lab.objects.kill(pod) for pod in sorted(before)))
    back = await lab.time.eventually(
        lambda: _waiting(lab, before),
        lambda parts: not parts,
        expected="new pods of all four, all ready",
        shown=lambda parts: f"none, or not all, of {', '.join(parts)}" if parts else "all ready",
        within=REPLACED_WITHIN,
    )
    if not back.ok:
        back = replace(back, evidence=await lab.objects.evidence("Deployment", back.value[0]))
        return back, back, back, back
    _, shown = await board_of(lab)
    if shown.ok:  # a pod's limit can be changed while it runs
        routes = drawn(lab, "routes").choices(sorted(ROUTES), k=AT_ONCE)
        shown = await forecast(lab, routes[:3])  # until the nodes know of the model's new pod
        if shown.ok:
            shown = await large_requests(lab, routes)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get("book", f"/reports?last={2 * KNOWN}"), within=NODES_KNOW_WITHIN
    )
    expected = f"the newest {len(known)} reports of before are in the book"
    found = answer.fields_if_any.get("reports")
    lost = [each for each in known if each not in found] if isinstance(found, list) else known
    kept = _answered(answer.status == 200 and not lost, expected, answer)
    if answer.status == 200 and lost:
        kept = replace(kept, seen=f"{len(lost)} of them are not")
    again = await delivered(lab)
    release = again.value.get("release")
    if again.ok and release != RELEASE:
        again = holds(False, f"reports of release {RELEASE} come in again", f"they are of release {release}")
    return back, shown, kept, again


async def _waiting(lab: Lab, before: set[str], parts: Sequence[str] = PARTS) -> list[str]:
    """The parts that have no new pod, or one that is not ready."""
    found = []
    for part in parts:
        pods = [pod for pod in await owned_pods(lab, part) if not leaving(pod)]
        if not pods or any(name(pod) in before or not is_ready(pod) for pod in pods):
            found.append(part)
    return found


def _answered(ok: bool, expected: str, answer: Answer) -> Observation:
    """An answer against what was wanted of it; one that came and is wrong is so however long it took."""
    return Observation(ok, expected, expected if ok else answer.shown, timed=False if answer.status == 200 else None)


def _right(answer: Answer, routes: Sequence[str]) -> bool:
    return answer.status == 200 and answer.fields_if_any.get("minutes") == [ROUTES[each] for each in routes]


def _row(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)[:40]
    return f"{row.get('route')} {row.get('minutes')}{' late' if row.get('late') else ''}"
