"""What the team does to the repository, and what is seen of the service meanwhile."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, expect
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.deployments import old_pods_gone
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import name
from mlops_lab.kit.restore import put_back
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from .as_committed import applied, differs, key_now, version
from .faults import FAULTS, in_turn
from .hands import at_rest, changes
from .leftovers import are_gone, fields_are_gone, nothing_is_left, services
from .stage import BACK_WITHIN, DECIDED_WITHIN, Seen, Team, a_message, key_in, private_lines, sealed_in, team, unharmed
from .whose import is_learners
from .why import COMES_UP

LEFT_WITHIN = 40.0  # s for pods with the key of before to have ended
UP_WITHIN = 150.0  # s for what was on main when the check began
TRIED_AFTER = 8.0  # s after a push: who looks for new commits has found it
BEGUN_WITHIN = 300.0  # s after which no other commit with a fault comes: a check has ten minutes
STAYS = 8.0  # s in which a program that has just been started does what it does first
SAME = (0.002, 0.006)  # how much a model's log loss may be higher, to be as good
HARDLY = (0.0005, 0.003)  # together with JUST it is still as good as the first
# The last that is as good, and the first that is not; the README says 0.006 and 0.015, and weights are rounded.
JUST, WORSE = (0.0053, 0.0058), (0.0152, 0.016)
ROUNDED = 0.0005  # of a loss, by which a model that was drawn may differ
KNOWN_WITHIN = 200.0  # s after which no more commit with a model that was on main comes


@dataclass
class Story:
    """What two good commits came to.

    Attributes:
        first, second: what they want; the second has a better model.
        start: the repository's first commit.
        before: the model that served before them.
        keys: that were sealed, the oldest first.
        values: that the first has sealed, by name.
        looks: what was seen, in order, each with a word for its explanation.
    """

    start: str = ""
    before: str = ""
    first: Seen = field(default_factory=dict)
    second: Seen = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    values: Seen = field(default_factory=dict)
    looks: list[tuple[Observation, str]] = field(default_factory=list)


async def followed(lab: Lab) -> Story:
    """Two commits that are right, the second under the eyes of passengers."""
    story, draw = Story(), drawn(lab, "good commits")
    await lab.objects.service("git")
    up = await lab.time.eventually(
        lambda: version(lab), bool, expected="Service model answers GET /version",
        shown=lambda said: said or "nothing", within=UP_WITHIN,
    )  # fmt: skip
    expect(up).because(COMES_UP)
    await must_answer(lab)
    stranger, extra, key = _word(draw, "mine"), _word(draw, "extra"), f"{draw.randrange(1 << 128):032x}"
    more = {"name": f"{draw.choice(('WEEK', 'SEASON'))}_{draw.randrange(10, 100)}", "value": f"w{draw.randrange(99)}"}
    text, values = f"line {draw.randrange(10**6)}", {"API_KEY": key, _other_value(draw): f"{draw.randrange(1 << 64):x}"}
    story.values = values
    mine: Object = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": stranger, "labels": {"app": "model"}},
        "data": {"by": "hand"},
    }  # fmt: skip
    async with standing(lab, [mine]), team(lab) as it:
        begun = await it.do("tip")
        story.start, story.before, tag = begun["first"], begun["version"], begun["image"].rpartition(":")[2]
        story.keys.append(await key_in(lab, await key_now(lab)))
        first = story.first = await it.change(
            base=story.start, model=_model(draw, up.value, JUST), replicas=3, image="v2" if tag == "v1" else "v1",
            key={"name": _word(draw, "model-key"), "values": values}, extra={"name": extra, "text": text}, more=more,
            after={
                "fault": draw.choice([each.__name__ for kinds in FAULTS.values() for some in kinds for each in some])
            },
        )  # fmt: skip
        story.keys.append(key)
        await _accepted(it, story, first, key, "a commit that is right, pushed with one that is not before it,")
        if not story.looks[-1][0].ok:
            return story
        story.looks.append((await applied(lab, first, {extra: text}, more["name"]), "applied"))
        story.looks.append((await sealed_in(lab, first["key"], values), "opened"))
        # With another key come other pods; those before answer requests until all nodes have heard of their end.
        await at_rest(lab, LEFT_WITHIN)
        await old_pods_gone(lab, within=LEFT_WITHIN)
        async with it.passengers(key) as seen:
            second = story.second = await it.change(
                base=first["commit"], model=_model(draw, "", (0.0005, 0.002)), replicas=2, extra={"name": extra},
                more={"name": more["name"]},
            )  # fmt: skip
            await _accepted(it, story, second, key, "a commit with a better model")
            if story.looks[-1][0].ok:
                gone = [("ConfigMap", extra), ("Service", extra), ("ConfigMap", first["weights"])]
                story.looks.append((await applied(lab, second, {}), "applied"))
                story.looks.append((await are_gone(lab, gone, "what that commit has not"), "pruned"))
                story.looks.append((await fields_are_gone(lab, more["name"]), "fields"))
        story.looks += [(each, "rolled") for each in unharmed(seen, [first["version"], second["version"]])]
        there = await lab.objects.named("ConfigMap", stranger).now()
        story.looks.append((Observation(there is not None, f"ConfigMap {stranger}, made by hand, is left alone",
                                        "it is there" if there else "it was deleted"), "alone"))  # fmt: skip
        story.looks.append((await _strangers(it, begun["commit"]), "strangers"))
    return story


async def good(lab: Lab) -> Story:
    """The two good commits, for a check that begins where they ended."""
    story = await lab.once(followed)
    if not story.second:
        raise LabError("the good commits did not come to their end", "see the check `follows`")
    return story


async def by_hand(lab: Lab) -> list[Observation]:
    """Changes by hand, of which each is put back."""
    story, draw = await good(lab), drawn(lab, "hands")
    found, wanted = list[Observation](), story.second
    async with team(lab) as it:
        for change in changes(draw, wanted):
            if change.kind == "Secret":
                await at_rest(lab, DECIDED_WITHIN)
            before = await change.look(lab)
            try:
                await change.do(lab)
                found.append(await _back(lab, change.what, partial(change.restored, lab, before)))
            finally:
                if await change.restored(lab, before):  # a Service that was made anew has another address
                    await put_back(lab, before)
            if not found[-1].ok:
                break
        found.append(await it.serves(story.keys[-1], wanted["version"], within=BACK_WITHIN))
    return found


async def _back(lab: Lab, what: str, look: Callable[[], Awaitable[str]]) -> Observation:
    return await lab.time.eventually(
        look, lambda trouble: not trouble, expected=f"{what}: put back",
        shown=lambda trouble: trouble or "as in the repository", within=BACK_WITHIN,
    )  # fmt: skip


async def broken(lab: Lab, *, short: bool) -> list[tuple[Observation, str]]:
    """Commits with each fault that the text names, passengers meanwhile; then new pods and a hand while one is newest.

    One of the first is pushed together with one before it that is right, and never serves: nobody wants it any more.
    A gate that takes its time for each gets one of each word at least, and as many more as there is time for.

    Args:
        short: one is enough.
    """
    story, draw = await good(lab), drawn(lab, "faults")
    wanted, key, looks = story.second, story.keys[-1], list[tuple[Observation, str]]()
    faults = in_turn(draw)[: 1 if short else None]
    made, there, outrun = list[Seen](), await services(lab), 0 if short else draw.randrange(len(FAULTS))
    async with team(lab) as it:
        since = (await it.do("tip"))["commit"]
        try:
            async with it.passengers(key) as seen:
                began = time.monotonic()
                for word, fault in faults:
                    if len(made) >= len(FAULTS) and time.monotonic() - began > BEGUN_WITHIN:
                        many = f"{len(made)} of {len(faults)} commits with a fault in {BEGUN_WITHIN:g} s, no other then"
                        looks.append((Observation(True, many, many), "stopped"))
                        break
                    model = _model(draw, wanted["version"], SAME)
                    right = {"model": _model(draw, wanted["version"], SAME)} if len(made) == outrun else None
                    commit = await it.change(base=wanted["commit"], fault=fault, model=model, after=right)
                    made.append(commit | {"version": model["version"]})
                    what = f"a commit ({fault.replace('_', ' ')})"
                    if word == "ready" and not short:
                        looks.append((await _while_tried(lab, wanted), "meanwhile"))
                        if not looks[-1][0].ok:
                            break
                    looks.append((await it.told(commit["commit"], what, f"refused: {word}"), "stopped"))
                    if not looks[-1][0].ok:
                        break
                if looks[-1][0].ok:
                    names = {
                        ("ConfigMap", each[what]) for each in made for what in ("program", "weights") if what in each
                    }
                    names -= {("ConfigMap", wanted["program"]), ("ConfigMap", wanted["weights"])}
                    looks.append((await are_gone(lab, sorted(names), "what refused commits brought"), "leftovers"))
                    versions = [story.before, story.first["version"], *(each["version"] for each in (wanted, *made))]
                    looks.append((await nothing_is_left(lab, versions, wanted, key, there), "leftovers"))
                    looks += await _while_refused(lab, it, wanted, made[-1]["commit"])
            looks += [(each, "traffic") for each in unharmed(seen, [wanted["version"]])]
            looks.append((await _strangers(it, since), "strangers"))
        finally:
            await it.do("restore", commit=wanted["commit"])
        await _settled(it, key, wanted)
    return looks


async def _while_tried(lab: Lab, wanted: Seen) -> Observation:
    """The service is scaled by hand while a commit is tried that does not become ready."""
    await lab.time.pause(TRIED_AFTER)
    before = await lab.objects.deployment("model").present()
    try:
        await lab.objects.patch("Deployment", "model", {"spec": {"replicas": wanted["replicas"] + 1}})
        return await _back(lab, "one pod more by hand, while a commit is tried", partial(differs, lab, wanted))
    finally:
        if await differs(lab, wanted):
            await put_back(lab, before)


async def _while_refused(lab: Lab, it: Team, wanted: Seen, newest: str) -> list[tuple[Observation, str]]:
    """While a refused commit is newest: all pods of the learner's are deleted, and the service is scaled by hand."""
    looks: list[tuple[Observation, str]] = []
    for pod in await lab.objects.all("Pod"):
        if is_learners(pod) and any(each.get("controller") for each in pod["metadata"].get("ownerReferences") or []):
            await lab.objects.kill(name(pod), grace=0)
    before = await lab.objects.deployment("model").present()
    try:
        await lab.objects.patch("Deployment", "model", {"spec": {"replicas": wanted["replicas"] + 1}})
        what = "one pod more by hand, while a refused commit is the newest"
        looks.append((await _back(lab, what, partial(differs, lab, wanted)), "still"))
    finally:
        if await differs(lab, wanted):
            await put_back(lab, before)
    await lab.time.pause(STAYS)
    trouble = await differs(lab, wanted)
    looks.append((Observation(not trouble, f"it stays so for {STAYS:g} s", trouble or "it does"), "still"))
    note = await it.note(newest)
    ok = note.startswith("refused")
    looks.append((Observation(ok, "it stays refused when all pods are new", note[:80] or "no note"), "still"))
    return looks


