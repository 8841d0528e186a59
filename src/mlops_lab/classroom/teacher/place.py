"""Where a class is: its cluster, its release, what its teacher has told it, and who is on its roster.

What the teacher has told is in the class's own namespace, so another machine of the teacher's finds it, too.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.waiting import wait_until
from mlops_lab.classroom import roster
from mlops_lab.classroom.roster import Learner
from mlops_lab.cluster import record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.images.recipes import classroom, postgres
from mlops_lab.platform.installed import Installed, installed
from mlops_lab.platform.releases import Release

UP = "lab class up --roster roster.csv"
RELEASE = Release(part="class", chart="classroom", images=(postgres.NAME, classroom.NAME), command=UP)
NAMESPACE = RELEASE.namespace
SERVER, PORT = "service/server", 8443
HERE = f"https://127.0.0.1:{PORT}"  # where the class is for its teacher alone
_TOLD = "teacher"  # the ConfigMap
_STOPPED_WITHIN = 120.0  # s


@dataclass(frozen=True)
class Told:
    """What the teacher has told about a class.

    Attributes:
        address: where learners reach the server.
        values: the chart's, as the teacher wants them.
    """

    address: str = HERE
    values: dict[str, Any] = field(default_factory=dict)

    def value(self, *names: str) -> Any:
        """One of the values; an empty text where the teacher has said nothing."""
        found: Any = self.values
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return "" if found is None else found

    @property
    def shared(self) -> bool:
        """Do learners work on the class's cluster?"""
        return bool(self.value("cluster", "address"))


@dataclass(frozen=True)
class Place:
    """A class on a cluster, which need not be there yet."""

    cluster: Cluster

    @cached_property
    def kubectl(self) -> Kubectl:
        """The cluster."""
        return Kubectl(self.cluster.context, self.cluster.kubeconfig)

    def note(self, there: bool = True) -> None:
        """Note that the class's gradebook is in this cluster, or is not any more, if `lab down` could delete that."""
        if self.cluster.is_kind:
            record.note_class(there)

    def release(self) -> Installed | None:
        """The class's release; None where there is none."""
        return installed(self.kubectl, [RELEASE]).get(RELEASE.part)

    def told(self) -> Told:
        """What the teacher has told; nothing where there is no class.

        Raises:
            LabError: it can't be read.
        """
        text = (self.find("configmap", _TOLD) or {}).get("data", {}).get("told.json")
        try:
            return msgspec.json.decode(text, type=Told) if text else Told()
        except msgspec.MsgspecError as broken:
            raise LabError(
                f"what the class's teacher has told can't be read: {broken}",
                f"delete it (kubectl -n {NAMESPACE} delete configmap {_TOLD}) and say it again: {UP}",
            ) from broken

    def tell(self, told: Told) -> None:
        """Keep what the teacher has told."""
        meta = {"name": _TOLD, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "mlops-lab"}}
        data = {"told.json": msgspec.json.encode(told).decode()}
        item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        self.kubectl.apply(json.dumps(item))

    def roster(self) -> list[Learner]:
        """The learners of the class.

        Raises:
            UsageError: it has none, or a roster that can't be read.
        """
        text = (self.find("configmap", "roster") or {}).get("data", {}).get("roster.csv", "")
        if not text:
            raise UsageError("the class has no roster", f"give it one: {UP}")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "roster.csv"
            file.write_text(text, "utf-8")
            return roster.read(file)

    def secret(self, name: str) -> dict[str, str]:
        """A Secret's texts by their keys.

        Raises:
            LabError: there is none.
        """
        found = self.find("secret", name)
        if found is None:
            raise LabError(f"the class has no Secret {name}", f"have it made: {UP}")
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object of the class's namespace."""
        words = ("get", kind, name, "-n", NAMESPACE, "--ignore-not-found", "-o", "json")
        text = self.kubectl.run(*words).stdout
        if not text.strip():
            return None
        whole: dict[str, Any] = json.loads(text)
        return next(iter(whole["items"]), None) if "items" in whole else whole

    def see_gone(self, component: str, what: str) -> None:
        """Wait until no pod of one of the chart's components is there.

        Args:
            what: the component in words.

        Raises:
            LabError: one is there after two minutes.
        """

        def probe() -> tuple[bool | None, str]:
            pods = self.kubectl.get("pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/component={component}")
            return (None, f"{len(pods)} pods are there") if pods else (True, "")

        wait_until(
            probe, what=f"the end of the {what}", within=_STOPPED_WITHIN, every=1,
            hint=f"see what keeps it: kubectl -n {NAMESPACE} get pods",
        )  # fmt: skip


def at(context: str = "") -> Place:
    """A class by its cluster's context, or on the cluster in use.

    Raises:
        LabError: there is no cluster in use.
    """
    if not context:
        return Place(record.current())
    known = next((each for each in (record.named(), record.made()) if each and each.context == context), None)
    return Place(known or Cluster(context, ""))


def of(context: str = "") -> Place:
    """A class that is there; arguments as `at`.

    Raises:
        LabError: there is none, or its cluster does not answer.
    """
    place = at(context)
    found = place.release()
    if found is None or not found.stood:
        raise LabError(f"there is no class in {place.cluster.context}", f"make one: {UP}")
    place.note()  # also one that an earlier version has brought up, or another machine
    return place


def learner(place: Place, name: str) -> Learner:
    """A learner of the class.

    Raises:
        UsageError: the roster has none of that id.
    """
    everyone = place.roster()
    found = next((each for each in everyone if each.id == name), None)
    if found is None:
        import difflib

        near = difflib.get_close_matches(name, [each.id for each in everyone], n=3)
        more = f"did you mean {' or '.join(near)}? Or " if near else ""
        raise UsageError(f"no learner {name!r} is on the roster", f"{more}add a line to the roster, then: {UP}")
    return found
