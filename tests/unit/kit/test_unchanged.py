"""Whether an object that was given is as it was: what the API server fills in is no change, and everything else is."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from mlops_lab.checks.watched import Watched
from mlops_lab.kit.unchanged import changes, unchanged
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab

GIVEN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: sign}
spec:
  replicas: 2
  selector: {matchLabels: {app: sign}}
  template:
    metadata: {labels: {app: sign}}
    spec:
      serviceAccountName: painter
      containers:
        - name: sign
          image: localhost:5001/flight-delay:v1
          command: [python3, /program/sign.py]
          env: [{name: COLOUR, value: "red"}]
          ports: [{name: http, containerPort: 8080}]
          resources: {limits: {cpu: "0.1", memory: 32Mi}}
          readinessProbe: {httpGet: {path: /, port: http}}
          volumeMounts: [{name: words, mountPath: /etc/sign}]
      volumes: [{name: words, configMap: {name: words}}]
"""
SERVICE = {
    "kind": "Service", "metadata": {"name": "sign"}, "spec": {"selector": {"app": "sign"}, "ports": [{"port": 80}]},
}  # fmt: skip
SERVED = {
    "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
    "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "selector": {"app": "sign"},
    "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
}  # fmt: skip


def given() -> Object:
    found: Object = yaml.safe_load(GIVEN)
    return found


def stored() -> Object:
    """The same object as the API server has it, after a `kubectl rollout restart`."""
    item = given()
    spec = item["spec"]
    spec |= {
        "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }  # fmt: skip
    spec["template"]["metadata"] |= {
        "creationTimestamp": None, "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-02T07:00:00Z"},
    }  # fmt: skip
    pod = spec["template"]["spec"]
    pod |= {
        "serviceAccount": "painter", "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {},
        "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30,
    }  # fmt: skip
    pod["volumes"][0]["configMap"]["defaultMode"] = 420
    container = pod["containers"][0]
    container |= {
        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File", "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}},
    }  # fmt: skip
    container["ports"][0]["protocol"] = "TCP"
    container["readinessProbe"] |= {
        "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip
    container["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    return {**item, "metadata": {"name": "sign", "labels": {"seen": "yes"}}, "status": {"replicas": 2}}


def changed(at: str, value: Any) -> Object:
    """The stored object with another value at a path below its pod's spec; `0` is the first of a list."""
    item = stored()
    place: Any = item["spec"]["template"]["spec"]
    *way, last = at.split(".")
    for each in way:
        place = place[int(each)] if each.isdigit() else place[each]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return item


def test_what_the_api_server_fills_in_is_no_change() -> None:
    assert changes(stored(), given()) == []


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        ("containers.0.image", "localhost:5001/flight-delay:v2", "template.spec.containers[sign].image"),
        ("containers.0.command", ["sleep", "9"], "template.spec.containers[sign].command[0]"),
        ("containers.0.env", [{"name": "COLOUR", "value": "blue"}], "template.spec.containers[sign].env[COLOUR].value"),
        ("containers.0.readinessProbe", None, "template.spec.containers[sign].readinessProbe"),
        ("containers.0.readinessProbe.periodSeconds", 1, "template.spec.containers[sign].readinessProbe.periodSeconds"),
        ("containers.0.resources", {}, "template.spec.containers[sign].resources.limits"),
        ("containers.0.lifecycle", {"preStop": {"sleep": {"seconds": 5}}}, "template.spec.containers[sign].lifecycle"),
        ("initContainers", [{"name": "own"}], "template.spec.initContainers"),
        ("nodeSelector", {"disk": "fast"}, "template.spec.nodeSelector"),
        ("nodeName", "worker", "template.spec.nodeName"),
        ("terminationGracePeriodSeconds", 60, "template.spec.terminationGracePeriodSeconds"),
        ("serviceAccountName", "default", "template.spec.serviceAccountName"),
        ("volumes.0.configMap.name", "other", "template.spec.volumes[words].configMap.name"),
    ],
)
def test_each_change_is_named(at: str, value: Any, said: str) -> None:
    assert said in changes(changed(at, value), given())


def test_a_container_more_is_a_change_and_so_is_one_less() -> None:
    item = stored()
    item["spec"]["template"]["spec"]["containers"].append({"name": "beside"})
    assert changes(item, given()) == ["template.spec.containers[beside]"]
    item["spec"]["template"]["spec"]["containers"] = [{"name": "beside"}]
    assert changes(item, given()) == ["template.spec.containers[sign]", "template.spec.containers[beside]"]


