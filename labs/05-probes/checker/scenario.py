"""The five pods' incidents, played side by side under a light load."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlops_lab.checks import Lab, is_ready
from mlops_lab.kit.pods import restarts
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object

from .again import hangs_again, once_more
from .commands import note_waits
from .computing import SETTLED, rests_between
from .copies import (
    BACK_OFF,
    BUSY,
    HANGS,
    LABEL,
    LOOK_EVERY,
    OUT_WITHIN,
    QUICK,
    RESTARTED_WITHIN,
    SLOW,
    TOLD_WITHIN,
    UNREADY,
    Copy,
    copies,
    events,
    serving,
)

RATE, LONGEST = 10, 240  # requests a second, s
ANSWER_LIMIT = 15.0  # s; a request may have to wait for a pod that computes
LATE_AT_MOST = 5.0  # s that requests may leave late on a busy machine; no latencies are measured
LATE_LOOK = 4  # s before a drill is over it must still go on
NEAR = 2.0  # s between a request that was lost and the moment that may be why


@dataclass(frozen=True)
class Incidents:
    """One run.

    Attributes:
        sent: requests in all.
        lost: how requests failed that should not have, with counts.
        others: restarts of the Deployment's own pods.
        starved: s in which requests were lost while none of the Deployment's own pods was ready, and none restarted.
        spec: the pod's, from the Deployment's template.
        waits: s that the commands of probes waited for a pod that hung, by the probe.
        probes: the probes in words.
    """

    slow: Copy
    hung: Copy
    unready: Copy
    early: Copy
    busy: Copy
    sent: int
    lost: Counter[str]
    others: int
    starved: int
    spec: Object
    waits: Mapping[str, float]
    probes: tuple[str, ...]


async def incidents(lab: Lab) -> Incidents:
    """Make the five pods under a light load, play the incidents side by side, and see what becomes of the pods."""
    from . import (  # which begin with this
        busy_pod_is_left_alone,
        hung_pod_is_restarted,
        slow_start_survives,
        unready_pod_is_left_alone,
    )

    template = (await lab.objects.deployment("model").present())["spec"]["template"]
    windows: list[tuple[float, float]] = []  # of the load's time, in which requests may fail
    worked: list[float] = []  # when the pod that computes last began to, in the load's time; empty once it was excused
    waits: dict[str, float] = {}
    # What has passed, in the verification of a mistake in other checks, may be shorter.
    load_for = SLOW if lab.thorough(slow_start_survives) else QUICK
    away_for = UNREADY if lab.thorough(unready_pod_is_left_alone) else OUT_WITHIN + 6
    hangs = HANGS if lab.thorough(hung_pod_is_restarted) else 1
    rests = rests_between(serving(template["spec"]).get("livenessProbe"))
    rests = rests if lab.thorough(busy_pod_is_left_alone) else rests[-1:]

    async def slow(pod: Copy) -> None:
        await pod.start()

    async def hang(pod: Copy) -> None:
        ready = await pod.start()
        for turn in range(hangs):
            if not ready:
                return
            began = load.elapsed
            begun = await (hangs_again(pod) if turn else pod.drill("hang"))
            excuse(began, OUT_WITHIN)
            if not begun:
                return
            until = pod.watch(RESTARTED_WITHIN + turn * BACK_OFF, lambda: pod.ended is not None)
            await together(until, note_waits(pod, template["spec"], waits))
            ready = pod.ended is not None and turn + 1 < hangs and await pod.renewed()
        if pod.ended is not None:
            await pod.leave()

    async def unready(pod: Copy) -> None:
        if await pod.start():
            began = load.elapsed
            begun = await pod.drill("unready", str(away_for))
            excuse(began, OUT_WITHIN)
            if begun:
                await pod.watch(away_for / 2)
                await pod.stays_away(away_for)
                await pod.watch(pod.since + away_for - LATE_LOOK - time.monotonic())
                await pod.stays_away(away_for)
                await pod.watch(pod.since + away_for - time.monotonic())
                await pod.watch(SETTLED)
                await pod.watch(OUT_WITHIN - SETTLED + TOLD_WITHIN, lambda: pod.ready)

    async def early(pod: Copy) -> None:
        if not lab.thorough(unready_pod_is_left_alone):
            return
        await pod.watch(
            load_for - LOOK_EVERY, lambda: pod.ended is not None
        )  # a container that comes up has no log yet
        await pod.loads()
        if pod.ended is None:
            began = load.elapsed
            pod.away = await pod.drill("unready", str(away_for))
            excuse(began, OUT_WITHIN)
            await pod.watch(away_for, lambda: pod.ended is not None)
            await pod.watch(OUT_WITHIN + TOLD_WITHIN, lambda: pod.ready or pod.ended is not None)

    async def busy(pod: Copy) -> None:
        if not await pod.start():
            return
        work = ("busy", str(BUSY))
        for turn, rest in enumerate(rests):
            worked[:] = [load.elapsed]
            due = time.monotonic() + BUSY + rest
            if await (once_more(pod, *work) if turn else pod.drill(*work)):
                await pod.watch(due - LOOK_EVERY - time.monotonic(), lambda: pod.ended is not None)
            elif pod.ended is None:
                return
            if pod.ended is not None:
                await pod.watch(SETTLED)
                excuse(worked.pop(), 0)  # what was lost with it is another check's matter
                return
            await lab.time.pause(max(0.0, due - time.monotonic()))
        await pod.watch(pod.since + BUSY + OUT_WITHIN + TOLD_WITHIN - time.monotonic(), lambda: pod.ready)

    def excuse(began: float, seconds: float) -> None:
        windows.append((began - 1, load.elapsed + seconds))

    parts = {"slow": slow, "hung": hang, "unready": unready, "early": early, "busy": busy}
    async with copies(lab, template, slow=load_for, hung=QUICK, unready=QUICK, early=SLOW, busy=QUICK) as pods:
        body = lab.traffic.hidden_rows(1).body
        async with lab.traffic.load(
            "model", rate=RATE, duration=LONGEST, body=body, answer_within=ANSWER_LIMIT, late_at_most=LATE_AT_MOST
        ) as load:
            before = await own_restarts(lab)
            looking = asyncio.ensure_future(unready_ones(lab, lambda: load.elapsed))
            try:
                await together(*(each(pods[what]) for what, each in parts.items()))
            finally:
                looking.cancel()
            for pod in (
                pods["unready"],
                pods["early"],
                pods["busy"],
            ):  # a preStop hook may put off for long what was decided on
                await pod.look_for_restart()
            if pods["busy"].ended is not None and worked:  # on a busy machine it may come late
                excuse(worked[-1], 0)
            alone, after = await looking, await own_restarts(lab)
        for pod in pods.values():
            pod.events = await events(lab, pod.name)
    others = sum(max(0, count - before[name]) for name, count in after.items() if name in before)
    failed = [each for each in load.report.requests if each.status != 200]
    unexcused = [each for each in failed if not any(begin <= each.due + each.late < end for begin, end in windows)]
    lost = Counter(each.error or f"status {each.status}" for each in unexcused)
    lost_at = [each.due + each.late for each in unexcused]
    return Incidents(
        **pods,
        sent=load.report.sent,
        lost=lost,
        others=others,
        starved=0 if others else sum(any(abs(each - when) < NEAR for each in lost_at) for when in alone),
        spec=template["spec"],
        waits=waits,
        probes=(*in_words(template["spec"]), *(f"{kind}: waits for {each:g} s" for kind, each in waits.items())),
    )


async def own_pods(lab: Lab) -> list[Object]:
    """The Deployment's pods behind the Service, without the checker's."""
    return [each for each in await lab.objects.pods_of("model") if LABEL not in each["metadata"]["labels"]]


async def own_restarts(lab: Lab) -> dict[str, int]:
    """How often each of the Deployment's pods was restarted."""
    return {each["metadata"]["name"]: restarts(each) for each in await own_pods(lab)}


async def unready_ones(lab: Lab, elapsed: Callable[[], float]) -> list[float]:
    """When, until it is cancelled, none of the Deployment's pods was ready."""
    found = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            if not any(is_ready(each) for each in await own_pods(lab)):
                found.append(elapsed())
            await lab.time.pause(1)
    return found


def in_words(spec: Object) -> tuple[str, ...]:
    """The probes, a line each, with the defaults that the API server filled in."""
    server, lines = serving(spec), []
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = server.get(kind)
        if not probe:
            lines.append(f"{kind}: none")
            continue
        how = next((name for name in ("httpGet", "tcpSocket", "exec", "grpc") if name in probe), "")
        asks = f"{how} {(probe.get(how) or {}).get('path', '')}".strip()
        delay = f"from {probe['initialDelaySeconds']} s on, " if probe.get("initialDelaySeconds") else ""
        lines.append(
            f"{kind}: {asks}, {delay}every {probe.get('periodSeconds', 10)} s, timeout "
            f"{probe.get('timeoutSeconds', 1)} s, {probe.get('failureThreshold', 3)} failures"
        )
    return tuple(lines)
