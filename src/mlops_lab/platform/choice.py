"""What a part runs on, where there is a choice: systems as published, or what this project has in their place.

A new part gets the published system if its profile is one for it, all its images can be had and the machine has room
for it; then its counterpart stands by, should it not become ready. What is installed stays as it is unless the user
names another engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import kind, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import refused, silent
from mlops_lab.images.bundle.loaded import loaded
from mlops_lab.images.sources import full, host, repository
from mlops_lab.platform import pull, room, runs
from mlops_lab.platform.helm import Helm
from mlops_lab.platform.installed import Installed
from mlops_lab.platform.releases import Engine, Release, releases

# Bytes that stay free: processes of an idle cluster of three nodes take 0.85 GiB that no pod requests (docs/bench.md),
# and pods of a lab come on top.
_SPARE = 2.5e9
_SPARE_DISK = 2e9  # bytes that stay free, for images of steps and what runs store


@dataclass(frozen=True)
class Choice:
    """What a part is installed with.

    Args:
        profile: its profile, with the engine.
        counterpart: the profile to go on with if that one does not become ready; empty where the user has decided.
        line: which engine and why, for people; empty where there was nothing to choose.
    """

    profile: str
    counterpart: str = ""
    line: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a published system can be had, and why, as the end of a sentence."""

    well: bool
    why: str


class Judge(Protocol):
    """Says whether an engine can be had for a new part of this profile."""

    def __call__(self, release: Release, engine: Engine, profile: str) -> Verdict: ...


def choose(
    release: Release, requested: str | None, engines: Sequence[str], known: str, new: bool, judge: Judge
) -> Choice:
    """Choose what a part runs on.

    Args:
        requested: the profile that the user asks for.
        engines: the engines that the user names, of whatever parts.
        known: the profile that the part has, or that its kept data had; empty for neither.
        new: it is not installed.
        judge: asked only about a new part that nobody has decided about.
    """
    if not release.engines:
        return Choice(release.profile(requested, None, known))
    asked = release.asked(engines)
    if known and new and asked is None and all(each.adds for each in release.engines):
        known = known.partition(".")[0]  # nothing of it is in the data that was kept
        decided = False
    else:
        decided = bool(known or asked)
    profile = release.profile(requested, asked, known)
    running = release.running(profile)
    name = running.name if running else release.engine
    if decided:
        return Choice(profile, line=_decided(release, requested, asked, known, name))
    against = ""
    for engine in release.engines:
        if profile not in engine.unasked:
            against = against or f"which it is without --profile {' or '.join(engine.unasked)}"
            continue
        verdict = judge(release, engine, profile)
        if verdict.well:
            return Choice(engine.over(profile), profile, f"{release.part}: {engine.name}, since {verdict.why}")
        against = f"since {verdict.why}"
    other = release.engines[0]
    return Choice(profile, line=f"{release.part}: {name}, {against}; for {other.title}: lab up --engine {other.name}")


def _decided(release: Release, requested: str | None, asked: str | None, known: str, name: str) -> str:
    before = release.running(known)
    if asked and (not known or name != (before.name if before else release.engine)):
        return f"{release.part}: {name}, as --engine says"
    others = [each for each in release.engines if each is not before and requested in each.unasked]
    if others and not asked:
        return f"{release.part}: {name}, as it is installed; to change that: lab up --engine {others[0].name}"
    return ""


class Ground:
    """What a choice stands on: where nodes can get images, and how much memory and disk are free.

    Args:
        docker: the engine that has the kind cluster; None for a cluster of the user's.
        helm: on the cluster; called when something is to be rendered.
    """

    def __init__(self, docker: Docker | None, kubectl: Kubectl, helm: Callable[[], Helm]) -> None:
        self._docker, self._kubectl, self._helm = docker, kubectl, helm
        self._new: dict[str, tuple[Release, str]] = {}

    def beside(self, new: Mapping[str, tuple[Release, str]]) -> None:
        """The parts that will be installed in the same go, with their profiles: they need room, too."""
        self._new |= new

    def __call__(self, release: Release, engine: Engine, profile: str) -> Verdict:
        """See `Judge`; what can't be told is a reason against, since the counterpart asks for nothing."""
        if self._docker is None:
            return Verdict(False, "what the nodes of a cluster of yours can pull is not known here")
        if engine.processors and self._docker.arch not in engine.processors:
            # They can be pulled all the same; then their programs don't begin.
            return Verdict(False, f"its images are published for {', '.join(engine.processors)} only")
        try:
            if lacking := unavailable(engine.published, self._docker) or self._disk(engine, self._docker):
                return Verdict(False, lacking)
            return self.room(release, engine.over(profile), "all its images can be had, and ")
        except LabError as failed:
            return Verdict(False, f"it can't be told whether there is room ({failed.message})")

    def room(self, release: Release, profile: str, more: str = "") -> Verdict:
        """Is there room for a part with a profile, beside what pods request already and new parts will?

        What counts is the memory that the Docker engine has, once, however many nodes share it, without what the pods
        of the cluster request.
        """
        assert self._docker is not None
        nodes = len(self._kubectl.get("nodes"))
        need = self._requested(release, profile, nodes)
        others = sum(self._requested(*each, nodes) for part, each in self._new.items() if part != release.part)
        running = [
            each for each in self._kubectl.get("pods", "-A") if each["metadata"]["namespace"] != release.namespace
        ]
        free = self._docker.memory - room.asked_by(running) - others
        seen = f"{max(free, 0) / 1e9:.1f} GB of the Docker engine's {self._docker.memory / 1e9:.1f} GB are free"
        if free - need >= _SPARE:
            return Verdict(True, f"{more}it requests {need / 1e9:.1f} GB where {seen}")
        wanted = (need + _SPARE) / 1e9
        return Verdict(False, f"it takes {wanted:.1f} GB ({need / 1e9:.1f} GB, and room for labs), and {seen}")

    def _disk(self, engine: Engine, docker: Docker) -> str:
        """Why its images have no room on the disk that the nodes share, in words; each node stores its own copy."""
        nodes = pull.taking(self._kubectl)
        free = kind.free_disk(docker, nodes[0]) if nodes else None
        need = len(nodes) * engine.disk
        if free is None or free >= need + _SPARE_DISK or not lacks(engine.published, docker):
            return ""
        wanted = f"{(need + _SPARE_DISK) / 1e9:.0f} GB of disk"
        return f"its images take up to {wanted} on {len(nodes)} nodes, and {free / 1e9:.1f} GB are free"

    def _requested(self, release: Release, profile: str, nodes: int) -> int:
        rendered = self._helm().template(release.namespace, release.folder, release.files(profile))
        return room.asked_in(rendered, nodes)


