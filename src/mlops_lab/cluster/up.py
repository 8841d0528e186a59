"""Create or repair the cluster: a list of actions, each of which does nothing if nothing is missing."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.locking import alone
from mlops_lab.base.paths import state
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import addons, health, homes, kind, kubeconfig, mend, names, record, registry
from mlops_lab.cluster.kind import Node
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker, elsewhere
from mlops_lab.images.build import bring
from mlops_lab.images.recipes import flight_delay, load, metrics_server, node
from mlops_lab.images.recipes import kind as kind_program
from mlops_lab.images.recipes import registry as registry_image
from mlops_lab.images.sources import Sources, repository
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

# What labs need; the images of the platform's parts come with the parts.
SERVED = [image.name for image in (*load.IMAGES, *flight_delay.IMAGES)]

# s between two questions whether the API server answers yet: what is applied is taken up some seconds later, when the
# controllers have begun, and each question takes CPU that kubeadm needs.
_ASK_EVERY = 1.0


@contextlib.contextmanager
def exclusive(progress: Progress, wait: bool = True) -> Iterator[None]:
    """One command at a time on the cluster; an interrupt or SIGTERM lets it clear up."""
    with alone(state() / f"{names.cluster()}.lock", "the cluster", progress.say, wait=wait):
        yield


def up(
    size: str | None,
    mode: Literal["auto", "pull", "build"],
    progress: Progress,
    *,
    wait: bool = True,
    early: Sequence[str] = (),
    also: Sequence[Callable[[Sources], Step]] = (),
) -> Cluster:
    """Make sure that there is a kind cluster, complete and ready.

    Args:
        size: a key of `names.NODES`; None keeps what is there, or means default.
        mode: how images come.
        wait: wait for another command that uses the cluster, instead of raising an error.
        early: images that are needed later; they are brought together with the cluster's own.
        also: other build steps to run with them.

    Raises:
        LabError: what is wrong and what to do about it; nothing unfinished is left.
    """
    with exclusive(progress, wait):
        docker = start.ensure(progress.say)
        cluster = _settled(docker, size, progress)
        if cluster is None:
            health.require(docker, size or "default")
            kubeconfig.check()
            if away := elsewhere(docker):
                progress.say(f"the engine is on another machine ({away}): its ports have to be forwarded to this one")
    # A build may take long, and meanwhile others may work on the cluster.
    images = _images(docker, mode, progress, cluster is None, early, also)
    with exclusive(progress, wait):
        cluster = _settled(docker, size, progress)
        wanted = size or (cluster.nodes if cluster else "default")
        if cluster is None and node.NAME not in images:  # it was taken down meanwhile
            images = _images(docker, mode, progress, True, early, also)
        started: dict[str, float] = {}
        if cluster is None:
            cluster = _make(docker, images, wanted, progress)
        else:
            _serve(docker, images, progress)  # before pods begin that pull from it
            there = kind.nodes(docker)
            if stopped := [each for each in there if not each.running]:
                progress.say(f"starting {len(stopped)} stopped nodes")
                started = kind.start(docker, stopped)
            _lead(docker, there[0], cluster.context, progress)
        registry.attach(docker)
        kubectl = Kubectl(cluster.context)
        _install(kubectl, cluster.registry, images[load.NAME].key, within=120 if started else 60)
        if started:
            kind.connect(docker, {addons.name(item): item["spec"].get("podCIDR", "") for item in kubectl.get("nodes")})
        if addons.lacking(kubectl, len(names.NODES[wanted]), started):
            with progress.piece("waiting for the cluster to be ready"):
                addons.wait(kubectl, len(names.NODES[wanted]), started)
        cluster = record.on(cluster, docker)
        record.remember(cluster)
        return cluster


def _settled(docker: Docker, size: str | None, progress: Progress) -> Cluster | None:
    """The existing, complete cluster, or None; the remains of an interrupted run are removed."""
    found, cluster = kind.nodes(docker), mend.made(lambda: docker, progress.say)
    homes.require_ours(found)
    homes.require_own_home(found, record.made_file())
    wanted = len(names.NODES[cluster.nodes]) if cluster else 0
    if cluster and len(found) == wanted:
        if size and size != cluster.nodes:
            raise UsageError(
                f"the cluster is up with {len(found)} nodes (--nodes {cluster.nodes})",
                f"delete it first (lab down), then: lab up --nodes {size}",
            )
        return cluster
    if found and record.has_class():
        raise LabError(
            f"{len(found)} containers of the cluster are left, and a class's gradebook was in it; nothing was deleted",
            "save it if the class still answers (lab class backup FILE), then: lab down --yes",
        )
    if found and cluster:
        left = ", ".join(each.name for each in found)
        raise LabError(
            f"of the cluster's {wanted} containers there are {len(found)} ({left}); nothing was deleted",
            "delete what is left, with the data in it, and make the cluster anew: lab down, lab up",
        )
    if cluster:
        record.require_engine(cluster, docker)
    if found:
        progress.say("removing a cluster that was not created completely")
    kind.remove(docker)
    record.forget()
    return None


def _images(
    docker: Docker,
    mode: Literal["auto", "pull", "build"],
    progress: Progress,
    fresh: bool,
    early: Sequence[str],
    more: Sequence[Callable[[Sources], Step]],
) -> dict[str, Step]:
    wanted = [registry_image.NAME, *SERVED, *early]
    if fresh:
        wanted += [node.NAME, metrics_server.NAME]
    also = [flight_delay.train, *more]  # images may be there without the folder of hidden rows that was made with them
    if fresh and not kind_program.on_path():
        also.append(kind_program.program)
    return bring(wanted, mode, docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""), tuple(also))


def _make(docker: Docker, images: dict[str, Step], size: str, progress: Progress) -> Cluster:
    ours = docker.inspect("network", names.NETWORK) is None
    created = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        installing = pool.submit(_install_early, docker, images, progress, created)
        try:
            with progress.piece(f"kind create cluster ({len(names.NODES[size])} nodes)"):
                image = images[node.NAME].ref
                kind.create(docker, kind_program.path(Store(docker)), image, size)
                addons.ask_cpu_for_kube_proxy(_inside())  # kubeadm had not made it when the add-ons were applied early
        finally:
            created.set()
        cluster = record.on(Cluster(names.context(), names.REGISTRY_PREFIX, size, image, ours), docker)
        record.remember(cluster)
        installing.result()
    return cluster


def _install_early(docker: Docker, images: dict[str, Step], progress: Progress, created: threading.Event) -> None:
    """While kind creates the cluster, start the registry, and apply the add-ons as soon as the API server accepts them.

    What is not done when kind ends is done afterwards.
    """
    _serve(docker, images, progress)
    inside = _inside()
    while not created.wait(_ASK_EVERY):
        if inside.answers():
            registry.attach(docker)
            with contextlib.suppress(LabError):  # it may be too early; it is applied again afterwards
                addons.install(inside, names.REGISTRY_PREFIX, images[load.NAME].key, metrics=True)
                return


def _inside() -> Kubectl:
    """The control plane's own kubectl."""
    return Kubectl(names.context(), node=f"{names.cluster()}-control-plane")


