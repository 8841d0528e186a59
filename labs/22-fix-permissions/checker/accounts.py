"""Which account each CronJob acts as, what its programs ask the API server for, and what nobody here may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from mlops_lab.kit.rights import EVERYWHERE, Right
from mlops_lab.kube.client import Object

ACCOUNTS = {"nightly": "conductor", "prepare": "preparer", "train": "trainer", "release": "releaser"}
STEPS = ("prepare", "train", "release")
BEFORE = "flights-pipelines"  # the namespace that the pipeline came from
_APPS, _BATCH, _RBAC, _AUTHENTICATION = "apps", "batch", "rbac.authorization.k8s.io", "authentication.k8s.io"
NEEDED: Mapping[str, tuple[Right, ...]] = {
    "conductor": (
        *(Right("get", "cronjobs", step, _BATCH) for step in STEPS),
        Right("create", "jobs", group=_BATCH),
        Right("get", "jobs", group=_BATCH),
    ),
    "preparer": (Right("get", "configmaps", "flights"), Right("patch", "configmaps", "training-set")),
    "trainer": (
        Right("get", "configmaps", "training-set"),
        Right("get", "secrets", "signing-key"),
        Right("patch", "configmaps", "candidate"),
    ),
    "releaser": (
        Right("get", "configmaps", "candidate"),
        Right("get", "deployments", "model", _APPS),
        Right("patch", "deployments", "model", _APPS),
    ),
}
# Of these kinds one that is drawn is asked about, too.
KINDS = {
    ("", "configmaps"): ("flights", "training-set", "candidate", "steps"),
    ("", "secrets"): ("signing-key",),
    ("", "pods"): (),
    ("", "serviceaccounts"): (),
    ("", "services"): ("model",),
    (_APPS, "deployments"): ("model", "model-v1"),
    (_APPS, "replicasets"): (),
    (_BATCH, "jobs"): (),
    (_BATCH, "cronjobs"): tuple(ACCOUNTS),
    (_RBAC, "roles"): (),
    (_RBAC, "rolebindings"): (),
}
ALL_OF, USER = "system:serviceaccounts:", "system:serviceaccount:"  # groups and users, as RBAC knows accounts
_TOKEN, _WHOSE = "kubernetes.io/service-account-token", "kubernetes.io/service-account.name"
_ROLES = ("roles", "clusterroles")
_OF_ONE, _OF_ALL = ("get", "patch", "update", "delete"), ("list", "watch", "create", "deletecollection")
_SPECIAL = (
    Right("*", "*", group="*"),
    Right("escalate", "roles", group=_RBAC),
    Right("bind", "roles", group=_RBAC),
    Right("impersonate", "serviceaccounts"),
    *(Right("impersonate", "serviceaccounts", account) for account in ACCOUNTS.values()),
    # Since Kubernetes 1.36 one may act as somebody for some verbs alone, and this is the right to begin with.
    *(Right("impersonate:serviceaccount", "serviceaccounts", name, _AUTHENTICATION) for name in ACCOUNTS.values()),
    *(Right("create", "serviceaccounts", account, subresource="token") for account in ACCOUNTS.values()),
    *(Right("create", "pods", subresource=name) for name in ("exec", "attach")),
    *(Right(verb, "pods", subresource=name) for verb in ("patch", "update") for name in ("", "ephemeralcontainers")),
    *(Right(verb, "deployments", "model", _APPS, "scale") for verb in ("patch", "update")),
    Right("patch", "deployments", "model", _APPS, "status"),
)
# No step does it; whoever else reads what pods have said, or ends them, is led by that to nothing that a step does.
_OF_PODS = Right("get", "pods", subresource="log"), Right("create", "pods", subresource="eviction")
_ELSEWHERE = (Right("get", "configmaps"), Right("get", "secrets"), Right("list", "pods"), Right("create", "pods"))
_OF_THE_CLUSTER = (
    Right("list", "secrets", namespace=EVERYWHERE),
    Right("list", "nodes", namespace=EVERYWHERE),
    Right("create", "clusterrolebindings", group=_RBAC, namespace=EVERYWHERE),
    Right("bind", "clusterroles", group=_RBAC, namespace=EVERYWHERE),
)
# Whoever may make one of these, or change a CronJob's or a ReplicaSet's template, starts pods as any account.
_MAKERS = (
    ("", "replicationcontrollers"), (_APPS, "deployments"), (_APPS, "replicasets"), (_APPS, "statefulsets"),
    (_APPS, "daemonsets"), (_BATCH, "cronjobs"),
)  # fmt: skip
# Verbs by which an object is read, changed or deleted. A list may be of one name, and a rule may allow no other.
_BY_VERBS = "get", "list", "watch", "patch", "update", "delete", "deletecollection"
_BY_STATUS = "get", "patch", "update"  # who gets an object's status, gets all of the object


@dataclass(frozen=True)
class Others:
    """Names that no rule of this lab can know.

    Attributes:
        item: of an object of any kind.
        namespace: of another namespace.
        account: of another ServiceAccount.
    """

    item: str
    namespace: str
    account: str


def others(chance: Random) -> Others:
    """Draw them."""
    words = chance.sample(("crew", "fares", "gates", "meals", "seats", "slots", "taxes", "tows"), 3)
    item, namespace, account = (f"{word}-{chance.randrange(100, 1000)}" for word in words)
    return Others(item, namespace, account)


def too_much(account: str, drawn: Others, bound: Iterable[Right] = ()) -> list[Right]:
    """What an account may not do: all that its step does not ask for; of an account without a step, all of it.

    Args:
        bound: what the rules say that are here.
    """
    needed = NEEDED.get(account, ())
    own = [right for right in (*_own(drawn), *bound) if not any(_within(right, each) for each in needed)]
    return list(dict.fromkeys([*own, *_away(account, drawn), *_OF_THE_CLUSTER]))


def strangers(drawn: Others) -> list[tuple[str, str]]:
    """Accounts that have no step, each with its namespace; an empty one is the lab's own."""
    before = [(account, BEFORE) for account in ACCOUNTS.values()]
    return [("default", ""), (drawn.account, ""), (drawn.account, drawn.namespace), *before]


