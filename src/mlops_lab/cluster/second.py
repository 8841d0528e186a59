"""A second cluster beside the first, for work that breaks nodes or the control plane: one of each kind of node.

It is made from the first one's node image, pulls from the same registry, and gets files of its own: nothing of the
first cluster and of the user's kubeconfig changes. A file with its kubeconfig says that it was made whole; what has
none is made anew. Whoever works on it may break it, so one that is there is left as it is: only nodes that were stopped
are started again. Only one at a time has it, an exam or a lab: another file says who.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import alone
from mlops_lab.base.paths import state
from mlops_lab.base.processes import TimedOut, find
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import addons, health, homes, kind, names, record
from mlops_lab.cluster import holder as holders
from mlops_lab.cluster.holder import EXAM, Holder
from mlops_lab.cluster.kind import Node
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker, answering
from mlops_lab.images.build import bring
from mlops_lab.images.bundle.loaded import loaded
from mlops_lab.images.recipes import exam_node, node
from mlops_lab.images.recipes import kind as kind_program
from mlops_lab.images.store import Store

_SPACES = ("kube-system", "local-path-storage")
_READY_WITHIN = 180.0
_EDITORS_WITHIN = 100.0
_AGAIN_WITHIN = 90.0  # after its nodes were started again


@dataclass(frozen=True)
class Second:
    """The second cluster.

    Args:
        kubeconfig: the file with its one context.
        context: of that name.
        nodes: their names, the control plane first.
    """

    kubeconfig: Path
    context: str
    nodes: tuple[str, ...]

    def kubectl(self) -> Kubectl:
        """kubectl on it, with an administrator's rights."""
        return Kubectl(self.context, str(self.kubeconfig))


def kubeconfig_file() -> Path:
    """Where its kubeconfig is as long as there is one."""
    return state() / "clusters" / f"kind-{names.second()}.kubeconfig"


@contextlib.contextmanager
def exclusive(progress: Progress, wait: bool = True) -> Iterator[None]:
    """One command at a time makes it or takes it away. Who has the first cluster alone may wait for this, nobody the
    other way round.
    """
    with alone(state() / f"{names.second()}.lock", "the second cluster", progress.say, wait=wait):
        yield


def up(progress: Progress, *, wait: bool = True, holder: Holder = EXAM) -> Second:
    """Make sure that it is there; nothing is done where it is.

    Args:
        wait: wait for another command that is at it, instead of raising an error.
        holder: who is to have it.

    Raises:
        LabError: somebody else has it, there is no room, somebody else made a kind cluster of that name, or it could
            not be made; nothing unfinished is left.
    """
    with exclusive(progress, wait):
        docker = start.ensure(progress.say)
        if there := _settled(docker, progress):
            if (has := holders.noted()) != holder:
                raise LabError(f"the second cluster is in use by {has.name}", f"{has.ends}; then try again")
            _start(docker, there, progress)
            return _second(there)
        health.require_second(docker, _first_node(docker))
        image = _image(docker)
        wanted = [] if image else [node.NAME]
        also = (exam_node.files, *(() if kind_program.on_path() else (kind_program.program,)))
        steps = bring(wanted, "auto", docker, progress, os.environ.get("MLOPS_LAB_MIRROR", ""), also)
        image = image or steps[node.NAME].ref
        return _make(docker, image, progress, holder)


def down(progress: Progress, holder: Holder | None = None) -> bool:
    """Remove it with all that it has; safe to repeat. Was there one?

    A cluster of that name that somebody else made, or another home, stays.

    Args:
        holder: only if it is theirs; None for whoever has it.
    """
    with exclusive(progress):
        if holder not in (None, holders.noted()):
            return False
        docker = answering() or (start.ensure(progress.say) if kubeconfig_file().exists() and find("docker") else None)
        if docker is None or homes.other_home(kind.nodes(docker, names.second()), kubeconfig_file()):
            return False
        return remove(docker)


def remove(docker: Docker) -> bool:
    """`down`, for who holds it `exclusive` and has the engine."""
    removed = any(each.ours for each in kind.nodes(docker, names.second())) and kind.remove(docker, names.second())
    forget()
    return removed


def forget() -> None:
    """Nobody has it, and none was made whole."""
    kubeconfig_file().unlink(missing_ok=True)
    holders.forget()


def found(holder: Holder | None = None) -> Second | None:
    """The cluster, if it was made whole and is there; a restart of the engine may have stopped its nodes.

    Args:
        holder: only if it is theirs; None for whoever has it.

    Raises:
        LabError: the engine can't be asked.
    """
    docker = answering() if kubeconfig_file().exists() and holder in (None, holders.noted()) else None
    there = kind.nodes(docker, names.second()) if docker else []
    return _second(there) if _whole(there) else None


def stopped() -> list[str]:
    """Its nodes that do not run, by name: a restart of the engine stops all of them.

    Raises:
        LabError: the engine can't be asked.
    """
    docker = answering()
    return [each.name for each in kind.nodes(docker, names.second()) if not each.running] if docker else []


def require_own_home(there: list[Node]) -> None:
    """See that nodes were not made by another home.

    Raises:
        LabError: they were.
    """
    homes.require_own_home(there, kubeconfig_file(), names.second())


def _second(there: list[Node]) -> Second:
    return Second(kubeconfig_file(), names.context(names.second()), tuple(each.name for each in there))


def _whole(there: list[Node]) -> bool:
    return (
        kubeconfig_file().exists()
        and len(there) == len(names.SECOND_NODES)
        and all(each.ours for each in there)
        and not homes.other_home(there, kubeconfig_file())
    )  # fmt: skip


