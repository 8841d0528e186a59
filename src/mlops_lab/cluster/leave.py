"""Leave a cluster that the user named: what of this installation is in it, and its deletion.

Asked is the cluster, and a cluster that does not answer is an error: it never means that nothing is there.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from mlops_lab.base.errors import LabError
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import own
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.own import Made, Object

_LABEL = ("app.kubernetes.io/managed-by", "mlops-lab")
_GONE_WITHIN = 180.0


@dataclass(frozen=True)
class Found:
    """What is in the cluster.

    Args:
        own: what this installation has made, with UIDs.
        lost: what it has recorded and is not there any more.
        others: what bears the project's label and was made by others, or before there was a record.
    """

    own: tuple[Made, ...]
    lost: tuple[Made, ...]
    others: tuple[str, ...]


def look(kubectl: Kubectl) -> Found:
    """What of this installation is in the cluster, and what only looks like it.

    Raises:
        LabError: the cluster can't be asked, or the context leads to another one.
    """
    record = own.recorded(kubectl.context)
    try:
        items = kubectl.get("namespaces,priorityclasses")
    except LabError as error:
        raise LabError(
            f"the cluster {kubectl.context} does not say what is in it, so nothing was deleted",
            f"see why below, and try again when it answers; if it is gone for good: "
            f"lab down --context {kubectl.context} --forget",
            error.detail or error.message,
        ) from error
    own.require_same(record, uid_of(items))
    there: list[Made] = []
    lost: list[Made] = []
    for made in record.made:
        if item := next((item for item in items if made.is_it(item)), None):
            there.append(Made(made.kind, made.name, made.mark, str(item["metadata"]["uid"])))
        else:
            lost.append(made)
    known = {each.uid for each in there}
    others = [f"{item['kind']} {item['metadata']['name']}" for item in items
              if _labelled(item) and item["metadata"]["uid"] not in known]  # fmt: skip
    return Found(tuple(there), tuple(lost), tuple(others))


def uid_of(namespaces: list[Object]) -> str:
    """The UID of a cluster: that of its namespace kube-system, which lives as long as the cluster.

    Raises:
        LabError: it is not among them.
    """
    for item in namespaces:
        if (item["kind"], item["metadata"]["name"]) == ("Namespace", "kube-system"):
            return str(item["metadata"]["uid"])
    raise LabError("the cluster has no namespace kube-system", "see: kubectl get namespaces")


def delete(kubectl: Kubectl, things: Collection[Made], within: float = _GONE_WITHIN) -> None:
    """Delete these and wait until they are gone; what has another UID by now stays.

    Raises:
        LabError: the cluster refuses or does not answer, or something is still there; the record still has it.
    """
    for each in things:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": each.uid}}
        done = kubectl.run("delete", "--raw", each.path, "-f", "-", stdin=json.dumps(options), check=False)
        if done.code != 0 and not any(f"({reason})" in done.stderr for reason in ("NotFound", "Conflict")):
            raise LabError(
                f"{each} in {kubectl.context} could not be deleted", "see why below, then run this again",
                done.stderr.strip(),
            )  # fmt: skip
        if done.code == 0 and each.kind == "Namespace":
            # A failed pod may wait for its Job, which would go after it: see mlops_lab.kube.ending.
            kubectl.run("delete", "jobs", "--all", "-n", each.name, "--wait=false", check=False)
    left = set(things)

    def probe() -> tuple[bool | None, str]:
        uids = {item["metadata"]["uid"] for item in kubectl.get("namespaces,priorityclasses")} if left else set()
        done = {each for each in left if each.uid not in uids}
        own.gone(kubectl.context, done)
        left.difference_update(done)
        return (None, f"{', '.join(map(str, sorted(left, key=str)[:3]))} still there") if left else (True, "")

    wait_until(
        probe, what=f"the deletion in {kubectl.context}", within=within, every=1,
        hint=f"see what keeps it (kubectl --context {kubectl.context} describe namespaces), then run this again",
    )  # fmt: skip


def _labelled(item: Object) -> bool:
    key, value = _LABEL
    return bool((item["metadata"].get("labels") or {}).get(key) == value)