def chosen(
    known: dict[str, str],
    there: dict[str, Installed],
    profile: str | None,
    engines: Sequence[str],
    ground: Ground,
) -> dict[str, Choice]:
    """What each part runs on."""
    found: dict[str, Choice] = {}
    wanted = releases(known)
    ground.beside({each.part: (each, each.profile(profile, each.asked(engines), known[each.part]))
                   for each in wanted if each.part not in there})  # fmt: skip
    for each in wanted:
        found[each.part] = choose(each, profile, engines, known[each.part], each.part not in there, ground)
        if each.part not in there:
            ground.beside({each.part: (each, found[each.part].profile)})
    return found


def possible(made: dict[str, Choice]) -> list[Release]:
    """The releases as they are chosen, and their counterparts."""
    return [
        each.by(name)
        for each in releases(made)
        for name in (made[each.part].profile, made[each.part].counterpart)
        if name
    ]


def unavailable(published: Iterable[str], docker: Docker) -> str:
    """Why nodes of the kind cluster can't have all of these images, in words; empty if they can.

    An image is there if the cluster's registry serves it, each node has it, or its own registry begins to send it.
    """
    names = lacks([name for name in published if not registry.digest(repository(name))], docker)
    if names and (bundle := loaded()):
        return f"{names[0]} is not in the bundle {bundle.file}, and no image registry is asked"
    if hosts := silent(names):
        return f"no image registry answers at {', '.join(hosts)}"
    if lost := refused(names):
        return f"{', '.join(lost)} can't be pulled, though other images of {', '.join(_hosts(lost))} can"
    return ""


def lacks(images: Iterable[str], docker: Docker) -> list[str]:
    """Those of these images that some node does not have."""
    names = list(images)
    there = kind.images(docker) if names else set()
    return [name for name in names if full(name) not in there]


def require(release: Release, docker: Docker) -> None:
    """Check that the images can be had that a release needs and that nothing here builds.

    Raises:
        LabError: they can't; nothing was done.
    """
    if release.published and (lacking := unavailable(release.published, docker)):
        raise LabError(
            f"{release.part} needs images that can only be pulled, but {lacking}; nothing was installed",
            f"check the network, or use the engine that needs no pull: lab up --engine {release.engine}",
        )


def refuse_at_work(kubectl: Kubectl, release: Release, known: str, profile: str, say: Callable[[str], None]) -> None:
    """Check that no run is at work on an engine that is to be replaced: it would never end.

    Raises:
        LabError: some are; or the engine does not answer, and the cluster has something of a run that has not ended.
    """
    before, after = release.running(known), release.running(profile)
    if before is after or any(each and each.adds for each in (before, after)):
        return
    was = before.name if before else release.engine
    found = runs.at_work(kubectl, release.namespace, workflows=before is not None)
    if found:
        raise LabError(
            f"runs are at work on the engine {was} and would be lost: {runs.some(found)}; nothing was changed",
            runs.HINT,
        )
    if found is None and (left := runs.unended(kubectl, release.namespace)):
        whole = [each for each in left if each.startswith("workflow/")] or left  # its pods go with a workflow
        raise LabError(
            f"runs are at work on the engine {was}, which does not answer, and would be lost: {runs.some(left)};"
            " nothing was changed",
            "repair it (lab up, without --engine), or delete them: "
            f"kubectl --context {kubectl.context} -n {release.namespace} delete {' '.join(whole)}",
        )
    if found is None:
        say(f"{release.part}: the engine {was} does not answer; no pod of a run is at work on it")


def _hosts(names: Iterable[str]) -> list[str]:
    return sorted({host(name) or "docker.io" for name in names})