def _serve(docker: Docker, images: dict[str, Step], progress: Progress) -> None:
    """Start the registry and push the images that nodes will pull."""
    registry.ensure(docker, images[registry_image.NAME].ref)
    for name in SERVED:
        if registry.serve(docker, name.rpartition("/")[2], images[name]):
            progress.say(f"  ok pushed {names.REGISTRY_PREFIX}/{name.rpartition('/')[2]}")
    metrics = images.get(metrics_server.NAME)
    if metrics and metrics.name.startswith("pull/"):
        registry.serve(docker, repository(metrics_server.NAME), metrics)


def _lead(docker: Docker, control_plane: Node, context: str, progress: Progress) -> None:
    """Put the context back that the user's kubeconfig has lost, or that leads to where nothing answers."""
    leads = kubeconfig.server(context)
    if control_plane.server in ("", leads) or (leads and Kubectl(context).answers()):
        return
    kubeconfig.merge(kind.entries(docker, control_plane))
    progress.say(f"the context {context} is in {kubeconfig.target()} again")


def _install(kubectl: Kubectl, registry: str, content: str, within: float) -> None:
    """Apply the add-ons; an API server that has just started may refuse them for some seconds."""

    def probe() -> tuple[bool | None, str]:
        try:
            return addons.install(kubectl, registry, content, metrics=True), ""
        except LabError as refused:
            return None, refused.brief

    wait_until(
        probe,
        what="the API server",
        within=within,
        hint="see: lab status; if it stays so, take the cluster down and up again: lab down, lab up",
    )
