"""Lab 24: two nodes after a night's maintenance. What a node is worth shows in the pods that it takes, and lets go.

The checker restarts the worker's kubelet, places pods of its own on both nodes, and drains the worker of the lab's
pods; the control plane it leaves alone. At the end the worker is open again, and all pods are ready.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.checks import Observation, at_least, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.makers import answers_alone
from mlops_lab.kit.node_affinity import asks_for, named_values, tempting
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.kubelet_files import outlasts
from mlops_lab.tasks.lab import TaskLab

from . import looks
from .drain import drained, lasting
from .placement import MARK, by_node, by_way_of, role_tolerated, taint_tolerated, tolerates, unwanted
from .trials import answers, place, refuse

HEARD_WITHIN = 20.0  # s; a kubelet says every 10 s that it lives
AGAIN_WITHIN = 45.0  # s from a restart of the kubelet's service
PLACED_WITHIN = 30.0
REFUSED_WITHIN = 20.0
READY_WITHIN = 60.0
MOVED_WITHIN = 30.0  # s until a pod that was made anew is gone where it was
KEY, VALUE = "pool", "serving"
POOL = f"{KEY}={VALUE}"
OTHER_VALUES = ("servng", "training")  # of the label, which is no pool of models then
_ANOTHER = "another-worker"
_TROUBLE = ("cka/troubleshooting",)
_PLACES = ("cka/workloads-and-scheduling",)


@check(points=1, domains=_TROUBLE)
async def worker_is_ready(lab: TaskLab) -> None:
    """The worker is Ready, and its kubelet is heard of, and answers the API server.

    For up to 20 s: the kubelet renews its node's lease every 10 s, and what it said before does not count. The API
    server is asked for the pods that the kubelet has.
    """
    began = nodes.now()
    seen = await nodes.speaks_again(lab, nodes.worker(lab), after=began, within=HEARD_WITHIN)
    expect(looks.for_sure(seen)).because(
        "a node is Ready as long as its kubelet says so. Why it does not, only the machine knows: systemctl status "
        "kubelet shows whether it runs, journalctl -u kubelet why it ends. What it needs are its settings in "
        "/var/lib/kubelet/config.yaml, the files that they name, and containerd"
    )
    expect(await looks.answers_the_api_server(lab, nodes.worker(lab), within=HEARD_WITHIN)).because(
        "Ready is what the kubelet tells the API server. The other way round the API server asks the kubelet, for "
        "kubectl logs and exec: it shows a certificate, and the kubelet knows by its settings whose signature to trust "
        "(authentication). Compare them with the other node's"
    )


@check(points=2, needs=worker_is_ready, owns="nodes", domains=_PLACES)
async def worker_takes_pods(lab: TaskLab) -> None:
    """A new pod that tolerates nothing runs on the worker, and no taint advises against it.

    The checker makes one that belongs on this node, and lets the scheduler place it. Taints that the cluster itself
    gives to a node in trouble (`node.kubernetes.io/...`) are not looked at.
    """
    expect(await place(lab, "a pod that tolerates nothing", node=nodes.worker(lab), within=PLACED_WITHIN)).because(
        "a cordon and a taint both keep new pods away: kubectl describe node shows Unschedulable and Taints. Who gives "
        "some pods a toleration opens the node for these and for no others"
    )
    expect(await looks.unmarked(lab, nodes.worker(lab))).because(
        "PreferNoSchedule is a wish: the scheduler goes by it wherever a pod has another place, and takes this node "
        "only where it has none. kubectl describe node shows Taints"
    )


@check(points=2, needs=worker_takes_pods, owns="nodes", domains=_PLACES)
async def control_plane_is_closed(lab: TaskLab) -> None:
    """The control plane takes pods that tolerate its taint and no others, and `retrain` runs on the worker.

    The checker makes two pods that belong on the control plane: the one that tolerates nothing has to wait, the one
    that tolerates `node-role.kubernetes.io/control-plane:NoSchedule`, without a value, has to run. And no pod that does
    not tolerate the taint runs there, nor would a new one of `retrain`.
    """
    control = nodes.control_plane(lab)
    refused, taken = await together(
        refuse(lab, "a pod that tolerates nothing", node=control, within=REFUSED_WITHIN),
        place(lab, f"a pod that tolerates {MARK}", node=control, tolerates=[taint_tolerated()], within=PLACED_WITHIN),
    )
    expect(refused).because(
        "a control plane takes no work because it has a taint with the effect NoSchedule, and for no other reason; "
        "with PreferNoSchedule it still takes what finds no other place. Compare kubectl describe node with what "
        "kubeadm gives to such a node"
    )
    expect(taken).because(
        "pods of the cluster itself, and those of board, are let in by the toleration of the control plane's own "
        "taint: a cordon, other taints, and a value of it that it did not have, keep them out as well"
    )
    await presence.exists(lab, "Deployment", "retrain", "it is to run on the worker", others=True)
    expect(await lab.objects.deployment("retrain").rolled_out(within=READY_WITHIN)).because(
        "it had a place on the control plane, and has one on the worker: kubectl describe pod says what it waits for"
    )

    async def strangers() -> list[str]:
        there = [pod for pod in await lab.objects.all("Pod") if looks.at_work(pod, control)]
        return sorted(name(pod) for pod in there if not tolerates(pod, role_tolerated()))

    seen = await lab.time.eventually(
        strangers, lambda names: not names, expected="no pod on the control plane that does not tolerate its taint",
        shown=lambda names: ", ".join(names) or "none", within=MOVED_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        "NoSchedule is for new pods: what runs on a node already stays until it is deleted, or its Deployment is "
        "restarted (kubectl rollout restart)"
    )
    pods = [pod for pod in await owned_pods(lab, "retrain") if not leaving(pod)]
    expect(observe("retrain runs", by_node(pods), equal_to(f"{len(pods) or 1} on {nodes.worker(lab)}"))).because(
        "its load is what made etcd slow; a toleration gives it a right to the control plane that it should not have"
    )
    spec = (await lab.objects.deployment("retrain").present())["spec"]["template"]["spec"]
    expect(has_no_place(spec, await looks.labels(lab, control), control)).because(
        "today it is on the worker. When that is drained, its next pod goes wherever it may, and is beside etcd again: "
        "kubectl get deployment retrain -o yaml shows tolerations, nodeSelector and affinity"
    )


def has_no_place(spec: Object, labels: Mapping[str, str], control: str) -> Observation:
    """Is a template refused by the closed control plane?

    Args:
        spec: of its pods.
        labels: of the control plane.
    """
    may = tolerates({"spec": spec}, role_tolerated()) and asks_for(spec, labels, control)
    return holds(
        not may, f"a new pod of retrain is not placed on {control}",
        f"retrain's template tolerates {MARK}, and takes {control}",
    )  # fmt: skip


@check(points=2, needs=worker_takes_pods, owns="nodes", domains=_PLACES)
async def model_is_in_its_pool(lab: TaskLab) -> None:
    """The worker is the node with `pool=serving`; `model`'s two pods are ready there, since they ask for that label.

    The checker makes a pod that asks for the label and for nothing else. From both nodes Service `model` is asked,
    behind which these pods are, and no others; nothing else makes pods with the labels that it selects.
    """
    worker, control = nodes.worker(lab), nodes.control_plane(lab)
    await presence.exists(lab, "Deployment", "model", "the model is to run again", others=True)
    labels = {node: await looks.labels(lab, node) for node in (worker, control)}
    expect(
        holds(
            labels[control].get(KEY) != VALUE,
            f"the control plane has no label {POOL}",
            f"the control plane has the label {POOL}, too",
        )
    ).because("the label says where models may run, and that is the worker alone")
    seen = await place(lab, f"a pod that asks for {POOL}", labels={KEY: VALUE}, node="", within=PLACED_WITHIN)
    expect(observe(f"a pod that asks for {POOL}", seen.seen, equal_to(f"runs on {worker}"))).because(
        "other teams' pods go by this label, too; kubectl get nodes --show-labels shows what the nodes have, letter by "
        "letter"
    )
    expect(await lab.objects.deployment("model").rolled_out(pods=2, within=READY_WITHIN)).because(
        "kubectl describe pod says for each node why the scheduler did not take it"
    )
    pods = [pod for pod in await owned_pods(lab, "model") if not leaving(pod)]
    expect(observe("model runs", by_node(pods), equal_to(f"{len(pods)} on {worker}"))).because(
        f"it belongs on nodes with {POOL}"
    )
    spec = (await lab.objects.deployment("model").present())["spec"]["template"]["spec"]
    unheard = f"{VALUE[:4]}{drawn(lab, 'pool of others').randrange(16**4):04x}"
    expect(demands_the_pool(spec, labels[worker], worker, others=unheard, both=looks.given(*labels.values()))).because(
        "today there is one worker; when a second one comes that has no model's pool, pods that ask for nothing, or "
        "only prefer something, end there. nodeSelector and required node affinity are demands, by one value of the "
        "label and by no others: these may be any team's. A second one of the pool should get pods, too, so the node's "
        "name says nothing here, nor does any other label that it has or lacks, for a spread (DoNotSchedule), say, nor "
        "which pods are there (podAffinity): kubectl get deployment model -o yaml"
    )
    expect(await answers(lab, "model", "/version", within=PLACED_WITHIN)).because(
        "kubectl get endpointslices shows which pods are behind the Service, and whether they are ready; kubectl get "
        "service model -o yaml whether it leads there from any node (internalTrafficPolicy)"
    )
    await answers_alone(lab)


def demands_the_pool(
    spec: Object, labels: Mapping[str, str], node: str, *, others: str, both: Mapping[str, str]
) -> Observation:
    """Does a template take any node by that label, and none without it, nor with another value?

    Args:
        spec: of its pods.
        labels: of the node.
        others: a value that nobody knows; those that the template names are tried, too.
        both: the labels that any node has, such as its system.
    """
    without = {key: value for key, value in labels.items() if key != KEY}
    values = sorted({*OTHER_VALUES, *named_values(spec, KEY), others} - {VALUE})
    tried = {f"without {POOL}": without} | {f"with {KEY}={each}": without | {KEY: each} for each in values}
    wrong = [f"would also take a node {what}" for what, each in tried.items() if asks_for(spec, each, node)]
    for has, name_ in tempting(spec, without, node, but=KEY):
        also = [f"{key}={value}" for key, value in has.items() if without.get(key) != value]
        also += [f"the name {name_}"] if name_ != node else []
        if also and any(asks_for(spec, has | one, name_) for one in ({}, {KEY: others})):
            wrong.append(f"would also take a node without {POOL} that has {', '.join(also)}")
    more = {**both, KEY: VALUE, "kubernetes.io/hostname": _ANOTHER}
    if not asks_for(spec, labels, node):
        wrong = [f"does not take {node}"]
    elif spec.get("nodeName") or not asks_for(spec, more, _ANOTHER):
        wrong.append(f"would not take another node that has {POOL}, and else only what any node has")
    for has, name_ in unwanted(spec, more, _ANOTHER):
        if not asks_for(spec, has, name_):
            also = [f"{key}={value}" for key, value in has.items() if more.get(key) != value]
            wrong.append(f"would not take a node with {POOL} that has {', '.join(also) or f'the name {name_}'}")
    if keys := by_way_of(spec, {**both, KEY: VALUE}):
        wrong.append(f"would not take each node that has {POOL}: its pods go by {', '.join(keys)}, too")
    return holds(not wrong, f"model's template asks for {POOL}", f"model's template {'; '.join(wrong)}")


@check(points=1, needs=worker_is_ready, owns="nodes", domains=_TROUBLE)
async def kubelet_stays(lab: TaskLab) -> None:
    """The kubelet goes on after its service is restarted, and is started with the machine.

    Its service is enabled, and its settings, and the authority that they name, are not in /tmp, /run or /dev. Settings
    are also those in a folder (--config-dir), and files of variables that the service reads.
    """
    worker = nodes.worker(lab)
    said = (await lab.machines.run(worker, "systemctl", "is-enabled", "kubelet")).stdout.strip()
    expect(observe("the kubelet's service is", said or "not known", equal_to("enabled"))).because(
        "only a service that is enabled is started with the machine: systemctl enable. That it runs now says nothing "
        "about the next start"
    )
    began = nodes.now()
    await lab.machines.run(worker, "timeout", "30", "systemctl", "restart", "kubelet", within=45)
    expect(await nodes.speaks_again(lab, worker, after=began, within=AGAIN_WITHIN)).because(
        "what was started by hand, or with settings of its own, is not what the service does: journalctl -u kubelet"
    )
    expect(await looks.steady(lab, worker, "kubelet")).because(
        "the node is kept Ready by something else than its service, which nobody starts anew when it ends"
    )
    expect(await outlasts(lab, worker)).because(
        "/tmp, /run and /dev are empty when a machine has started: settings there, or files that they name, are gone, "
        "and the kubelet ends as it did tonight. The other node's settings name files that lie on its disk"
    )


@check(
    points=2, needs=(worker_takes_pods, control_plane_is_closed), owns="nodes",
    domains=("cka/cluster-architecture", "ckad/deployment"),
)  # fmt: skip
async def drains(lab: TaskLab) -> None:
    """The worker can be drained within 60 s, and Service `board` answers all the while.

    The checker closes the worker, asks at once for the evictions of all pods of `board`, and again each second for
    what is left of this namespace on the node, four times a second for an answer of `board`. Then it opens the node,
    and each of the two gets a pod of `board` again.
    """
    await presence.exists(lab, "Deployment", "board", "the departure board is to go on", others=True)
    expect(await lab.objects.deployment("board").rolled_out(pods=2, within=READY_WITHIN)).because(
        "one of its pods waits for a node; kubectl describe pod says what it waits for"
    )
    pods = [pod for pod in await owned_pods(lab, "board") if not leaving(pod)]
    on = {str(pod["spec"].get("nodeName")) for pod in pods}
    expect(observe("nodes with pods of board", len(on), at_least(2))).because(
        "when all of them are on the node that is drained, an eviction waits for a successor that finds no place"
    )
    way = (await lab.objects.service("board"))["spec"].get("internalTrafficPolicy", "Cluster")
    expect(observe("internalTrafficPolicy of Service board", way, equal_to("Cluster"))).because(
        "with Local a node's pods are led to the pods of board on that node alone, and to nobody once it is drained"
    )
    await answers_alone(lab, "board")
    found = await drained(lab, pods)
    expect(found.granted).because(
        "a drain asks the Eviction API, and that a PodDisruptionBudget: kubectl get pdb shows how many pods may go now "
        "(ALLOWED DISRUPTIONS). One that asks for as many pods as there are lets none go, ever"
    )
    expect(found.held).because(
        "without a budget that matches its pods, two nodes drained at once, or an eager script, take all of board "
        "away: a PodDisruptionBudget lets one go, and the next when the first has a successor"
    )
    board: Object = (await lab.objects.deployment("board").present())["spec"]["template"]
    expect(lasting(await lab.objects.all("PodDisruptionBudget"), board)).because(
        "the label pod-template-hash is another one with each release: a budget that asks for it, or for whatever else "
        "the pods of now alone have, selects nobody afterwards. kubectl get deployment board -o yaml, labels of its "
        "template"
    )
    expect(found.emptied).because(
        "kubectl get pods -o wide shows what is left there, kubectl get pdb what holds it. What no budget holds takes "
        "long to end (terminationGracePeriodSeconds), or comes back to the closed node: no scheduler is asked where a "
        "template has a nodeName, and who tolerates any taint tolerates that of a cordon"
    )
    expect(found.lost).because("as long as one of its pods is ready, the Service leads there")
    expect(found.spread).because(
        "the scheduler does not move pods: what has found a place beside another one while the worker was closed stays "
        "there, and the next trouble of that node takes both. Required anti-affinity lets it wait for the worker"
    )