async def worse(lab: Lab) -> list[tuple[Observation, str]]:
    """Two models that are worse than the one in service, and better than the first; and two that are known.

    The second is as good as the one in the commit before it, which was refused. One of the two has a message as
    `git revert` writes it. Then come the files of the first of them once more, which is no revert to what was accepted,
    and those of an accepted commit, whose model is worse, with the same key sealed anew.
    """
    story, draw = await good(lab), drawn(lab, "worse models")
    wanted, key, looks = story.second, story.keys[-1], list[tuple[Observation, str]]()
    made, began = list[Seen](), time.monotonic()
    async with team(lab) as it:
        try:
            async with it.passengers(key) as seen:
                than, much, by_revert = wanted["version"], WORSE, draw.randrange(2)
                for number in range(2):
                    message = f'Revert "{a_message(draw)}"' if number == by_revert else ""
                    commit = await it.change(base=wanted["commit"], model=_model(draw, than, much), message=message)
                    what = f"a commit whose model's loss is {commit['loss']:.4f}, with {wanted['loss']:.4f} in service,"
                    looks.append((await it.told(commit["commit"], what, "refused: model"), "worse"))
                    than, much = commit["version"], SAME
                    made.append(commit)
                    if not looks[-1][0].ok:
                        break
                for what, how in _known(story, made):
                    if not looks[-1][0].ok or time.monotonic() - began > KNOWN_WITHIN:
                        break
                    commit = await it.change(**how)
                    if commit["loss"] < wanted["loss"] + WORSE[0] - ROUNDED:
                        raise LabError(f"{what} has a loss of {commit['loss']:.4f}", "the checker's own fault: say so")
                    looks.append((await it.told(commit["commit"], what, "refused: model"), "worse"))
            looks += [(each, "traffic") for each in unharmed(seen, [wanted["version"]])]
        finally:
            await it.do("restore", commit=wanted["commit"])
        await _settled(it, key, wanted)
    return looks


