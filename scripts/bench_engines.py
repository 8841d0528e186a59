"""Measures the part pipelines with each of its engines, one after the other on one cluster.

What is installed is removed and installed anew to time that, with the chart's profile for one learner; volumes and
passwords stay, and at the end the engine is back that was there before. While runs are at work nothing is removed. With
the part tracking, each run of the engine kubeflow is one of MLflow's too, as anybody's is; there it stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bench_platform
from bench_figures import ENGINE, Figures

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import Docker
from mlops_lab.engine.start import ensure
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs.target import target
from mlops_lab.measure.pods.containers import readings
from mlops_lab.measure.pods.cpu_time import Count, CpuMeter, running
from mlops_lab.platform import choice, pull, runs
from mlops_lab.platform.helm import Helm, program
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import RELEASES, Release

PART, PUBLISHED = "pipelines", "kubeflow"
REQUEST = 60.0  # s for each; many runs that begin at once keep an API server busy
REST = 60.0  # s after it is ready until its idle use is measured, and for how long that is
MEASURED = 90.0  # s more until the kubelet has measured each container; it does every 10 to 15 s
AT_ONCE, ENDED = 20, 3600.0  # runs, and s until the last of them has ended
LEFT = 900.0  # s for runs that a measurement left: no engine is replaced under them
MEMORY_GOAL = {"embedded": "at most 220"}  # MiB
Lab = Callable[..., float]  # `lab WORDS...`: the seconds that it took


@dataclass(frozen=True)
class Site:
    """The part on its cluster; without a `docker` the cluster is the user's own."""

    release: Release
    lab: Lab
    kube: Kube
    kubectl: Kubectl
    helm: Helm
    docker: Docker | None
    progress: Progress


def engines(lab: Lab, write: Callable[[Figures], None], solution: Path, asked: bool) -> None:
    """Measure both engines, or the embedded one alone where the published images can't be had.

    Args:
        write: takes the figures of an engine.
        solution: lab 08's program, of three steps.
        asked: this was asked for by name; if not, there is nothing to compare without the published images.
    """
    lab("up")
    cluster, progress = record.current(), Progress()
    site = Site(
        next(each for each in RELEASES if each.part == PART),
        lab,
        target(timeout=REQUEST).kube,
        Kubectl(cluster.context, cluster.kubeconfig),
        Helm(program(progress), cluster.context, cluster.kubeconfig),
        ensure(print) if cluster.is_kind else None,
        progress,
    )
    profiles = {part: found.profile for part, found in installed(site.kubectl).items()}
    before = profiles.pop(PART, "")
    lacking = "what nodes of a cluster of yours can pull is not known"
    if site.docker:
        lacking = choice.unavailable(site.release.by(PUBLISHED).published, site.docker)
    if not (chosen := wanted(site.release, lacking, before, asked)):
        return
    try:
        for name in chosen:
            figures: Figures = {}
            try:
                for more in _measured(site, name, solution):
                    figures |= more
            except (LabError, SystemExit) as trouble:  # said now: what comes after may fail, too
                print(f"engine {name}: {trouble}", flush=True)
                raise
            finally:  # what is measured by then counts, whatever comes
                if figures:
                    write(named(figures, name))
    finally:
        _back(site, before, profiles)


def wanted(release: Release, lacking: str, before: str, asked: bool) -> list[str]:
    """The engines to measure; what can't be is said in a line.

    Args:
        lacking: why the published images can't be had; empty if they can.
        before: the profile that the part has; empty for none.

    Raises:
        SystemExit: what there is would not come back.
    """
    if not lacking:
        return [release.engine, PUBLISHED]
    if not asked:
        print(f"engines: left out, since {lacking}; the engine {release.engine} alone: scripts/bench --only engines")
        return []
    if release.running(before):
        raise SystemExit(f"nothing was measured: {before} is installed and could not come back, since {lacking}")
    print(f"engines: {release.engine} alone, since {lacking}")
    return [release.engine]


def named(figures: Figures, engine: str) -> Figures:
    """The figures by names that end with the engine's."""
    return {f"{name}{ENGINE}{engine}": figure for name, figure in figures.items()}


