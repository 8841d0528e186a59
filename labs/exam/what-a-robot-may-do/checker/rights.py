"""What the robot may do, and what it must not: each question to the API server, and how it reads."""

from dataclasses import dataclass

from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_OTHER_READABLE = "secrets" if D.resource == "configmaps" else "configmaps"


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


async def has(lab: TaskLab, right: Right) -> bool:
    """Has the ServiceAccount this right?"""
    account = f"system:serviceaccount:{lab.namespace}:{right.of or D.robot}"
    return await lab.allowed(
        account, right.verb, right.resource, group=right.group, name=right.name, subresource=right.subresource,
        namespace=right.namespace,
        groups=("system:serviceaccounts", f"system:serviceaccounts:{lab.namespace}", "system:authenticated"),
    )  # fmt: skip