def _known(story: Story, made: Sequence[Seen]) -> list[tuple[str, Seen]]:
    """Two commits with models that were on main, in words and as the team makes them; none where one was accepted."""
    if len(made) < 2:
        return []
    again = f"a commit with the files of {made[0]['commit'][:9]}, which was refused,"
    older = f"a commit with the files of {story.first['commit'][:9]}, which was accepted, and the key sealed anew,"
    key = {"name": story.first["key"], "values": story.values}
    return [(again, {"base": made[0]["commit"]}), (older, {"base": story.first["commit"], "key": key})]


async def reverted(lab: Lab) -> list[tuple[Observation, str]]:
    """The commit with the better model is reverted."""
    story = await good(lab)
    first, second, key, looks = story.first, story.second, story.keys[-1], list[tuple[Observation, str]]()
    async with team(lab) as it:
        async with it.passengers(key) as seen:
            commit = await it.revert(second["commit"], a_message(drawn(lab, "the revert")))
            looks.append((await it.told(commit["commit"], "the revert", "accepted"), "reverted"))
            if looks[-1][0].ok:
                looks.append((await it.serves_in_time(key, first["version"]), "reverted"))
        looks += [(each, "traffic") for each in unharmed(seen, [first["version"], second["version"]])]
    return looks


async def sealed(lab: Lab) -> list[tuple[Observation, str]]:
    """Another key; then all of the repository is searched. The service is afterwards as at the beginning."""
    story, draw = await good(lab), drawn(lab, "another key")
    key, looks = f"{draw.randrange(1 << 128):032x}", list[tuple[Observation, str]]()
    async with team(lab) as it:
        serving = await version(lab)
        made = await it.change(
            base=story.second["commit"], model=_model(draw, serving, HARDLY),
            key={"name": _word(draw, "model-key"), "values": {"API_KEY": key}},
        )  # fmt: skip
        looks.append((await it.told(made["commit"], "a commit with another key", "accepted"), "opened"))
        if looks[-1][0].ok:
            looks.append((await it.serves_in_time(key, made["version"]), "opened"))
            looks.append((await it.refuses(story.keys[-1]), "opened"))
            looks.append((await are_gone(lab, [("Secret", story.second["key"])], "the old key's Secret"), "pruned"))
        values = [*story.keys, key, *await private_lines(lab)]
        found = (await it.do("scan", values=values))["found"]
        expected = f"none of {len(values)} keys is in the repository in clear"
        looks.append((Observation(not found, expected, found[0] if found else "none is", found, tuple(found)), "clear"))
        await it.do("restore", commit=story.start)
    return looks