def met(own: str, accounts: Iterable[Object], bindings: Iterable[Object], member: str) -> list[tuple[str, str]]:
    """Accounts without a step that are here, or that a binding here is for, as `strangers` has them.

    Args:
        own: the lab's namespace.
        member: the account that stands for all of a namespace, where a binding is for these.
    """
    found = [(str(each["metadata"]["name"]), "") for each in accounts]
    for subject in (subject for each in bindings for subject in each.get("subjects") or []):
        account, home = str(subject["name"]), str(subject.get("namespace") or own)
        if subject.get("kind") == "Group" and account.startswith(ALL_OF):
            account, home = member, account.removeprefix(ALL_OF)
        elif subject.get("kind") == "User" and account.startswith(USER):
            home, _, account = account.removeprefix(USER).partition(":")
        elif subject.get("kind") != "ServiceAccount":
            continue
        found.append((account, "" if home == own else home))
    known = {(account, "") for account in ACCOUNTS.values()}
    return [each for each in dict.fromkeys(found) if each not in known]


def strangers_may_not(bound: Iterable[Right] = (), tokens: Iterable[str] = ()) -> list[Right]:
    """What these are asked about, each once: what any step does, the same by other verbs, and what leads to more.

    Args:
        bound: what the rules say that are here: they may hand out, or widen, one role by its name.
        tokens: names of Secrets with a token of an account that has a step.
    """
    steps = [right for each in NEEDED.values() for right in each]
    program = [Right(verb, "configmaps", "steps") for verb in ("patch", "update", "delete")]
    read = [Right(verb, "secrets", name) for name in tokens for verb in ("get", "list", "watch")]
    leads_on = [*_SPECIAL, Right("create", "pods"), *program, *_starts_pods(), *filter(_gives_more, bound), *read]
    return list(dict.fromkeys([*steps, *leads_on, *_alike(steps)]))


def tokens_of_steps(secrets: Iterable[Object]) -> list[str]:
    """The names of the Secrets that the API server has given a token of an account that has a step."""
    return [
        str(each["metadata"]["name"])
        for each in secrets
        if each.get("type") == _TOKEN and (each["metadata"].get("annotations") or {}).get(_WHOSE) in NEEDED
    ]


def _gives_more(right: Right) -> bool:
    """Does it lead to rights that one does not have: by giving a role to oneself, or by widening one's own?"""
    return right.verb in ("bind", "escalate", "*") and right.resource in _ROLES


def _alike(needed: Iterable[Right]) -> list[Right]:
    """What else is done to the same objects: to that of the name, and to all of the kind."""
    ways = [*((verb, "") for verb in _BY_VERBS), *((verb, "status") for verb in _BY_STATUS)]
    return [
        Right(verb, each.resource, name, each.group, subresource)
        for each in needed
        for verb, subresource in ways
        for name in ("", each.name)
        if each.group or not subresource  # ConfigMaps and Secrets have no status
    ]


def _starts_pods() -> list[Right]:
    making = [Right("create", resource, group=group) for group, resource in _MAKERS]
    changing = [Right(verb, "cronjobs", name, _BATCH) for verb in ("patch", "update") for name in ACCOUNTS]
    return [*making, *changing, *(Right(verb, "replicasets", group=_APPS) for verb in ("patch", "update"))]


def _own(drawn: Others) -> list[Right]:
    """Everything that is asked about in the lab's own namespace."""
    found = [*_SPECIAL, *_OF_PODS]
    for (group, resource), names in KINDS.items():
        found += [Right(verb, resource, name, group) for name in (*names, drawn.item) for verb in _OF_ONE]
        found += [Right(verb, resource, group=group) for verb in _OF_ALL]
    return found


def _away(account: str, drawn: Others) -> list[Right]:
    """The same account's rights, and more, in other namespaces."""
    asked = [*NEEDED.get(account, ()), *_ELSEWHERE]
    return [
        Right(each.verb, each.resource, each.name, each.group, namespace=namespace)
        for namespace in (drawn.namespace, BEFORE, "default", "kube-system")
        for each in asked
    ]


def _within(right: Right, needed: Right) -> bool:
    """Is one right part of another one? That without a name is about every object of the kind."""
    what = (right.verb, right.group, right.resource, right.subresource)
    same = what == (needed.verb, needed.group, needed.resource, needed.subresource)
    return same and needed.name in ("", right.name)
