"""Install or repair parts of the platform, in stages: each must be ready before the next begins.

A part is left alone if none of its inputs has changed (chart, values, the content of its images) and all of it exists
and is ready, or while runs are at work that an upgrade would end. Otherwise helm upgrades it; if the upgrade does not
become ready, helm rolls back, and the error says what was not ready and why. A new part whose engine was `lab`'s own
choice goes on with the counterpart of that engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import kind, names, own, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import bring
from mlops_lab.images.catalog import CATALOG, served_as
from mlops_lab.images.sources import full
from mlops_lab.images.steps import Step
from mlops_lab.platform import choice, keep, pages, pull, runs
from mlops_lab.platform import installed as state
from mlops_lab.platform.evidence import Watch
from mlops_lab.platform.failures import explained
from mlops_lab.platform.helm import Helm, program
from mlops_lab.platform.installed import Installed, installed
from mlops_lab.platform.plan import Wanted, made_from, planned, stages
from mlops_lab.platform.releases import Release, part_of, releases

Profile = Literal["small", "full"]
Mode = Literal["auto", "pull", "build"]
_LEVEL = "mlops-lab/pod-security"
_LEAST = 60.0  # s that helm has at least, however long images took before
_NO_ROOM = 120.0  # s that a pod may be without a node, in a cluster that gets no more of them
_SILENT_FOR = 120.0  # s without an answer from the API server that a wait goes on for
_TELLS_EVERY = 60.0  # s between two lines about what is not ready yet


def with_parts(
    parts: list[str],
    profile: Profile | None,
    cluster: Cluster,
    progress: Progress,
    *,
    mode: Mode = "auto",
    engines: Sequence[str] = (),
    wait_for_others: bool = True,
) -> list[Release]:
    """Make sure that these parts, and those that are installed already, are installed and ready.

    Args:
        parts: names of parts; what they need comes along.
        profile: the values profile of all parts; None keeps that of each installed one and means small for a new one.
        mode: how images come.
        engines: what parts with a choice run on; without one of a part's it keeps what it has, see `choice`.
        wait_for_others: wait for another command that uses the cluster, instead of raising an error.

    Returns:
        All parts that are installed now, in their order.

    Raises:
        UsageError: there is no such part, or two engines are one part's.
        LabError: parts did not become ready, and the releases before them serve again; or an engine's images can't be
            had, or runs are at work on one that is to go, and nothing was done.
    """
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    _parts_of(engines)

    def seen() -> tuple[dict[str, Installed], dict[str, str]]:
        """What is installed, and the profiles that all parts have that are wanted now."""
        found, kept = installed(kubectl), keep.parts(cluster, kubectl)
        there = {part: each for part, each in found.items() if each.stood}  # what never did is nobody's choice
        was = {part: each.profile for part, each in there.items()}
        known = {each.part: was.get(each.part) or kept.get(each.part, "") for each in releases([*parts, *found, *kept])}
        for each in releases(known):
            if each.part in was:
                wish = each.profile(profile, each.asked(engines), known[each.part])
                choice.refuse_at_work(kubectl, each, known[each.part], wish, progress.say)
        return there, known

    with exclusive(progress, wait_for_others):
        there, before = seen()
        if not before:
            return []
        docker = start.ensure(progress.say) if cluster.is_kind else None
        for each in releases(before) if docker else ():
            wish = each.profile(profile, each.asked(engines), before[each.part])
            if not _runs(each, there.get(each.part), wish) and (each.asked(engines) or not _adds(each, wish)):
                assert docker
                choice.require(each.by(wish), docker)
    # A build may take long, and meanwhile others may work on the cluster.
    helm = Helm(program(progress), cluster.context, cluster.kubeconfig)
    ground = choice.Ground(docker, kubectl, lambda: helm)
    chosen = choice.chosen(before, there, profile, engines, ground)
    for made in chosen.values():
        if made.line:
            progress.say(made.line)
    _bring(docker, choice.possible(chosen), mode, progress)
    with exclusive(progress, wait_for_others):
        there, known = seen()
        late = choice.chosen(
            {part: was for part, was in known.items() if was != before.get(part)}, there, profile, engines, ground
        )
        chosen = {part: late.get(part) or chosen[part] for part in known}
        # They are all there, unless another command has installed more.
        images = _bring(docker, choice.possible(chosen), mode, progress)

        stop = threading.Event()
        site = _Site(cluster, kubectl, helm, docker, progress, stop)
        done: dict[str, Release] = {}
        for stage in stages([planned(each, chosen[each.part], cluster, images, known) for each in releases(known)]):
            with ThreadPoolExecutor(len(stage)) as pool:
                jobs = [pool.submit(_install_or_instead, each, there.get(each.release.part), site) for each in stage]
                try:
                    wait(jobs)
                except BaseException:
                    stop.set()  # helm is told to end, and rolls back
                    raise
            done |= _made({each.release.part: job for each, job in zip(stage, jobs, strict=True)})
        keep.forget(cluster, kubectl, progress)
        return [done[each.part] for each in releases(known)]


def alone(
    release: Release, profile: Profile, cluster: Cluster, progress: Progress, files: Sequence[Path], mode: Mode = "auto"
) -> None:
    """Install or repair a release that is no part of the platform, as parts are.

    Args:
        files: values files of the user's own, which win over the profile's.

    Raises:
        LabError: it did not become ready, and the release before it serves again.
    """
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    docker = start.ensure(progress.say) if cluster.is_kind else None
    helm = Helm(program(progress), cluster.context, cluster.kubeconfig)
    images = _bring(docker, [release], mode, progress)
    with exclusive(progress):
        was = installed(kubectl, [release]).get(release.part)
        site = _Site(cluster, kubectl, helm, docker, progress, threading.Event())
        _install(made_from(release, profile, cluster, images, files=files), was, site)


def check_engines(engines: Sequence[str], cluster: Cluster | None, progress: Progress) -> None:
    """Check that engines' images can be had, before a cluster is created for them.

    Args:
        cluster: the kind cluster that is up, if any: what it runs already it need not pull.

    Raises:
        UsageError: two of them are one part's.
        LabError: images can't be had.
    """
    there: dict[str, Installed] = {}
    if cluster:
        with contextlib.suppress(LabError):
            there = installed(Kubectl(cluster.context, cluster.kubeconfig))
    wanted = _parts_of(engines)
    docker = start.ensure(progress.say)
    for name, part in wanted.items():
        (release,) = releases([part])
        profile = release.profile(None, name, there[part].profile if part in there else "")
        if not _runs(release, there.get(part), profile):
            choice.require(release.by(profile), docker)


def _parts_of(engines: Sequence[str]) -> dict[str, str]:
    """Each engine's part.

    Raises:
        UsageError: two of them are one part's.
    """
    wanted = {name: part_of(name) for name in engines}
    if len(set(wanted.values())) < len(wanted):
        raise UsageError(f"{' and '.join(wanted)} are engines of the same part", "name one of them")
    return wanted


@dataclass(frozen=True)
class _Site:
    """What an installation works with."""

    cluster: Cluster
    kubectl: Kubectl
    helm: Helm
    docker: Docker | None
    progress: Progress
    stop: threading.Event

    def stopped(self) -> str:
        """Why to wait no longer, if the user has ended the command."""
        return "interrupted" if self.stop.is_set() else ""


def _bring(docker: Docker | None, wanted: list[Release], mode: Mode, progress: Progress) -> dict[str, Step]:
    """On a kind cluster, push the images to its registry, from which the nodes pull."""
    if docker is None:
        return {}
    needed = list(dict.fromkeys(name for release in wanted for name in release.images))
    steps = bring(needed, mode, docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""))

    def serve(name: str) -> None:
        target = served_as(name)
        if registry.serve(docker, target, steps[name]):
            progress.say(f"  ok pushed {names.REGISTRY_PREFIX}/{target}")

    for name in needed:
        if name not in steps:  # nodes pull it: one that stood in for it while they could not is in the way
            registry.forget(served_as(name))
    with ThreadPoolExecutor(2) as pool:  # a push compresses what it sends, on one core
        list(pool.map(serve, steps))
    return steps


def _runs(release: Release, was: Installed | None, profile: str) -> bool:
    """Is the part there with that profile's engine?"""
    return was is not None and was.status == "deployed" and release.running(was.profile) is release.running(profile)


