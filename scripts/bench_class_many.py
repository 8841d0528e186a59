"""Measures a class of 300: its operator, its API and pages, the API server, and how soon the map shows a result.

Learners are enrolled and have a namespace each; their pods run on nodes that kwok plays (bench_kwok.py). Results come
from the bench in a grader's place, while the class's own dispatcher is away; they stay signed.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import queue
import socket
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import bench_class
import bench_kwok
import bench_sizing as names
import msgspec
from bench_class import Site
from bench_class_grading import Handed, Token, archive
from bench_figures import Figures

from mlops_lab.base.waiting import wait_until
from mlops_lab.classroom.grader.asking import Server as Inside
from mlops_lab.classroom.grader.asking import Taken
from mlops_lab.classroom.roster import namespace
from mlops_lab.classroom.teacher.asking import Server, asking, trust
from mlops_lab.classroom.teacher.place import NAMESPACE, PORT, SERVER
from mlops_lab.cluster.port_forward import forward
from mlops_lab.kube.client import Kube, Object

LAB = "05"  # it has no pods of its own, which real nodes would have to run
ALONE = 10  # namespaces that are asked for one after the other, when all others are there
PODS = 2  # in each namespace
RESULTS = 3  # labs of which each learner has a result
ASKED = 20  # times; the slowest counts
SHOWN = 7  # results that are looked for on the map; the slowest counts
SOON = 0.25  # s that a page waits after an event until it asks anew (class.js)
WITHIN = 30.0  # s for anything that the server is asked
INSIDE = 8444
GRADER = "bench"

Connect = Callable[[], http.client.HTTPConnection]


def many(found: Site) -> Iterator[Figures]:
    """The figures, as they come."""
    bench_class.shared(found)
    ids = bench_class.learners(names.MANY)
    with bench_class.as_before(found):
        bench_class.enrol(found, ids)
        with dispatcher_away(found.kube), bench_kwok.playing(found.kube):
            try:
                yield operators(lambda who: bench_class.begin(found, who, LAB, every=0.05), ids)
                pods = template_of(bench_class.solution(LAB))
                print(f"class: {PODS} pods for each run on {bench_kwok.NODES} nodes that kwok plays", flush=True)
                count = bench_kwok.run(found.kube, [namespace(each, LAB) for each in ids], pods, PODS)
                yield cluster(found.kube, namespace(ids[0], LAB), count)
                with asked(found) as (server, inside, pages):
                    yield servers(server, inside, pages, ids)
                yield {names.OWN_MANY: (bench_class.own(found.kube), "MiB", "at most 700")}
            finally:
                bench_class.clear(found)  # while the pods' nodes still play


def operators(begin: Callable[[Sequence[str]], None], ids: Sequence[str]) -> Figures:
    """What the operator takes for namespaces, from the request until it says that all is ready: most at once, then one
    by one.

    Args:
        begin: has learners begin a lab, and waits until all are ready.
    """
    at_once, single = ids[:-ALONE], ids[-ALONE:]
    print(f"class: {len(at_once)} learners begin lab {LAB} at once, then {ALONE} one by one", flush=True)
    took = [_timed(lambda who=who: begin(who)) for who in (at_once, *([each] for each in single))]  # type: ignore[misc]
    return {
        f"a class of {len(ids)}: {len(at_once)} namespaces asked for at once, until the last is ready": (
            took[0], "s", "",
        ),
        f"a class of {len(ids)}: the operator's time for one namespace, the slowest of {ALONE}": (
            max(took[1:]), "s", "at most 2",
        ),
    }  # fmt: skip


def cluster(kube: Kube, space: str, pods: int) -> Figures:
    """What the API server takes for one learner's pods, and for all."""
    return {
        f"a class of {names.MANY}: the API server lists one learner's pods, the slowest of {ASKED}": (
            slowest(lambda: kube.list("Pod", space)), "s", "at most 1",
        ),
        f"a class of {names.MANY}: the API server lists {pods} simulated pods, the slowest of {ASKED}": (
            slowest(lambda: kube.list("Pod", selector=f"{bench_kwok.LABEL}=true")), "s", "",
        ),
    }  # fmt: skip


