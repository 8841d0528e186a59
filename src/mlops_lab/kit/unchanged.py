"""An object that the learner was given and is to leave as it is: is it, but for what is free?

Compared is the object in the cluster with the manifest in `start/`: what was given must be there with the same meaning,
and nothing may be there besides but what the API server, controllers and kubectl write by themselves.
"""

from __future__ import annotations

import base64
import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.checks import Lab, Observation, absent
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.kit.given import in_manifests
from mlops_lab.kube.client import Object
from mlops_lab.kube.quantity import quantity

# What of a Deployment says how its pods come and go, and what of their template says where and how long they run: to be
# freed where only the program was to stay.
ROLLOUT = ("replicas", "strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
AROUND = (*ROLLOUT, "template.metadata", "template.spec.affinity", "template.spec.t*")
_APART = ("apiVersion", "kind", "metadata", "status", "stringData")
# Fields that the API server fills in where a manifest has none, by name, with the values that it gives them:
# https://kubernetes.io/docs/reference/kubernetes-api/ and https://gateway-api.sigs.k8s.io/reference/spec/
_FILLED_IN: Mapping[str, Sequence[Any]] = {
    # workloads
    "replicas": (1,), "revisionHistoryLimit": (10,), "progressDeadlineSeconds": (600,), "partition": (0,),
    "maxSurge": ("25%", 0), "maxUnavailable": ("25%", 1), "podManagementPolicy": ("OrderedReady",),
    "whenDeleted": ("Retain",), "whenScaled": ("Retain",), "minReplicas": (1,),
    "completions": (1,), "parallelism": (1,), "backoffLimit": (6,), "completionMode": ("NonIndexed",),
    "suspend": (False,), "podReplacementPolicy": ("TerminatingOrFailed",), "manualSelector": (False,),
    "concurrencyPolicy": ("Allow",), "successfulJobsHistoryLimit": (3,), "failedJobsHistoryLimit": (1,),
    # pods
    "dnsPolicy": ("ClusterFirst",), "restartPolicy": ("Always",), "schedulerName": ("default-scheduler",),
    "terminationGracePeriodSeconds": (30,), "enableServiceLinks": (True,), "serviceAccountName": ("default",),
    "terminationMessagePath": ("/dev/termination-log",), "terminationMessagePolicy": ("File",),
    "imagePullPolicy": ("IfNotPresent", "Always"), "protocol": ("TCP",), "preemptionPolicy": ("PreemptLowerPriority",),
    "failureThreshold": (3,), "successThreshold": (1,), "timeoutSeconds": (1,), "periodSeconds": (10,),
    "scheme": ("HTTP",), "service": ("",), "defaultMode": (420,), "divisor": ("0",), "expirationSeconds": (3600,),
    # volumes, Services, rights, routes
    "volumeMode": ("Filesystem",), "persistentVolumeReclaimPolicy": ("Retain",), "sessionAffinity": ("None",),
    "internalTrafficPolicy": ("Cluster",), "type": ("ClusterIP", "RollingUpdate", "Opaque", ""), "weight": (1,),
    "apiVersion": ("v1",), "apiGroup": ("rbac.authorization.k8s.io", ""), "kind": ("Gateway", "Service"),
    "group": ("", "gateway.networking.k8s.io"), "matches": ([{"path": {"type": "PathPrefix", "value": "/"}}],),
}  # fmt: skip
_WRITTEN = {  # by the API server, by controllers, and by who looks into a pod (kubectl debug), whatever the value
    "claimRef", "clusterIP", "clusterIPs", "creationTimestamp", "ephemeralContainers", "finalizers",
    "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy", "nodePort", "priority", "storageClassName", "volumeName",
}  # fmt: skip
_MARKS = re.compile(
    r"(kubectl\.kubernetes\.io/|deployment\.kubernetes\.io/|batch\.kubernetes\.io/)|controller-uid|job-name"
)
_MARKED = ("annotations", "labels", "matchLabels")
_AS_ANOTHER = {"serviceAccount": "serviceAccountName", "targetPort": "port"}  # where not given, as the field beside it
_AMOUNT = re.compile(r"(resources|capacity|hard|limits|requests)[.\[]|sizeLimit$|divisor$")


async def unchanged(
    lab: Lab,
    start: Path,
    kind: str,
    named: str,
    *,
    free: Collection[str] = (),
    given: Object | None = None,
    objects: Objects | None = None,
) -> Observation:
    """Whether an object is as it was given, but for what is free.

    Args:
        start: the folder with what the learner begins with, as it was rendered.
        free: fields that are the learner's, with all below them, such as `template.spec.containers[sign].image`: below
            `spec`, where there is one. `*` stands for any text.
        given: in place of what `start` has.
        objects: of another namespace.
    """
    wanted = _here(lab, given or in_manifests(start, kind, named))
    now = await (objects or lab.objects).named(kind, named).now()
    expected = f"{kind} {named} as it was given{', but for what is yours' if free else ''}"
    if now is None:
        return absent(expected, "there is none")
    other = changes(now, wanted, free)
    seen = f"another {', '.join(other[:3])}" if other else "it is"
    return Observation(not other, expected, seen, None, tuple(other[3:10]))


def changes(now: Object, given: Object, free: Collection[str] = ()) -> list[str]:
    """The paths of fields that differ, such as `template.spec.containers[sign].image`; arguments as for `unchanged`.

    Items of lists are told by their names, mount paths or ports, else by their places.
    """
    found = [*_differ(_content(now), _content(given), "")]
    paths = [path.removeprefix("spec.") for path in found]
    return [path for path in dict.fromkeys(paths) if not any(_frees(each, path) for each in free)]


def _content(item: Object) -> Object:
    own = {key: value for key, value in item.items() if key not in _APART}
    if texts := item.get("stringData"):
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
        own["data"] = {**(own.get("data") or {}), **coded}
    return own


def _differ(now: Any, given: Any, at: str) -> Iterator[str]:
    """Paths of what differs; a list whose items differ in number or order differs as a whole, if they have no names."""
    if isinstance(given, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*given, *now]):
            path = f"{at}.{key}" if at else str(key)
            if given.get(key) is None or given[key] in ({}, []):
                if not _by_itself(key, now.get(key), now, at):
                    yield path
            else:
                yield from _differ(now.get(key), given[key], path)
    elif isinstance(given, list) and isinstance(now, list) and (keys := _named(given, now)):
        mine, theirs = (dict(zip(each, items, strict=True)) for each, items in zip(keys, (now, given), strict=True))
        for key in dict.fromkeys([*theirs, *mine]):
            if key in mine and key in theirs:
                yield from _differ(mine[key], theirs[key], f"{at}[{key}]")
            elif not (key in mine and _of_every_pod(at.rpartition(".")[2], mine[key])):
                yield f"{at}[{key}]"
    elif isinstance(given, list) and isinstance(now, list) and len(given) == len(now := _own(now, at)):
        for number, (mine, theirs) in enumerate(zip(now, given, strict=True)):
            yield from _differ(mine, theirs, f"{at}[{number}]")
    elif not _same(now, given, at):
        yield at