def _adds(release: Release, profile: str) -> bool:
    """Is a profile's engine one that the part can do without?"""
    engine = release.running(profile)
    return engine is None or engine.adds


def _made(jobs: dict[str, Future[Release]]) -> dict[str, Release]:
    """What the parts of a stage have become.

    Raises:
        LabError: some of them failed; it tells of all that did.
    """
    failed: dict[str, LabError] = {}
    done: dict[str, Release] = {}
    for part, job in jobs.items():
        try:
            done[part] = job.result()
        except LabError as trouble:
            failed[part] = trouble
    if len(failed) > 1:
        details = [f"{part}:\n{each.detail}" for part, each in failed.items() if each.detail]
        hints = dict.fromkeys(each.hint for each in failed.values())
        raise LabError("; ".join(each.message for each in failed.values()), "; ".join(hints), "\n".join(details))
    for only in failed.values():
        raise only
    return done


def _install_or_instead(wanted: Wanted, was: Installed | None, site: _Site) -> Release:
    """Install a part, or its counterpart if it does not become ready; returns which it was."""
    try:
        _install(wanted, was, site)
    except LabError as failed:
        if wanted.instead is None or site.stop.is_set():
            raise
        release = wanted.release
        engine = release.running(wanted.profile)
        assert engine
        reasons = "".join(f"\n  {line}" for line in failed.detail.splitlines()[:8])
        site.progress.say(
            f"{engine.title}: {failed.message}{reasons}\n{release.part} goes on with the engine {release.engine};"
            f" to try again: lab up --engine {engine.name}"
        )
        _install(wanted.instead, was, site)
        return wanted.instead.release
    return wanted.release


