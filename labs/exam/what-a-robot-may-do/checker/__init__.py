"""The checks."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .rights import TOO_MUCH, WORK, beyond_its_work, has, others_with_it

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture", "ckad/environment-configuration-and-security")
# Run in the robot's pod: asks the API server who it is, with the token that is mounted there.
_WHO = """
import json, ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
asked = urllib.request.Request(
    "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode(),
    {"Authorization": "Bearer " + open(place + "token").read(), "Content-Type": "application/json"},
)
trust = ssl.create_default_context(cafile=place + "ca.crt")
print(json.load(urllib.request.urlopen(asked, timeout=10, context=trust))["status"]["userInfo"]["username"])
"""


@check(points=2, domains=_DOMAINS)
async def may_do_its_work(lab: TaskLab) -> None:
    """The ServiceAccount may do all that it needs for its work."""
    await presence.exists(lab, "ServiceAccount", D.robot, "rights are given to it by this name", others=True)
    missing = [str(right) for right in WORK if not await has(lab, right)]
    all_of_it = f"{D.robot} may do all {len(WORK)} things"
    expect(holds(not missing, all_of_it, f"it may not {'; '.join(missing[:4])}", evidence=missing[4:])).because(
        "a Role lists verbs on resources of API groups, and a RoleBinding gives it to somebody; logs and scale are "
        "resources of their own: kubectl api-resources shows the groups"
    )


@check(points=3, needs=may_do_its_work, domains=_DOMAINS)
async def may_do_no_more(lab: TaskLab) -> None:
    """It may do nothing else, nor anything elsewhere, and nobody else got its rights."""
    more = [str(right) for right in TOO_MUCH if await has(lab, right)]
    nothing = f"none of {len(TOO_MUCH)} other things is allowed"
    expect(holds(not more, nothing, f"allowed: {'; '.join(more[:4])}", evidence=more[4:])).because(
        "a rule without resourceNames is for all objects of the kind, a ClusterRoleBinding for all Namespaces, and a "
        "group for all who are in it; kubectl auth can-i --list --as shows what somebody may do"
    )
    beyond = await beyond_its_work(lab)
    must(
        holds(not beyond, "its bindings give it nothing else", f"they give it {'; '.join(beyond[:4])}"),
        "each rule of a role that is bound to it is a right of its own, whatever else there is of the kind",
    )
    others = await others_with_it(lab)
    expect(holds(not others, f"{D.robot} alone has its roles", f"others have them, too: {', '.join(others)}")).because(
        "all subjects of a binding get what its role allows, and so do those of another binding of that role; pods get "
        "what their ServiceAccount has"
    )


@check(points=2, domains=_DOMAINS)
async def acts_as_it(lab: TaskLab) -> None:
    """The robot's pods are the ServiceAccount to the API server."""
    await presence.exists(lab, "Deployment", D.runner, "the robot's pods are its own", others=True)
    rolled = await lab.objects.deployment(D.runner).rolled_out(within=30)
    expect(rolled).because("a change of the template makes new pods: kubectl describe says why one isn't ready")
    pods = [pod for pod in await owned_pods(lab, D.runner) if not leaving(pod)]
    found = sorted({await _who(lab, name(pod)) for pod in pods})
    wanted = f"system:serviceaccount:{lab.namespace}:{D.robot}"
    expect(observe("the robot is", ", ".join(found), equal_to(wanted))).because(
        "a pod acts as the ServiceAccount that its spec names, and as `default` if it names none; its token is mounted "
        "unless automountServiceAccountToken says no"
    )


async def _who(lab: TaskLab, pod: str) -> str:
    printed = await lab.objects.run_in(pod, "python3", "-c", _WHO)
    if printed.code == 0 and printed.lines:
        return printed.lines[-1]
    return f"nobody ({(printed.errors.strip().splitlines() or ['no answer'])[-1][:100]})"
