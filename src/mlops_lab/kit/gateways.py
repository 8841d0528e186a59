"""Objects of the Gateway API: is there one by its name, and what its controller says of it.

The cluster serves them in two versions, of which kubectl is told one.
"""

from __future__ import annotations

from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit.kubectl import kubectl, printed
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import is_true

_RESOURCES = {name: f"{name.lower()}s.v1.gateway.networking.k8s.io" for name in ("Gateway", "HTTPRoute")}


async def exists(lab: Lab, kind: str, name: str, why: str) -> Object:
    """The Gateway or HTTPRoute of that name.

    Args:
        why: what to say if it is not there.

    Raises:
        Failure: it is not; says which there are.
    """
    found = await _found(lab, kind, name)
    if not found:
        items: list[Any] = (await _found(lab, kind)).get("items") or []
        names = ", ".join(sorted(str(each["metadata"]["name"]) for each in items)) or "none"
        expect(absent(f"a {kind} named {name}", f"{kind}s here: {names}")).because(why)
    return found


async def programmed(lab: Lab, name: str, *, within: float) -> Observation:
    """Wait until the controller of a Gateway's class has said that it serves it.

    Args:
        within: seconds.
    """
    return await lab.time.eventually(
        lambda: _found(lab, "Gateway", name), lambda it: is_true(it, "Programmed"),
        expected=f"Gateway {name} is Programmed", shown=_conditions, within=within,
    )  # fmt: skip


async def _found(lab: Lab, kind: str, *name: str) -> Object:
    done = await kubectl(lab, "get", _RESOURCES[kind], *name, "--ignore-not-found", "-o", "json")
    if done.code != 0:
        last = (done.output.strip().splitlines() or ["no output"])[-1][:200]
        raise LabError(f"kubectl get {kind} failed: {last}", "check again", transient=True)
    return printed(done)


def _conditions(gateway: Object) -> str:
    found = (gateway.get("status") or {}).get("conditions") or []
    return ", ".join(f"{each['type']} {each['status']}" for each in found) or "nobody says anything of it"
