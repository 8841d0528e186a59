"""From within a pod: who asks the server there, on whichever port, and which processes come and go there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from mlops_lab.checks import Lab, LabError, quantity
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import is_running, leaving, lives_long
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

from .beginning import begun
from .exposure import running, told
from .keys import HEADER, SECRET
from .sync import of_pod

# Asks POST /predict on the given port, and wherever else something listens in the pod, at 127.0.0.1 or the address that
# it listens on, with each key in turn (none: `-`); prints where, which key, and the status, 0 for no answer.
ASK = r"""
import concurrent.futures, ipaddress, os, sys, urllib.error, urllib.request
folder, port, header, body, *keys = sys.argv[1:]
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
places = {f"127.0.0.1:{port}": None}
for table in (f"{folder}/tcp", f"{folder}/tcp6"):
    for words in map(str.split, open(table).readlines()[1:] if os.path.exists(table) else ()):
        host, _, number = words[1].rpartition(":")
        raw = bytes.fromhex(host)
        address = ipaddress.ip_address(b"".join(raw[each:each + 4][::-1] for each in range(0, len(raw), 4)))
        address = getattr(address, "ipv4_mapped", None) or address
        hosts = ["127.0.0.1", "::1"][:1 + (address.version == 6)] if address.is_unspecified else [str(address)]
        for each in hosts if words[3] == "0A" else ():
            places[(f"[{each}]" if ":" in each else each) + f":{int(number, 16)}"] = None
def asked(place, key):
    headers = {"Content-Type": "application/json"} | ({} if key == "-" else {header: key})
    try:
        with ask(urllib.request.Request(f"http://{place}/predict", body.encode(), headers), timeout=8) as said:
            return said.status
    except urllib.error.HTTPError as refused:
        return refused.code
    except Exception:
        return 0
every = [(place, which, key) for place in [*places][:12] for which, key in enumerate(keys)]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for (place, which, _), status in zip(every, pool.map(lambda each: asked(each[0], each[2]), every)):
        print(place, which, status)
"""
ASKED_WITHIN = 40  # s
# Prints each command line and each environment that it sees, once, with the file's name before it; 50 looks a second.
WATCH = r"""
import os, sys, time
end, seen, folder = time.monotonic() + float(sys.argv[1]), set(), sys.argv[2]
while time.monotonic() < end and len(seen) < 2000:
    for process in filter(str.isdigit, os.listdir(folder)):
        for what in ("cmdline", "environ"):
            try:
                with open(f"{folder}/{process}/{what}", "rb") as file:
                    text = file.read(100_000)
            except OSError:
                continue
            if text and (what, text) not in seen:
                seen.add((what, text))
                shown = text.decode("utf-8", "replace").replace(chr(0), chr(10))
                print(f"== {folder}/{process}/{what}", shown, sep=chr(10))
    time.sleep(0.02)
