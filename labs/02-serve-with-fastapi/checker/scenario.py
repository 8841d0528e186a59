"""What lab 02 sends and starts: tables of bodies, the company's reference, and a copy of the pod without a model."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, equal_to, holds, observe
from mlops_lab.kit.answering import own_answers
from mlops_lab.kit.copies import copied
from mlops_lab.kit.debuggers import ended_debuggers, undebugged
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.given import around_is_given, given_runs
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probabilities import own_values
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over
from mlops_lab.measure.traffic.http import Answer

from .bodies import Bad, bad_bodies, two_rows

START = Path(__file__).parents[1] / "start"
ROLLED_OUT_WITHIN = 90  # s, for pods that were applied just before
ANSWER_WITHIN = 10  # s for one answer
AT_A_TIME = 4  # bodies
UNANSWERED = 2  # after so many the rest of a table is left out
STARTED_WITHIN = 90  # s, for the copy without a model, as for the pod itself
LOADS = 8  # s that the broken file takes to be found broken
STAYS_SO = 32  # s beyond that after its first answer, or as many as it took to that: some give up waiting after 30
_ASKED = re.compile(r'^http_requests_total\{[^}]*route="/predict"[^}]*\} (\d+(?:\.\d+)?)$', re.MULTILINE)
UNHEARD = 3  # times that /healthz is asked, of which one must be answered
COPY = "checker-copy-without-model"
# A pickle that takes its time and ends where none may: https://docs.python.org/3/library/pickletools.html
BROKEN = "ctime\nsleep\n(I{seconds}\ntR?cut short on its way\n"


@dataclass(frozen=True)
class Refusal:
    """A bad body, and what came back."""

    bad: Bad
    answer: Answer


async def ask(lab: Lab, service: str, bodies: Sequence[Any]) -> list[Answer | None]:
    """The answers to POST /predict; None for what was left out, since two before it had no answer at all."""
    turn, unanswered = asyncio.Semaphore(AT_A_TIME), 0

    async def one(body: Any) -> Answer | None:
        nonlocal unanswered
        async with turn:
            if unanswered >= UNANSWERED:
                return None
            answer = await lab.traffic.post(service, "/predict", body, within=ANSWER_WITHIN)
            unanswered += answer.status == 0
            return answer

    return await asyncio.gather(*(one(body) for body in bodies))


async def refused(lab: Lab) -> list[Refusal]:
    """What came back for the bad bodies; without those that were not sent."""
    bodies = bad_bodies(*two_rows(lab))
    answers = await ask(lab, "model", [bad.body for bad in bodies])
    return [Refusal(bad, answer) for bad, answer in zip(bodies, answers, strict=True) if answer is not None]


async def reference_is_up(lab: Lab) -> None:
    """Wait until the company's server, which began when the lab did, is ready; LabError if it does not come up."""
    seen = await lab.objects.deployment("reference").rolled_out(within=ROLLED_OUT_WITHIN)
    if not seen.ok:
        raise LabError(
            f"Deployment reference: {seen.seen}", f"it came with the lab; begin again: lab reset {lab.number}"
        )


def reference_as_it_was(lab: Lab) -> str:
    """Why nobody may change the reference, and how to have it back."""
    back = f"lab reset {lab.number} brings it back, and keeps your files"
    return f"what yours is compared with must stay as it was. {back}"


async def reference_answers_itself(lab: Lab) -> None:
    """Behind Service `reference` are the pods of the company's Deployment, with its server.

    Raises:
        Failure: it leads to others as well, or to none.
    """
    why = f"{reference_as_it_was(lab)}. If pods of yours have its label app=reference, give them another one"
    specs = [undebugged(pod["spec"]) for pod in await owned_pods(lab, "reference")]
    images = {each["image"] for spec in specs for each in every_container(spec)}
    seen, wanted = ", ".join(sorted(images)) or "none", lab.platform.image("v1")
    must(Observation(images == {wanted}, f"containers of Deployment reference: {wanted} only", seen), why)
    must(await own_answers(lab, "reference", "reference"), why)
    must(await given_runs(lab, START, "reference"), why)
    must(await around_is_given(lab, START, "reference"), why)


