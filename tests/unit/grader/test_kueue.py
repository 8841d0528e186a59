"""Kueue as it is put into a cluster: what is applied and when, and whose it is."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import addons, kueue, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.kueue import Whose
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine import start
from mlops_lab.images.recipes import kueue as recipe
from mlops_lab.images.steps import Step

TEXT = yaml.safe_dump_all([
    {"kind": "ConfigMap", "metadata": {"name": "kueue-manager-config"}},
    {"kind": "Namespace", "metadata": {"name": "kueue-system"}},
    {"kind": "CustomResourceDefinition", "metadata": {"name": "workloads.kueue.x-k8s.io"}},
    {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "kueue-mutating-webhook-configuration"}},
    {"kind": "ClusterRole", "metadata": {"name": "kueue-manager-role"}},
    {"kind": "Deployment", "metadata": {"name": "kueue", "namespace": "kueue-system", "generation": 1},
     "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": recipe.NAME}]}}},
     "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}},
])  # fmt: skip


class Server(Kubectl):
    """An API server: objects by kind and name, and what was asked of it."""

    objects: dict[tuple[str, str], Any]
    log: list[Any]

    def __init__(self) -> None:
        super().__init__("kind-mlops-lab")
        vars(self).update(objects={}, log=[])

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
            said = json.dumps(self.objects[args[1], args[2]]) if (args[1], args[2]) in self.objects else ""
        elif args[0] == "get" and "-o" in args and args[-1] == "json":
            said = json.dumps({"items": [each for (kind, _), each in self.objects.items() if f"{kind}s" in args[1]]})
        elif args[0] == "get":
            said = "".join(f"{kind}.x/{name}\n" for kind, name in self.objects if f"{kind}s" == args[1])
        elif args[0] == "delete":
            gone = [each.partition("/")[2] or each for each in args[1:]]
            self.log.append(f"delete {args[1].partition('.')[0].partition('/')[0]}")
            for found in [found for found in self.objects if found[1] in gone]:
                del self.objects[found]
        return Completed(0, str(said), "")


def test_definitions_come_first_and_what_stands_is_not_applied_again() -> None:
    server = Server()
    assert kueue.install(server, TEXT)
    assert server.log == [["Namespace", "CustomResourceDefinition"],
                          ["ConfigMap", "MutatingWebhookConfiguration", "ClusterRole", "Deployment"]]  # fmt: skip
    assert kueue.install(server, TEXT) and len(server.log) == 2
    assert kueue.install(server, TEXT + "---\nkind: Secret\nmetadata: {name: s}\n") and len(server.log) == 4


def test_one_that_is_gone_or_scaled_to_none_is_applied_again() -> None:
    server = Server()
    kueue.install(server, TEXT)
    server.objects["deployment", "kueue"]["spec"]["replicas"] = 0
    assert kueue.unready(server) == ["kueue"]
    assert kueue.install(server, TEXT) and len(server.log) == 4
    assert server.objects["deployment", "kueue"]["spec"]["replicas"] == 1
    del server.objects["deployment", "kueue"]
    with pytest.raises(LabError, match="its pod is not ready"):
        kueue.wait(server, within=0)
    assert kueue.install(server, TEXT) and len(server.log) == 6


def test_what_was_interrupted_is_applied_again() -> None:
    server = Server()
    kueue.install(server, TEXT)
    server.objects["namespace", "kueue-system"]["metadata"]["annotations"] = {"mlops-lab/manifests": "unfinished"}
    assert kueue.install(server, TEXT) and len(server.log) == 4


def test_somebody_elses_is_taken_as_it_is_and_stays() -> None:
    server = Server()
    server.objects["namespace", "kueue-system"] = {"kind": "Namespace", "metadata": {"name": "kueue-system"}}
    assert not kueue.install(server, TEXT) and not kueue.remove(server) and server.log == []


def test_it_stays_whose_it_was_brought_for() -> None:
    server = Server()
    kueue.install(server, TEXT, "mlops-lab-class")
    kueue.install(server, TEXT + "---\nkind: Secret\nmetadata: {name: s}\n", "another")
    assert kueue.brought_for(server) == "mlops-lab-class"
    nobodys = Server()
    kueue.install(nobodys, TEXT)
    kueue.install(nobodys, TEXT + "---\nkind: Secret\nmetadata: {name: s}\n", "another")
    assert kueue.brought_for(nobodys) == ""


def test_one_in_another_namespace_is_somebody_elses() -> None:
    server = Server()
    assert kueue.whose(server) is Whose.NOBODYS
    server.objects["customresourcedefinition", "workloads.kueue.x-k8s.io"] = {"kind": "CustomResourceDefinition"}
    assert kueue.whose(server) is Whose.OTHERS and not kueue.install(server, TEXT) and server.log == []


def test_its_webhooks_go_first_and_nothing_stays() -> None:
    server = Server()
    kueue.install(server, TEXT)
    server.objects["clusterrole", "admin"] = {"kind": "ClusterRole", "metadata": {"name": "admin"}}
    server.log.clear()
    assert kueue.remove(server)
    assert server.log == [
        *("delete mutatingwebhookconfiguration", "delete customresourcedefinition"),
        *("delete clusterrole", "delete namespace"),
    ]  # fmt: skip
    own = ("configmap", "kueue-manager-config"), ("deployment", "kueue")  # with their namespace
    assert set(server.objects) == {("clusterrole", "admin"), *own}


# All of it, with the images


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """A cluster for `up`; its log has what was brought and pushed, too."""
    found = Server()
    (tmp_path / "kueue.yaml").write_text(TEXT)

    def bring(names: list[str], *args: Any) -> dict[str, Step]:
        found.log.append(f"bring {names}")
        return {name: Step(name, lambda work: None, (), image=name) for name in names}

    class Stored:
        def __init__(self, docker: Any) -> None: ...

        def current(self, name: str) -> Path:
            return tmp_path

    monkeypatch.setattr(kueue, "Kubectl", lambda *_: found)
    monkeypatch.setattr(start, "ensure", lambda say: None)
    monkeypatch.setattr(kueue, "bring", bring)
    monkeypatch.setattr(kueue, "Store", Stored)
    monkeypatch.setattr(kueue, "exclusive", lambda progress: contextlib.nullcontext())
    monkeypatch.setattr(registry, "serve", lambda docker, name, step: found.log.append(f"serve {name}"))
    return found


KIND, TEAM = Cluster("kind-mlops-lab", "localhost:5001", "small"), Cluster("team", "registry.example/class")


def test_it_comes_with_its_image_and_is_left_alone_the_next_time(server: Server) -> None:
    kueue.up(Progress(), KIND, "mlops-lab-class")
    assert kueue.brought_for(server) == "mlops-lab-class"
    assert server.log[:2] == [f"bring ['{recipe.NAME}']", f"serve {recipe.NAME.partition('/')[2]}"]
    assert server.objects["deployment", "kueue"]["spec"]["template"]["spec"]["containers"][0]["image"] == recipe.NAME
    server.log.clear()
    kueue.up(Progress(), KIND)
    assert [each for each in server.log if isinstance(each, list)] == []


def test_on_a_cluster_of_ones_own_nodes_pull_it_from_where_the_projects_images_are(server: Server) -> None:
    kueue.up(Progress(), TEAM)
    assert server.log[0] == "bring []" and not [each for each in server.log if str(each).startswith("serve")]
    (container,) = server.objects["deployment", "kueue"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example/class/{recipe.NAME.partition('/')[2]}"


def test_somebody_elses_needs_no_image(server: Server) -> None:
    server.objects["namespace", "kueue-system"] = {"kind": "Namespace", "metadata": {"name": "kueue-system"}}
    kueue.up(Progress(), KIND)
    assert server.log == []


@pytest.mark.parametrize(("cluster", "says"), [(KIND, "run the same command again"),
                                               (TEAM, "lab images push registry.example/class")])  # fmt: skip
def test_an_image_that_nodes_do_not_get_is_said(
    cluster: Cluster, says: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(kubectl: Any, deployment: dict[str, Any], pods: Any) -> None:
        raise LabError("the image can't be used", "push the project's images there: lab images push x/kueue")

    monkeypatch.setattr(addons, "fail_if_stuck", stuck)
    monkeypatch.setattr(addons, "unavailable", lambda items, spaces: [
        each for each in items if each["metadata"]["name"] == "kueue"])  # fmt: skip
    with pytest.raises(LabError, match="can't be used") as refused:
        kueue.up(Progress(), cluster)
    assert refused.value.hint.endswith(says) or refused.value.hint.startswith(says)
