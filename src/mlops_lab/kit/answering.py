"""Who answers for a Service: the pods of the Deployment that the task names, and in them their first container.

Another Deployment's pods behind the Service, an address that somebody wrote into an EndpointSlice, and a second
container that listens where the first one should are other things than the task asks for, however right they answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import is_running, leaving, lives_long, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import NotStarted

_WITHIN = 15.0  # s until addresses of pods that have just come or gone are up to date
_SLICES = "kubernetes.io/service-name"
# By which who asks from a node gets the pods of that node.
_NEAR = {"internalTrafficPolicy": "Local", "trafficDistribution": "PreferSameNode"}
_NO_PROGRAM = 126, 127  # exit codes by which a runtime, or a shell, says that there is no such program
# Printed by a container: does it hold every socket that listens on a port? Pods share the network, not the processes.
_LISTENS = """
import os, sys
port, listening, held = int(sys.argv[1]), set(), set()
for table in ("/proc/net/tcp", "/proc/net/tcp6"):
    if os.path.exists(table):
        for words in map(str.split, open(table).readlines()[1:]):
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                listening.add("socket:[" + words[9] + "]")
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        own = os.readlink(f"/proc/{process}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
        files = os.listdir(f"/proc/{process}/fd") if own else []
    except OSError:
        continue
    for each in files:
        try:
            held.add(os.readlink(f"/proc/{process}/fd/{each}"))
        except OSError:
            pass
print("listens" if listening and listening <= held else "does not")
"""


async def must_answer(lab: Lab, service: str = "model", deployment: str = "model", *, port: int = 80) -> None:
    """A Deployment's own first container answers for a Service; no news where it does.

    Args:
        port: of the Service.

    Raises:
        Failure: there is no such Service, or something else answers for it, too.
    """
    must(
        await own_answers(lab, service, deployment, port=port),
        f"the task is the Deployment {deployment}, so what answers has to be its own pods, all of them alike to "
        "whoever asks, and in a pod its first container. What else is behind the Service answers in its place: kubectl "
        f"get endpointslices -l {_SLICES}={service} -o yaml shows addresses and pods, kubectl get pods --show-labels "
        "whose labels the Service's selector matches",
    )


async def own_answers(
    lab: Lab, service: str = "model", deployment: str = "model", *, port: int = 80, within: float = _WITHIN
) -> Observation:
    """Whether all that a Service leads to is the first container of the pods that a Deployment has made.

    Args:
        port: of the Service.
        within: seconds until the Service's addresses have followed what pods there are.

    Raises:
        Failure: there is no such Service.
    """

    async def look() -> list[str]:
        spec: Object = (await lab.objects.service(service))["spec"]
        pods = await owned_pods(lab, deployment)
        by_address = {each["status"]["podIP"]: each for each in pods if each["status"].get("podIP")}
        said = [*detours(spec), *await _strangers(lab, service, by_address)]
        for each in pods:
            if is_running(each) and not leaving(each):
                said += await _others_that_listen(lab, each, spec, port)
        return said

    seen = await lab.time.eventually(
        look,
        lambda said: not said,
        expected="",
        shown=lambda said: said[0] if said else "them alone",
        within=within,
    )
    expected = f"behind Service {service} the pods of Deployment {deployment} alone, and in each its first container"
    return Observation(seen.ok, expected, seen.seen, seen.value, tuple(seen.value[1:8]))


def detours(spec: Object) -> list[str]:
    """By which a Service does not lead to all its pods alike, whoever asks."""
    found = []
    if spec.get("type") == "ExternalName":
        found.append(f"it is another name for {spec.get('externalName')} (type ExternalName)")
    if spec.get("sessionAffinity", "None") != "None":
        found.append("it leads each client to the same pod again and again (sessionAffinity)")
    near = [f"{key}: {value}" for key, value in _NEAR.items() if spec.get(key) == value]
    return found + [f"who asks from a node gets the pods of that node ({each})" for each in near]


async def _strangers(lab: Lab, service: str, own: Mapping[str, Object]) -> list[str]:
    """Addresses behind a Service that are none of these pods'; those that get no requests any more don't count."""
    slices = await lab.objects.all("EndpointSlice", f"{_SLICES}={service}")
    ends = [each for one in slices for each in one.get("endpoints") or []]
    asked = [each for each in ends if (each.get("conditions") or {}).get("ready") is not False]
    addresses = {one for each in asked for one in each.get("addresses") or []}
    strange = sorted(addresses - set(own))
    others = {(each.get("status") or {}).get("podIP"): each for each in await lab.objects.all("Pod")} if strange else {}
    return [f"also {_whose(others.get(address))} at {address}" for address in strange]


def _whose(pod: Object | None) -> str:
    """A pod and what made it, in words."""
    if pod is None:
        return "something that is no pod of this namespace,"
    owners = [f"of {each['kind']} {each['name']}" for each in pod["metadata"].get("ownerReferences") or []]
    return f"pod {name(pod)} {', '.join(owners) or 'of nobody'},"


async def _others_that_listen(lab: Lab, pod: Object, service: Object, port: int) -> list[str]:
    """Which container than the first one of a pod has the port that a Service leads to."""
    first, *others = lives_long(pod["spec"])
    if not others:
        return []
    target = next((each.get("targetPort", port) for each in service.get("ports") or [] if each["port"] == port), None)
    ports = {each["name"]: each.get("ports") or [] for each in (first, *others)}
    having = [
        each
        for each, declared in ports.items()
        for one in declared
        if target in (one.get("name"), one["containerPort"])
    ]
    if any(each != first["name"] for each in having):
        return [f"in pod {name(pod)} container {', '.join(having)} has port {target}, not {first['name']} alone"]
    number = next((one["containerPort"] for one in ports[first["name"]] if one.get("name") == target), target)
    own = await _listens(lab, pod, first["name"], number)
    if own is None:  # its image can't tell: then does another one?
        own = not any([await _listens(lab, pod, each["name"], number) for each in others])
    if own:
        return []
    return [f"in pod {name(pod)} it is not container {first['name']} alone that listens on port {number}"]


async def _listens(lab: Lab, pod: Object, container: str, number: object) -> bool | None:
    """Does a container hold all that listens on a port? None where it has no Python to tell it."""
    if {"waiting", "terminated"} & _state(pod, container).keys():
        return False
    try:
        printed = await lab.objects.run_in(name(pod), "python3", "-c", _LISTENS, str(number), container=container)
    except NotStarted:
        return None
    return None if printed.code in _NO_PROGRAM else printed.code == 0 and printed.lines == ["listens"]


def _state(pod: Object, container: str) -> Object:
    """What a pod's status says of a container, by `running`, `waiting` or `terminated`; empty if nothing."""
    status = pod.get("status") or {}
    kinds = "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"
    told = [each for kind in kinds for each in status.get(kind) or []]
    return next((each.get("state") or {} for each in told if each["name"] == container), {})
