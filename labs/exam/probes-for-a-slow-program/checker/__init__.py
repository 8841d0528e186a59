"""The checks: the program is told how to be, and what the kubelet makes of it is seen."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit.inside import settled
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .play import busy, deaf, numbers, restarts_until_ready

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/observability-and-maintenance",)


@check(points=2, owns="its pods", domains=_DOMAINS)
async def it_has_its_time(lab: TaskLab) -> None:
    """A new pod's program starts without being restarted; a startup probe gives it the wanted time and no more."""
    (pod, *_) = await settled(lab, D.app, within=60)
    found = numbers(pod, "startupProbe")
    expect(observe("startup probe", found, equal_to(f"GET {D.live} on {D.port}, every 1 s, {D.tries} times"))).because(
        "failureThreshold times periodSeconds is how long a program may take; the other probes begin after that"
    )
    expect(observe("restarts of a new pod", await restarts_until_ready(lab), equal_to(0), timed=True)).because(
        "who asks too early, and restarts for it, makes the program begin again and again"
    )


@check(points=2, needs=it_has_its_time, owns="readiness", domains=_DOMAINS)
async def it_is_spared_while_busy(lab: TaskLab) -> None:
    """While it says that it can't take requests it gets none; when it says that it can it does."""
    found = await lab.once(busy)
    expect(found.left_out).because(
        "a pod is taken out of the Service while its readiness probe fails; failureThreshold says after how many times"
    )
    expect(found.back).because("once it says that it can, the next probe, a second later, brings the pod back")
    (pod, *_) = await settled(lab, D.app, within=60)
    wanted = f"GET {D.ready} on {D.port}, every 1 s, 1 times"
    expect(observe("readiness probe", numbers(pod, "readinessProbe"), equal_to(wanted))).because(
        "where nothing is said, a probe asks every ten seconds, and three failures in a row count"
    )


@check(points=1, needs=it_is_spared_while_busy, owns="readiness", domains=_DOMAINS)
async def it_is_not_killed_for_it(lab: TaskLab) -> None:
    """While it is only busy it is not restarted."""
    why = "the liveness probe asks the wrong thing: a program that is busy is made busier by a restart"
    expect((await lab.once(busy)).restarts).because(why)
    # A restart shows a second or two later, which is too late where the machine is slow.
    (pod, *_) = await settled(lab, D.app, within=60)
    asked = numbers(pod, "livenessProbe")
    spared = not asked.startswith(f"GET {D.ready} ")
    expect(holds(spared, f"the liveness probe does not ask {D.ready}", f"liveness probe: {asked}")).because(why)


@check(points=2, needs=it_is_not_killed_for_it, owns="liveness", domains=_DOMAINS)
async def it_is_restarted_when_ill(lab: TaskLab) -> None:
    """When it says that it is not well it is restarted after the wanted time, and not before."""
    pods = await settled(lab, D.app, within=60)
    wanted = f"GET {D.live} on {D.port}, every {D.live_every} s, {D.live_fails} times"
    expect(observe("liveness probe", numbers(pods[0], "livenessProbe"), equal_to(wanted))).because(
        "restarted too late nobody is served; restarted at the first failure, one lost packet costs a start"
    )
    expect(await deaf(lab)).because(
        "a container is restarted when its liveness probe has failed so many times in a row"
    )
