"""An existing cluster that the user names. If it lacks something, an error says so before anything is created in it."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import addons, kubeconfig, leave, own, record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.own import Made
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.kube.objects import is_true

_OLDEST = (1, 30)  # labs use preStop.sleep
_SERVICES, _CLASSES = "apiservices.apiregistration.k8s.io", "storageclasses.storage.k8s.io"
# In all namespaces: what is made, and what `lab up` and `lab status` look at.
_MADE = ("namespaces", "deployments.apps", "pods/exec", "priorityclasses.scheduling.k8s.io")
_SEEN = ("nodes", "leases.coordination.k8s.io", "deployments.apps", "secrets", _SERVICES, _CLASSES)
_RIGHTS = (*(("create", each) for each in _MADE), *(("list", each) for each in _SEEN))
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def use(context: str, registry: str, progress: Progress, *, wait: bool = True) -> Cluster:
    """Put the tool's namespace into an existing cluster, and use that cluster from now on.

    Args:
        context: a context of the user's kubeconfig.
        registry: the prefix under which the cluster's nodes can pull the project's images.

    Raises:
        UsageError: no such context, or no registry.
        LabError: the cluster does not answer or lacks something; nothing was created.
    """
    if not kubeconfig.there():
        raise UsageError(f"there is no kubeconfig at {kubeconfig.target()}", "name one with KUBECONFIG")
    known = kubeconfig.contexts()
    if context not in known:
        raise UsageError(f"the kubeconfig has no context {context!r}", f"it has: {', '.join(known) or 'none'}")
    if not registry:
        raise UsageError(
            "with --context the images must be in a registry that the cluster's nodes can pull from",
            "push them (lab images push PREFIX), then: lab up --context NAME --registry PREFIX",
        )
    with exclusive(progress, wait):
        kubectl = Kubectl(context)
        if absent := missing(kubectl):
            raise LabError(f"the cluster {context} {absent[0][0]}", absent[0][1], _rest(absent))
        own.begin(context, leave.uid_of(kubectl.get("namespaces", "--field-selector=metadata.name=kube-system")))
        before = own.recorded(context).made
        try:
            addons.install(kubectl, registry, registry, metrics=False)
            if addons.lacking(kubectl, 0):
                with progress.piece("waiting for the tool's pod"):
                    addons.wait(kubectl, 0, {})
        except BaseException:
            _undo(kubectl, [each for each in own.recorded(context).made if each not in before], progress)
            raise
        cluster = Cluster(context, registry)
        record.remember(cluster)
        return cluster


def _undo(kubectl: Kubectl, made: list[Made], progress: Progress) -> None:
    """Delete what this run has made, and nothing else."""
    if not made:
        return
    progress.say(f"removing what was made in {kubectl.context}: {', '.join(map(str, made))}")
    try:
        leave.delete(kubectl, [each for each in leave.look(kubectl).own if each.mark in {one.mark for one in made}])
    except LabError as error:
        progress.say(f"it is still there: {error.message}; to remove it: lab down --context {kubectl.context}")


def missing(kubectl: Kubectl) -> list[tuple[str, str]]:
    """What a cluster lacks for the labs: pairs of what and what to do; empty when nothing."""
    done = kubectl.run("version", "-o", "json", within=10, check=False)
    answer = json.loads(done.stdout) if done.code == 0 else {}
    if "serverVersion" not in answer:
        return [("does not answer", f"see: kubectl --context {kubectl.context} get nodes")]
    found: list[tuple[str, str]] = []
    version = answer["serverVersion"]
    numbers = tuple(int(re.sub(r"\D", "", version[part]) or 0) for part in ("major", "minor"))
    if numbers < _OLDEST:
        todo = f"use one of Kubernetes {_OLDEST[0]}.{_OLDEST[1]} or later; or let `lab up` make one of its own"
        found.append((f"is Kubernetes {version['gitVersion']}", todo))
    with ThreadPoolExecutor(len(_RIGHTS)) as pool:
        says = dict(zip(_RIGHTS, pool.map(lambda right: _may(kubectl, *right), _RIGHTS), strict=True))
    if not says["list", _SERVICES]:
        services = [each for each in kubectl.get("apiservices") if addons.name(each) == "v1beta1.metrics.k8s.io"]
        if not services or not is_true(services[0], "Available"):
            found.append(("has no metrics API", "install metrics-server in it: autoscaling reads it"))
    if not says["list", _CLASSES]:
        classes = kubectl.get("storageclasses")
        if not any((each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true" for each in classes):
            found.append(("has no default storage class", f"annotate one with {_DEFAULT_CLASS}=true"))
    found += [(said, "ask its administrator for that right") for said in says.values() if said]
    return found


def _may(kubectl: Kubectl, verb: str, what: str) -> str:
    """Empty if the user has a right in all namespaces; else what the cluster says of it."""
    answer = kubectl.run("auth", "can-i", verb, what, "-A", check=False).stdout.strip()
    if answer == "yes":
        return ""
    return f"does not {'let' if answer.startswith('no') else 'say that it lets'} you {verb} {what} in all namespaces"


def _rest(found: list[tuple[str, str]]) -> str:
    return "\n".join(f"it also {what}: {todo}" for what, todo in found[1:])
