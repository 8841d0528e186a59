"""What somebody changes by hand, drawn: how it is done, and whether it is as before."""

from __future__ import annotations

import base64
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, LabError
from mlops_lab.kube.client import Object

Seen = dict[str, Any]
_TIMES = 3  # in which another object is made in place of an immutable one


@dataclass(frozen=True)
class Change:
    """A change of one object.

    Attributes:
        what: in words.
        kind, name: of the object.
        do: makes it.
        part: what of the object has to be as it was.
    """

    what: str
    kind: str
    name: str
    do: Callable[[Lab], Awaitable[Any]]
    part: Callable[[Object], Any]

    async def look(self, lab: Lab) -> Object:
        """The object as it is before."""
        return await lab.objects.named(self.kind, self.name).present()

    async def restored(self, lab: Lab, before: Object) -> str:
        """In what it is not as before; empty if in nothing."""
        now = await lab.objects.named(self.kind, self.name).now()
        if now is None or now["metadata"].get("deletionTimestamp"):
            return f"there is no {self.kind} {self.name}"
        was, found = self.part(before), self.part(now)
        return "" if was == found else f"{str(found)[:100]}, not {str(was)[:100]}"


def changes(draw: random.Random, wanted: Seen) -> list[Change]:
    """Two changes of the Deployment, one each of the Service, the Secret and a ConfigMap; one of each kind is deleted.

    In any order. What is deleted is made anew by who knows no more than how to make it; what is changed has to be
    compared.
    """
    given, key = draw.choice((wanted["weights"], wanted["program"])), wanted["key"]
    found = [
        draw.choice((_scaled(draw, wanted), _image(draw, wanted))),
        _deleted("Deployment", "model", _deployment),
        draw.choice((_port(draw), _selector(draw))),
        _deleted("Service", "model", _service),
        draw.choice((_probe(draw), _patience(draw))),
        _deleted("ConfigMap", given, _data),
        _other_program(draw, wanted["program"]),
        _deleted("Secret", key, _data),
        _other_key(draw, key),
    ]  # fmt: skip
    draw.shuffle(found)
    return found


async def at_rest(lab: Lab, within: float) -> None:
    """Wait until no pod of the service is on its way: one that started with a key changed by hand would keep it."""
    await lab.time.eventually(
        lambda: lab.objects.deployment("model").now(), _rests, expected="Deployment model is rolled out",
        shown=lambda item: "it is" if item and _rests(item) else "it is not", within=within,
    )  # fmt: skip


def _rests(item: Object | None) -> bool:
    if not item:
        return False
    status, count = item.get("status") or {}, item["spec"].get("replicas")
    seen = status.get("observedGeneration") == item["metadata"].get("generation")
    return seen and all(status.get(each) == count for each in ("replicas", "updatedReplicas", "availableReplicas"))


def _deployment(item: Object) -> Any:
    container = item["spec"]["template"]["spec"]["containers"][0]
    return {"replicas": item["spec"].get("replicas"), "image": container.get("image"), "command": container["command"]}


def _more(item: Object) -> Any:
    """What else the repository gives the Deployment's pods, and the changes here touch."""
    spec = item["spec"]["template"]["spec"]
    path = ((spec["containers"][0].get("readinessProbe") or {}).get("httpGet") or {}).get("path")
    return {"readinessProbe path": path, "terminationGracePeriodSeconds": spec.get("terminationGracePeriodSeconds")}


def _service(item: Object) -> Any:
    ports = [(each["port"], each.get("targetPort")) for each in item["spec"].get("ports") or []]
    return {"selector": item["spec"].get("selector"), "ports": ports}


def _data(item: Object) -> Any:
    return item.get("data")


def _scaled(draw: random.Random, wanted: Seen) -> Change:
    count = draw.choice((0, 1, 4))

    async def do(lab: Lab) -> None:
        await lab.objects.patch("Deployment", "model", {"spec": {"replicas": count}})

    return Change(f"Deployment model scaled to {count} by hand", "Deployment", "model", do, _deployment)


