"""A submission's two namespaces on the cluster, with the chart's own rights and policies; its server is in memory."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any, cast

import yaml

from mlops_lab.classroom import packing
from mlops_lab.classroom.grader import leaving, making, names
from mlops_lab.classroom.grader.apart.place import Place
from mlops_lab.classroom.grader.asking import Server, Taken
from mlops_lab.classroom.grader.grading import HIDDEN, PACKAGES, Grader
from mlops_lab.classroom.grader.settings import Settings
from mlops_lab.classroom.grader.settings import read as read_settings
from mlops_lab.cluster import registry
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs.registry import REGISTRY
from tests.e2e.class_on_cluster import Classroom, until
from tests.render.charts import CHARTS, template

IMAGE = f"{REGISTRY}/grader:1"
# What is not needed without a dispatcher in a pod, or needs Kueue.
_LEFT_OUT = ("Deployment", "StatefulSet", "Service", "ClusterQueue", "ResourceFlavor")


class Told:
    """The server: has one archive, and keeps what is told."""

    def __init__(self, content: bytes) -> None:
        self.content, self.results, self.back_with = content, list[Any](), list[str]()

    def archive(self, submission: int, sha256: str) -> bytes:
        assert hashlib.sha256(self.content).hexdigest() == sha256
        return self.content

    def result(self, submission: int, outcome: Any) -> str:
        self.results.append(outcome)
        return "graded"

    def back(self, submission: int, why: str, tries: int = 0) -> None:
        self.back_with.append(why)

    def alive(self, submission: int) -> None: ...


class Grading:
    """A class that grades, without its server and dispatcher; `close` leaves nothing."""

    def __init__(self, kube: Kube, scratch: Path) -> None:
        self.kube, self.scratch = kube, scratch
        self.klass = Classroom(kube, scratch)  # for its names, and to act as an account
        self.namespace = self.klass.namespace
        self.made: list[str] = []
        self.settings: Settings
        self._objects: list[Object] = []

    def open(self) -> None:
        """Install rights and policies, and make the namespace of the Jobs."""
        file = self.scratch / "values.yaml"
        digest = registry.digest("grader:1")  # what programs run in is pulled by it
        assert digest, "the cluster's registry has no grader:1"
        file.write_text(yaml.safe_dump({"grader": {"enabled": True, "digest": digest}}))
        done = template.__wrapped__(CHARTS / "classroom", (file,), self.kube.version(), REGISTRY)
        assert done.returncode == 0, done.stderr
        self._objects = [
            item for item in yaml.safe_load_all(done.stdout.replace("mlops-lab-test", self.namespace))
            if item and item["kind"] not in _LEFT_OUT
            and "helm.sh/hook" not in (item["metadata"].get("annotations") or {})
        ]  # fmt: skip
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.kube.apply(self._objects, self.namespace)
        told = self.scratch / "settings.json"
        told.write_text(self.kube.get("ConfigMap", "grader", self.namespace)["data"]["settings.json"])
        self.settings = read_settings(told)
        space, right = making.place(self.settings)
        self.kube.create(space)
        self.made.append(self.settings.jobs)
        self.kube.apply([right])

    def close(self) -> None:
        """Take all of it away."""
        for item in self._objects:
            if item["kind"].startswith(("Cluster", "Validating")):
                self.kube.delete(item["kind"], item["metadata"]["name"])
            elif item["metadata"].get("namespace"):
                self.kube.delete(item["kind"], item["metadata"]["name"], item["metadata"]["namespace"])
        for name in (*self.made, self.namespace):
            self.kube.delete("Namespace", name)

    def grader(self, lab: str, files: Path, api: list[tuple[str, int]]) -> tuple[Grader, Told]:
        """What the Job of a submission with these files runs, with the Job's own rights."""
        content = packing.pack(files).content
        number = int(uuid.uuid4().hex[:6], 16)
        taken = Taken(number, "ada", lab, 1, hashlib.sha256(content).hexdigest(), "token", 1)
        task = making.task(self.settings, taken, "s" * 24, api)
        for space in making.namespaces(self.settings, task):
            self.kube.create(space)
            self.made.append(space["metadata"]["name"])
        self.kube.apply([*making.inside(self.settings, task), *making.contents(self.settings, task, api)])
        # As the dispatcher does it: an account whose owner is not there would be collected.
        name = names.name(number, 1)
        self.kube.apply([making.record(self.settings, task, "token")])
        record = self.kube.get("Secret", name, self.settings.jobs)
        self.kube.apply(making.job(self.settings, task, record)[:1])
        account = self.klass.acting(name, self.settings.jobs)
        until(lambda: _may(account, task.sandbox))
        told, configuration = Told(content), self.kube.api_client.configuration
        certificate = Path(configuration.ssl_ca_cert).read_text()
        # The third place reaches the API server by its address in the cluster.
        service = self.kube.get("Service", "kubernetes", "default")["spec"]
        address = f"https://{service['clusterIP']}:443"
        return Grader(account, cast(Server, told), task, address, certificate), told

    def place(self, namespace: str, api: list[tuple[str, int]]) -> Place:
        """The third place in a namespace."""
        return Place(self.kube, namespace, IMAGE, HIDDEN, PACKAGES, api, self.settings.dns)

    def gone(self, namespace: str) -> bool:
        """Have a namespace go as the dispatcher does."""
        return leaving.remove(self.kube, namespace, self.namespace)


def _may(kube: Kube, namespace: str) -> bool:
    try:
        kube.list("Pod", namespace)
    except Exception:
        return False
    return True
