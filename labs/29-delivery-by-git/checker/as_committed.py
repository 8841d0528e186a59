"""What is in the cluster, held against what a commit wants."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, expect

from .leftovers import having
from .stage import Seen
from .why import GIVEN


async def applied(lab: Lab, wanted: Seen, extras: dict[str, str], more: str = "") -> Observation:
    """Wait until the Deployment and more are as a commit wants.

    Args:
        extras: the texts of ConfigMaps, by name, beside each of which there is a Service.
        more: a variable and a label that there are.
    """

    async def look() -> str:
        for each, text in extras.items():
            found = await lab.objects.named("ConfigMap", each).now()
            if found is None or (found.get("data") or {}).get("text") != text:
                return f"ConfigMap {each} {'has another text' if found else 'is not there'}"
            if await lab.objects.named("Service", each).now() is None:
                return f"Service {each} is not there"
        if more and len(await having(lab, more)) < 2:
            return f"not both of variable {more} in Deployment model and label {more} of Service model are there"
        return await differs(lab, wanted)

    return await lab.time.eventually(
        look, lambda trouble: not trouble, expected="Deployment model is as the commit has it",
        shown=lambda trouble: trouble or "as in the repository", within=30,
    )  # fmt: skip


async def differs(lab: Lab, wanted: Seen) -> str:
    """In what the Deployment is not as a commit wants it; empty if in nothing."""
    found = await lab.objects.deployment("model").now()
    if found is None:
        return "there is no Deployment model"
    spec = found["spec"]["template"]["spec"]
    names = {each["name"]: (each.get("configMap") or {}).get("name") for each in spec.get("volumes") or []}
    pairs = {
        "replicas": (found["spec"].get("replicas"), wanted["replicas"]),
        "image": (spec["containers"][0].get("image"), wanted["image"]),
        "weights": (names.get("model"), wanted["weights"]),
        "program": (names.get("program"), wanted["program"]),
    }
    return ", ".join(f"{what} {is_now}, not {wants}" for what, (is_now, wants) in pairs.items() if is_now != wants)


async def version(lab: Lab) -> str:
    """Which model Service `model` has; empty if none answers."""
    if await lab.objects.named("Service", "model").now() is None:
        return ""
    answer = await lab.traffic.get("model", "/version", within=5)
    found = answer.fields_if_any.get("model_version") if answer.status == 200 else ""
    return found if isinstance(found, str) else ""


async def key_now(lab: Lab) -> str:
    """The Secret that the Deployment in service takes its key from."""
    found = await lab.objects.deployment("model").present()
    for each in found["spec"]["template"]["spec"]["containers"][0].get("env") or []:
        if each.get("name") == "API_KEY":
            return str(((each.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name", ""))
    expect(Observation(False, "Deployment model takes API_KEY from a Secret", "it has no API_KEY")).because(GIVEN)
    return ""
