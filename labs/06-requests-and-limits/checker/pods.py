"""The one pod of each Deployment: is it made, which is it, what may it use, and a new one in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlops_lab.checks import Lab, LabError, Observation, holds, is_ready, quantity, rolled_out, rollout_state
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.deployments import pods_of
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.pods import containers_of, every_container, leaving, restarts
from mlops_lab.kube.client import Object
from mlops_lab.measure.pods.evidence import pod_state

NAMES = ("feed", "history", "model")  # Deployments of one pod with one container each
START = Path(__file__).parents[1] / "start"
PROGRAMS = {each.name: each for each in sorted((START / "programs").glob("*.py"))}
SIZES = ("cpu", "memory")  # what a quota counts for each container
ADDED = ("livenessProbe", "startupProbe", "lifecycle")  # of a container, by which it ends otherwise
# What a probe does where it does not say.
PROBES = {
    "initialDelaySeconds": 0,
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
NO_LIMIT = "none"
UP_WITHIN, REFUSED_FOR = 90, 20  # s; the second for a quota that the pods before may still take up


async def given_quota(lab: Lab) -> Observation:
    """Whether the namespace's ResourceQuota counts what it did when it came with the lab, and nothing else.

    Another beside it makes it no wider, but may ask for limits as well; one that counts objects alone does not matter.
    """
    wanted = in_manifests(START, "ResourceQuota", "team")["spec"]["hard"]
    found = await lab.objects.named("ResourceQuota", "team").now()
    some = found is not None and any(found["spec"].get(each) for each in ("scopes", "scopeSelector"))
    now = found["spec"].get("hard") or {} if found and not some else {}
    other = [
        f"{key} {now.get(key, 'not counted')}"
        for key, most in wanted.items()
        if quantity(now.get(key, "0")) != quantity(most)
    ]
    other += [f"{key} {most}, too" for key, most in now.items() if key not in wanted]
    other += [
        f"{key} {most}, of ResourceQuota {each['metadata']['name']}"
        for each in await lab.objects.all("ResourceQuota")
        for key, most in (each["spec"].get("hard") or {}).items()
        if each["metadata"]["name"] != "team" and key.removeprefix("requests.").removeprefix("limits.") in SIZES
    ]
    return holds(not other, "ResourceQuota team as it came with the lab", f"another one: {', '.join(other)}")


async def all_rolled_out(lab: Lab) -> Observation:
    """Wait until all three are rolled out; shorter where the quota goes on refusing a pod."""
    since: list[float] = []

    async def look() -> dict[str, Object | None]:
        return {name: await lab.objects.deployment(name).now() for name in NAMES}

    def ended(seen: Mapping[str, Object | None]) -> bool:
        if any(map(refusal, seen.values())):
            since.append(time.monotonic())
            return since[-1] - since[0] > REFUSED_FOR
        since.clear()
        return all(map(rolled_out, seen.values()))

    def shown(seen: Mapping[str, Object | None]) -> str:
        late = [name for name, each in seen.items() if not rolled_out(each)]
        return "; ".join(f"{name}: {refusal(seen[name]) or rollout_state(seen[name])}" for name in late) or "all ready"

    seen = await lab.time.eventually(
        look, ended, expected="feed, history and model have a pod each that is ready", shown=shown, within=UP_WITHIN
    )
    late = [name for name, each in seen.value.items() if not rolled_out(each)]
    lines = [line for name in late for line in await lab.objects.evidence("Deployment", name)]
    return Observation(not late, seen.expected, seen.seen, seen.value, tuple(lines))


def refusal(deployment: Object | None) -> str:
    """Why the API server makes no pod for it; empty if it does."""
    for each in ((deployment or {}).get("status") or {}).get("conditions") or []:
        if each["type"] == "ReplicaFailure" and each["status"] == "True":
            return str(each.get("message"))
    return ""


async def only_pod(lab: Lab, name: str) -> Object | None:
    """The Deployment's pod that is not being deleted and has not ended; None while there is none."""
    pods = [each for each in await pods_of(lab, name) if not leaving(each)]
    return next((each for each in pods if each["status"].get("phase") in ("Pending", "Running")), None)


async def present_pod(lab: Lab, name: str) -> Object:
    """As `only_pod`.

    Raises:
        LabError: there is none.
    """
    if (pod := await only_pod(lab, name)) is None:
        raise LabError(f"{name}'s pod is being replaced", "check again")
    return pod


async def ready_pod(
    lab: Lab, name: str, test: Callable[[Object], bool], *, expected: str, within: float
) -> Observation:
    """Wait until a Deployment's pod is ready, and the one that is waited for.

    Args:
        within: seconds.
    """
    return await lab.time.eventually(
        lambda: only_pod(lab, name),
        lambda pod: pod is not None and test(pod) and is_ready(pod),
        expected=expected,
        shown=lambda pod: pod_state(pod) if pod else "no pod",
        within=within,
    )


