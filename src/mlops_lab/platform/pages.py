"""The platform's pages: which there are, whether they are ready, and a port forward to one while it is open.

It goes to a ready pod behind the page's Service, and is made anew when that pod is replaced.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.processes import ended
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import forward, forwarding
from mlops_lab.platform.releases import RELEASES, Page, Release

_BEHIND = "services,endpointslices"
_BACK_WITHIN = 120.0  # s that a page which was open may be without a ready pod


@dataclass(frozen=True)
class Place:
    """A page of an installed part; `pod` is a ready one behind it, empty when there is none."""

    release: Release
    page: Page
    pod: str = ""
    port: int = 0


def places(kubectl: Kubectl, there: list[Release]) -> list[Place]:
    """The pages of these releases."""
    found = []
    for release in there:
        if release.pages:
            objects = kubectl.get(_BEHIND, "-n", release.namespace)
            found += [Place(release, page, *behind(objects, page)) for page in release.pages]
    return found


def place(kubectl: Kubectl, name: str, there: list[Release]) -> Place:
    """A page by its name, or a part's first page by the part's.

    Args:
        there: the releases that are installed.

    Raises:
        UsageError: there is none of that name, or it is not installed.
    """
    known = [(release, page, f"--with {release.part}") for release in RELEASES for page in release.pages]
    for each in RELEASES:
        known += [(each, page, f"--engine {engine.name}") for engine in each.engines for page in engine.pages]
    wanted = [one for one in known if one[1].name == name] or [one for one in known if one[0].part == name]
    if not wanted:
        raise UsageError(
            f"there is no page {name!r}", f"there are: {', '.join(dict.fromkeys(page.name for _, page, _ in known))}"
        )
    release, page, words = wanted[0]
    here = next((each for each in there if each.part == release.part), None)
    # An engine may serve a page of this name in another place.
    found = next((each for each in here.pages if each.name == page.name), None) if here else None
    if found is None:
        instead = next((engine.instead for engine in release.engines if page in engine.pages), "") if here else ""
        hint = (
            f"in its place there is: {instead}; to install it: lab up {words}"
            if instead
            else f"install it: lab up {words}"
        )
        raise UsageError(f"{name} is not installed", hint)
    return Place(release, found, *behind(kubectl.get(_BEHIND, "-n", release.namespace), found))


def absent(there: list[Release]) -> list[tuple[Page, str]]:
    """The pages of published systems that are not there, and the command that opens what is there in their place.

    Args:
        there: the releases that are installed.
    """
    shown = {page.name for release in there for page in release.pages}
    parts = {release.part for release in there}
    return [
        (engine.pages[-1], engine.instead if release.part in parts else f"lab up --with {release.part}")
        for release in RELEASES
        for engine in release.engines
        if engine.pages and engine.pages[-1].name not in shown
    ]


def login(kubectl: Kubectl, release: Release, page: Page) -> tuple[str, str] | None:
    """Who may sign in at a page: user and password, if the part has made such."""
    if not page.login:
        return None
    words = ("get", "secret", page.login, "-n", release.namespace, "--ignore-not-found", "-o", "json")
    text = kubectl.run(*words).stdout
    data = (json.loads(text).get("data") or {}) if text.strip() else {}
    user, password = (base64.b64decode(data.get(key, "")).decode() for key in ("user", "password"))
    return (user, password) if user and password else None


def behind(objects: list[dict[str, Any]], page: Page) -> tuple[str, int]:
    """A ready pod behind a page's Service and the pod's port, out of Services and EndpointSlices.

    Returns:
        ("", 0) when there is none.
    """
    named = [
        port.get("name") or ""
        for each in objects
        if each["kind"] == "Service" and each["metadata"]["name"] == page.service
        for port in each["spec"]["ports"]
        if port["port"] == page.port
    ]
    for each in objects:
        labels = each["metadata"].get("labels") or {}
        if each["kind"] != "EndpointSlice" or labels.get("kubernetes.io/service-name") != page.service:
            continue
        ports = [port["port"] for port in each.get("ports") or [] if (port.get("name") or "") in named]
        for endpoint in each.get("endpoints") or []:
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if ready and ports and (endpoint.get("targetRef") or {}).get("kind") == "Pod":
                return endpoint["targetRef"]["name"], ports[0]
    return "", 0


def answers(kubectl: Kubectl, release: Release, page: Page, within: float = 60) -> None:
    """Wait until a page answers an HTTP request through a port forward, as `lab open` makes it.

    Raises:
        LabError: it does not, within the limit.
    """

    def probe() -> tuple[bool | None, str]:
        try:
            with forward(kubectl, release.namespace, f"service/{page.service}", page.port) as port:
                status = _status(port, page.path)
        except (OSError, http.client.HTTPException, LabError) as trouble:
            return None, str(trouble) or type(trouble).__name__
        return (True, "") if status < 500 else (None, f"HTTP status {status}")

    wait_until(
        probe, what=f"the page {page.name}", within=within, every=1,
        hint=f"look at its pod: kubectl --context {kubectl.context} -n {release.namespace} get pods",
    )  # fmt: skip


def keep_open(
    kubectl: Kubectl,
    name: str,
    there: list[Release],
    local: int,
    say: Callable[[str], None],
    opened: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Forward a page until the process is interrupted (or `stop` says so); a replaced pod is followed.

    Args:
        local: the port on 127.0.0.1.
        opened: called once, with the URL.

    Raises:
        LabError: there is no ready pod behind the page, or the API server does not tell: at first, or for two minutes
            later on.
    """
    first, said = True, ""
    while not stop():
        why = "its pod was replaced; connecting again"
        if first:
            wanted = place(kubectl, name, there)
            if not wanted.pod:
                raise LabError(f"{name} is not ready", "see what is wrong with it: lab status")
        else:
            wanted = wait_until(
                lambda: _with_pod(kubectl, name, there),
                what=name, within=_BACK_WITHIN, every=1, hint="see what is wrong with it: lab status",
            )  # fmt: skip
        url = f"http://127.0.0.1:{local}{wanted.page.path}"
        namespace = wanted.release.namespace
        try:
            with (
                forwarding(kubectl, namespace, f"pod/{wanted.pod}", wanted.port, local) as (child, _),
                _deletion(kubectl, namespace, wanted.pod) as gone,
            ):
                if first:
                    opened(url)
                else:
                    say(f"{name} is back at {url}")
                first, said = False, ""
                while child.poll() is None and gone.poll() is None and not stop():
                    time.sleep(0.2)
        except LabError as trouble:
            if first:
                raise
            why = f"{trouble.message}; trying again"
            time.sleep(1)
        if not stop() and why != said:
            say(f"{name}: {why}")
            said = why


def free_port(wanted: int) -> int:
    """The wanted port if nothing listens there and it may be taken, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise LabError("no port is free on 127.0.0.1", "stop some programs and try again")


@contextlib.contextmanager
def _deletion(kubectl: Kubectl, namespace: str, pod: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends when the pod is gone (or after a day)."""
    with ended(kubectl.start("wait", "-n", namespace, "--for=delete", f"pod/{pod}", "--timeout=24h")) as child:
        yield child


def _with_pod(kubectl: Kubectl, name: str, there: list[Release]) -> tuple[Place | None, str]:
    """A page that has a ready pod; an API server that does not answer for a while has none."""
    try:
        now = place(kubectl, name, there)
    except LabError as silent:
        return None, silent.brief
    return (now, "") if now.pod else (None, "no ready pod")


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status
