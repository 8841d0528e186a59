"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import deployments, presence
from mlops_lab.kit.pods import is_running, leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .keys import decoded, from_secret, in_clear, of_process, rights

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"


@check(points=2, domains=("ckad/environment-configuration-and-security",))
async def key_comes_from_the_secret(lab: TaskLab) -> None:
    """The server's pods run as their own ServiceAccount, and have the key, which the Secret holds as it was."""
    found = await presence.exists(lab, "Secret", D.secret, "kubectl create secret generic makes it", others=True)
    expect(holds(decoded(found, D.key) == D.value, f"the key in {D.key}", "another value, or none, there")).because(
        "the value is the key alone; what is piped from echo has the end of a line behind it"
    )
    await deployments.exists(lab, D.server, why="it was there when the task began; leave it where it is")
    must(
        await deployments.rolled_out(lab, D.server, within=45),
        "kubectl describe pod says in its events what holds a pod up",
    )
    pods = [each for each in await deployments.owned_pods(lab, D.server) if is_running(each) and not leaving(each)]
    accounts = {str(each["spec"].get("serviceAccountName")) for each in pods}
    expect(
        observe("ServiceAccount of its pods", ", ".join(sorted(accounts)) or "no pods", equal_to(D.account))
    ).because("serviceAccountName is a field of the pod's spec; without it a pod is default")
    for pod in pods:
        own = from_secret(pod["spec"], D.variable, D.secret)
        expect(holds(own, f"{D.variable} comes from Secret {D.secret}", "it comes from elsewhere")).because(
            "who exchanges the key does so in that Secret, and another one has the old key on"
        )
        value = await of_process(lab, name(pod), D.variable)
        expect(holds(value == D.value, f"its process has the key as {D.variable}", "another value, or none")).because(
            "env with valueFrom.secretKeyRef takes it from the Secret when the container starts"
        )


@check(points=2, needs=key_comes_from_the_secret, domains=("ckad/environment-configuration-and-security",))
async def nowhere_in_clear(lab: TaskLab) -> None:
    """No Deployment, ReplicaSet, Pod or ConfigMap of the namespace has the key in clear."""
    seen = await lab.time.eventually(
        lambda: in_clear(lab, D.value), lambda found: not found,
        expected="no object has the key in clear", shown=lambda found: ", ".join(found) or "none has", within=8,
    )  # fmt: skip
    expect(seen).because(
        "whoever may see a Deployment sees its environment. An old ReplicaSet keeps the template before, for kubectl "
        "rollout undo, and kubectl apply keeps what it was given as an annotation"
    )


@check(points=3, needs=key_comes_from_the_secret, domains=("ckad/environment-configuration-and-security",))
async def only_the_server_reads_it(lab: TaskLab) -> None:
    """The server's ServiceAccount may get that Secret and nothing else of Secrets; the others may read none."""
    wrong = await rights(lab, D.account, D.secret, D.other, ("default", D.other))
    expect(holds(not wrong, "only what was wanted is allowed", wrong[0] if wrong else "", evidence=wrong[1:])).because(
        "rights add up over all bindings: a new Role takes nothing away that another one gives. resourceNames limits a "
        "rule to objects, and who may list or watch one by its name has all that is in it, as by get. A "
        "ClusterRoleBinding is for all namespaces"
    )
    for kind in ("Secret", "Deployment"):
        expect(await unchanged(lab, _START, kind, D.other)).because("leave what is another team's as it is")
