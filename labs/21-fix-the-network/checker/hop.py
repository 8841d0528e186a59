"""One step of the chain: is what the one asks answered by the other's pods? Its own program asks, in its pods."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.endpoints import enough
from mlops_lab.kit.inside import printed, settled
from mlops_lab.kit.pods import is_running, leaving, name
from mlops_lab.kit.probes import Probe
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object

from .places import PORTS, first_of, pods_at_work

UP_WITHIN = 60  # s, for pods that were changed just before
_ANSWERED_WITHIN = 15.0  # s; nodes learn of a change of Services and policies a moment later
_AT_ONCE = 6  # requests
_ROUND_WITHIN = 10  # s for one request; nobody is asked anew later
_NOBODY = "the pod's own program does not answer"
# Has a pod's program ask the next one, a few times at once while somebody is there, and prints what it says of that;
# and where NEXT leads, if somebody was there.
_ASK = f"""
import json, os, socket, sys, threading, time, urllib.error, urllib.parse, urllib.request
port, times = sys.argv[1:]
said, leads, end = [], [], time.monotonic() + {_ROUND_WITHIN}
def ask():
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
        with opener.open(f"http://127.0.0.1:{{port}}/ask", timeout={_ROUND_WITHIN}) as answer:
            text = answer.read(2000)
    except urllib.error.HTTPError as other:
        text = other.read(2000)
    except OSError as trouble:
        text = json.dumps({{"error": f"{_NOBODY}: {{getattr(trouble, 'reason', trouble)}}"}}).encode()
    said.append(text.decode(errors="replace"))
while len(said) < int(times) and all('"who"' in each for each in said) and time.monotonic() < end:
    asks = [threading.Thread(target=ask) for _ in range(min({_AT_ONCE}, int(times) - len(said)))]
    [each.start() for each in asks]
    [each.join() for each in asks]
if any('"who"' in each for each in said):
    try:
        host = urllib.parse.urlsplit(os.environ.get("NEXT", "")).hostname
        leads = sorted({{each[4][0] for each in socket.getaddrinfo(host, None)}})
    except OSError:
        pass
print(json.dumps([said, leads]))
"""


async def answered(lab: Lab, asker: str, other: str) -> Observation:
    """Wait until all that a Deployment's pods ask the next one, by its Service, is answered by that one's pods.

    Returns:
        The observation; its `value` has what is wrong with each answer, an empty text where nothing is.

    Raises:
        Failure: one of the Deployments is not there or does not roll out.
    """
    for each in (asker, other):
        await settled(lab, each, within=UP_WITHIN)

    async def look() -> list[str]:
        pods = [each for each in await owned_pods(lab, asker) if is_running(each) and not leaving(each)]
        own = [name(each) for each in await pods_at_work(lab, other)]
        at = await _addresses(lab, other)
        times = enough(len(own))
        said = await together(*(_asked(lab, each, PORTS[asker], times) for each in pods))
        found = [wrong(text, own, other) or elsewhere(leads, at, other) for texts, leads in said for text in texts]
        return found or [f"no pod of {asker} runs"]

    def shown(seen: list[str]) -> str:
        bad = [each for each in seen if each]
        return f"{len(bad)} of {len(seen)} requests: {bad[0]}" if bad else f"they answered all of {len(seen)}"

    seen = await lab.time.eventually(
        look, lambda seen: not any(seen), expected=f"pods of {other} answer what {asker} asks", shown=shown,
        within=_ANSWERED_WITHIN,
    )  # fmt: skip
    return seen if seen.ok else replace(seen, evidence=await _at_home(lab, other))


def wrong(text: str, own: Collection[str], deployment: str) -> str:
    """What is wrong with what a program says of the one that it asked; empty if one of those pods has answered."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    said = value if isinstance(value, dict) else {}
    if "error" in said:
        return str(said["error"])[:200]
    if "who" not in said:
        return f"its program says {text[:100]!r}"
    who = str(said["who"])
    return "" if who in own else f"{who[:80]} answers, which is no ready pod of {deployment}"


def elsewhere(leads: Collection[str], at: Collection[str], service: str) -> str:
    """What is wrong with the addresses that a program asks; empty if they are the Service's, or it has none."""
    others = sorted({*leads} - {*at})
    return f"it asks {', '.join(others)[:80]}, which is not Service {service}" if at and others else ""


async def _addresses(lab: Lab, service: str) -> list[str]:
    """The addresses of a Service; none if it is not there, or leads to its pods by their own addresses."""
    found: Object = await lab.objects.named("Service", service).now() or {"spec": {}}
    known = found["spec"].get("clusterIPs") or [found["spec"].get("clusterIP")]
    return [str(each) for each in known if each and each != "None"]


async def _asked(lab: Lab, pod: Object, port: int, times: int) -> tuple[list[str], list[str]]:
    """What the program in a pod says, so many times if somebody is there; and the addresses that it asks."""
    done = await printed(lab, pod, "python3", "-c", _ASK, str(port), str(times), within=30)
    if done.code != 0 or not done.lines:
        return [json.dumps({"error": f"python3 in {name(pod)} printed {done.errors[-100:] or 'nothing'}"})], []
    said, leads = json.loads(done.lines[-1])
    return [str(each) for each in said], [str(each) for each in leads]


async def _at_home(lab: Lab, deployment: str) -> tuple[str, ...]:
    """Are those there who were asked? By their own pods, where no name, Service or policy stands between."""
    lines = []
    for pod in await pods_at_work(lab, deployment):
        target = f"http://127.0.0.1:{PORTS[deployment]}/who"
        gave = await Probe(lab.objects, name(pod), container=first_of(pod)).tries(target)
        said = "answers" if gave[target] else "does not answer"
        lines.append(f"asked in its own pod, {name(pod)} {said} on port {PORTS[deployment]}")
    return tuple(lines)
