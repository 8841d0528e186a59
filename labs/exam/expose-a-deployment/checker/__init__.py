"""The checks."""

from pathlib import Path

from mlops_lab.checks import at_least, check, equal_to, expect, holds, observe
from mlops_lab.kit import given, presence
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import Probe, Way, judged, tried
from mlops_lab.kit.service_selectors import by_the_template
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_NEXT = (
    "the pods of the next rollout have the labels of the template: another pod-template-hash, which is their "
    "ReplicaSet's, and none that was put on a pod by hand"
)
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")


@check(points=1, domains=_DOMAINS)
async def port_has_its_name(lab: TaskLab) -> None:
    """The container's port has the name, its pods run, and the Deployment is otherwise as it was."""
    found = await presence.exists(lab, "Deployment", D.app, "it was there, and its pods are to be reached", others=True)
    containers: list[Object] = found["spec"]["template"]["spec"]["containers"]
    server = next((each for each in containers if each["name"] == "server"), {})
    ports = server.get("ports") or []
    said = "; ".join(", ".join(f"{key} {value}" for key, value in each.items()) for each in ports) or "none"
    alone = ports == [{"name": D.name, "containerPort": D.port, "protocol": "TCP"}]
    expect(holds(alone, f"container server names port {D.port} {D.name}, and no more", f"its ports: {said}")).because(
        "the name stands beside the number, in an entry of the container's `ports`"
    )
    must(
        await unchanged(lab, _START, "Deployment", D.app, free=("template.spec.containers[server].ports",)),
        "nothing but the port's name was to change: kubectl rollout history shows what did",
    )
    await given.must_be_given(lab, _START, D.app)
    expect(await lab.objects.deployment(D.app).rolled_out(within=40)).because(
        "a change of the template makes new pods: kubectl describe says why one isn't ready"
    )


@check(points=2, needs=port_has_its_name, domains=_DOMAINS)
async def inside_by_name(lab: TaskLab) -> None:
    """The first Service leads by the port's name to all pods of the Deployment alone; the old one is as it was."""
    must(
        await unchanged(lab, _START, "Deployment", D.old),
        "the predecessor was to be left alone: what keeps requests from it is the Service's selector",
    )
    service = await lab.objects.service(D.inside)
    spec = service["spec"]
    ports = {each["port"]: each.get("targetPort") for each in spec.get("ports") or []}
    seen = f"port {D.service_port} leads to {ports.get(D.service_port, 'nothing')}"
    named = f"port {D.service_port} leads to {D.name}"
    expect(holds(ports.get(D.service_port) == D.name, named, otherwise=seen)).because(
        "with the port's name as targetPort a Service follows whatever number the pods give it"
    )
    expect(by_the_template(service, await lab.objects.deployment(D.app).present())).because(_NEXT)
    policy = spec.get("internalTrafficPolicy", "Cluster")
    expect(observe("internalTrafficPolicy", policy, equal_to("Cluster"))).because(
        "Local leads only to pods of the node from which somebody asks, and to nothing where there are none"
    )
    await must_answer(lab, D.inside, D.app, port=D.service_port)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(D.inside, "/", port=D.service_port, within=3), within=10
    )
    expect(holds(answer.text.startswith(f"{D.app} in "), "the Deployment answers", otherwise=answer.shown)).because(
        "a Service selects pods by all labels of its selector; one that both Deployments have leads to both"
    )
    slices = await lab.objects.all("EndpointSlice", f"kubernetes.io/service-name={D.inside}")
    ready = [
        each["addresses"][0]
        for one in slices
        for each in one.get("endpoints") or []
        if (each.get("conditions") or {}).get("ready")
    ]
    expect(observe("pods behind it", len(set(ready)), at_least(2))).because(
        "all pods of the Deployment were to be reached: kubectl get endpointslices shows which ones are"
    )


@check(points=2, domains=_DOMAINS)
async def at_each_node(lab: TaskLab) -> None:
    """On every node's address the port leads to the Deployment's pods."""
    service = await lab.objects.service(D.gate)
    spec = service["spec"]
    found = [str(each["nodePort"]) for each in spec.get("ports") or [] if each.get("nodePort")]
    expect(observe("ports on nodes", ", ".join(found) or "none", equal_to(str(D.node_port)))).because(
        "type NodePort opens a port on each node; which one, the field nodePort says, else the cluster chooses"
    )
    expect(by_the_template(service, await lab.objects.deployment(D.app).present())).because(_NEXT)
    await must_answer(lab, D.gate, D.app, port=spec["ports"][0]["port"])
    probe = Probe(lab.objects, "trial-caller")
    ways = [
        Way(probe, f"http://{address}:{D.node_port}/", True, f"port {D.node_port} of {name}", f"{D.app} in ")
        for name, address in await _nodes(lab)
    ]
    gave = await tried(lab, ways, within=10)
    expect(judged(gave, ways, f"{D.app} answers on port {D.node_port} of {len(ways)} nodes")).because(
        "a node hands what comes to the port to any of the pods, wherever they run, unless externalTrafficPolicy is "
        "Local"
    )


async def _nodes(lab: TaskLab) -> list[tuple[str, str]]:
    """Each node's name and address."""
    return [
        (node["metadata"]["name"], each["address"])
        for node in await lab.objects.all("Node")
        for each in node["status"]["addresses"]
        if each["type"] == "InternalIP"
    ]