def restoring(release: Release, before: str, others: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """The words of `lab up` that bring a part's profile back, and what they can't bring back, as a sentence.

    Args:
        others: the other parts with their profiles, which `--profile` changes, too.
    """
    running = release.running(before)
    words = ("up", "--engine", running.name if running else release.engine)
    if running or before in ("", "small"):
        return words, ""
    if all(others.get(each.part, "").partition(".")[0] == before for each in RELEASES if each.part != release.part):
        return (*words, "--profile", before), ""
    return words, f"{release.part} had the profile {before}, others not: lab up --profile {before} brings it back"


def _measured(site: Site, name: str, solution: Path) -> Iterator[Figures]:
    """All figures of an engine, as they come."""
    print(f"engine {name}: brought, then removed to be installed anew", flush=True)
    if name == PUBLISHED and site.docker:
        # On each node: a pod that comes anew may come to another one.
        pull.on_nodes(site.kubectl, site.docker, site.release.by(name).published, 1800, lambda: "")
    site.lab("up", "--engine", name)  # builds and pushes what is not there yet, and makes its volumes
    _remove(site)
    ready = site.lab("up", "--engine", name)
    yield {"pipelines from not installed to ready, images and volumes there": (ready, "s", "")}
    memory, cores = idle(site.kube, site.release.namespace)
    yield {
        "memory of the idle part pipelines": (memory / 2**20, "MiB", MEMORY_GOAL.get(name, "")),
        f"CPU of the idle part pipelines, mean over {REST:g} s": (cores * 1000, "millicores", ""),
    }
    with bench_platform.Runs(site.kube, solution) as made:
        missed, hit = made.rounds()
        yield {
            "a pipeline of three steps, each run": (missed, "s", ""),
            "a pipeline of three steps, each from the cache": (hit, "s", ""),
        }
        took, good = made.at_once(AT_ONCE, ENDED)
        yield {
            f"{AT_ONCE} such runs started at once, until the last has ended": (took, "s", ""),
            f"{AT_ONCE} such runs started at once, that succeeded": (good, "runs", str(AT_ONCE)),
        }
        try:
            yield {bench_platform.API_NAME: (bench_platform.latency(site.kube), "ms", "")}
        except LabError as busy:
            print(f"{bench_platform.API_NAME}, engine {name}: not measured, {busy.message}", flush=True)


def _remove(site: Site) -> None:
    """Remove the part's release; volumes and passwords stay, and so do runs' records in them.

    Raises:
        SystemExit: runs are at work, or nobody knows; nothing was removed.
    """
    namespace = site.release.namespace
    with exclusive(site.progress):
        at_work = runs.at_work(site.kubectl, namespace)
        if at_work is None or at_work:
            why = "its API does not answer" if at_work is None else f"runs are at work: {', '.join(at_work[:3])}"
            raise SystemExit(f"{namespace} was not removed: {why}")
        print(f"removing the release {namespace}; its volumes and passwords stay", flush=True)
        site.helm.uninstall(namespace)
    gone, left = site.kube.wait_all("Pod", namespace, lambda pods: not any(map(running, pods)) or None, within=180)
    if not gone:
        raise SystemExit(f"of the removed release still run: {', '.join(_names(left))}")


def _back(site: Site, before: str, others: Mapping[str, str]) -> None:
    """What was there before, whatever is there now."""
    if not before:
        if PART in installed(site.kubectl):
            _remove(site)
        return
    words, lost = restoring(site.release, before, others)
    end = time.monotonic() + LEFT
    while runs.at_work(site.kubectl, site.release.namespace, workflows=True) != [] and time.monotonic() < end:
        time.sleep(5)
    print(f"bringing back what was there before: lab {' '.join(words)}", flush=True)
    site.lab(*words)
    if lost:
        print(lost)


def idle(kube: Kube, namespace: str) -> tuple[float, float]:
    """Bytes of a namespace's working set, and the cores that it uses on average, after a minute of rest.

    By the kubelet's own count of each container, as `kubectl top` shows it.
    """
    time.sleep(REST)
    meter = CpuMeter(kube, namespace)
    first = _count(meter, lambda count: not count.missing)
    time.sleep(REST)
    last = _count(meter, lambda count: count.after(first))
    pods = [pod for pod in kube.list("Pod", namespace) if running(pod)]
    seen = readings(kube, pods)
    if len(seen) < sum(len(running(pod)) for pod in pods):
        raise SystemExit(f"the kubelet does not tell the memory of all containers of {', '.join(_names(pods))}")
    return sum(each.memory for each in seen.values()), cores(first, last)


def cores(first: Count, last: Count) -> float:
    """The cores that containers used from one count to another, each over its own time between two measurements.

    Raises:
        SystemExit: others run now than then.
    """
    if first.running != last.running:
        raise SystemExit("the part was not idle: containers began or ended while it was measured")
    pairs = [(first.containers[each], last.containers[each]) for each in last.running]
    return sum((after.seconds - before.seconds) / (after.at - before.at) for before, after in pairs)


def _count(meter: CpuMeter, good: Callable[[Count], bool]) -> Count:
    end = time.monotonic() + MEASURED
    while not good(count := meter.look()):
        if time.monotonic() > end:
            raise SystemExit(f"the kubelet did not measure all containers within {MEASURED:g} s: {count.missing}")
        time.sleep(3)
    return count


def _names(pods: list[Object]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]
