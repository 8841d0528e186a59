"""What `lab down` does: delete a kind cluster, and first keep its data, or leave a cluster of the user's as it was.

A cluster of the user's may be others' too. What goes there is planned first, so that it can be shown and agreed to:
only what this installation has made. Parts of the platform count as its own where their namespace does.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import down, kind, leave, names, own, record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.own import Made
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import answering
from mlops_lab.platform import keep, runs
from mlops_lab.platform.helm import Helm, program
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import RELEASES


@dataclass(frozen=True)
class Leaving:
    """What leaving a cluster of the user's would do.

    Args:
        parts: the parts of the platform that are uninstalled, with their profiles.
        deleted: what is deleted with all that is in it.
        kept: the namespaces that stay with their data, by their names.
        lost: what is recorded and was deleted by someone else.
        others: what bears the project's label and is not this installation's; it stays.
    """

    cluster: Cluster
    parts: dict[str, str]
    deleted: tuple[Made, ...]
    kept: tuple[str, ...]
    lost: tuple[Made, ...]
    others: tuple[str, ...]


def delete(progress: Progress, keep_data: bool, sure: bool = False) -> tuple[list[str], list[str]]:
    """Delete the kind cluster, after keeping its data if that is wanted.

    Nobody else has the cluster in between: a `lab up` would put the parts to work again, and what was kept would go.

    Args:
        sure: also what another home has made; and forget a cluster that is on another engine.

    Returns:
        What was kept and what was removed, in words.

    Raises:
        LabError: the data could not be kept, and nothing was taken down; or the cluster could not be.
    """
    with exclusive(progress):
        made = record.made()
        if keep_data and made is None:
            _require_nothing()
        if made and keep_data and (docker := answering()):
            down.require_own(docker, made, sure)  # before anything is stopped for a deletion that would be refused
        saved = save(made, progress) if made and keep_data else []
        return saved, down.down(progress, sure)


def _require_nothing() -> None:
    """See that no cluster is there, where none is recorded whose data could be kept.

    Raises:
        LabError: there is one.
    """
    docker = answering()
    if docker and kind.nodes(docker):
        raise LabError(
            f"it is not known here what is in the cluster {names.cluster()}, so its data can't be kept;"
            " nothing was deleted",
            "use the home that made it (MLOPS_LAB_HOME), or delete it with its data: lab down",
        )


def save(cluster: Cluster, progress: Progress) -> list[str]:
    """Keep the data of a kind cluster, which is deleted as a whole afterwards; the caller has it `exclusive`.

    Returns:
        What was kept, in words.

    Raises:
        LabError: the data could not be kept, or runs are at work that could not go on with it; nothing was taken down.
    """
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    if answering() is None or not kubectl.answers():
        raise LabError(
            "the cluster does not answer, so its data can't be saved",
            "repair it first (lab up), or delete it with its data: lab down",
        )
    lost = _kubeflows(kubectl)
    saved = keep.save(kubectl, progress)
    if lost:
        progress.say(
            "recurring runs are not kept, as Kubeflow has what starts them in the cluster alone;"
            f" delete them and create them again when it is back: {', '.join(lost)}"
        )
    return saved


def _kubeflows(kubectl: Kubectl) -> list[str]:
    """What of Kubeflow's is not in its database, and so is lost though data is kept: its recurring runs. That is kept,
    too, where another engine has taken its place.

    Raises:
        LabError: runs are at work; their workflows would be lost, and the database would call them running for ever.
    """
    lost: list[str] = []
    there = installed(kubectl)
    for release in (each for each in RELEASES if each.part in there):
        engine = runs.published(release, there[release.part].profile)
        found = runs.at_work(kubectl, release.namespace, workflows=True) if engine else []
        if found is None:
            found = runs.unended(kubectl, release.namespace)
        if engine and found:
            raise LabError(
                f"runs are at work on {engine.title} and could not go on from what is kept: {runs.some(found)};"
                " nothing was changed",
                f"{runs.HINT}; or, without keeping: lab down",
            )
        if any(not each.adds for each in release.engines):
            lost += runs.recurring(kubectl, release.namespace)
    return lost


def users(context: str) -> Cluster | None:
    """The cluster of the user's that is to be left.

    Args:
        context: its context; empty for the one in use.

    Raises:
        UsageError: `lab` has made nothing in a cluster of this context.
    """
    named = record.named()
    if not context or (named and named.context == context):
        return named
    if not own.recorded(context).made:
        others = ", ".join(own.contexts())
        raise UsageError(
            f"nothing is recorded that `lab` has made in {context}",
            f"it has made something in: {others}" if others else "without --context: lab down",
        )
    return Cluster(context, "")


def planned(cluster: Cluster, keep_data: bool) -> Leaving:
    """What leaving a cluster of the user's would do; nothing is changed.

    Raises:
        LabError: the cluster can't be asked.
    """
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    found = leave.look(kubectl)
    spaces = {each.name for each in found.own if each.kind == "Namespace"}
    there = installed(kubectl)
    parts = {each.part: there[each.part].profile for each in RELEASES
             if each.part in there and each.namespace in spaces}  # fmt: skip
    kept: set[str] = set()
    if keep_data:
        kept = {each.namespace for each in RELEASES if each.part in {*parts, *keep.parts(cluster, kubectl)}} & spaces
    deleted = [each for each in found.own if each.name not in kept]
    return Leaving(cluster, parts, tuple(deleted), tuple(sorted(kept)), found.lost, found.others)


def leave_as(plan: Leaving, progress: Progress) -> None:
    """Do what was planned, the parts first and the last of them first; then the cluster is no longer in use.

    Raises:
        LabError: something could not be deleted; what is still there stays recorded.
    """
    cluster = plan.cluster
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    with exclusive(progress):
        if plan.parts:
            helm = Helm(program(progress), cluster.context, cluster.kubeconfig)
            if plan.kept:
                keep.mark(kubectl, plan.parts)
            for release in reversed(RELEASES):
                if release.part in plan.parts:
                    with progress.piece(f"removing {release.part}"):
                        helm.uninstall(release.namespace)
        leave.delete(kubectl, plan.deleted)
        own.gone(cluster.context, plan.lost)
        _unuse(cluster)


def forget(cluster: Cluster, progress: Progress) -> tuple[Made, ...]:
    """No longer use a cluster of the user's, which is not asked; returns what was made in it, now forgotten."""
    with exclusive(progress):
        made = own.recorded(cluster.context).made
        own.forget(cluster.context)
        _unuse(cluster)
        return made


def _unuse(cluster: Cluster) -> None:
    named = record.named()
    if named and named.context == cluster.context:
        record.forget(named)
