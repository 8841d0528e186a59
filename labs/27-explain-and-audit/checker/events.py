"""What single events leave in the trail: one line each, in the order in which they came, with the record's digest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.drawn import drawn
from mlops_lab.kube.client import Object

from .expected import both_sides, wrong_moment
from .loans import Model
from .scenario import AT_ONCE, EYES, NEWER, at_once, models, now, people, served
from .service import PAGE, Credit, Decided, Trail, digest, is_status, only, succeeds

MORE = 12  # lines beyond a page that a trail must have to be read from several lines on


@dataclass
class Story:
    """What events left.

    Attributes:
        single, many: of one event after the other, and of many at once.
        last: the last copy of the trail.
        eyes: whether a risk officer could not approve what he or she had handed in, before the pod was deleted.
        taken: whether a version was that of its file before the pod was deleted.
    """

    credit: Credit
    model: Model
    single: Observation
    many: Observation
    last: Trail
    eyes: bool = False
    taken: bool = False


async def told(lab: Lab) -> Story:
    """A model that comes into service, decisions one by one, and many at once."""
    draw, began, credit = drawn(lab, "events"), time.time(), Credit(lab)
    before = await credit.trail()
    _, model = await served(lab, 7)
    crowd = both_sides(draw, model, AT_ONCE + 8, now())
    copies, made, wrong = [before, await credit.trail(before.first)], [], ""
    added = copies[-1].since(before)
    if [each["event"] for each in added] != ["model", "approval"]:
        wrong = f"{[each['event'] for each in added]} in the trail after a model and its approval"
    for each in crowd[: 0 if wrong else 3]:
        made.append(await credit.decide(each))
        copies.append(await credit.trail(before.first))
        wrong = wrong or await lines_of(credit, made[-1:], model, copies[-1].since(copies[-2]))
    wrong = wrong or wrong_times(copies[-1].since(before), began)
    seen = f"{len(made)} decisions, a line each"
    single = Observation(not wrong, "each event one line, with its fields", wrong or seen, timed=False)
    many = Observation(False, f"{AT_ONCE} decisions at once", "it did not come to that")
    if single.ok:
        made = await at_once(credit, crowd[-AT_ONCE:])
        copies.append(await credit.trail(before.first))
        wrong = await lines_of(credit, made, model, copies[-1].since(copies[-2]))
        expected = f"{AT_ONCE} decisions at once, a line each, one after the other in the chain"
        many = Observation(not wrong, expected, wrong or f"{len(made)} lines more, the chain whole", timed=False)
    for older, newer in pairwise(copies):
        kept = grown(older, newer, "a moment later")
        single = single if kept.ok else kept
    return Story(credit, model, single, many, copies[-1])


async def paged(lab: Lab, story: Story) -> Observation:
    """Whether a trail of more than a page is given out by pages, from whatever line on.

    Raises:
        Failure: a page has another number of lines than it must.
    """
    draw, credit, length = drawn(lab, "pages"), story.credit, await story.credit.length()
    for _ in range(0, PAGE + MORE - length, AT_ONCE):
        await at_once(credit, both_sides(draw, story.model, AT_ONCE, now()))
    story.last = copy = await credit.trail(story.last.first)
    end = copy.first + len(copy.lines) - 1
    wanted = f"GET /trail?from=N: lines from number N on, at most {PAGE}"
    for first in (draw.randrange(end - PAGE - MORE + 3, end - PAGE + 1), draw.randrange(end - PAGE + 3, end)):
        page = tuple(await credit.page(first, min(PAGE, end - first + 1)))
        if page != copy.lines[first - copy.first :][:PAGE]:
            seen = f"from={first} begins with {page[0][:60]!r}, which is not line {first} of {end}"
            return Observation(False, wanted, seen, timed=False)
    return Observation(True, wanted, f"so it is in a trail of {end} lines")


async def last_words(lab: Lab, story: Story) -> Decided:
    """A newer model comes into service and the older one again, which decides once more; then the pod goes at once.

    In between a risk officer hands in a model, tries to approve it, and hands in another file under its version.
    """
    await served(lab, NEWER)
    _, officer, other = people(drawn(lab, "people 7"))
    model = (await lab.once(models))[EYES]
    succeeds(await story.credit.hand_in(model, other.token), "PUT of a model by a risk officer")
    story.eyes = (await story.credit.approve(model, other.token)).status == 403
    story.taken = (await version_kept(story, model, other.token)).ok
    succeeds(await story.credit.approve(story.model, officer.token), "approval of the older model")
    story.last = await story.credit.trail(story.last.first)
    await story.credit.page(story.last.first + len(story.last.lines), 0)
    return await story.credit.decide(both_sides(drawn(lab, "last words"), story.model, 4, now())[0])


async def after(lab: Lab, story: Story, last: Decided) -> Observation:
    """Whether all is there after the pod was replaced, and goes on from there."""
    newer = await story.credit.trail(story.last.first)
    kept = grown(story.last, newer, "after the pod was deleted by force")
    if not kept.ok:
        return kept
    if wrong := await lines_of(story.credit, [last], story.model, newer.since(story.last)):
        return Observation(False, "the decision that was answered just before has its line", wrong, timed=False)
    draw = drawn(lab, "after")
    made = [await story.credit.decide(each) for each in both_sides(draw, story.model, 4, now())[:1]]
    if made[0].id in {each.get("decision") for each in newer.events}:
        seen = f"{made[0].id}, which a line from before the pod was deleted has, too"
        return Observation(False, "the next decision has an id of its own", seen, timed=False)
    wrong = await lines_of(story.credit, made, story.model, (await story.credit.trail(newer.first)).since(newer))
    if wrong:
        return Observation(False, "the next decision has its line", wrong, timed=False)
    if story.taken:
        _, _, other = people(drawn(lab, "people 7"))
        stays = await version_kept(story, (await lab.once(models))[EYES], other.token)
        if not stays.ok:
            return stays
    if story.eyes:  # else it is no matter of what is kept
        await still_four_eyes(lab, story.credit)
    return kept


async def version_kept(story: Story, model: Model, token: str) -> Observation:
    """Whether a version that is taken stays that of its file: another one is refused, and the same one is no news."""
    credit, first = story.credit, story.last.first
    before = await credit.trail(first)
    answers = [await credit.hand_in(model, token, text) for text in (story.model.text, model.text)]
    another, same = (each.status for each in answers)
    lines = len(only((await credit.trail(first)).since(before), "model"))
    return Observation(
        another == 409 and 200 <= same < 300 and not lines,
        "PUT under a version that is taken: 409 for another file, 2xx for the same one, and no line of a model",
        f"{another} for another file, {same} for the same one, {lines} lines", timed=False,
    )  # fmt: skip


async def still_four_eyes(lab: Lab, credit: Credit) -> None:
    """Who handed a model in before the pod was deleted may not approve it after that, and another one may.

    Raises:
        Failure: it is otherwise.
    """
    model, (_, officer, other) = (await lab.once(models))[EYES], people(drawn(lab, "people 7"))
    what = "approval of a model that was handed in before the pod was deleted, by"
    why = "who handed it in stands in the trail, and is known to the next pod as well"
    is_status(await credit.approve(model, other.token), 403, f"{what} the risk officer who did so", why)
    succeeds(await credit.approve(model, officer.token), f"{what} another risk officer")


async def lines_of(credit: Credit, made: list[Decided], model: Model, added: list[Object]) -> str:
    """What is wrong with the lines of decisions; empty if each has one, and its record's digest stands there.

    Args:
        added: all events since before the first.
    """
    lines = only(added, "decision")
    if len(added) != len(made):
        return f"{len(added)} lines for {len(made)} decisions"
    by_id = {str(each.get("decision")): each for each in lines}
    for each in made:
        line = by_id.get(each.id)
        if line is None:
            return f"no line of decision {each.id}"
        if line.get("model") != model.version:
            return f"the line of a decision by {model.version} names {str(line.get('model'))[:40]}"
        record = await credit.record(each.id)
        if str(line.get("sha256")).lower() != digest(record):
            return f"sha256 {str(line.get('sha256'))[:12]}, that of the record's bytes is {digest(record)[:12]}"
    return ""


def wrong_times(added: list[Object], began: float) -> str:
    """What is wrong with the times of new lines; empty if nothing is."""
    return next((said for each in added if (said := wrong_moment(str(each.get("at")), began))), "")


def grown(older: Trail, newer: Trail, when: str) -> Observation:
    """Whether a copy begins with all lines of an older one, byte for byte."""
    wanted = f"{when}: the trail begins with the {len(older.lines)} lines that were there before"
    for number, line in enumerate(older.lines):
        if number >= len(newer.lines):
            return Observation(False, wanted, f"it ends after {len(newer.lines)}", timed=False)
        if newer.lines[number] != line:
            seen = f"line {older.first + number} was {line[:60]!r} and is {newer.lines[number][:60]!r}"
            return Observation(False, wanted, seen, timed=False)
    return Observation(True, wanted, f"it does, and has {len(newer.lines) - len(older.lines)} more")
