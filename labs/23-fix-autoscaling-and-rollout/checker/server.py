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
_UNNAMED = 3  # forecasts for no flight in particular, such as ./storm asks for
_ANY = "for any"  # what the server writes down of these
_CARRIERS = ("AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN")
_ANSWERS_WITHIN = 15  # s; the nodes hear of new pods a moment later than the API
_LINES = 200  # of a log that are looked at
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
        if not _own_log(pod["spec"]):
            said.append("at /log no volume that is the pod's own")
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


def _own_log(spec: Object) -> bool:
    """Has the first container a volume at /log that comes and goes with the pod?"""
    mounts = {each["mountPath"].rstrip("/"): each["name"] for each in spec["containers"][0].get("volumeMounts") or []}
    volumes = {each["name"]: each for each in spec.get("volumes") or []}
    return bool({"emptyDir", "ephemeral"} & set(volumes.get(mounts.get("/log", ""), {})))


async def ships(lab: Lab) -> Observation:
    """Whether the shippers print each forecast that the checker asks for once: some flights, one again, and any."""
    expected = f"container {SHIPPER} prints a line for each of {_FLIGHTS + _AGAIN + _UNNAMED} forecasts"
    for pod in await own_pods(lab):
        if SHIPPER not in [each["name"] for each in lives_long(pod["spec"])]:
            return absent(expected, f"pod {name(pod)} has no container {SHIPPER}")
    numbers = drawn(lab, "flights")
    for _ in range(_ROUNDS):  # a pod that was about to go may have answered: its log goes with it
        before = "\n".join(line for lines in await _printed(lab) for line in lines)
        some = [f"{numbers.choice(_CARRIERS)}{number}" for number in numbers.sample(range(1000, 10000), 9 * _FLIGHTS)]
        flights = [each for each in some if each not in before][:_FLIGHTS]
        again = [numbers.choice(flights)] * _AGAIN
        # All at once: who looks at the last line now and then does not see each of them. Then the same line again,
        # with no other between: who leaves out what was printed before does not print it. And those without a name.
        for at_once in (flights, again, [""] * _UNNAMED):
            paths = [f"/predict?flight={flight}" if flight else "/predict" for flight in at_once]
            asks = [functools.partial(lab.traffic.get, "model", path) for path in paths]
            answers = await asyncio.gather(*(lab.traffic.first_answer(ask, within=_ANSWERS_WITHIN) for ask in asks))
            for path, answer in zip(paths, answers, strict=True):
                if answer.status != 200:
                    return absent(expected, f"GET {path}: {answer.shown}")
        seen = await lab.time.eventually(
            functools.partial(_wrong, lab, [*flights, *again]),
            lambda wrong: not wrong,
            expected=expected,
            shown=lambda wrong: f"printed {'; '.join(wrong)}" if wrong else "it does",
            within=_PRINTED_WITHIN,
        )
        if seen.ok:
            break
    return Observation(seen.ok, expected, seen.seen)


async def _printed(lab: Lab) -> list[list[str]]:
    """The last lines of each pod's shipper; of a pod that was added just now, none yet."""
    return [await last_lines(lab, pod, _LINES, container=SHIPPER) for pod in await own_pods(lab)]


async def _wrong(lab: Lab, flights: Sequence[str]) -> list[str]:
    """Of which forecasts shippers have not printed as many lines as there were, such as `UA15: 1 of 5`.

    Those without a name come after all others, so their lines count that stand below one of these.
    """
    found, unnamed = Counter[str](), 0
    for lines in await _printed(lab):
        began = False
        for line in lines:
            named = [flight for flight in set(flights) if flight in line]
            found.update(named)
            began = began or bool(named)
            unnamed += began and _ANY in line
    wrong = [f"{each}: {found[each]} of {asked}" for each, asked in Counter(flights).items() if found[each] != asked]
    return wrong if unnamed >= _UNNAMED else [*wrong, f"{_ANY}: {unnamed} of {_UNNAMED}"]