def _settled(docker: Docker, progress: Progress) -> list[Node] | None:
    """The nodes of the existing, whole cluster, or None; the remains of an interrupted run are removed."""
    there = kind.nodes(docker, names.second())
    homes.require_ours(there, names.second())
    if _whole(there):
        return there
    require_own_home(there)
    if there:
        progress.say("removing a second cluster that was not created completely")
        kind.remove(docker, names.second())
    kubeconfig_file().unlink(missing_ok=True)
    return None


def _first_node(docker: Docker) -> str:
    """A node of the first cluster that runs; empty where there is none."""
    return next((each.name for each in kind.nodes(docker) if each.running and each.ours), "")


def _image(docker: Docker) -> str:
    """The node image of the first cluster, if the engine still has it."""
    made = record.made()
    return made.image if made and made.image and docker.inspect("image", made.image) else ""


def _make(docker: Docker, image: str, progress: Progress, holder: Holder) -> Second:
    entries = kubeconfig_file().with_suffix(".part")
    entries.parent.mkdir(parents=True, exist_ok=True)
    store = Store(docker)
    roles = names.SECOND_NODES
    with progress.piece(f"a second cluster ({len(roles)} nodes)"), contextlib.ExitStack() as stack:
        stack.callback(entries.unlink, missing_ok=True)
        kind.create_second(docker, kind_program.path(store), image, entries)
        try:
            there = kind.nodes(docker, names.second())
            furnish(docker, there, store.current(exam_node.NAME), progress)
            kubectl = Kubectl(names.context(names.second()), str(entries))
            addons.ask_cpu_for_kube_proxy(kubectl)
            _wait(kubectl, _READY_WITHIN)
            entries.chmod(0o600)
            holders.note(holder)
            entries.replace(kubeconfig_file())
        except BaseException:
            with contextlib.suppress(LabError):  # the first trouble is what counts
                kind.remove(docker, names.second())
            raise
    return _second(there)


def furnish(docker: Docker, there: list[Node], files: Path | None, progress: Progress) -> None:
    """Put in the nodes what people look after them with; kubectl finds its kubeconfig where it is used to.

    Args:
        files: the folder that the step `exam_node.files` made.

    Raises:
        LabError: the files are not there, or the engine does not copy them.
    """
    if files is None:
        raise LabError("the programs for the second cluster's nodes are not there", "run the same command again")
    content = (files / "root.tar").read_bytes()

    def one(each: Node) -> None:
        docker.run("cp", "-", f"{each.name}:/", stdin=content, within=120)
        if each is there[0]:
            link = "mkdir -p /root/.kube && ln -sf /etc/kubernetes/admin.conf /root/.kube/config"
            docker.run("exec", each.name, "sh", "-c", link)
        # A bundle's machine asks nobody, its nodes included.
        fetch = "false" if loaded() else "apt-get -qq update && apt-get -qq install --no-install-recommends"
        editors = f"command -v vi >/dev/null || {{ {fetch} {' '.join(exam_node.EDITORS)}; }}"
        # Where its packets are dropped, apt would wait for minutes: it is ended in the node, too.
        words = ("timeout", f"{_EDITORS_WITHIN:g}", "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", editors)
        try:
            got = docker.run("exec", each.name, *words, within=_EDITORS_WITHIN + 20, check=False).code == 0
        except TimedOut:
            got = False
        if not got:
            progress.say(f"  there is no editor on {each.name}: its package manager got none")

    with ThreadPoolExecutor(len(there)) as pool:
        list(pool.map(one, there))


def _start(docker: Docker, there: list[Node], progress: Progress) -> None:
    """Start nodes that were stopped. What was broken on purpose stays broken, so this does not insist on Ready."""
    stopped = [each for each in there if not each.running]
    if not stopped:
        return
    progress.say(f"starting {len(stopped)} stopped nodes of the second cluster")
    started = kind.start(docker, stopped)
    kubectl = _second(there).kubectl()
    try:
        _wait(kubectl, _AGAIN_WITHIN, docker, started)
    except LabError as late:
        progress.say(f"  the second cluster runs, and not all of it is ready: {late.message}")


def _wait(
    kubectl: Kubectl, within: float, docker: Docker | None = None, started: dict[str, float] | None = None
) -> None:
    """Wait until all nodes are Ready, and DNS and storage are there.

    Args:
        docker, started: after a start, when that was, by node: the nodes are told the ways to each other's pods.
    """
    routed = docker is None

    def probe() -> tuple[bool | None, str]:
        nonlocal routed
        kinds = "nodes,deployments,leases,pods"
        try:
            done = kubectl.run("get", kinds, "-A", "-o", "json", within=10)
        except LabError as silent:  # it may take a connection and not answer, while it begins
            return None, f"its API server does not answer: {silent.brief}"
        items = json.loads(done.stdout)["items"]
        if not routed and docker:
            ranges = {addons.name(each): each["spec"].get("podCIDR", "") for each in items if each["kind"] == "Node"}
            kind.connect(docker, ranges, names.second())
            routed = True
        lacks = addons.unready(items, len(names.SECOND_NODES), started or {})
        lacks += [f"deployment {addons.name(each)} is not available" for each in addons.unavailable(items, _SPACES)]
        if not any(each["kind"] == "Deployment" and addons.name(each) == "coredns" for each in items):
            lacks.append("CoreDNS does not exist")
        return (None, ", ".join(lacks[:4])) if lacks else (True, "")

    what = f"the cluster {kubectl.context}"
    wait_until(
        probe, what=what, within=within, every=0.5, hint="run the same command again; lab doctor looks at the host"
    )