def _image(draw: random.Random, wanted: Seen) -> Change:
    tag = f"hotfix-{draw.randrange(0x1000, 0x10000):x}"

    async def do(lab: Lab) -> None:
        item = await lab.objects.deployment("model").present()
        containers = item["spec"]["template"]["spec"]["containers"]
        containers[0]["image"] = f"{wanted['image'].rpartition(':')[0]}:{tag}"
        await lab.objects.patch("Deployment", "model", {"spec": {"template": {"spec": {"containers": containers}}}})

    return Change(f"image {tag} by hand", "Deployment", "model", do, _deployment)


def _probe(draw: random.Random) -> Change:
    path = f"/{draw.choice(('version', 'healthz', 'up'))}-{draw.randrange(0x1000, 0x10000):x}"

    async def do(lab: Lab) -> None:
        item = await lab.objects.deployment("model").present()
        containers = item["spec"]["template"]["spec"]["containers"]
        containers[0]["readinessProbe"]["httpGet"]["path"] = path
        await lab.objects.patch("Deployment", "model", {"spec": {"template": {"spec": {"containers": containers}}}})

    return Change(f"readinessProbe sent to {path} by hand", "Deployment", "model", do, _more)


def _patience(draw: random.Random) -> Change:
    seconds = draw.randrange(9, 25)

    async def do(lab: Lab) -> None:
        spec = {"terminationGracePeriodSeconds": seconds}
        await lab.objects.patch("Deployment", "model", {"spec": {"template": {"spec": spec}}})

    return Change(f"terminationGracePeriodSeconds {seconds} by hand", "Deployment", "model", do, _more)


def _port(draw: random.Random) -> Change:
    number = draw.randrange(8100, 8200)

    async def do(lab: Lab) -> None:
        item = await lab.objects.service("model")
        ports = [{**each, "targetPort": number} for each in item["spec"]["ports"]]
        await lab.objects.patch("Service", "model", {"spec": {"ports": ports}})

    return Change(f"Service model sent to port {number} by hand", "Service", "model", do, _service)


def _selector(draw: random.Random) -> Change:
    other = f"model-{draw.randrange(0x1000, 0x10000):x}"

    async def do(lab: Lab) -> None:
        await lab.objects.patch("Service", "model", {"spec": {"selector": {"app": other}}})

    return Change(f"Service model sent to app {other} by hand", "Service", "model", do, _service)


def _other_key(draw: random.Random, name: str) -> Change:
    value = base64.b64encode(f"{draw.randrange(1 << 64):x}".encode()).decode()

    async def do(lab: Lab) -> None:
        await _with(lab, "Secret", name, {"API_KEY": value})

    return Change(f"another value in Secret {name} by hand", "Secret", name, do, _data)


def _other_program(draw: random.Random, name: str) -> Change:
    mark = f"# hotfix-{draw.randrange(0x1000, 0x10000):x}\n"

    async def do(lab: Lab) -> None:
        found = await lab.objects.named("ConfigMap", name).present()
        await _with(lab, "ConfigMap", name, {each: text + mark for each, text in found["data"].items()})

    return Change(f"another text in ConfigMap {name} by hand", "ConfigMap", name, do, _data)


async def _with(lab: Lab, kind: str, name: str, data: dict[str, str]) -> None:
    """Give an object other data; where it is immutable, another one takes its place."""
    found = await lab.objects.named(kind, name).now()
    if not found or not found.get("immutable"):
        await lab.objects.patch(kind, name, {"data": data})
        return
    other: Object = {key: found[key] for key in ("apiVersion", "kind", "type") if key in found}
    other |= {"metadata": {"name": name}, "data": found["data"] | data}
    for _ in range(_TIMES):
        await lab.objects.delete(kind, name)
        with contextlib.suppress(LabError):  # who puts it back at once was sooner, and it can't be changed again
            await lab.objects.apply([other])
            return


def _deleted(kind: str, name: str, part: Callable[[Object], Any]) -> Change:
    async def do(lab: Lab) -> None:
        await lab.objects.delete(kind, name)

    return Change(f"{kind} {name} deleted by hand", kind, name, do, part)
