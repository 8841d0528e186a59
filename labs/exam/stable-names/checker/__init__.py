"""The checks."""

from pathlib import Path

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.answering import detours
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import Probe, Way, judged, tried
from mlops_lab.kit.service_selectors import by_the_template
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .behind import BEHIND, MEMBERS, members_run, while_behind
from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_FOLLOWS = "a member that is made anew has another address, and of its labels only those of the template surely stay"
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")


@check(points=3, domains=_DOMAINS)
async def each_by_its_name(lab: TaskLab) -> None:
    """Each member is found by its own name, which leads to that member alone, and answers there."""
    await presence.exists(lab, "Service", D.group, "the members' names are below it", others=True)
    probe = Probe(lab.objects, "trial-asker")
    ways = []
    for member, address in (await members_run(lab)).items():
        name = f"{member}.{D.group}.{lab.namespace}.svc.cluster.local."
        ways.append(Way(probe, f"dns:{name}", True, f"{member}.{D.group}", address))
        ways.append(Way(probe, f"http://{name}:{D.port}/", True, f"{member}.{D.group}:{D.port}", f"member {member}"))
    gave = await tried(lab, ways, within=10)
    expect(judged(gave, ways, f"{' and '.join(MEMBERS)} answer by their names below {D.group}")).because(
        "the DNS has a name for a pod below a Service without an address of its own (clusterIP: None) that selects the "
        "pod, and that its StatefulSet names as serviceName"
    )
    must(await _by_labels(lab, D.group), _FOLLOWS)
    must(await unchanged(lab, _START, "StatefulSet", D.members), "the StatefulSet was right, and was to stay as it is")


@check(points=2, needs=each_by_its_name, owns="member", domains=_DOMAINS)
async def found_while_not_ready(lab: TaskLab) -> None:
    """A member that is not ready is found by its name as before."""
    address = (await members_run(lab))[BEHIND]
    seen = await lab.once(while_behind)
    expect(observe(f"{BEHIND}.{D.group} while not ready", seen.found or "no address", equal_to(address))).because(
        "a Service leads to ready pods alone, and so does the DNS, unless the Service publishes the others, too: "
        "kubectl explain service.spec has the field"
    )


@check(points=2, needs=each_by_its_name, owns="member", domains=_DOMAINS)
async def clients_get_ready_ones(lab: TaskLab) -> None:
    """Clients reach the members that are ready, and no other one."""
    found = await presence.exists(lab, "Service", D.clients, "clients reach the members by it", others=True)
    around = detours(found["spec"])
    must(
        holds(not around, f"Service {D.clients} leads each client to any member", "; ".join(around)),
        "clients were to reach any member, from whichever node they ask, and however often",
    )
    probe = Probe(lab.objects, "trial-client")
    host = await lab.traffic.host(D.clients)
    ways = [
        Way(probe, f"http://{host}:{D.client_port}/?{number}", True, f"port {D.client_port}", "member ")
        for number in range(24)  # by chance one member answers all once in 8 million times
    ]
    gave = await tried(lab, ways, within=8)
    expect(judged(gave, ways, f"members answer on port {D.client_port} of Service {D.clients}")).because(
        "a Service's `port` is what clients use, its `targetPort` where the pods listen"
    )
    both = sorted({answer.removeprefix("member ") for answer in gave.values()})
    expect(observe("who answers", ", ".join(both), equal_to(", ".join(MEMBERS)))).because(
        "clients were to reach any member: kubectl get endpointslices shows which pods the Service has"
    )
    seen = await lab.once(while_behind)
    ready = next(each for each in MEMBERS if each != BEHIND)
    right = seen.answers == [f"member {ready}"]
    alone = f"while {BEHIND} is not ready, {ready} alone answers"
    expect(holds(right, alone, otherwise=f"while {BEHIND} is not ready: {', '.join(seen.answers)}")).because(
        "a member that is not ready has old data: what publishes it to the other members must not lead clients to it"
    )
    must(await _by_labels(lab, D.clients), _FOLLOWS)


async def _by_labels(lab: TaskLab, service: str) -> Observation:
    """Does a Service select members by labels of their template alone?"""
    members = await lab.objects.named("StatefulSet", D.members).present()
    return by_the_template(await lab.objects.service(service), members)