async def _accepted(it: Team, story: Story, commit: Seen, key: str, what: str) -> None:
    """Look whether a commit is accepted, and serves."""
    story.looks.append((await it.told(commit["commit"], what, "accepted"), "noted"))
    if story.looks[-1][0].ok:
        story.looks.append((await it.serves_in_time(key, commit["version"]), "served"))


async def _strangers(it: Team, since: str) -> Observation:
    """Whether all commits on main since one are the team's."""
    strange = (await it.do("strangers", since=since))["found"]
    shown = f"not by it: {', '.join(strange[:3])}" if strange else "it does"
    return Observation(not strange, "only the team commits to main", shown, strange)


async def _settled(it: Team, key: str, wanted: Seen) -> None:
    """What is right serves again, before another check begins; whether it does is not what this one is about."""
    await it.serves(key, wanted["version"], within=DECIDED_WITHIN)


def _model(draw: Any, than: str, much: tuple[float, float]) -> Seen:
    return {"version": f"m-{draw.randrange(0x10000, 0x100000):x}", "than": than, "worse": draw.uniform(*much)}


def _other_value(draw: Any) -> str:
    return f"{draw.choice(('PARTNER', 'WEATHER', 'TOWER'))}_{draw.choice(('TOKEN', 'KEY', 'CODE'))}"


def _word(draw: Any, kind: str) -> str:
    return f"{kind}-{draw.randrange(0x1000, 0x10000):x}"
