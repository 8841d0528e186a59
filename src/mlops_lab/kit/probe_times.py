"""How long a pod's probe takes, by its numbers: what it finds may begin at any moment, and a trial has only one."""

from __future__ import annotations

from mlops_lab.kube.client import Object


def numbers(probe: Object) -> tuple[int, int, int]:
    """A probe's period and timeout in seconds, and how often it must fail; with the defaults of Kubernetes.

    https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes
    """
    usual = {"periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}
    period, timeout, failures = (int(probe.get(key) or number) for key, number in usual.items())
    return period, timeout, failures


def periods(probe: Object) -> int:
    """The seconds of as many periods as a probe must fail; what answers at once, if badly, is found by then."""
    period, _, failures = numbers(probe)
    return period * failures


def silent_for(probe: Object, wait: float | None = None) -> float:
    """The seconds until a probe has failed that gets no answer, where it asks first just as the silence begins.

    Args:
        wait: seconds after which it gives up, as commands may before their timeout; that timeout if not given.
    """
    period, timeout, failures = numbers(probe)
    wait = timeout if wait is None else wait
    return (failures - 1) * max(period, wait) + wait


def silent_at_worst(probe: Object, wait: float | None = None) -> float:
    """The seconds until a probe has failed that gets no answer, where the silence begins just after a good one.

    Args:
        wait: as above.
    """
    return numbers(probe)[0] + silent_for(probe, wait)


def ends_within(probe: Object, pod: Object) -> int:
    """The seconds that a container gets to end once its liveness probe has failed; Python as first process takes all.

    Args:
        pod: whose container it is; its own seconds count where the probe has none, and 30 where neither has.

    https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#probe-level-terminationgraceperiodseconds
    """
    usual = pod["spec"].get("terminationGracePeriodSeconds", 30)
    return int(probe.get("terminationGracePeriodSeconds", usual))
