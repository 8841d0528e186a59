"""Kueue as it is put into a cluster: what is applied and when, and whose it is."""

from __future__ import annotations

import json
from typing import Any

import yaml

from mlops_lab.base.processes import Completed
from mlops_lab.cluster import kueue
from mlops_lab.cluster.kubectl import Kubectl

TEXT = yaml.safe_dump_all([
    {"kind": "ConfigMap", "metadata": {"name": "kueue-manager-config"}},
    {"kind": "Namespace", "metadata": {"name": "kueue-system"}},
    {"kind": "CustomResourceDefinition", "metadata": {"name": "workloads.kueue.x-k8s.io"}},
    {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "kueue-mutating-webhook-configuration"}},
    {"kind": "ClusterRole", "metadata": {"name": "kueue-manager-role"}},
])  # fmt: skip


class Server(Kubectl):
    """An API server: objects by kind and name, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__("kind-mlops-lab")
        vars(self).update(objects={}, log=[], ends_after=None)

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        said: Any = ""
        if args[0] == "apply":
            items = list(yaml.safe_load_all(stdin or ""))
            self.log.append([each["kind"] for each in items])
            self.objects |= {(each["kind"].lower(), each["metadata"]["name"]): each for each in items}
        elif args[0] == "annotate":
            key, _, value = args[-1].partition("=")
            self.objects["namespace", args[3]]["metadata"]["annotations"][key] = value
        elif args[:2] == ("get", "namespace"):
            said = json.dumps(self.objects[args[1:3]]) if args[1:3] in self.objects else ""
        elif args[0] == "get" and "-o" in args and args[-1] == "json":
            said = json.dumps({"items": [each for (kind, _), each in self.objects.items() if f"{kind}s" in args[1]]})
        elif args[0] == "get":
            said = "".join(f"{kind}.x/{name}\n" for kind, name in self.objects if f"{kind}s" == args[1])
        elif args[0] == "delete":
            names = [each.partition("/")[2] or each for each in args[1:]]
            self.log.append(f"delete {args[1].partition('.')[0].partition('/')[0]}")
            self.objects = {key: each for key, each in self.objects.items() if key[1] not in names}
        return Completed(0, str(said), "")


def test_definitions_come_first_and_what_stands_is_not_applied_again() -> None:
    server = Server()
    assert kueue.install(server, TEXT)
    assert server.log == [["Namespace", "CustomResourceDefinition"],
                          ["ConfigMap", "MutatingWebhookConfiguration", "ClusterRole"]]  # fmt: skip
    assert kueue.install(server, TEXT) and len(server.log) == 2
    assert kueue.install(server, TEXT + "---\nkind: Secret\nmetadata: {name: s}\n") and len(server.log) == 4


def test_what_was_interrupted_is_applied_again() -> None:
    server = Server()
    kueue.install(server, TEXT)
    server.objects["namespace", "kueue-system"]["metadata"]["annotations"] = {"mlops-lab/manifests": "unfinished"}
    assert kueue.install(server, TEXT) and len(server.log) == 4


def test_somebody_elses_is_taken_as_it_is_and_stays() -> None:
    server = Server()
    server.objects["namespace", "kueue-system"] = {"kind": "Namespace", "metadata": {"name": "kueue-system"}}
    assert not kueue.install(server, TEXT) and not kueue.remove(server) and server.log == []


def test_its_webhooks_go_first_and_nothing_stays() -> None:
    server = Server()
    kueue.install(server, TEXT)
    server.objects["clusterrole", "admin"] = {"kind": "ClusterRole", "metadata": {"name": "admin"}}
    server.log.clear()
    assert kueue.remove(server)
    assert server.log[0] == "delete mutatingwebhookconfiguration" and server.log[-1] == "delete namespace"
    assert set(server.objects) == {("clusterrole", "admin"), ("configmap", "kueue-manager-config")}