def servers(server: Server, inside: Callable[[str], Inside], pages: Pages, ids: Sequence[str]) -> Figures:
    """What the class's server takes, with results of all.

    Args:
        inside: the same server as a grader with a token asks it; an empty one is the dispatcher's.
    """
    ends = datetime.now(UTC) + timedelta(days=1)
    tokens = {each: server.post("kits", Token, learner=each, ends=ends).token for each in ids}
    labs = [each["lab"] for each in json.loads(server.text("GET", "me", token=tokens[ids[0]]))["labs"]][:RESULTS]
    print(f"class: {len(ids)} learners get results of labs {', '.join(labs)}", flush=True)
    given = archive(LAB, uuid.uuid4().hex)
    for lab in labs:
        for learner in ids:
            server.text("POST", f"submissions?lab={lab}", given, tokens[learner])
        while (taken := inside("").take(GRADER, GRADER, [])) is not None:
            inside(taken.token).result(taken.submission, outcome())
    pages.sign_in()
    numbers = itertools.count()

    def handed(learner: str, lab: str) -> Taken:
        content = archive(LAB, f"{uuid.uuid4().hex} {next(numbers)}")
        number = msgspec.json.decode(
            server.text("POST", f"submissions?lab={lab}", content, tokens[learner]), type=Handed
        ).submission
        taken = inside("").take(GRADER, GRADER, [lab])
        if taken is None or taken.submission != number:
            raise SystemExit("somebody else grades in this class: nothing can be measured")
        return taken

    def tell(taken: Taken) -> None:
        inside(taken.token).result(taken.submission, outcome())

    own = tokens[ids[0]]
    one_second = ("s", "at most 1")
    timed = {
        "the API tells the teacher how the class stands": lambda: server.text("GET", "status"),
        "the API tells the teacher all grades": lambda: server.text("GET", "grades"),
        "the API tells a learner how he stands": lambda: server.text("GET", "me", token=own),
        "the page of the gradebook": lambda: pages.get("/grades"),
        "the page of the map": lambda: pages.get("/map"),
    }
    found: Figures = {
        f"a class of {len(ids)}: {what}, the slowest of {ASKED}": (slowest(call), *one_second)
        for what, call in timed.items()
    }
    last = shown(pages, ids[:SHOWN], labs[0], handed, tell)
    name = f"a class of {len(ids)}: from the end of a grading until the map shows it, the slowest of {SHOWN}"
    return {**found, name: (max(last), "s", "at most 2")}


def shown(
    pages: Pages, ids: Sequence[str], lab: str, handed: Callable[[str, str], Taken], tell: Callable[[Taken], None]
) -> list[float]:
    """Seconds from when a grader tells a result until the map has it, as an open page asks for it.

    Args:
        handed: hands in a learner's work, and takes it as a grader.
        tell: tells its result.
    """
    took = []
    with pages.live() as events:
        for learner in ids:
            taken = handed(learner, lab)
            while not events.empty():
                events.get()
            before, began = row_of(learner, pages.get("/map")), time.monotonic()
            tell(taken)
            wanted = {"kind": "result", "learner": learner, "lab": lab}
            while True:
                try:
                    event = events.get(timeout=WITHIN)
                except queue.Empty:
                    raise SystemExit(f"the map heard nothing of a result within {WITHIN:g} s") from None
                if event is None:
                    raise SystemExit("the map's page lost the server; run it again")
                if event == wanted:
                    break
            time.sleep(SOON)
            if row_of(learner, pages.get("/map")) == before:
                raise SystemExit(f"the map does not show the result of {learner}")
            took.append(time.monotonic() - began)
    return took


def row_of(learner: str, page: bytes) -> bytes:
    """What the map says of a learner."""
    return page.partition(f'/learners/{learner}"'.encode())[2].partition(b"</tr>")[0]


def slowest(call: Callable[[], object], times: int = ASKED) -> float:
    """The longest of some calls, in seconds."""
    return max(_timed(call) for _ in range(times))


def _timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def outcome() -> dict[str, Any]:
    """A result that adds up: two checks of three pass."""
    checks = [
        {"check": name, "verdict": verdict, "points": 1, "earned": int(verdict == "pass"), "expected": "a", "seen": "b"}
        for name, verdict in (("first", "pass"), ("second", "pass"), ("third", "fail"))
    ]
    return {"lab_content": "0" * 64, "points": 2, "possible": 3, "checks": checks, "seconds": 1.0, "seed": 1}