async def no_other_servers(lab: Lab) -> Observation:
    """Whether the company's server runs nowhere in the namespace but in its own Deployment."""
    known = {name_of(each) for each in await owned_pods(lab, "reference")}
    prefix = lab.platform.image("")
    others = [
        name_of(pod)
        for pod in await lab.objects.all("Pod")
        if name_of(pod) not in known
        and not leaving(pod)
        and not over(pod)
        and any(each["image"].startswith(prefix) for each in _not_ended(pod))
    ]
    return holds(not others, "the company's server in Deployment reference alone", f"in pod {', '.join(others)}, too")


def _not_ended(pod: Object) -> list[Object]:
    """The containers of a pod but for a debugger that has ended."""
    return [each for each in every_container(pod["spec"]) if each["name"] not in ended_debuggers(pod)]


async def asked_of_the_reference(lab: Lab) -> float:
    """How many predictions the reference has been asked for since it was started.

    Raises:
        LabError: it does not say.
    """
    answer = await lab.traffic.get("reference", "/metrics", within=ANSWER_WITHIN)
    if answer.status != 200:
        raise LabError(
            f"the Service reference does not say what it was asked: {answer.shown}",
            f"check again, or begin again: lab reset {lab.number}",
        )
    return sum(map(float, _ASKED.findall(answer.text)))


async def asked_by_others(lab: Lab, before: float, own: int) -> Observation:
    """Whether nobody but the checker has asked the reference for predictions.

    Args:
        before: what `asked_of_the_reference` said when the checker began.
        own: requests of the checker's since.

    Raises:
        LabError: it does not say, or was started anew.
    """
    now = await asked_of_the_reference(lab)
    if now < before:
        raise LabError("the server behind Service reference was started anew during the check", "check again")
    # An answer is counted a moment after it was given.
    return observe("requests of others to Service reference meanwhile", max(now - before - own, 0), equal_to(0))


async def without_model(lab: Lab, loads: int = LOADS, stays: int = STAYS_SO) -> Observation:
    """See whether a copy whose model file can't be read says that it is ready, or that it does not live.

    Args:
        loads: s that it takes to be found broken; whoever is ready until then is ready while a model loads.
        stays: s that it is looked at beyond that, or as long as it took to its first answer.
    """
    flight = lab.traffic.hidden_rows(1)
    expected = "a pod whose model file is broken does not answer 200 on GET /readyz"
    living = "a pod whose model file is broken lives, and answers 200 on GET /healthz, or ends"
    data = {"model.joblib": BROKEN.format(seconds=loads)}
    file = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": COPY}, "data": data}
    volume = {"name": COPY, "configMap": {"name": COPY}}
    began, first, last = time.monotonic(), 0.0, "it never answered"
    told: list[Answer] = []  # by /healthz
    async with copied(lab, COPY, change=with_broken_model, volumes=[volume], beside=[file]) as copy:
        async for answer in copy.answers("/readyz", within=STARTED_WITHIN, answer_within=ANSWER_WITHIN):
            if answer.status == 200:
                predicted = await lab.traffic.post(COPY, "/predict", flight.body, within=ANSWER_WITHIN)
                right = own_values(predicted, flight.probabilities("v1"), "1 flight").ok
                lines = (f"GET /readyz: {answer.shown}", f"POST /predict: {predicted.shown}")
                said = "it predicts right without that file: from where?" if right else "it cannot predict"
                return Observation(False, expected, f"status 200, and {said}", evidence=lines)
            if answer.status:
                last = f"status {answer.status}"
                first = first or time.monotonic()
                lives = await lab.traffic.get(COPY, "/healthz", within=ANSWER_WITHIN)
                told.append(lives)
                if lives.status not in (0, 200):
                    return Observation(False, living, f"status {lives.status}", evidence=(lives.shown,))
                # The model was being loaded while the server started, and takes no longer than that.
                if time.monotonic() - first > max(loads + stays, first - began):
                    break
    if len(told) >= UNHEARD and not any(each.status for each in told) and not copy.ended:
        silence = f"{len(told)} times no answer, where GET /readyz has {last}"
        return Observation(False, living, silence, evidence=(told[-1].shown,), timed=True)
    return Observation(True, expected, "the program ended" if copy.ended else last)


def with_broken_model(container: Object) -> None:
    """Lay the broken file over the model's, in one container."""
    broken = {"name": COPY, "mountPath": "/model/v1/model.joblib", "subPath": "model.joblib", "readOnly": True}
    container["volumeMounts"].append(broken)
