"""The checks."""

from mlops_lab.checks import at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.rollouts import rollout_over
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from . import daemon
from .draw import Drawn

D = drawn(Drawn, __file__)
_READY_WITHIN, _HEALED_WITHIN, _WATCHED_FOR = 15, 13, 3  # s
_ROLLED_OUT_WITHIN = 60  # s, one node after the other
_LONGEST = 10  # s until the last failure; to stop the container takes the second that was given
_DOMAINS = ("cka/workloads-and-scheduling", "ckad/design-and-build")


@check(points=3, domains=_DOMAINS)
async def runs_on_every_node(lab: TaskLab) -> None:
    """The DaemonSet has a ready pod on every node, each of which answers; the Deployment is gone, with its pods."""
    await presence.exists(lab, "DaemonSet", D.app, "it is what runs one pod on each node", others=True)
    left = await lab.objects.deployment(D.app).now()
    expect(holds(left is None, "the Deployment is gone", "the Deployment is there, too")).because(
        "with both, one node has two of these pods"
    )
    expect(await daemon.alone(lab, within=_READY_WITHIN)).because(
        "a Deployment that is deleted with --cascade=orphan leaves its ReplicaSet, and that its pods"
    )
    must(
        await rollout_over(lab, D.app, kind="DaemonSet", within=_ROLLED_OUT_WITHIN),
        "a change of the template is rolled out one node after the other, and stops at a pod that does not get ready: "
        "kubectl rollout status daemonset says where. With updateStrategy OnDelete a pod stays until it is deleted",
    )
    seen = await daemon.on_all_nodes(lab, within=_READY_WITHIN)
    expect(seen).because(
        "a node's taint keeps away pods that don't tolerate it: kubectl describe node shows it. A DaemonSet's pods "
        "tolerate by themselves only what says how a node is, such as not-ready"
    )
    same = await daemon.same_program(lab)
    must(same, "the container was to stay the same, but for how it is healed; kubectl get deployment -o yaml had it")


@check(points=1, needs=runs_on_every_node, domains=_DOMAINS)
async def tolerates_no_more(lab: TaskLab) -> None:
    """Its template tolerates the control plane's taint and no other."""
    template = (await lab.objects.named("DaemonSet", D.app).present())["spec"]["template"]
    keys = sorted({str(each.get("key") or "every taint") for each in template["spec"].get("tolerations") or []})
    expect(
        observe("its template tolerates", ", ".join(keys), equal_to("node-role.kubernetes.io/control-plane"))
    ).because("a toleration without a key is one of every taint, also of those that somebody sets to empty a node")


@check(points=3, needs=runs_on_every_node, owns="a pod", domains=_DOMAINS)
async def heals_itself(lab: TaskLab) -> None:
    """A container that hangs is started anew in time, whenever that is, and those that are well are left alone."""
    before = await daemon.counts(lab)
    ill = await daemon.made_ill(lab)
    healed = await daemon.started_anew(lab, ill, within=_HEALED_WITHIN, ready_within=_READY_WITHIN)
    expect(healed).because(
        "a readinessProbe only keeps requests away; a livenessProbe has the kubelet start a container anew, after "
        "failureThreshold failures, one each periodSeconds. It must ask what tells that the container hangs. Told to "
        "end, this program does not: the kubelet waits for terminationGracePeriodSeconds, 30 where nothing is said"
    )
    longest = await daemon.longest(lab, ill)
    what = "until the last of its failures, and what it gets to end beyond a second, at worst"
    expect(observe(what, longest, at_most(_LONGEST), unit="s", timed=False)).because(
        "a container may hang at any moment: it takes up to periodSeconds times failureThreshold, which is 3 where "
        "nothing is said; and nobody asks one that has only just started before initialDelaySeconds, or before its "
        "startupProbe has succeeded. A terminationGracePeriodSeconds of more than the 1 that was given is added to that"
    )
    since = {**before, ill: (await daemon.counts(lab)).get(ill, 0)}
    expect(await daemon.left_alone(lab, since, watched_for=_WATCHED_FOR)).because(
        "a probe that fails where all is well has containers started anew without end"
    )
