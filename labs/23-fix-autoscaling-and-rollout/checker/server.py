"""The release as it was handed over: is it the given program that runs, and is what it writes printed?"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mlops_lab.checks import Lab, Observation, absent
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.given import differences, in_manifests
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import leaving, lives_long, name
from mlops_lab.kube.client import Object

START = Path(__file__).parents[1] / "start"
RELEASE = "v2"
SHIPPER = "shipper"
_FLIGHTS, _ROUNDS = 10, 3
_AGAIN = 4  # forecasts for one flight; more than the Deployment may have pods
_ANSWERS_WITHIN = 15  # s; the nodes hear of new pods a moment later than the API
_PRINTED_WITHIN = 8  # s, in each round


async def own_pods(lab: Lab) -> list[Object]:
    """The pods of Deployment `model` that stay."""
    return [each for each in await owned_pods(lab) if not leaving(each)]


async def given(lab: Lab) -> Observation:
    """Whether the first container of each pod is the given server, in the image of the release."""
    was: Object = in_manifests(START, "Deployment", "model")["spec"]["template"]["spec"]
    was["containers"][0]["image"] = lab.platform.image(RELEASE)
    files = in_manifests(START, "ConfigMap", "program")["data"]
    said: list[str] = []
    for pod in await own_pods(lab):
        source = program_from(pod["spec"], was)
        now: Object = (await lab.objects.named("ConfigMap", source).now() if source else None) or {}
        if not source:
            said.append("no ConfigMap mounted as a whole at /program")
        elif now.get("data") != files or now.get("binaryData"):
            said.append(f"another program in ConfigMap {source}")
        said += differences(pod["spec"], was)
    expected = f"the first container of each pod of {RELEASE} is the given server"
    return Observation(not said, expected, said[0] if said else "it is", None, tuple(dict.fromkeys(said[1:6])))


def program_from(spec: Object, was: Object) -> str:
    """The ConfigMap that a pod's first container has as a whole where the given one has its program; empty if none."""
    place = was["containers"][0]["volumeMounts"][0]["mountPath"]
    mounts = {each["mountPath"].rstrip("/"): each for each in spec["containers"][0].get("volumeMounts") or []}
    mount = mounts.get(place) or {}
    if {"subPath", "subPathExpr"} & set(mount) or any(each.startswith(f"{place}/") for each in mounts):
        return ""
    volumes = {each["name"]: each for each in spec.get("volumes") or []}
    source = volumes.get(mount.get("name", ""), {}).get("configMap") or {}
    return "" if source.get("items") else str(source.get("name") or "")


async def ships(lab: Lab) -> Observation:
    """Whether the shippers print the forecasts that the checker asks for: some flights, then one of them again."""
    expected = f"container {SHIPPER} prints a line for each of {_FLIGHTS + _AGAIN} forecasts"
    for pod in await own_pods(lab):
        if SHIPPER not in [each["name"] for each in lives_long(pod["spec"])]:
            return absent(expected, f"pod {name(pod)} has no container {SHIPPER}")
    numbers = drawn(lab, "flights")
    for _ in range(_ROUNDS):  # a pod that was about to go may have answered: its log goes with it
        flights = [f"UA{number}" for number in numbers.sample(range(1000, 10000), _FLIGHTS)]
        again = [numbers.choice(flights)] * _AGAIN
        # All at once: who looks at the last line now and then does not see each of them. Then the same line again,
        # with no other between: who leaves out what was printed before does not print it.
        for at_once in (flights, again):
            asks = [functools.partial(lab.traffic.get, "model", f"/predict?flight={flight}") for flight in at_once]
            answers = await asyncio.gather(*(lab.traffic.first_answer(ask, within=_ANSWERS_WITHIN) for ask in asks))
            for flight, answer in zip(at_once, answers, strict=True):
                if answer.status != 200:
                    return absent(expected, f"GET /predict?flight={flight}: {answer.shown}")
        seen = await lab.time.eventually(
            functools.partial(_not_printed, lab, [*flights, *again]),
            lambda missing: not missing,
            expected=expected,
            shown=lambda missing: f"not printed: {', '.join(missing)}" if missing else "it does",
            within=_PRINTED_WITHIN,
        )
        if seen.ok:
            break
    return Observation(seen.ok, expected, seen.seen)


async def _not_printed(lab: Lab, flights: Sequence[str]) -> list[str]:
    """What shippers have not printed, as `UA15` or `UA15 (1 of 5)`; a pod that was added just now, nothing yet."""
    printed = [line for pod in await own_pods(lab) for line in await last_lines(lab, pod, 200, container=SHIPPER)]
    missing = []
    for flight, asked in Counter(flights).items():
        lines = sum(flight in line for line in printed)
        if lines < asked:
            missing.append(f"{flight} ({lines} of {asked})" if asked > 1 else flight)
    return missing