def _by_itself(key: str, value: Any, beside: Mapping[str, Any], at: str) -> bool:
    """Is a field that was not given there by nobody's doing?"""
    if value is None or value in ({}, []) or key in _WRITTEN or value in _FILLED_IN.get(key, ()):
        return True
    if key == "nodeName" and at == "spec":  # of a Pod
        return True
    if _MARKS.match(key) and at.rpartition(".")[2] in _MARKED:
        return True
    if isinstance(value, Mapping):
        return all(_by_itself(each, own, value, f"{at}.{key}") for each, own in value.items())
    if key in ("tolerations", "volumes", "volumeMounts"):  # a pod's own
        return all(_of_every_pod(key, each) for each in value)
    if key in _AS_ANOTHER:
        return bool(value == beside.get(_AS_ANOTHER[key]))
    return key == "policyTypes" and {*value} == {"Ingress", *(["Egress"] if beside.get("egress") else [])}


def _own(items: list[Any], at: str) -> list[Any]:
    return [each for each in items if not (at == "spec.tolerations" and _of_every_pod("tolerations", each))]


def _of_every_pod(field: str, item: Any) -> bool:
    if field == "tolerations":
        return str(item.get("key", "")).startswith("node.kubernetes.io/") and item.get("tolerationSeconds") == 300
    return str(item.get("name", "")).startswith("kube-api-access-")


def _named(given: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """What tells the items of two lists apart, for either; None where nothing does."""
    for key in ("name", "mountPath", "containerPort", "port"):
        found = [[each.get(key) if isinstance(each, Mapping) else None for each in items] for items in (now, given)]
        if all(None not in names and len({*names}) == len(names) for names in found) and any(found):
            return found[0], found[1]
    return None


def _same(now: Any, given: Any, at: str) -> bool:
    if isinstance(now, (Mapping, list)) or isinstance(given, (Mapping, list)):
        return bool(now == given)
    if now == given or (now is not None and str(now) == str(given)):
        return True
    return bool(_AMOUNT.search(at)) and now is not None and _amount(now) == _amount(given) is not None


def _amount(value: Any) -> Decimal | None:
    try:
        return quantity(value)
    except ValueError:
        return None


def _frees(pattern: str, path: str) -> bool:
    exact = pattern.replace("[", "[[]")
    return any(fnmatch.fnmatchcase(path, f"{exact}{end}") for end in ("", ".*", "[[]*"))


def _here(lab: Lab, given: Object) -> Object:
    """A manifest whose images have the name that this cluster knows."""
    text = yaml.safe_dump(given).replace(f"{REGISTRY_PREFIX}/", f"{lab.platform.registry}/")
    found: Object = yaml.safe_load(text)
    return found
