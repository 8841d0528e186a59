"""How much CPU the machine could give while something was measured: a time limit missed on a starved one is nobody's.

Every 2 s this machine is looked at (`pulse`). The share that it could give is the larger one of two, since each may
be too small: cores / threads that wanted one, of those that are neither the lab's nor the cluster's; and what a
computation of 5 ms got of the time that it took. It is not taken from pressure stall information
(https://docs.kernel.org/accounting/psi.html): "some" is at its end with one thread that waits, and counts one that its
own container's CPU limit holds, though it is not runnable (kernel/sched/fair.c, throttle_cfs_rq). On two cores:

    at work besides                        cores/threads   5 ms got   psi some
    nothing                                     100 %         88 %      0.13
    4 programs held at 2 % by a limit           100 %         80 %      1.00
    20 programs, nice 19                         10 %         83 %      0.99
    3 programs                                   53 %         30 %      0.70
    20 programs                                   9 %         14 %      0.98

A machine is starved below `LIMIT`, as limits of checks allow for twice the time, and only if others used `TAKEN` of it;
niced programs give way, and are none. So who burns CPU in pods of the lab, the platform's included, has no way out of a
failure: what they use is taken off (`node_cpu`), from the kubelet's last figure before the time to the first one after.
Others used what is left then, or what they used on the mean between these figures, where that is more.
Where programs of the learner's ran on this machine, in the workspace or in an image's build, only other labs' pods and
programs that were at work before count as others, whatever has been left in the background.

Nodes on other machines (Docker Desktop's, a cloud's) that have pods of the lab are judged by their kubelets' figures of
CPU time alone; this machine, where the checker runs, by its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable
from mlops_lab.measure.cluster.node_cpu import Used, machines, spent, used
from mlops_lab.measure.cluster.pulse import Machine, Program

LIMIT = 0.5
TAKEN = 0.5
_FULL = 0.9  # of another machine's cores in use: its threads are not counted
_SHORTEST = 1.0  # s that can be judged
_LOOK_EVERY = 2.0  # s
_READ_EVERY = 10.0  # s, as the kubelet measures
_MEASURED_WITHIN = 30.0  # s for the kubelet's next measurement
_FEW = 8  # nodes of one machine elsewhere, and machines
_NOTHING = Used(0.0, 0.0, 0.0)

Window = tuple[float, float]  # on the monotonic clock


class Beat(NamedTuple):
    """What was seen of this machine until `at`; the rest is summed up over the looks.

    Attributes:
        asked: thread seconds.
        busy, aside: as the pulse's, of itself a sum.
        took, used: of all computations.
    """

    at: float
    asked: float
    busy: float
    aside: float
    took: float
    used: float


class Reading(NamedTuple):
    """What kubelets said of their nodes, by name, and what programs at work before have used; `at` is before both."""

    at: float
    nodes: Mapping[str, Used]
    programs: Mapping[Program, float]


def given(
    first: Beat,
    last: Beat,
    cores: int,
    ours: float,
    others_at_most: float = float("inf"),
    others_about: float = 0.0,
) -> float:
    """The share of the CPU asked for that a machine could give, 0 to 1; 1 where others than we did not take `TAKEN`.

    Args:
        ours: core seconds that the lab and the cluster used, at least from the first beat to the last.
        others_at_most: core seconds that others can have used.
        others_about: cores that others used on the mean of a longer time, of which `ours` is the sum.
    """
    seconds, busy = last.at - first.at, last.busy - first.busy
    not_aside = busy - (last.aside - first.aside)
    others = min(max(not_aside - ours, others_about * seconds), not_aside, others_at_most)
    if seconds < _SHORTEST or busy <= 0 or others < TAKEN * cores * seconds:
        return 1.0
    asked = (last.asked - first.asked) / seconds * others / busy
    got = (last.used - first.used) / max(last.took - first.took, 1e-9)
    return min(1.0, max(cores / max(asked, 1e-9), got))


class Starvation:
    """Watches the machines of a cluster, and this one, while its block runs.

    Args:
        namespace: the lab's.
    """

    def __init__(self, kube: Kube, namespace: str, machine: Machine | None = None) -> None:
        self._kube, self._namespace = kube, namespace
        self._machine = machine or Machine()
        self._beats: list[Beat] = []
        self._readings: list[Reading] = []
        self._before: dict[Program, float] = {}
        self._boots: dict[str, tuple[int, list[str]]] | None = None
        self._strange: dict[
            str, dict[str, float]
        ] = {}  # by node and uid: what pods have used, also of those that ended
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look, in two threads, until the block ends."""
        stop = threading.Event()
        self.beat()
        self._before = self._machine.programs() if self._machine.counts else {}
        threads = [
            threading.Thread(target=self._repeat, args=(stop, _LOOK_EVERY, self.beat), daemon=True),
            threading.Thread(target=self._repeat, args=(stop, _READ_EVERY, self.read), daemon=True),
        ]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            stop.set()

    def why(self, windows: Sequence[Window], *, programs: bool) -> str:
        """What a starved machine explains, in words; empty where it was not.

        Args:
            windows: when something was measured.
            programs: programs of the learner's ran on this machine meanwhile or before.

        Raises:
            LabError: a machine that may be starved cannot be asked.
        """
        self.beat()
        self.read()
        suspects = [window for window in windows if min(self._here(window), self._away(window)) < LIMIT]
        last = self._next_reading() if suspects else None
        if last is None:
            return ""
        worst = min(min(self._here(window, last, programs), self._away(window)) for window in suspects)
        if worst >= LIMIT:
            return ""
        return (
            f"the machine could give {worst * 100:.0f} % of the CPU asked for while this was measured (limit "
            f"{LIMIT * 100:.0f} %): close other programs and check again"
        )

    def beat(self) -> None:
        """Look at this machine."""
        pulse = self._machine.pulse()
        with self._lock:
            now = time.monotonic()
            last = self._beats[-1] if self._beats else Beat(now, 0.0, pulse.busy, pulse.aside, 0.0, 0.0)
            asked, took, got = pulse.wanting * (now - last.at), last.took + pulse.took, last.used + pulse.used
            self._beats.append(Beat(now, last.asked + asked, pulse.busy, pulse.aside, took, got))

    def read(self) -> Reading | None:
        """Ask the kubelets; None where they may not be asked, or don't answer."""
        with contextlib.suppress(LabError):
            return self._read()
        return None

    def _read(self) -> Reading:
        at = time.monotonic()
        if self._boots is None:
            self._boots = machines(self._kube)
        # A large cluster elsewhere is not this checker's to ask, node by node.
        asked = [boot for boot, (_, names) in self._boots.items() if self._is_here(boot) or len(names) <= _FEW]
        names = [name for boot in asked[:_FEW] for name in self._boots[boot][1]]
        nodes = {
            name: self._with_ended(name, said) for name in names if (said := used(self._kube, name, self._namespace))
        }
        reading = Reading(at, nodes, self._machine.programs(self._before) if self._before else {})
        self._readings.append(reading)
        return reading

    def _with_ended(self, name: str, said: Used) -> Used:
        """What a kubelet says of its node, with other labs' pods that it has no more, as they were seen last."""
        with self._lock:
            seen = self._strange.setdefault(name, {})
            seen.update((uid, max(seconds, seen.get(uid, 0.0))) for uid, seconds in said.strange.items())
            return said._replace(strange=dict(seen))

    def _next_reading(self) -> Reading | None:
        """What kubelets say once each has measured again; None where they may not be asked."""
        end, before = time.monotonic() + _MEASURED_WITHIN, None
        while True:
            try:
                now = self._read()
                before = before or now
                if all(name in now.nodes and now.nodes[name].at > said.at for name, said in before.nodes.items()):
                    return now
            except LabError as trouble:
                if not trouble.transient and not isinstance(trouble, Unreachable):
                    return None
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise LabError(
                    "the machine may be too busy, and its kubelets don't say who uses it",
                    "close other programs and check again",
                )
            time.sleep(1)

    def _is_here(self, boot: str) -> bool:
        return boot == self._machine.boot or not self._machine.counts

    def _here(self, window: Window, last: Reading | None = None, programs: bool = False) -> float:
        """The share that this machine could give; without a last reading, if all that was used was others'."""
        ours, most, about = 0.0, float("inf"), 0.0
        first, final = _around(self._beats, window)
        if last:
            before = _before(self._readings, first.at)
            if before is None:
                return 1.0
            # What was used before the first reading nobody knows.
            first = next((each for each in self._beats if each.at >= max(first.at, before.at)), final)
            names = [name for boot, (_, nodes) in (self._boots or {}).items() if self._is_here(boot) for name in nodes]
            if any(name not in last.nodes for name in names):
                return 1.0
            measured = [(before.nodes.get(name, _NOTHING), last.nodes[name]) for name in names]
            spending = spent(measured)
            ours = spending.ours
            about = self._others(measured)
            if programs:
                grown = spending.theirs + sum(
                    now - before.programs.get(each, now) for each, now in last.programs.items()
                )
                most = grown / max(last.at - before.at, 1e-9) * (final.at - first.at)
        return given(first, final, self._machine.cores, ours, most, about)

    def _others(self, measured: Sequence[tuple[Used, Used]]) -> float:
        """Cores of this machine that others used on the mean, between the kubelets' measurements.

        These reach some 10 s to 30 s beyond what was measured, at each end: what the lab used there is not to be taken
        off from what others used in between.
        """
        if not measured or any(last.at <= first.at or first is _NOTHING for first, last in measured):
            return 0.0
        begun, ended = min(first.at for first, _ in measured), max(last.at for _, last in measured)
        clock = time.time() - time.monotonic()  # a node's here is this machine's
        one, two = _around(self._beats, (begun - clock, ended - clock))
        if two.at - one.at < _SHORTEST:
            return 0.0
        busy = (two.busy - one.busy - (two.aside - one.aside)) / (two.at - one.at)
        return max(busy - sum(spent([each]).ours / (each[1].at - each[0].at) for each in measured), 0.0)

    def _away(self, window: Window) -> float:
        """The least share that another machine with pods of the lab could give."""
        before, last, worst = _before(self._readings, window[0]), self._readings[-1] if self._readings else None, 1.0
        for boot, (cores, names) in (self._boots or {}).items():
            if self._is_here(boot) or not before or not last:
                continue
            known = [
                (before.nodes[name], last.nodes[name]) for name in names if name in {*before.nodes} & {*last.nodes}
            ]
            spending = spent(known)
            whole, others = cores * spending.seconds, spending.node - spending.ours
            if (
                whole
                and spending.node >= _FULL * whole
                and others >= TAKEN * whole
                and any(now.hosts for _, now in known)
            ):
                worst = min(worst, 1 - others / whole)
        return max(worst, 0.0)

    @staticmethod
    def _repeat(stop: threading.Event, every: float, act: Callable[[], object]) -> None:
        while not stop.is_set():
            with contextlib.suppress(Exception):  # `why` meets it again, and says so
                act()
            stop.wait(every)


def _around(beats: Sequence[Beat], window: Window) -> tuple[Beat, Beat]:
    """The last beat before a window, or the first there is, and the first one after it, or the last there is."""
    before = [each for each in beats if each.at <= window[0]] or beats[:1]
    after = [each for each in beats if each.at >= window[1]] or beats[-1:]
    return before[-1], after[0]


def _before(readings: Sequence[Reading], at: float) -> Reading | None:
    """The last reading until then, or the first there is."""
    earlier = [each for each in readings if each.at <= at] or readings[:1]
    return earlier[-1] if earlier else None