def test_what_is_free_is_free_with_all_below_it_and_nothing_else() -> None:
    item = changed("containers.0.env", [{"name": "COLOUR", "value": "blue"}, {"name": "NEW", "value": "1"}])
    item["spec"]["replicas"] = 3
    env = "template.spec.containers[sign].env"
    assert changes(item, given(), ("replicas", env)) == []
    assert changes(item, given(), ("replicas", f"{env}[COLOUR]")) == [f"{env}[NEW]"]
    assert changes(item, given(), ("template.spec.containers[*].env",)) == ["replicas"]
    assert changes(item, given(), ("template.spec.containers[sign].en",)) != []


def test_a_service_may_have_its_address_and_no_other_type() -> None:
    assert changes({**SERVICE, "spec": SERVED}, SERVICE) == []
    assert changes({**SERVICE, "spec": SERVED | {"type": "NodePort"}}, SERVICE) == ["type"]
    assert changes({**SERVICE, "spec": SERVED | {"selector": {"app": "sign", "track": "a"}}}, SERVICE) == [
        "selector.track"
    ]
    assert changes({**SERVICE, "spec": SERVED | {"sessionAffinity": "ClientIP"}}, SERVICE) == ["sessionAffinity"]


def test_a_pod_may_have_what_each_pod_gets() -> None:
    own = {"containers": [{"name": "work", "image": "i"}], "tolerations": [{"key": "team", "operator": "Exists"}]}
    token = {"name": "kube-api-access-4fcrn", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    waits = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]
    now = copy.deepcopy(own) | {"nodeName": "worker", "priority": 0, "volumes": [{"name": token["name"]}]}
    now["tolerations"] = [*own["tolerations"], *waits]
    cast(Any, now)["containers"][0]["volumeMounts"] = [token]
    pod = {"kind": "Pod", "spec": own}
    assert changes({"kind": "Pod", "spec": now}, pod) == []
    now["ephemeralContainers"] = [{"name": "debugger-x2x9t", "image": "busybox"}]  # kubectl debug
    assert changes({"kind": "Pod", "spec": now}, pod) == []
    now["tolerations"] = [*waits, {"key": "other", "operator": "Exists"}]
    assert changes({"kind": "Pod", "spec": now}, pod) != []


def test_a_job_may_have_the_selector_that_it_gets() -> None:
    uid = {"batch.kubernetes.io/controller-uid": "7"}
    job = {"kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never"}}}}
    now = {"selector": {"matchLabels": uid}, "template": {"metadata": {"labels": uid}, **job["spec"]["template"]}}  # type: ignore[index]
    assert changes({"kind": "Job", "spec": now}, job) == []


def test_the_types_of_a_policy_are_those_of_its_rules() -> None:
    def policy(**spec: Any) -> Object:
        return {"kind": "NetworkPolicy", "spec": {"podSelector": {}, **spec}}

    assert changes(policy(policyTypes=["Ingress"]), policy()) == []
    assert changes(policy(policyTypes=["Ingress", "Egress"]), policy()) == ["policyTypes"]
    assert changes(policy(podSelector={"matchLabels": {"app": "x"}}), policy()) == ["podSelector"]


def test_data_is_compared_entry_by_entry_and_texts_of_secrets_as_they_are_kept() -> None:
    words = {"kind": "ConfigMap", "data": {"a": "1"}}
    assert changes({"kind": "ConfigMap", "data": {"a": "1", "b": "2"}}, words) == ["data.b"]
    secret = {"kind": "Secret", "stringData": {"a": "1"}}
    assert changes({"kind": "Secret", "type": "Opaque", "data": {"a": "MQ=="}}, secret) == []
    assert changes({"kind": "Secret", "type": "Opaque", "data": {"a": "Mg=="}}, secret) == ["data.a"]


@pytest.mark.parametrize(
    ("there", "ok", "seen"),
    [
        (stored(), True, "it is"),
        (changed("containers.0.image", "other"), False, "another template.spec.containers[sign].image"),
        (None, False, "there is none"),
    ],
)
def test_the_object_in_the_cluster_is_held_against_the_file(
    tmp_path: Path, there: Object | None, ok: bool, seen: str
) -> None:
    (tmp_path / "seed.yaml").write_text(GIVEN)
    if there and ok:
        there["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example:5000/flight-delay:v1"
    kube = cast(Any, SimpleNamespace(find=lambda *_: there))
    objects = NothingThere(named=lambda kind, name: Watched(kube, kind, name, "lab"))
    lab = made_up_lab(objects=objects, platform=SimpleNamespace(registry="registry.example:5000"))
    found = asyncio.run(unchanged(lab, tmp_path, "Deployment", "sign"))
    assert (found.ok, found.seen) == (ok, seen)