async def replace_if_restarted(lab: Lab, name: str) -> None:
    """Replace its pod if that was restarted before, by the learner's own drills: a next start would be put off."""
    pod = await only_pod(lab, name)
    if pod is None or restarts(pod):
        await replace_pod(lab, name)


async def replace_pod(lab: Lab, name: str) -> None:
    """Delete its pod and wait for the new one to be ready.

    Raises:
        LabError: that is not in time, although the pod before was.
    """
    pod = await only_pod(lab, name)
    old = pod["metadata"]["uid"] if pod else ""
    if pod:
        await lab.objects.delete("Pod", pod["metadata"]["name"], grace=1)
    seen = await ready_pod(
        lab, name, lambda pod: pod["metadata"]["uid"] != old, expected=f"{name}: a new pod, ready", within=UP_WITHIN
    )
    if not seen.ok:
        raise LabError(f"{seen.expected}: {seen.seen}", "see how the cluster is: lab status")


def resources(pod: Object) -> Object:
    """The requests and limits of a pod's container, with what the API server filled in."""
    return dict(pod["spec"]["containers"][0].get("resources") or {})


async def one_container_each(lab: Lab) -> Observation:
    """Whether each pod has the one container that was given, and no other beside or before it.

    What kubectl debug has added stays in a pod, ended or not, and is nobody's program.
    """
    found = {name: await only_pod(lab, name) for name in NAMES}
    more = [
        f"{name}: {', '.join(each['name'] for each in containers)}"
        for name, pod in found.items()
        if pod and len(containers := every_container(undebugged(pod["spec"]))) != 1
    ]
    return holds(not more, "one container in each pod, as given", "; ".join(more))


async def only_sizes(lab: Lab) -> Observation:
    """Whether nothing but the sizes of a container is new in a Deployment, no name either, and its pod has those."""
    other = []
    for name in NAMES:
        spec: Object = (await lab.objects.deployment(name).present())["spec"]["template"]["spec"]
        first = spec["containers"][0]
        other += [f"{name}: its container is called {first['name']}"] if first["name"] != _given(name)["name"] else []
        added = [each for each in ADDED if first.get(each)]
        other += [f"{name}: a new {each}" for each in (*added, *_more(name, first))]
        other += [f"{name}: {each}" for each in _other_probe(name, first)]
        other += [f"{name}: resources of the pod as a whole"] if spec.get("resources") else []
        pod = await only_pod(lab, name)
        other += _other_sizes(name, first.get("resources") or {}, resources(pod)) if pod else []
    return holds(not other, "nothing new but the sizes of the containers", "; ".join(other))


def _more(name: str, container: Object) -> list[str]:
    """What a container is given that was not given to it: a program may be another one by a variable, or by a file."""
    given = _given(name)
    found = []
    for what, field, key in (("variable", "env", "name"), ("mount", "volumeMounts", "mountPath")):
        known = {each[key] for each in given.get(field) or []}
        found += [f"{what} {each[key]}" for each in container.get(field) or [] if each[key] not in known]
    return found


def _other_probe(name: str, container: Object) -> list[str]:
    """By which numbers its readiness probe is another one than was given; that it is gone shows elsewhere."""
    now, was = (each.get("readinessProbe") or {} for each in (container, _given(name)))
    other = [key for key, usual in PROBES.items() if now and now.get(key, usual) != was.get(key, usual)]
    return [f"readinessProbe.{key} {now.get(key, PROBES[key])}, not {was.get(key, PROBES[key])}" for key in other]


def _given(name: str) -> Object:
    """The container that a Deployment was given."""
    first: Object = in_manifests(START, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return first


def _other_sizes(name: str, wanted: Object, has: Object) -> list[str]:
    """Where a pod has other sizes than its Deployment, or more; a limit without a request is taken for the request."""
    limits = wanted.get("limits") or {}
    said = []
    for kind, sizes in (("requests", {**limits, **(wanted.get("requests") or {})}), ("limits", limits)):
        now = has.get(kind) or {}
        said += [
            f"{name}: its pod has {kind}.{each} {now.get(each, 'none')}, its Deployment {sizes.get(each, 'none')}"
            for each in sorted({"cpu", "memory", *sizes})
            if quantity(now.get(each, "0")) != quantity(sizes.get(each, "0"))
        ]
    return said


async def no_autoscaler(lab: Lab) -> Observation:
    """Whether the number of pods is left as it was given, also under load."""
    found = [each.name for name in NAMES for each in await autoscalers_of(lab, name)]
    return holds(not found, "no HorizontalPodAutoscaler of the three Deployments", ", ".join(found))


def memory_limit(pod: Object) -> str:
    """The memory limit of a pod's container, or `none`."""
    return str(resources(pod).get("limits", {}).get("memory", NO_LIMIT))


def has_ended(pod: Object) -> bool:
    """Has its container ended, and not yet been started anew?"""
    return any("terminated" in (each.get("state") or {}) for each in containers_of(pod))
