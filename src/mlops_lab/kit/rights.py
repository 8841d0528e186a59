"""What ServiceAccounts may do, here and elsewhere, as the API server says: `kubectl auth can-i --as`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab
from mlops_lab.kube import reviews
from mlops_lab.kube.client import Object

EVERYWHERE = "*"


@dataclass(frozen=True)
class Right:
    """A verb on a resource.

    Attributes:
        resource: in the plural, such as `pods`.
        name: of one object; empty for any.
        group: of the API; empty for the core.
        namespace: empty for the lab's own; EVERYWHERE for all of them, and for what is in none.
    """

    verb: str
    resource: str
    name: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = {"": "", EVERYWHERE: " of the whole cluster"}.get(self.namespace, f" in namespace {self.namespace}")
        return f"{self.verb} {what}{f' {self.name}' if self.name else ''}{where}"

    def attributes(self, own: str) -> Object:
        """As a SubjectAccessReview asks for it; `own` is the lab's namespace."""
        return {
            "verb": self.verb, "resource": self.resource, "group": self.group, "name": self.name,
            "subresource": self.subresource,
            "namespace": "" if self.namespace == EVERYWHERE else self.namespace or own,
        }  # fmt: skip


async def allowed(lab: Lab, account: str, rights: Iterable[Right], *, home: str = "") -> list[Right]:
    """Those of these rights that a ServiceAccount has, by itself or as a member of its groups.

    Args:
        account: its name. It need not exist: rights are given to names.
        home: the namespace that it is of, if not the lab's own.

    Raises:
        LabError: the API server does not answer.
    """
    at = home or lab.objects.named("ServiceAccount", account).namespace
    who = {
        "user": f"system:serviceaccount:{at}:{account}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{at}", "system:authenticated"],
    }

    return await allowed_to(lab, who, rights)


async def allowed_to(lab: Lab, who: Mapping[str, Any], rights: Iterable[Right]) -> list[Right]:
    """Those of these rights that a user has, or any member of some groups.

    Args:
        who: `user` and `groups`, as a SubjectAccessReview has them.

    Raises:
        LabError: the API server does not answer.
    """
    one = lab.objects.named("ServiceAccount", "default")

    def asked() -> list[Right]:
        return [
            right
            for right in rights
            if reviews.allowed(one.kube, {**who, "resourceAttributes": right.attributes(one.namespace)})
        ]

    return await lab.time.in_thread(asked)
