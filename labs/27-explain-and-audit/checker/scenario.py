"""What lab 27's checks share: models that learnt from drawn loans, who hands in and approves, and moments of pods."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from functools import partial
from random import Random
from string import ascii_letters

from mlops_lab.checks import Lab, Observation, expect, is_ready
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.deployments import owned_pods, rolled_out
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import every_container, leaving, name, states
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object

from .bank import Member, staff
from .loans import Model, applicant, at_the_edge, trained
from .service import Credit, Decided, is_status, succeeds

IMAGE = "workbench:1"
READY_WITHIN, REACHED_WITHIN = 90, 20  # s
MODELS = 15  # each for one check, so that what one has approved says nothing about another
SHELVED = 11  # the number of one that is handed in, and never approved
LONGEST = 80  # letters of a version
NEWER = 12  # the number of one that is approved, and after it again the one that was before
EYES = 13  # the number of one that a risk officer hands in and tries to approve, before the pod is deleted and after it
EDGE = 14  # the number of the model by which everybody is exactly at the threshold
SMALL = 2  # the number of the model by which few features speak loud enough to be reasons
LARGE = 1  # the number of the model with a large background
AT_ONCE = 24


def now() -> str:
    """The moment, as the checker's own clock has it."""
    return datetime.now(UTC).isoformat()


async def models(lab: Lab) -> list[Model]:
    """Models that this run has drawn, under versions that no run had before.

    These differ behind the last dot alone, and the first one's and the shelved one's are as long as can be.
    """

    def made() -> list[Model]:
        draw = drawn(lab, "models")
        stem = f"20{draw.randrange(24, 30)}-{draw.randrange(1, 13):02}-{int(time.time()):x}"
        versions = [f"{stem}.{last}" for last in draw.sample(range(10, 100), MODELS)]
        letters = "".join(draw.choice(ascii_letters) for _ in range(LONGEST - len(versions[0])))
        for number in (0, SHELVED):
            versions[number] = versions[number].replace(".", f"{letters}.")
        found = [
            trained(draw, each, small=number == SMALL, large=number == LARGE) for number, each in enumerate(versions)
        ]
        found[EDGE] = at_the_edge(found[EDGE])
        return found

    return await lab.time.in_thread(made)


def people(draw: Random) -> tuple[Member, Member, Member]:
    """Somebody who may hand in a model, and two risk officers."""
    first, second = draw.sample(staff("risk"), 2)
    return draw.choice([*staff("developer"), *staff("privacy")]), first, second


async def served(lab: Lab, number: int) -> tuple[Credit, Model]:
    """The service, by a model of this run that was just handed in and approved.

    Raises:
        Failure: it is refused.
    """
    credit, model = Credit(lab), (await lab.once(models))[number]
    developer, officer, _ = people(drawn(lab, f"people {number}"))
    await credit.serve(model, developer.token, officer.token)
    return credit, model


async def shelved(lab: Lab) -> None:
    """Hand in a model that nobody approves, under a version that is like the first one's up to its last dot.

    Where there was nothing at all before, nothing decides then.

    Raises:
        Failure: it is refused.
    """
    model = (await lab.once(models))[SHELVED]
    developer, _, _ = people(drawn(lab, "people of the shelf"))
    credit = Credit(lab)
    first = (await credit.ask("GET", "/trail/head")).fields_if_any.get("lines") == 0
    succeeds(await credit.hand_in(model, developer.token), f"PUT /models/{model.version} by one of the staff")
    if first:  # else one may have been approved before
        one = applicant(drawn(lab, "too early"), date.fromisoformat(now()[:10]))
        answer = await credit.ask("POST", "/decisions", one)
        what = "POST /decisions where a model was handed in and none ever approved"
        is_status(answer, 409, what, "what is handed in decides nothing yet, also where there is nothing else")


async def up(lab: Lab, why: str) -> None:
    """Wait until Deployment credit has rolled out, and answers by itself.

    Raises:
        Failure: it does not.
    """
    expect(await rolled_out(lab, "credit", within=READY_WITHIN)).because(why)
    await must_answer(lab, "credit", "credit")
    await lab.traffic.first_answer(
        partial(lab.traffic.get, "credit", "/trail/head", within=REACHED_WITHIN / 2),
        lambda answer: answer.status > 0,
        within=REACHED_WITHIN,
    )


async def replaced(lab: Lab) -> None:
    """Delete the pods by force, as a node that fails does, and wait for the next one.

    Raises:
        Failure: it does not come.
    """
    old = {name(each) for each in await owned_pods(lab, "credit")}
    for each in old:
        await lab.objects.kill(each, grace=0)
    why = "a new pod must start with what the last one has left on the volume; kubectl logs says what it misses"
    seen = await lab.objects.pods_until(
        "credit",
        lambda pods: any(map(is_ready, pods)) and not old & set(map(name, pods)),
        expected="a new pod that is ready",
        shown=lambda pods: ", ".join(states(pods)) or "no pod",
        within=READY_WITHIN,
    )
    must(seen, why)
    await up(lab, why)


async def at_once(credit: Credit, applications: list[dict[str, object]]) -> list[Decided]:
    """Decisions about several people in the same moment."""
    made: list[Decided] = await together(*(credit.decide(each) for each in applications))
    return made


async def pods_of_it(lab: Lab) -> list[Object]:
    """The pods that answer."""
    return [each for each in await owned_pods(lab, "credit") if not leaving(each)]


async def pod_of(lab: Lab) -> Object:
    """One of the pods that answer."""
    return (await pods_of_it(lab))[0]


async def given_image(lab: Lab) -> Observation:
    """Whether the containers of the pods are of the image that the task names."""
    wanted = f"{lab.platform.registry}/{IMAGE}"
    specs = [undebugged(pod["spec"]) for pod in await owned_pods(lab, "credit")]
    images = {each["image"] for spec in specs for each in every_container(spec)}
    return Observation(images == {wanted}, f"pods of Deployment credit run {wanted} alone", ", ".join(sorted(images)))


def all_right(wrong: list[str], count: int, expected: str, seen: str) -> Observation:
    """Whether nothing was found wrong with so many.

    Args:
        seen: of those that are right, such as `decisions`.
    """
    said = f"{len(wrong)} of {count} wrong: {wrong[0]}" if wrong else f"{count} {seen}"
    return Observation(not wrong, expected, said, evidence=tuple(wrong[:6]), timed=False)
