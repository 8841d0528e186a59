"""What the robot may do, and what it must not: each question to the API server, and how it reads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_OTHER_READABLE = "secrets" if D.resource == "configmaps" else "configmaps"
_BESIDE_PODS = (
    "events", "services", "endpoints", "serviceaccounts", "persistentvolumeclaims", "replicationcontrollers",
    _OTHER_READABLE,
)  # fmt: skip
_BESIDE_DEPLOYMENTS = ("replicasets", "statefulsets", "daemonsets", "controllerrevisions")


@dataclass(frozen=True)
class Right:
    """A verb on a resource; `of` is another ServiceAccount of the Namespace, if not the robot."""

    verb: str
    resource: str
    name: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    of: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = {"": "", "*": " of the cluster"}.get(self.namespace, f" in {self.namespace}")
        who = f", as ServiceAccount {self.of}" if self.of else ""
        return f"{self.verb} {what}{f' {self.name}' if self.name else ''}{where}{who}"


WORK = (
    *(Right(verb, "pods") for verb in ("get", "list", "watch")),
    Right("get", "pods", subresource="log"),
    *(Right(verb, "deployments", D.app, "apps") for verb in ("get", "patch")),
    *(Right(verb, "deployments", D.app, "apps", "scale") for verb in ("get", D.scales)),
    Right("get", D.resource, D.item),
)
TOO_MUCH = (
    *(Right(verb, "pods") for verb in ("create", "update", "patch", "delete", "deletecollection")),
    *(Right(verb, "pods", subresource="log") for verb in ("list", "watch")),
    *(Right("create", "pods", subresource=name) for name in ("exec", "attach", "portforward", "eviction")),
    *(Right(verb, "deployments", D.neighbour, "apps") for verb in ("get", "patch")),
    *(Right(verb, "deployments", D.neighbour, "apps", "scale") for verb in ("get", "patch", "update")),
    Right("patch" if D.scales == "update" else "update", "deployments", D.app, "apps", "scale"),
    *(Right(verb, "deployments", D.app, "apps") for verb in ("list", "watch", "update", "delete")),
    Right("patch", "deployments", D.app, "apps", "status"),
    *(Right(verb, "deployments", group="apps") for verb in ("list", "create")),
    Right("get", D.resource, D.item_beside),
    *(Right(verb, D.resource) for verb in ("list", "create")),
    *(Right(verb, D.resource, D.item) for verb in ("list", "watch", "patch", "update", "delete")),
    Right("get", _OTHER_READABLE, D.item),
    *(Right(verb, each) for each in _BESIDE_PODS for verb in ("get", "list")),
    *(Right(verb, each, group="apps") for each in _BESIDE_DEPLOYMENTS for verb in ("get", "list")),
    *(Right("list", each, group="batch") for each in ("jobs", "cronjobs")),
    *(Right("get", "pods", subresource=name) for name in ("status", "exec", "portforward", "proxy")),
    Right("get", "deployments", D.app, "apps", "status"),
    Right("create", "serviceaccounts", subresource="token"),
    *(Right(verb, "roles", group="rbac.authorization.k8s.io") for verb in ("create", "escalate")),
    *(Right("list", "pods", namespace=each) for each in (D.other, "default")),
    *(Right("patch", "deployments", D.app, "apps", namespace=each) for each in (D.other, "default")),
    *(Right("get", D.resource, D.item, namespace=each) for each in (D.other, "default")),
    Right("list", "pods", namespace="*"),
    Right("list", "nodes", namespace="*"),
    Right("list", "pods", of="default"),
    Right("patch", "deployments", D.app, "apps", of="default"),
    Right("get", D.resource, D.item, of="default"),
)


# The group of each resource of its work. Rules name it in others, too, where there is none: they say nothing there.
_GROUPS = {"pods": "", "pods/log": "", "deployments": "apps", "deployments/scale": "apps", D.resource: ""}
_WITHOUT_IT = ("", "apps", "autoscaling", "extensions")


async def beyond_its_work(lab: TaskLab) -> list[str]:
    """What the rules of bindings give the robot beside its work, in this Namespace and elsewhere."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{lab.namespace}", "system:authenticated")

    def gets_it(binding: Object) -> bool:
        subjects = binding.get("subjects") or []
        return any(
            _is_the_robot(lab, each) or (each["kind"] == "Group" and each["name"] in groups) for each in subjects
        )

    found = []
    for each in filter(gets_it, await lab.objects.all("RoleBinding")):
        found += [str(right) for right in _given_by(await _rules(lab, each["roleRef"])) if not _of_its_work(right)]
    for kind, where in (("ClusterRoleBinding", ""), ("RoleBinding", D.other), ("RoleBinding", "default")):
        for each in await (lab.elsewhere(where) if where else lab.objects).all(kind):
            if any(_is_the_robot(lab, subject, where) for subject in each.get("subjects") or []):
                found.append(f"{kind} {each['metadata']['name']}{f' in {where}' if where else ''}")
    return list(dict.fromkeys(found))