def _install(wanted: Wanted, was: Installed | None, site: _Site) -> None:
    release, name = wanted.release, wanted.release.namespace
    if was and was.status == "deployed" and was.fingerprint == wanted.fingerprint:
        gone, not_ready = state.lacking(site.kubectl, site.helm, release)
        if not gone and not_ready:
            with site.progress.piece(f"waiting for {release.part}"):
                gone = _wait(release, site)
        if not gone:
            return
        site.progress.say(f"repairing {release.part}: {gone[0]}")
    elif was and runs.hold(site.kubectl, release, was.profile, wanted.profile, site.progress.say):
        return
    _namespace(release, site.kubectl, users=not site.cluster.is_kind)
    if (was is None or was.status != "deployed") and not site.helm.settle(name):  # also after what it stands in for
        was = None
        keep.restore(site.cluster, release, site.kubectl, site.docker, site.progress)
    changed = was is None or was.images != wanted.images
    if changed and site.docker:
        _forget_images(release, site.docker)
    watch = Watch(site.kubectl, name, _NO_ROOM if site.docker else None)
    begin, engine = time.monotonic(), release.running(wanted.profile)
    with site.progress.piece(f"{'upgrading' if was else 'installing'} {release.part} ({release.chart})"):
        try:
            if engine and site.docker and not (was and was.fingerprint == wanted.fingerprint):  # no repair
                pull.on_nodes(site.kubectl, site.docker, engine.later, release.within, site.stopped)
            site.helm.upgrade(
                name, release.folder,
                files=[*release.files(wanted.profile), *wanted.files],
                values=wanted.values,
                labels={
                    state.PART: release.part, state.PROFILE: wanted.profile,
                    state.FINGERPRINT: wanted.fingerprint, state.IMAGES: wanted.images,
                },
                within=max(_LEAST, release.within - (time.monotonic() - begin)),
                look=_looking(release, watch, site),
            )  # fmt: skip
        except LabError as failed:
            raise explained(failed, wanted, was, site.cluster, watch.detail()) from failed
        if was and changed and not runs.published(release, wanted.profile):  # its pods run none of these images
            _restart(name, site.kubectl)
            _wait(release, site)
        for page in release.pages:
            pages.answers(site.kubectl, release, page)


def _wait(release: Release, site: _Site) -> list[str]:
    """Wait until an installed part is ready; if something is missing, return it at once.

    Raises:
        LabError: it can't become ready, is not within the limit, or the user does not want to wait any more.
    """
    watch = Watch(site.kubectl, release.namespace, _NO_ROOM if site.docker else None)
    look = _looking(release, watch, site)
    hint = f"look at its pods: kubectl --context {site.kubectl.context} -n {release.namespace} get pods"

    heard = time.monotonic()

    def probe() -> tuple[list[str] | None, str]:
        nonlocal heard
        if reason := look():
            raise LabError(f"{release.part} is not ready: {reason}", hint)
        try:
            gone, not_ready = state.lacking(site.kubectl, site.helm, release)
        except LabError as silent:
            if time.monotonic() - heard > _SILENT_FOR:
                raise
            return None, f"the API server does not answer: {silent.brief}"
        heard = time.monotonic()
        return (gone, "") if gone or not not_ready else (None, ", ".join(not_ready[:4]))

    try:
        return wait_until(probe, what=release.part, within=release.within, every=1, hint=hint)
    except LabError as failed:
        raise LabError(failed.message, failed.hint, watch.detail()) from failed


def _looking(release: Release, watch: Watch, site: _Site) -> Callable[[], str]:
    """What to ask while a part becomes ready: a reason to wait no longer, or an empty text. Says now and then what it
    waits for."""
    told = time.monotonic()

    def look() -> str:
        nonlocal told
        reason = site.stopped() or watch()
        if not reason and time.monotonic() - told >= _TELLS_EVERY:
            told = time.monotonic()
            if text := watch.waits():
                site.progress.say(f"  .. {release.part} is not ready yet: {text}")
        return reason

    return look


def _namespace(release: Release, kubectl: Kubectl, users: bool = False) -> None:
    """The part's namespace; its pods are restricted ones unless the chart says what else they must be.

    Args:
        users: the cluster is one that the user named, where what is made is recorded.
    """
    meta = yaml.safe_load((release.folder / "Chart.yaml").read_text())
    labels = {
        "app.kubernetes.io/managed-by": "mlops-lab",
        state.PART: release.part,
        "pod-security.kubernetes.io/enforce": (meta.get("annotations") or {}).get(_LEVEL, "restricted"),
    }
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": release.namespace, "labels": labels}}
    if users:
        own.create(kubectl.context, item, kubectl.create)
    kubectl.apply(json.dumps(item))


def _forget_images(release: Release, docker: Docker) -> None:
    """Make the nodes pull these images again: the content behind a tag may have changed."""
    refs = [
        f"{names.REGISTRY_PREFIX}/{served_as(name)}" if CATALOG[name].served else full(name) for name in release.images
    ]
    kind.forget_images(docker, refs)


def _restart(namespace: str, kubectl: Kubectl) -> None:
    kubectl.run("rollout", "restart", "deployments,statefulsets,daemonsets", "-n", namespace)
