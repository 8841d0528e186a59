"""A class on the cluster without its server: the chart's rights and policies, and its operator in this process."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from kubernetes.client import CoreV1Api

from mlops_lab.classroom.operator import accounts, settings
from mlops_lab.classroom.operator import requests as asked
from mlops_lab.classroom.operator.operator import Operator
from mlops_lab.classroom.operator.requests import Kit, Lab
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.connection import connect
from mlops_lab.labs.registry import REGISTRY
from tests.render.charts import CHARTS, template

T = TypeVar("T")
_LEFT_OUT = ("Deployment", "StatefulSet", "Service", "ClusterQueue", "ResourceFlavor")
_CLUSTER_WIDE = (
    *("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy", "ClusterRoleBinding", "ClusterRole"),
    "RuntimeClass",
)


def until(condition: Callable[[], T], within: float = 30) -> T:
    """Wait for something; fails with what it was at last."""
    end = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within:g} s; last seen: {found!r}"
        time.sleep(0.1)
    return found


class Classroom:
    """A class whose names nobody else has; `close` leaves nothing.

    Attributes:
        free: a namespace without any wall, where learners have the same rights: what a wall refuses works there.
        push: the prefix of learners' folders.
    """

    def __init__(self, kube: Kube, scratch: Path) -> None:
        self.kube, self.scratch = kube, scratch
        self.mark = uuid.uuid4().hex[:6]
        self.namespace, self.free = f"test-class-{self.mark}", f"test-free-{self.mark}"
        self.ada, self.bob = f"ada-{self.mark}", f"bob-{self.mark}"
        self.push = f"{REGISTRY}/learners"
        self.objects: list[Object] = []
        self._address = str(kube.api_client.configuration.host)
        self._certificate = Path(kube.api_client.configuration.ssl_ca_cert)

    def open(self, labs: Sequence[str] = ("04", "17"), within: float = 90, **more: Any) -> None:
        """Install, start the operator, and let two learners begin.

        Args:
            within: seconds for a learner's labs.
            more: values of the chart.
        """
        ingresses = {"ingressClasses": ["nginx"], "ingressDomain": "apps.example.org"}
        values = {
            "cluster": {"address": self._address, "certificate": self._certificate.read_text()},
            "learners": {"pushPrefix": self.push, "labsAtOnce": 3, **ingresses},
            "roster": f"id\n{self.ada}\n{self.bob}\n", **more,
        }  # fmt: skip
        file = self.scratch / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        done = template.__wrapped__(CHARTS / "classroom", (file,), self.kube.version(), REGISTRY)
        assert done.returncode == 0, done.stderr
        text = done.stdout.replace("mlops-lab-test", self.namespace)
        self.objects = [
            item for item in yaml.safe_load_all(text)
            if item and item["kind"] not in _LEFT_OUT
            and "helm.sh/hook" not in (item["metadata"].get("annotations") or {})
        ]  # fmt: skip
        for name in (self.namespace, self.free):
            self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.kube.apply(self.objects, self.namespace)
        told = self.scratch / "settings.json"
        told.write_text(self.kube.get("ConfigMap", "operator", self.namespace)["data"]["settings.json"])
        self.operator_kube = self.acting("operator", self.namespace)
        self.operator = Operator(self.operator_kube, settings.read(told), self.scratch / "alive", self._certificate)
        self._thread = threading.Thread(target=self.operator.run, daemon=True)
        self._thread.start()
        for learner in (self.ada, self.bob):
            self.ask(learner, kit=Kit(), **{f"lab_{each}": Lab() for each in labs})
            self.wait(learner, *(f"lab-{each}" for each in labs), "kit", within=within)
            self._allow(learner)

    def close(self) -> None:
        """Take all of it away."""
        if hasattr(self, "operator"):
            self.operator.stop()
            self._thread.join(20)
        own = {
            item["metadata"]["name"]
            for item in self.kube.list("Namespace", selector=f"mlops-lab/class={self.namespace}")
        }
        for kind in _CLUSTER_WIDE:
            for item in self.kube.list(kind):
                if self.mark in item["metadata"]["name"]:
                    self.kube.delete(kind, item["metadata"]["name"])
        for item in self.objects:
            if (elsewhere := item["metadata"].get("namespace")) and elsewhere != self.namespace:
                self.kube.delete(item["kind"], item["metadata"]["name"], elsewhere)
        for name in (*own, self.namespace, self.free):
            self.kube.delete("Namespace", name)

    def ask(self, learner: str, **changes: Lab | Kit | None) -> None:
        """Ask the operator, as the server does."""
        wanted = {key.replace("_", "-"): value for key, value in changes.items()}
        asked.ask(self.kube, self.namespace, learner, wanted)

    def wait(self, learner: str, *keys: str, within: float = 30) -> None:
        """Wait until all of that is ready."""
        end = time.monotonic() + within
        while True:
            states = asked.states(self.kube.find("ConfigMap", f"learner-{learner}", self.namespace))
            if all(key in states and states[key].state == "ready" for key in keys):
                return
            assert time.monotonic() < end, states
            time.sleep(0.1)

    def roster(self, *lines: str) -> None:
        """Another roster."""
        text = "id,ends\n" + "".join(f"{line}\n" for line in lines)
        self.kube.patch("ConfigMap", "roster", {"data": {"roster.csv": text}}, self.namespace)

    def space(self, learner: str, lab: str = "04") -> str:
        """A learner's namespace."""
        return f"l-{learner}-lab-{lab}"

    def learner(self, learner: str) -> Kube:
        """The cluster as a learner reaches it, by the kit."""
        text = accounts.kubeconfig(self.kube, self.namespace, learner)
        file = self.scratch / f"{learner}-{uuid.uuid4().hex[:6]}.yaml"
        file.write_text(text)
        return connect(yaml.safe_load(text)["current-context"], file)

    def acting(self, account: str, namespace: str) -> Kube:
        """The cluster as an account reaches it."""
        api = CoreV1Api(self.kube.api_client)
        made = api.create_namespaced_service_account_token(account, namespace, {"spec": {"expirationSeconds": 3600}})
        cluster = {"server": self._address, "certificate-authority": str(self._certificate)}
        user = {"name": "u", "user": {"token": made.status.token}}
        whole = {
            "apiVersion": "v1", "kind": "Config", "current-context": account,
            "clusters": [{"name": "c", "cluster": cluster}], "users": [user],
            "contexts": [{"name": account, "context": {"cluster": "c", "user": "u"}}],
        }  # fmt: skip
        file = self.scratch / f"{account}.yaml"
        file.write_text(yaml.safe_dump(whole))
        return connect(account, file)

    def spelled(self, item: Object) -> Object:
        """An attempt's object with the names that there are."""
        text = json.dumps(item)
        for word, name in (
            ("REGISTRY", REGISTRY), ("PUSH/ada", f"{self.push}/{self.ada}"), ("PUSH", self.push),
            ("RUNTIME", f"runtime-{self.mark}"), ("l-ada-lab-04", self.space(self.ada)),
        ):  # fmt: skip
            text = text.replace(word, name)
        found: Object = json.loads(text)
        return found

    def grant(self, learner: str, rules: list[dict[str, Any]]) -> Callable[[], None]:
        """Give a learner rights everywhere; returns what takes them back."""
        name = f"grant-{self.mark}"
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": f"learner-{learner}", "namespace": f"{self.namespace}-accounts"}
        self.kube.apply([
            {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
            {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
             "subjects": [subject], "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}},
        ])  # fmt: skip

        def back() -> None:
            self.kube.delete("ClusterRoleBinding", name)
            self.kube.delete("ClusterRole", name)

        return back

    def _allow(self, learner: str) -> None:
        """The learner's role in the namespace without walls, too."""
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": f"learner-{learner}", "namespace": f"{self.namespace}-accounts"}
        role = {"apiGroup": group, "kind": "ClusterRole", "name": f"{self.namespace}-learner"}
        self.kube.apply([{
            "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": learner}, "roleRef": role,
            "subjects": [subject],
        }], self.free)  # fmt: skip