async def _rules(lab: TaskLab, role: Object) -> list[Object]:
    found = await lab.objects.named(role["kind"], role["name"]).now()
    return list((found or {}).get("rules") or [])


def _given_by(rules: list[Object]) -> Iterator[Right]:
    for rule in rules:
        names = rule.get("resourceNames") or [""]
        for verb, group, what, name in product(
            rule.get("verbs") or [], rule.get("apiGroups") or [], rule.get("resources") or [], names
        ):
            resource, _, subresource = what.partition("/")
            yield Right(verb, resource, name, group, subresource)


def _of_its_work(right: Right) -> bool:
    """Is a right part of its work, or about what is not there?"""
    what = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    nothing = right.group in _WITHOUT_IT and right.group != _GROUPS.get(what, right.group)
    return nothing or right in WORK or replace(right, name="") in WORK


async def others_with_it(lab: TaskLab) -> list[str]:
    """Who else has the robot's rights: by a binding of one of its roles or of the like, or as pods that act as it."""
    here = await lab.objects.all("RoleBinding")
    known = [*here, *(await lab.objects.all("ClusterRoleBinding"))]
    of = [(each["roleRef"], subject) for each in known for subject in each.get("subjects") or []]
    roles = [role for role, subject in of if _is_the_robot(lab, subject)]
    for each in here:
        given = _given_by(await _rules(lab, each["roleRef"]))
        roles += [each["roleRef"]] if any(right in WORK for right in given) else []
    others = {_said(subject) for role, subject in of if role in roles and not _is_the_robot(lab, subject)}
    for name in (D.app, D.neighbour):
        spec = ((await lab.objects.named("Deployment", name).now() or {}).get("spec") or {}).get("template") or {}
        if (spec.get("spec") or {}).get("serviceAccountName") == D.robot:
            others.add(f"pods of Deployment {name}")
    return sorted(others)


def _is_the_robot(lab: TaskLab, subject: Object, where: str = "") -> bool:
    """Is a subject of a binding in a Namespace, this one if none is said, the robot? It has a user's name as well."""
    user = ("User", f"system:serviceaccount:{lab.namespace}:{D.robot}")
    named = (subject["kind"], subject["name"])
    here = subject.get("namespace", where or lab.namespace) == lab.namespace
    return named == user or (named == ("ServiceAccount", D.robot) and here)


def _said(subject: Object) -> str:
    where = f" of {subject['namespace']}" if subject.get("namespace") else ""
    return f"{subject['kind']} {subject['name']}{where}"


async def has(lab: TaskLab, right: Right) -> bool:
    """Has the ServiceAccount this right?"""
    account = f"system:serviceaccount:{lab.namespace}:{right.of or D.robot}"
    return await lab.allowed(
        account, right.verb, right.resource, group=right.group, name=right.name, subresource=right.subresource,
        namespace=right.namespace,
        groups=("system:serviceaccounts", f"system:serviceaccounts:{lab.namespace}", "system:authenticated"),
    )  # fmt: skip