def template_of(objects: Sequence[Object]) -> Object:
    """The pods of the first Deployment."""
    found: Object = next(each for each in objects if each["kind"] == "Deployment")["spec"]["template"]
    return found


@contextlib.contextmanager
def dispatcher_away(kube: Kube) -> Iterator[None]:
    """Nobody takes submissions while the block runs but the bench."""
    there = kube.find("Deployment", "dispatcher", NAMESPACE)
    if there is None:
        yield
        return
    count = there["spec"].get("replicas", 1) or 1  # 0 is what a run that was killed has left
    try:
        kube.patch("Deployment", "dispatcher", {"spec": {"replicas": 0}}, NAMESPACE)
        wait_until(
            lambda: (not kube.list("Pod", NAMESPACE, selector="app.kubernetes.io/component=grader") or None, "it runs"),
            what="the end of the dispatcher", within=120, hint="see: lab class status",
        )  # fmt: skip
        yield
    finally:
        kube.patch("Deployment", "dispatcher", {"spec": {"replicas": count}}, NAMESPACE)


class Pages:
    """The pages as the teacher's browser has them.

    Args:
        connect: makes a connection to the server.
        origin: as the browser knows the server, such as `https://127.0.0.1:8443`.
    """

    def __init__(self, connect: Connect, origin: str, token: str) -> None:
        self._connect, self._origin, self._token, self._cookie = connect, origin, token, ""

    def sign_in(self) -> None:
        """Begin a session.

        Raises:
            SystemExit: the server lets nobody in.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
        with contextlib.closing(self._connect()) as connection:
            connection.request("POST", "/login", urlencode({"token": self._token, "next": "/"}), headers)
            answer = connection.getresponse()
            answer.read()
        cookies = SimpleCookie(answer.getheader("Set-Cookie", ""))
        if answer.status != 303 or not cookies:
            raise SystemExit(f"the class's pages let the teacher not in: status {answer.status}")
        self._cookie = "; ".join(f"{each.key}={each.coded_value}" for each in cookies.values())

    def get(self, path: str) -> bytes:
        """A page.

        Raises:
            SystemExit: it is none.
        """
        with contextlib.closing(self._connect()) as connection:
            connection.request("GET", path, headers={"Cookie": self._cookie})
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: status {answer.status}")
        return content

    @contextlib.contextmanager
    def live(self) -> Iterator[queue.Queue[dict[str, str] | None]]:
        """What an open page hears while the block runs; None once it hears no more."""
        heard: queue.Queue[dict[str, str] | None] = queue.Queue()
        connection = self._connect()
        connection.request("GET", "/live", headers={"Cookie": self._cookie})
        answer = connection.getresponse()

        def read() -> None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
                while line := answer.readline():
                    if line.startswith(b"data: "):
                        heard.put(json.loads(line[6:]))
            heard.put(None)

        thread = threading.Thread(target=read, name="live", daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            if connection.sock:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            connection.close()


@contextlib.contextmanager
def asked(found: Site) -> Iterator[tuple[Server, Callable[[str], Inside], Pages]]:
    """The class's server as its teacher and learners, its graders, and the teacher's browser ask it."""
    secret = found.place.secret(found.place.told().value("server", "existingSecret") or "class")
    trusted, name = trust(found.place)
    if name != "localhost":
        raise SystemExit(f"the class has a certificate for {name}; one that the chart makes is for this machine, too")
    context = ssl.create_default_context(cadata=trusted or None)
    with (
        asking(found.place) as server,
        forward(found.place.kubectl, NAMESPACE, SERVER, PORT) as port,
        forward(found.place.kubectl, NAMESPACE, SERVER, INSIDE) as port_inside,
        tempfile.TemporaryDirectory() as folder,
    ):
        file = Path(folder) / "ca.crt"
        file.write_text(trusted, "utf-8")

        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPSConnection("localhost", port, timeout=WITHIN, context=context)

        def inside(token: str) -> Inside:
            return Inside(f"https://localhost:{port_inside}", token or secret["grader"], file if trusted else None)

        yield server, inside, Pages(connect, f"https://localhost:{port}", secret["teacher"])
