"""The release as it was handed over: is it the given program that runs, and is what it writes printed?"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mlops_lab.checks import Lab, LabError, Observation, absent
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.given import differences, in_manifests
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import gone_meanwhile, leaving, lives_long, name
from mlops_lab.kube.client import Object

START = Path(__file__).parents[1] / "start"
RELEASE = "v2"
SHIPPER = "shipper"
_FLIGHTS, _ROUNDS = 10, 3
_AGAIN = 4  # forecasts for one flight; more than the Deployment may have pods
_UNNAMED = 3  # forecasts for no flight in particular, such as ./storm asks for
_ANY = "for any"  # what the server writes down of these
_LINE = f"forecast {_ANY}"  # the whole of it
_CARRIERS = ("AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN")
_ANSWERS_WITHIN = 15  # s; the nodes hear of new pods a moment later than the API
_LATER = 2  # flights that are asked for afterwards
_PAUSE = 10.0  # s until then, from when the first ones were printed
_LINES = 20_000  # of a log that are looked at; some storms' and what the checker asks for
_PRINTED_WITHIN = 6  # s; the README says 5, and a look at the logs takes a while
# Prints how many lines of the log have each of some texts, one figure to a line.
_COUNT = """
import sys
with open("/log/requests", "rb") as log:
    lines = log.readlines()
for text in sys.argv[1:]:
    print(sum(text.encode() in line for line in lines))
"""


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
    """Whether the shippers print each forecast that the checker asks for once: some flights, one again, and any.

    One more follows at once: who prints now and then has just done so, and must print it soon, too. Later come others,
    and none of those before may be printed again with them, as by who prints the whole file anew.
    """
    asked = _FLIGHTS + _AGAIN + _UNNAMED + 1 + _LATER
    expected = f"container {SHIPPER} prints a line for each of {asked} forecasts, and none of them again"
    for pod in await own_pods(lab):
        if SHIPPER not in [each["name"] for each in lives_long(pod["spec"])]:
            return absent(expected, f"pod {name(pod)} has no container {SHIPPER}")
    numbers = drawn(lab, "flights")
    for _ in range(_ROUNDS):  # a pod that was about to go may have answered: its log goes with it
        there = await owned_pods(lab)
        before = "\n".join([line for pod in await own_pods(lab) for line in await _printed(lab, pod)])
        some = [f"{numbers.choice(_CARRIERS)}{number}" for number in numbers.sample(range(1000, 10000), 9 * _FLIGHTS)]
        fresh = [each for each in some if each not in before]
        flights, (soon, *later) = fresh[:_FLIGHTS], fresh[_FLIGHTS : _FLIGHTS + 1 + _LATER]
        again = [numbers.choice(flights)] * _AGAIN
        first = Counter([*flights, *again])
        # All at once: who looks at the last line now and then does not see each of them. Then the same line again,
        # with no other between: who leaves out what was printed before does not print it. And those without a name.
        seen = await _shipped(lab, (flights, again, [""] * _UNNAMED), first, Counter(), expected)
        printed = time.monotonic()
        if seen.ok:
            seen = await _shipped(lab, ([soon],), Counter([soon]), first, expected)
        if seen.ok:
            await lab.time.pause(max(0.0, _PAUSE - (time.monotonic() - printed)))
            seen = await _shipped(lab, (later,), Counter(later), first + Counter([soon]), expected)
        if seen.ok or _same(there, await owned_pods(lab)):
            break
    return Observation(seen.ok, expected, seen.seen)


def _same(before: Sequence[Object], now: Sequence[Object]) -> bool:
    """Are a Deployment's pods those that were there before, with none that is leaving?"""
    return {name(each) for each in before} == {name(each) for each in now} and not any(map(leaving, [*before, *now]))


async def _shipped(
    lab: Lab, asks: Sequence[Sequence[str]], new: Counter[str], old: Counter[str], expected: str
) -> Observation:
    """Ask for forecasts, and wait until each is printed once, and none of the old ones again.

    Args:
        asks: flights that are asked for at once, one group after the other; an empty name is for no flight.
        new, old: how many lines of each flight there should be.
    """
    for at_once in asks:
        paths = [f"/predict?flight={flight}" if flight else "/predict" for flight in at_once]
        gets = [functools.partial(lab.traffic.get, "model", path) for path in paths]
        answers = await asyncio.gather(*(lab.traffic.first_answer(get, within=_ANSWERS_WITHIN) for get in gets))
        for path, answer in zip(paths, answers, strict=True):
            if answer.status != 200:
                return absent(expected, f"GET {path}: {answer.shown}")
    return await lab.time.eventually(
        functools.partial(_wrong, lab, new, old),
        lambda wrong: not wrong,
        expected=expected,
        shown=lambda wrong: f"printed {'; '.join(wrong)}" if wrong else "it does",
        within=_PRINTED_WITHIN,
    )


async def _printed(lab: Lab, pod: Object, *, judged: bool = False) -> list[str]:
    """The lines of a pod's shipper; of a pod that was added just now, none yet. `judged` as for `last_lines`."""
    return await last_lines(lab, pod, _LINES, container=SHIPPER, judged=judged)


async def _wrong(lab: Lab, new: Counter[str], old: Counter[str]) -> list[str]:
    """Of which forecasts shippers have not printed as many lines as there were, such as `UA15: 1 of 5`.

    Of the old ones only what was printed too often counts: with a pod that goes its log goes, too. Those without a name
    come after all others in the first group, so their lines count that stand below one of these; others may ask so as
    well, hence no pod may print more of them than its server has written. The same decides about flights with too many
    lines: an answer that came late was asked for again, and then the server wrote two.
    """
    asked, unnamed = new + old, 0
    printed: list[tuple[Object, Counter[str]]] = []
    for pod in await own_pods(lab):
        began, of_pod = False, Counter[str]()
        for line in await _printed(lab, pod, judged=True):
            named = [flight for flight in asked if flight in line]
            of_pod.update(named)
            began = began or bool(named)
            of_pod[_LINE] += _LINE in line
            unnamed += began and _ANY in line
        printed.append((pod, of_pod))
    found = Counter[str]()
    for _, of_pod in printed:
        found.update(of_pod)
    few = [f"{each}: {found[each]} of {number}" for each, number in new.items() if found[each] < number]
    if not old and unnamed < _UNNAMED:
        few.append(f"{_ANY}: {unnamed} of {_UNNAMED}")
    many = [each for each, number in asked.items() if found[each] > number]
    if few:
        return few + [f"{each}: {found[each]} of {asked[each]}" for each in many]
    return [each for pod, of_pod in printed for each in await _too_many(lab, pod, of_pod, (*many, _LINE))]


async def _too_many(lab: Lab, pod: Object, printed: Counter[str], texts: Sequence[str]) -> list[str]:
    """Of which texts a pod's shipper has printed more lines than its server has written; none if the pod is gone."""
    first = str(pod["spec"]["containers"][0]["name"])
    try:
        done = await lab.objects.run_in(name(pod), "python3", "-c", _COUNT, *texts, container=first)
    except LabError as trouble:
        if not await gone_meanwhile(lab, name(pod), trouble):
            raise
        return []
    if done.code != 0 or len(done.lines) != len(texts):
        raise LabError(
            f"the lines of /log/requests in {name(pod)} could not be counted: {done.errors[-200:]}", "check again"
        )
    written = dict(zip(texts, map(int, done.lines), strict=True))
    return [
        f"{_ANY if each == _LINE else each}: {printed[each]} of {lines}"
        for each, lines in written.items()
        if printed[each] > lines
    ]
