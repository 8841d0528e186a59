"""The checks."""

from mlops_lab.checks import check, expect
from mlops_lab.kit import deployments
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .asking import client_is_answered_by, goes_by_a_name, unresolved
from .draw import Drawn

D = drawn(Drawn, __file__)
_FOUND_AGAIN_WITHIN = 25.0  # s: 20 that the task allows, and what a look takes


@check(points=3, domains=("cka/troubleshooting", "ckad/services-and-networking"))
async def client_is_answered(lab: TaskLab) -> None:
    """The client's requests are answered by the store's pod."""
    for name in (D.client, D.store):
        await deployments.exists(lab, name, why="it was there, and was to be mended, not taken away")
    expect(await client_is_answered_by(lab, D, within=15)).because(
        "kubectl exec into the client and getent hosts tell whether names resolve there at all, and whether this one "
        "does: /etc/resolv.conf, the name in the URL, and the Service's endpoints are the three places to look"
    )


@check(
    points=2,
    needs=client_is_answered,
    owns="the store",
    domains=("cka/troubleshooting", "ckad/services-and-networking"),
)
async def finds_it_again(lab: TaskLab) -> None:
    """When the store's pod is made anew, at another address, the client is answered again within 20 s, by a name."""
    expect(await goes_by_a_name(lab, D)).because(
        f"Service {D.store} is headless: its name stands for its pods, and no address is there beside theirs. An "
        "address that is written down, be it a Service's, is right as long as nobody makes that Service anew, and a "
        "pod-template-hash as long as there is no other revision"
    )
    for pod in await deployments.owned_pods(lab, D.store):
        await lab.objects.kill(pod["metadata"]["name"], grace=0)
    expect(await client_is_answered_by(lab, D, within=_FOUND_AGAIN_WITHIN)).because(
        "an address that is written down, in the URL or in hostAliases, is that of a pod which is gone one day; the "
        "name of a headless Service stands for the pods that are there"
    )


@check(points=2, needs=client_is_answered, domains=("cka/troubleshooting", "ckad/services-and-networking"))
async def resolves_as_others_do(lab: TaskLab) -> None:
    """In the client's pod names resolve in short, with a namespace, with svc, and of other namespaces' Services."""
    names = [D.store, f"{D.store}.{lab.namespace}", f"{D.store}.{lab.namespace}.svc", "kubernetes.default"]
    expect(await unresolved(lab, D, names)).because(
        "a pod that says nothing of DNS gets the cluster's name server and the domains in which short names are "
        "looked for; with dnsPolicy None it has what dnsConfig lists, and nothing else"
    )
