"""The twelve faults: how each is put in, how it is known to be over, and how what is left of it is taken back."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.deployments import owned_pods, status_count
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.registry import PRODUCTION
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .air import opens
from .plan import FEED, HURTS, NOTICED, RATES, SURGE, Fault
from .stage import Stage, policy

STRANGE = ("audit", "tmp", "lockdown", "quiet", "zone", "test")  # with which a stranger's NetworkPolicy's name begins
SETTLES = 4.0  # s in which a service has to be right
MOST_VERSIONS = 1000  # of a model that are asked for


@dataclass
class Put:
    """A fault that was put in.

    Attributes:
        at: Unix time.
        before: what was there before, of what it changed.
        undo: what takes it back, as far as it is still there.
    """

    lab: Lab
    stage: Stage
    fault: Fault
    at: float = 0.0
    before: dict[str, Any] = field(default_factory=dict)
    undo: Callable[[], Awaitable[Any]] | None = None

    async def over(self) -> bool:
        """Is the object as it should be, and does the service answer rightly again?"""
        if not await self._as_before():
            return False
        if self.fault.what not in HURTS:
            return True
        since = self.stage.now - SETTLES
        seen = self.stage.since(max(since, self.at + 3.0), self.fault.where)
        return since >= self.at + 1.0 and len(seen) >= 4 and all(each.right for each in seen)

    async def _as_before(self) -> bool:
        fault, lab = self.fault, self.lab
        if fault.what in ("pods-killed", "scaled-down", "image-changed"):
            now = await lab.objects.deployment(fault.where).now()
            if now is None or not await self._as_many(now):
                return False
            ready = status_count(now, "readyReplicas") >= 1 and status_count(now, "unavailableReplicas") == 0
            images = _images(now)
            return bool(ready and images == self.before.get("images", images))
        if fault.what in ("selector-changed", "service-deleted"):
            service = await lab.objects.named("Service", fault.where).now()
            return bool(service and (service["spec"].get("selector") or {}).get("app") != _gone(fault))
        if fault.what == "shut-off":
            there = await lab.objects.named("NetworkPolicy", _policy(fault)).now()
            now = await lab.objects.deployment(fault.where).now()
            if there is None or now is None:
                return there is None
            return not shuts_off(there, _labels(now)) or await self._let_in(_labels(now))
        if fault.what == "alias-moved":
            return is_good(await production(lab, fault.where), self.before["good"], self.before["bad"])
        return False

    async def _let_in(self, labels: Mapping[str, str]) -> bool:
        """Does another policy let pods be reached all the same? One from before tells once there was time to notice."""
        others = [each for each in await self.lab.objects.all("NetworkPolicy") if "reach" in opens(each, labels)]
        late = self.stage.now >= self.at + NOTICED[self.fault.what]
        return any(late or each["metadata"]["name"] not in self.before.get("policies", ()) for each in others)

    async def _as_many(self, now: Object) -> bool:
        """Does a Deployment want as many pods as before, or as its autoscaler says?"""
        wanted = now["spec"].get("replicas", 1)
        if wanted == self.before.get("replicas", wanted):
            return True
        return bool(wanted and await autoscalers_of(self.lab, self.fault.where))


async def put(lab: Lab, stage: Stage, fault: Fault) -> Put:
    """Put a fault in.

    Raises:
        LabError: it can't be.
    """
    found = Put(lab, stage, fault)
    await _KINDS[fault.what](found)
    found.at = stage.now
    return found


async def take_back(fault: Put) -> None:
    """Take back what is still there of it, even where the check is cancelled meanwhile."""
    if fault.undo:
        undo, fault.undo = fault.undo, None
        await asyncio.shield(asyncio.ensure_future(undo()))


def is_good(version: str, good: str, bad: str) -> bool:
    """Is it the version that was in production, or one that was made after the bad one?"""
    if version == good:
        return True
    return version.isdigit() and int(version) > int(bad)


def shuts_off(there: Object, labels: Mapping[str, str]) -> bool:
    """Does a NetworkPolicy let nobody reach pods with these labels?"""
    spec = there["spec"]
    kinds = spec.get("policyTypes") or ["Ingress"]
    return "Ingress" in kinds and not spec.get("ingress") and selects(spec.get("podSelector") or {}, labels)


def _labels(deployment: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = deployment["spec"]["template"]["metadata"].get("labels") or {}
    return found


def _gone(fault: Fault) -> str:
    return f"gone-{fault.mark}"


def _images(deployment: Object) -> list[str]:
    return [str(each.get("image")) for each in deployment["spec"]["template"]["spec"]["containers"]]


def _policy(fault: Fault) -> str:
    return f"{Random(fault.mark).choice(STRANGE)}-{fault.mark}"


async def _pods_killed(it: Put) -> None:
    pods = [each for each in await owned_pods(it.lab, it.fault.where) if not leaving(each)]
    await asyncio.gather(*[it.lab.objects.kill(name(each), grace=0) for each in pods])


async def _scaled_down(it: Put) -> None:
    found = await it.lab.objects.deployment(it.fault.where).present()
    replicas = found["spec"].get("replicas") or 1
    it.before["replicas"] = replicas

    async def undo() -> None:
        now = await it.lab.objects.deployment(it.fault.where).now()
        if now is not None and not await it._as_many(now):
            await it.lab.objects.patch("Deployment", it.fault.where, {"spec": {"replicas": replicas}})

    it.undo = undo
    await it.lab.objects.patch("Deployment", it.fault.where, {"spec": {"replicas": 0}})


async def _image_changed(it: Put) -> None:
    found = await it.lab.objects.deployment(it.fault.where).present()
    before = found["spec"]["template"]["spec"]["containers"]
    it.before["images"] = _images(found)
    spoilt = copy.deepcopy(before)
    place, slash, _ = spoilt[0]["image"].rpartition("/")
    spoilt[0]["image"] = f"{place}{slash}{_gone(it.fault)}:1"

    def patch(containers: list[Object]) -> Object:
        return {"spec": {"template": {"spec": {"containers": containers}}}}

    async def undo() -> None:
        now = await it.lab.objects.deployment(it.fault.where).now()
        if now is not None and now["spec"]["template"]["spec"]["containers"][0]["image"] == spoilt[0]["image"]:
            await it.lab.objects.patch("Deployment", it.fault.where, patch(before))

    it.undo = undo
    await it.lab.objects.patch("Deployment", it.fault.where, patch(spoilt))


async def _selector_changed(it: Put) -> None:
    before = (await it.lab.objects.service(it.fault.where))["spec"].get("selector") or {}
    wrong = {"app": _gone(it.fault)}

    async def undo() -> None:
        now = await it.lab.objects.named("Service", it.fault.where).now()
        if now is not None and (now["spec"].get("selector") or {}).get("app") == wrong["app"]:
            await it.lab.objects.patch("Service", it.fault.where, {"spec": {"selector": {"app": None} | before}})

    it.undo = undo
    await it.lab.objects.patch("Service", it.fault.where, {"spec": {"selector": dict.fromkeys(before) | wrong}})


async def _service_deleted(it: Put) -> None:
    before = await it.lab.objects.service(it.fault.where)
    ports = [
        {key: each[key] for key in ("name", "port", "targetPort") if key in each} for each in before["spec"]["ports"]
    ]
    again: Object = {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": it.fault.where, "labels": before["metadata"].get("labels") or {}},
        "spec": {"selector": before["spec"].get("selector") or {}, "ports": ports},
    }  # fmt: skip

    if before["spec"].get("clusterIP") == "None":
        again["spec"]["clusterIP"] = "None"

    async def undo() -> None:
        if await it.lab.objects.named("Service", it.fault.where).now() is None:
            await it.lab.objects.apply([again])

    it.undo = undo
    await it.lab.objects.delete("Service", it.fault.where)


async def _shut_off(it: Put) -> None:
    pods = (await it.lab.objects.deployment(it.fault.where).present())["spec"]["selector"]
    it.before["policies"] = {each["metadata"]["name"] for each in await it.lab.objects.all("NetworkPolicy")}
    it.undo = lambda: it.lab.objects.delete("NetworkPolicy", _policy(it.fault))
    await it.lab.objects.apply([policy(_policy(it.fault), pods)])


async def _alias_moved(it: Put) -> None:
    mlflow, model = it.lab.platform.mlflow, registered(it.lab, it.fault.where)
    before = await production(it.lab, it.fault.where)
    run = await _empty_run(it.lab, model, before)
    body = {"name": model, "source": f"{run['artifact_uri']}/{_gone(it.fault)}", "run_id": run["run_id"]}
    bad = str((await mlflow.ask("POST", "model-versions/create", body))["model_version"]["version"])
    it.before |= {"good": before, "bad": bad}

    async def undo() -> None:
        if before and await production(it.lab, it.fault.where) in (bad, ""):
            await set_production(it.lab, it.fault.where, before)
        with contextlib.suppress(Exception):  # somebody may have deleted it
            await mlflow.ask("DELETE", "model-versions/delete", {"name": model, "version": bad})
        with contextlib.suppress(Exception):  # the same
            await mlflow.ask("POST", "runs/delete", {"run_id": run["run_id"]})

    it.undo = undo
    await set_production(it.lab, it.fault.where, bad)


async def _empty_run(lab: Lab, model: str, version: str) -> dict[str, str]:
    """Id and artifacts' place of a new run: who reads a version by its run and not by its source finds nothing, either.

    A version's own source may be another model of MLflow's (models:/m-...), below which the server takes no path.
    """
    body = {"experiment_id": await _experiment(lab, model, version), "run_name": "by-hand"}
    return dict((await lab.platform.mlflow.ask("POST", "runs/create", body))["run"]["info"])


async def _experiment(lab: Lab, model: str, version: str) -> str:
    """The experiment of a version's run; else the lab's, which is made if need be."""
    mlflow, run_id = lab.platform.mlflow, ""
    if version:
        good = await mlflow.ask("GET", "model-versions/get", name=model, version=version)
        run_id = str(good["model_version"].get("run_id") or "")
    if run_id:
        with contextlib.suppress(LabError):  # it may have been deleted for good since
            return str((await mlflow.ask("GET", "runs/get", run_id=run_id))["run"]["info"]["experiment_id"])
    try:
        found = (await mlflow.ask("GET", "experiments/get-by-name", experiment_name=mlflow.name))["experiment"]
    except LabError as refused:
        if not not_there(refused):
            raise
        found = await mlflow.ask("POST", "experiments/create", {"name": mlflow.name})
    return str(found["experiment_id"])


async def _feed(it: Put) -> None:
    it.undo = lambda: it.stage.say(feeds={FEED[it.fault.what]: "right"})
    await it.stage.say(feeds={FEED[it.fault.what]: it.fault.how})


async def _surge(it: Put) -> None:
    it.undo = lambda: it.stage.say(rates={"page": RATES["page"]})
    await it.stage.say(rates={"page": RATES["page"] * SURGE})


_KINDS: dict[str, Callable[[Put], Awaitable[None]]] = {
    "pods-killed": _pods_killed, "scaled-down": _scaled_down, "image-changed": _image_changed,
    "selector-changed": _selector_changed, "service-deleted": _service_deleted, "shut-off": _shut_off,
    "alias-moved": _alias_moved, "wrong-prices": _feed, "wrong-bookings": _feed, "prices-silent": _feed,
    "bookings-silent": _feed, "surge": _surge,
}  # fmt: skip


def registered(lab: Lab, what: str) -> str:
    """The registered model's name for a service."""
    return f"{lab.platform.mlflow.name}-{what}"


async def set_production(lab: Lab, what: str, version: str) -> None:
    """From now on the alias `production` of a service's model means a version."""
    body = {"name": registered(lab, what), "alias": PRODUCTION, "version": version}
    await lab.platform.mlflow.ask("POST", "registered-models/alias", body)


def not_there(refused: LabError) -> bool:
    """Has MLflow answered that there is no such thing?"""
    return getattr(refused, "status", 0) == 404


async def versions(lab: Lab, what: str) -> list[str]:
    """The versions of a service's model that there are."""
    which = f"name='{registered(lab, what)}'"
    found = await lab.platform.mlflow.ask("GET", "model-versions/search", filter=which, max_results=MOST_VERSIONS)
    return [str(each["version"]) for each in found.get("model_versions") or []]


async def production(lab: Lab, what: str) -> str:
    """The version that the alias `production` of a service's model means; empty if there is none."""
    try:
        found = await lab.platform.mlflow.ask("GET", "registered-models/get", name=registered(lab, what))
    except LabError as refused:
        if not_there(refused):
            return ""
        raise
    aliases = found.get("registered_model", {}).get("aliases") or []
    return next((str(each["version"]) for each in aliases if each.get("alias") == PRODUCTION), "")
