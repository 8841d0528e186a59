"""Which mistake in the probes is behind what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .copies import OUT_WITHIN, serving

if TYPE_CHECKING:
    from .scenario import Incidents

NEVER_UP = (
    "this server does not listen before its model is loaded. A startup or liveness probe that finds nobody there has "
    "failed, and after failureThreshold failures in a row the kubelet restarts the container, which then loads from "
    "the beginning. kubectl get pods --watch shows the restarts, kubectl describe pod which probe failed"
)


def why_asked(found: Incidents) -> str:
    """Which mistake lets requests go to pods that can't answer."""
    probe = serving(found.spec).get("readinessProbe")
    late = [each for each in (found.hung, found.unready) if each.out is None or each.out > OUT_WITHIN - 1]
    if not probe:
        return (
            "there is no readiness probe. A pod then counts as ready from when its container runs (or its startup "
            "probe has succeeded), and stays in the Service whatever it answers, or if it answers nothing"
        )
    if late == [found.unready]:
        return (
            "the pod that answered 503 stayed in the Service: the readiness probe went on succeeding. It must ask "
            "what tells whether the server can serve just now. That its process lives is another question"
        )
    if late:
        period, failures = probe.get("periodSeconds", 10), probe.get("failureThreshold", 3)
        return (
            "a pod leaves the Service after failureThreshold readiness probes in a row have failed, periodSeconds "
            f"apart: here {failures} that are {period} s apart, so {period * (failures - 1)} to {period * failures} s "
            "and the last one's timeoutSeconds. The nodes hear of it a second or two later"
        )
    return (
        "both pods had left the Service in time, so others were asked that could not answer: a connection that is "
        "refused comes from a pod that loads its model or was just restarted. What did its readiness probe ask?"
    )


def why_not_restarted(found: Incidents) -> str:
    """Which mistake lets a hang last."""
    probe = serving(found.spec).get("livenessProbe")
    if any(line.startswith("Killing") for line in found.hung.events):
        grace = found.spec.get("terminationGracePeriodSeconds", 30)
        return (
            "the liveness probe did its part: the kubelet began to end the container. But it sends SIGTERM first, "
            "and a process that hangs does nothing about it; SIGKILL comes when the grace period is over. That is "
            f"the pod's, terminationGracePeriodSeconds: {grace}, unless the probe has one of its own: kubectl explain "
            "pod.spec.containers.livenessProbe"
        )
    if not probe:
        return (
            "without a liveness probe the kubelet restarts a container only when its process has ended. One that "
            "hangs does not end; readiness takes it out of the Service, and there it stays, one pod less"
        )
    if "tcpSocket" in probe:
        return (
            "a TCP probe succeeds when a connection comes about, and the kernel sees to that for every socket that "
            "listens, whatever the process behind it does. Only an answer shows that the event loop still turns"
        )
    return (
        "the liveness probe did not fail often enough by then. It asks first initialDelaySeconds after the "
        "container's start (not after the startup probe's success), then every periodSeconds, and failureThreshold "
        "failures in a row must come together. If it asks with exec, the command must fail when the server does not "
        "answer, and in time"
    )
