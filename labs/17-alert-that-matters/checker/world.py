"""What is the lab's own: the passengers, the two inboxes, and the Deployment of the model.

Each stage begins with all flights complete and v2 in service, and so it is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit.given import given_runs, in_manifests
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object

from .forms import answered, finite, has_messages
from .prometheus import PODS

OLD, GOOD = "v1", "v2"  # the release to fall back to, and the one in service
READY_WITHIN = 180  # s for the model's pods after a change of release
START = Path(__file__).parent.parent / "start"


async def ask_own(
    lab: Lab, service: str, path: str = "/", body: Object | None = None, form: Callable[[Object], bool] | None = None
) -> Object:
    """What a Service of the lab's own answers.

    Args:
        body: sent by POST; without one it is a GET.
        form: whether there is in it what will be read.
    """
    seen = await lab.time.eventually(
        lambda: lab.traffic.get(service, path) if body is None else lab.traffic.post(service, path, body),
        lambda answer: answer.status == 200 and (form is None or form(answer.fields_if_any)),
        expected=f"Service {service} of the lab answers with status 200, as it always did", shown=answered, within=30,
    )  # fmt: skip
    must(seen, "the Deployment world and its Services are the lab's own: leave them as they are, or: lab reset")
    found: Object = seen.value.fields_if_any
    return found


async def fares(lab: Lab) -> Object:
    """How the passengers fare."""

    def form(said: Object) -> bool:
        since = [said.get(f"{which}_failed", "") for which in ("first", "last")]
        return finite(said.get("without_weather")) and all(each is None or finite(each) for each in since)

    return await ask_own(lab, "passengers", form=form)


async def leave_weather_out(lab: Lab, share: float) -> None:
    """Let so large a share of the passengers' requests come without weather, on which v2 fails."""
    await ask_own(lab, "passengers", body={"without_weather": share})


async def inbox(lab: Lab, place: str, after: int = -1) -> tuple[list[Object], int]:
    """The messages that came after a number, each with how long `ago`; and the last one's number."""
    found = await ask_own(lab, place, f"/messages?after={after if after >= 0 else 10**9}", form=has_messages)
    return [{**each["message"], "ago": each["ago"]} for each in found["messages"]], int(found["last"])


def about(messages: Iterable[Object], **labels: str) -> list[Object]:
    """Messages with an alert that has these labels and fires."""
    return [message for message in messages if any(fires(each, **labels) for each in message["alerts"])]


def fires(alert: Object, **labels: str) -> bool:
    """Does an alert of a message fire, and has it these labels?"""
    has = alert.get("labels")
    if not isinstance(has, dict) or alert.get("status") != "firing":
        return False
    return all(has.get(key) == value for key, value in labels.items())


async def release(lab: Lab) -> str:
    """The release that the Deployment of the model asks for."""
    containers = (await _model(lab))["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"]).rpartition(":")[2]


async def in_service(lab: Lab) -> None:
    """v2 in service on all pods, and all flights complete, whatever the learner tried before."""
    if (await fares(lab))["without_weather"]:
        await leave_weather_out(lab, 0)
    await put_in_service(lab)
    seen = await lab.objects.deployment("model").rolled_out(pods=PODS, within=READY_WITHIN)
    must(seen, "the Deployment model is the lab's own: leave it as it is, or: lab reset")


async def untouched(lab: Lab) -> None:
    """The model and the passengers are those of the lab, v2 in service.

    Raises:
        Failure: something else runs, on which the fault can't be made.
    """
    why = "they are the lab's own, and what fails in them is yours to notice, not to mend: lab reset brings them back"
    wanted = in_manifests(START, "ConfigMap", "world")["data"]
    now = ((await lab.objects.named("ConfigMap", "world").now()) or {}).get("data") or {}
    other = sorted(name for name in {*wanted, *now} if wanted.get(name) != now.get(name))
    seen = f"another {', '.join(other)}" if other else "it is"
    must(Observation(not other, "ConfigMap world as it was given", seen), why)
    for deployment in ("model", "world"):
        must(await given_runs(lab, START, deployment), why)


async def put_in_service(lab: Lab, tag: str = GOOD) -> None:
    """Put a release into service, as it would be deployed, unless it is."""
    if await release(lab) == tag:
        return
    first, *more = (await _model(lab))["spec"]["template"]["spec"]["containers"]
    patch = {"spec": {"template": {"spec": {"containers": [{**first, "image": lab.platform.image(tag)}, *more]}}}}
    await lab.objects.patch("Deployment", "model", patch)


async def _model(lab: Lab) -> Object:
    item = await lab.objects.deployment("model").now()
    if item is None:
        expect(absent("the Deployment model", "it is gone")).because("it is the lab's own: lab reset")
    assert item is not None
    return item
