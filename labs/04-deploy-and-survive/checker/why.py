"""Why requests were lost while a pod was deleted, from when they were lost."""

from __future__ import annotations

ONE_REPLICA = (
    "the deleted pod was the only one that was ready. A Deployment makes a new one at once, but that has to be "
    "scheduled, to start and to load its model, and until then nobody can answer. spec.replicas says how many there are"
)
TOO_EARLY = (
    "most requests were lost when the deleted pod was long out of the Service and its successor had come in: it got "
    "traffic before its model was loaded. Without a readiness probe a pod is ready as soon as its container runs; a "
    "probe whose path always answers 200 tells no more. Delete a pod yourself and watch: kubectl get pods -w"
)
NO_WAIT = (
    "requests were lost right after the deletion. Kubernetes does two things at once then: the kubelet sends the "
    "container SIGTERM, and the pod is taken out of the Service, of which the nodes hear a little later (kube-proxy "
    "gathers changes for up to a second). This server stops listening at SIGTERM, so whoever is still sent to it is "
    "refused. It must go on serving for a few seconds before it gets the signal: "
    "kubectl explain pod.spec.containers.lifecycle"
)
BEFORE = (
    "most requests were lost while no pod was being deleted: some pods behind the Service cannot answer. Ask them one "
    "by one (kubectl get pods -o wide, kubectl logs POD); a pod that cannot serve should not be ready"
)
TOO_SLOW = (
    "most of the lost requests had no answer within 10 s: they reached a pod that did not get round to them. 50 "
    "requests a second are little for this server, unless a CPU limit holds it up, and when one pod is gone "
    "the others have its part to do as well. kubectl describe pod shows Limits, kubectl top pod what is used while a "
    "load runs"
)


def why_lost(before: int, early: int, late: int, *, left: int, slow: bool = False) -> str:
    """The likely cause, from how many requests failed before the deletion, soon after it and later.

    Args:
        left: ready pods right after the deletion.
        slow: most of them waited for an answer until the time was over.
    """
    if left == 0:
        return ONE_REPLICA
    if slow and early <= before + late:
        return TOO_SLOW
    if before > early + late:
        return BEFORE
    return TOO_EARLY if late > early else NO_WAIT