"""
WATCHED = 12  # s, in which a probe comes at least once, unless it has another period than it has by itself
PERIOD = 10  # s between two of a probe's, where it says nothing else
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
AT_TIMES = (
    2,
    3,
    3,
)  # s after the beginning, and after the one before: when a probe is run that would not come by itself
MOST = 2  # containers that are watched, the first one among them
ROOM = 64 << 20  # bytes of memory that a container may have, at least, so that one more Python fits in


async def asked_inside(lab: Lab, body: Any, keys: Mapping[str, str | None]) -> dict[str, int]:
    """The statuses that somebody gets who asks from within a pod, as kubectl port-forward does; by key and place.

    A place is wherever something listens in the pod, as `HOST:PORT`: there may be a second door beside that of the
    Service. Where nobody answers in HTTP there is no status.
    """
    pod = await one_pod(lab)
    port = pod and target(await lab.objects.service("model"), pod)
    if not pod or not port:
        return {}
    given = [key or "-" for key in keys.values()]
    command = ("python3", "-c", ASK, "/proc/net", str(port), HEADER, json.dumps(body), *given)
    first = pod["spec"]["containers"][0]["name"]

    async def ask(name: str) -> Sequence[str]:
        return (await lab.objects.run_in(name, *command, container=first, within=ASKED_WITHIN)).lines

    return statuses_by(list(keys), await of_pod(lab, pod, ask) or [])


def statuses_by(keys: Sequence[str], lines: Sequence[str]) -> dict[str, int]:
    """The statuses that `ASK` has printed, by `KEY at PLACE`; lines that it has not are left out."""
    found = {}
    for words in map(str.split, lines):
        if len(words) == 3 and all(each.isdigit() for each in words[1:]) and int(words[1]) < len(keys):
            found[f"{keys[int(words[1])]} at {words[0]}"] = int(words[2])
    return {what: status for what, status in found.items() if status}


@contextlib.asynccontextmanager
async def watching(lab: Lab, signs: Sequence[str]) -> AsyncIterator[asyncio.Task[list[str]]]:
    """`watched` beside the block, which ends when both have; the task has the result then."""
    task = asyncio.create_task(watched(lab, signs))
    try:
        yield task
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def watched(lab: Lab, signs: Sequence[str]) -> list[str]:
    """Where a key shows, in words, in what processes of one pod are given in the next `WATCHED` seconds.

    Those that are there for a moment are seen as well, such as what a probe runs; of init containers and hooks in a
    copy of the pod. A container that ends meanwhile, or that has no room, is passed over. Pods of others that have the
    Secret are watched, too.
    """
    pod = await one_pod(lab)
    if pod is None:
        return []
    pods = [pod, *await others_with_it(lab)]
    looks = [_watched(lab, one, each, signs) for one in pods for each in watchable(one)[:MOST]]
    found = await asyncio.gather(begun(lab, pod, WATCH, signs), *looks)
    return [place for each in found for place in each]


def watchable(pod: Object) -> list[Object]:
    """The containers of a pod in which one more program can run."""
    return [each for each in lives_long(pod["spec"]) if has_room(each) and each["name"] in running(pod)]


async def others_with_it(lab: Lab) -> list[Object]:
    """Pods that run and mount the Secret, and are not the Deployment's; one of each owner, two at most."""
    own, found = {name_of(each) for each in await owned_pods(lab)}, dict[str, Object]()
    for each in await lab.objects.all("Pod"):
        if name_of(each) not in own and is_running(each) and not leaving(each) and mounts(each["spec"]):
            owners = each["metadata"].get("ownerReferences") or [each["metadata"]]
            found.setdefault(owners[0]["uid"], each)
    return list(found.values())[:MOST]


def mounts(spec: Object) -> bool:
    """Is the Secret one of a pod's volumes, or a part of one?"""
    volumes = [each for volume in spec.get("volumes") or [] for each in (volume, *_parts(volume))]
    return any(SECRET in ((each.get("secret") or {}).get(key) for key in ("secretName", "name")) for each in volumes)


def _parts(volume: Object) -> list[Object]:
    return (volume.get("projected") or {}).get("sources") or []


async def _watched(lab: Lab, pod: Object, container: Object, signs: Sequence[str]) -> list[str]:
    name = str(container["name"])
    watch = partial(lab.objects.run_in, container=name, within=3 * WATCHED)
    task = asyncio.create_task(_probed(lab, pod, container))
    try:
        printed = await of_pod(lab, pod, lambda which: watch(which, "python3", "-c", WATCH, str(WATCHED), "/proc"))
    except LabError:
        return []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return told(pod, name, printed.lines if printed else [], signs)


async def _probed(lab: Lab, pod: Object, container: Object) -> None:
    """Run a container's rare probes, a few times; what becomes of them is nobody's concern."""

    async def run(command: Sequence[str], name: str) -> None:
        await lab.objects.run_in(name, *command, container=str(container["name"]), within=WATCHED)

    for pause in AT_TIMES if (probes := rare_probes(container)) else ():
        await lab.time.pause(pause)
        for command in probes:
            with contextlib.suppress(LabError):
                await of_pod(lab, pod, partial(run, command))


def rare_probes(container: Object) -> list[list[str]]:
    """The commands of probes that need not come while a container is watched."""
    found = []
    for kind in PROBES:
        probe = container.get(kind) or {}
        rare = kind == "startupProbe" or int(probe.get("periodSeconds") or PERIOD) > PERIOD
        if rare and (command := (probe.get("exec") or {}).get("command")):
            found.append([str(each) for each in command])
    return found


async def one_pod(lab: Lab) -> Object | None:
    """One of the Deployment's pods that runs."""
    return next((each for each in await owned_pods(lab) if is_running(each) and not leaving(each)), None)


def target(service: Object, pod: Object) -> int | None:
    """The port of a pod that a Service's port 80 leads to; None where that is not said."""
    found = next((each for each in service["spec"].get("ports") or [] if each["port"] == 80), None)
    to = (found or {}).get("targetPort", 80)
    declared = [one for each in pod["spec"]["containers"] for one in each.get("ports") or []]
    ports = {one.get("name"): int(one["containerPort"]) for one in declared}
    return to if isinstance(to, int) else ports.get(to)


def has_room(container: Object) -> bool:
    """May a container use as much memory as one more program needs?"""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return limit is None or quantity(limit) >= ROOM
