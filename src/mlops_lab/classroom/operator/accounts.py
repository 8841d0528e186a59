"""Learners' accounts, in a namespace of their own in which nothing runs, and the tokens of their kits.

A token is bound to a Secret: with that it goes, and so does the account when the learner's time is over. The Secret
holds the kubeconfig with the token, for who hands out kits.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime

from mlops_lab.classroom import kit as kits
from mlops_lab.classroom.operator import names, walls
from mlops_lab.classroom.operator.requests import MAKING, OVER, READY, Kit, State
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube, Object, Objects
from mlops_lab.kube.exact import delete_exactly

CONTENT = "kubeconfig"
_SHORTEST = 600  # s; the API server makes none that ends sooner


def place(settings: Settings) -> Objects:
    """The namespace of the accounts, and who may work in it: the operator, and the server, which hands out kits."""
    name, labels = settings.accounts, names.labels(settings.namespace)
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    server = {"kind": "ServiceAccount", "name": "server", "namespace": settings.namespace}
    role = f"{settings.namespace}-server-kits"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels | level}},
        walls.inside(settings, name),
        walls.binding(settings, name, "class-server", role, server),
        {
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "class", "namespace": name, "labels": labels}, "spec": {"hard": {"pods": "0"}},
        },
    ]  # fmt: skip


def account(settings: Settings, learner: str) -> Object:
    """A learner's account; pods can't act as it, since none are in its namespace."""
    return {
        "apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False,
        "metadata": {
            "name": f"{names.ACCOUNT}{learner}", "namespace": settings.accounts,
            "labels": names.labels(settings.namespace, learner),
        },
    }  # fmt: skip


def hand_out(
    kube: Kube,
    settings: Settings,
    learner: str,
    wanted: Kit,
    there: Object | None,
    namespaces: Sequence[str],
    certificate: Callable[[], str],
    now: datetime,
) -> State:
    """Have the learner's kit be the one that is asked for; another one before it is revoked.

    Args:
        there: the kit's Secret as it was seen.
        namespaces: the learner's, for the kubeconfig.
        certificate: reads what the API server is trusted by.

    Raises:
        LabError: the API server does not answer, or refuses.
    """
    if not (state := _stands(wanted, there, now)):
        there = kube.find("Secret", f"{names.KIT}{learner}", settings.accounts)  # what was seen may be old by now
        state = _stands(wanted, there, now)
    if state:
        return state
    if there:
        delete_exactly(kube, there)
    meta = {
        "name": f"{names.KIT}{learner}", "namespace": settings.accounts,
        "labels": names.labels(settings.namespace, learner), "annotations": {names.ROUND: str(wanted.round)},
    }  # fmt: skip
    kube.apply([{"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta}])
    secret = kube.get("Secret", str(meta["name"]), settings.accounts)
    seconds = int(min(max(wanted.hours * 3600, _SHORTEST), settings.token_hours * 3600))
    token = tokens.issue(kube, f"{names.ACCOUNT}{learner}", settings.accounts, seconds, secret)
    text = kits.kubeconfig(settings.address, settings.certificate or certificate(), token.token, learner, namespaces)
    kube.patch(
        "Secret", str(meta["name"]),
        {
            "metadata": {"annotations": {names.ENDS: token.ends}},
            "data": {CONTENT: base64.b64encode(text.encode()).decode()},
        },
        settings.accounts,
    )  # fmt: skip
    return State(MAKING, f"until {token.ends}")


def _stands(wanted: Kit, there: Object | None, now: datetime) -> State | None:
    """The state of a kit that is the one that is asked for; None for another one, and for one that is half made."""
    ends = names.annotation(there, names.ENDS)
    if names.annotation(there, names.ROUND) != str(wanted.round) or not ends:
        return None
    over = datetime.fromisoformat(ends) <= now
    return State(OVER, f"it ended at {ends}; ask for another one") if over else State(READY, f"until {ends}")


def kubeconfig(kube: Kube, namespace: str, learner: str) -> str:
    """The kubeconfig of a learner's kit; empty where there is none yet.

    Args:
        namespace: the class's own.

    Raises:
        LabError: the API server does not answer, or refuses.
    """
    found = kube.find("Secret", f"{names.KIT}{learner}", f"{namespace}-accounts")
    data = (found or {}).get("data") or {}
    return base64.b64decode(data[CONTENT]).decode() if data.get(CONTENT) else ""
