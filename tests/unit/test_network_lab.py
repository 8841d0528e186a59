"""Lab 21: what its given program says, what the checker makes of that, and which ways each variant's policies open."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.waiting import wait_until
from mlops_lab.checks import Failure, Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit.probes import Way
from mlops_lab.kube.client import Object
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import Variant, solutions, texts, wrongs
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab
from tests.merge_patches import merged

LAB = resolve("21")
SEED = project() / "labs" / LAB.slug / "start" / "seed.yaml"
SEED_OF_THE_RUN = 21
NAME = "kubernetes.io/metadata.name"
HERE = {NAME: LAB.namespace}
FOUR = ("gateway", "model", "features", "store")
AWAY, API, DNS = "10.0.2.1", "10.96.0.1", "10.0.1.1"


@pytest.fixture(scope="module")
def lab21() -> Any:
    """The lab's checker."""
    return loaded("21")


@functools.cache
def parsed(text: str) -> list[Object]:
    """Its objects, which nobody changes."""
    return [each for each in yaml.safe_load_all(text) if each]


# What policies let through, worked out from their text.


def applied(variant: Variant | None = None) -> dict[tuple[str, str], Object]:
    """The objects by kind and name once a variant is applied over the seed."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in parsed(SEED.read_text())}
    for file, text in texts(variant).items() if variant else ():
        for each in parsed(text) if file.endswith(".yaml") else ():
            key = each["kind"], each["metadata"]["name"]
            found[key] = merged(found.get(key), each)
    return found


def selects(selector: Object | None, labels: Mapping[str, str]) -> bool:
    wanted = (selector or {}).get("matchLabels") or {}
    rules = (selector or {}).get("matchExpressions") or []

    def holds(rule: Object) -> bool:
        has, values = labels.get(rule["key"]), rule.get("values")
        return {"In": has in (values or []), "NotIn": has not in (values or []), "Exists": has is not None}[
            rule["operator"]
        ]

    return all(labels.get(key) == value for key, value in wanted.items()) and all(map(holds, rules))


def names(peer: Object, other: Object) -> bool:
    """Is somebody one of those whom an item of from or to names?"""
    if "ipBlock" in peer:
        address, but = ip_address(other["address"]), peer["ipBlock"].get("except") or []
        return address in ip_network(peer["ipBlock"]["cidr"]) and not any(address in ip_network(each) for each in but)
    if other["address"] == API:
        return False  # it is no pod
    space = peer.get("namespaceSelector")
    here = other["namespace"] == "here"
    if not (here if space is None else selects(space, HERE if here else {NAME: other["namespace"]})):
        return False
    return selects(peer.get("podSelector"), other["labels"])


def passes(policies: Sequence[Object], who: Object, other: Object, port: int, direction: str, protocol: str) -> bool:
    """Do the policies let `who` take from (Ingress), or send to (Egress), the other one on a port?"""
    mine = [
        each["spec"]
        for each in policies
        if who["namespace"] == "here"
        and direction in each["spec"].get("policyTypes", ["Ingress"])
        and selects(each["spec"]["podSelector"], who["labels"])
    ]
    rules = [rule for each in mine for rule in each.get(direction.lower()) or []]
    peers = "from" if direction == "Ingress" else "to"
    numbers = {"data": 7000}
    return not mine or any(
        (not rule.get(peers) or any(names(peer, other) for peer in rule[peers]))
        and (
            not rule.get("ports")
            or any(
                (first := numbers.get(each.get("port"), each.get("port", port))) <= port <= each.get("endPort", first)
                and each.get("protocol", "TCP") == protocol
                for each in rule["ports"]
            )
        )
        for rule in rules
    )


def somebody(address: str, namespace: str = "here", **labels: str) -> Object:
    return {"namespace": namespace, "labels": labels, "address": address}


def key(way: Way) -> tuple[str, str]:
    """Who asks, and whom."""
    return way.probe.name, way.target


class World:
    """The pods of the lab, and what a variant's policies let through between them."""

    def __init__(self, lab21: Any, variant: Variant | None = None) -> None:
        self.objects, self.others_of = applied(variant), lab21.others_of
        self.policies = [each for (kind, _), each in self.objects.items() if kind == "NetworkPolicy"]
        self.pods = {}
        for number, name in enumerate(FOUR, 1):
            labels = self.objects["Deployment", name]["spec"]["template"]["metadata"]["labels"]
            self.pods[f"10.0.0.{number}"] = somebody(f"10.0.0.{number}", **labels)
        lab = made_up_lab("21")
        lab.seed = SEED_OF_THE_RUN
        named = lab21.named_ports(self.policies, lab21.TRIED)
        self.who = lab21.Visitors.draw(lab, self.pods["10.0.0.2"]["labels"], named)
        visitors = {each: f"10.0.3.{number}" for number, each in enumerate(self.who.said, 1)}
        for each, address in visitors.items():
            self.pods[address] = somebody(address, **each.labels)
        hosts = {each: f"10.0.4.{number}" for number, each in enumerate(self.who.hosts, 1)}
        for host, address in hosts.items():
            self.pods[address] = somebody(address, **host.labels)
            self.policies.append(host.policy())
        self.pods[AWAY] = somebody(AWAY, "mlops-lab-system", **self.who.guests[-1].labels)
        self.pods[API] = somebody(API, "default")
        self.pods[DNS] = somebody(DNS, "kube-system", **{"k8s-app": "kube-dns"})
        place = {
            name: lab21.Place(f"{name}-1", address := f"10.0.0.{number}", "server", self.pods[address]["labels"])
            for number, name in enumerate(FOUR, 1)
        }
        of = lab21.Others(hosts, AWAY, API, DNS, visitors)
        self.at = {each.name: address for each, address in (visitors | hosts).items()}
        self.at[self.who.guests[-1].name] = AWAY
        self.open, self.shut = lab21.open_ways(self.who, place, of), lab21.shut_ways(self.who, place, of)
        self.away = lab21.ways_from_away((*self.who.guests, self.who.dns), self.who, place, of)
        self.from_away = {key(each) for each in self.away}
        self.ways = {key(each): each for each in (*self.away, *self.shut, *self.open)}

    def lets(self, labels: Mapping[str, str], address: str, port: int, protocol: str = "TCP", by: str = "here") -> bool:
        one, other = somebody("10.0.0.99", by, **labels), self.pods[address]
        out = passes(self.policies, one, other, port, "Egress", protocol)
        return out and passes(self.policies, other, one, port, "Ingress", protocol)

    def is_open(self, way: Way) -> bool:
        if way.target.startswith(("tcp:", "udp:")):
            protocol, address, port = way.target.split(":")
            guest = key(way) in self.from_away
            by = "here" if not guest else "kube-system" if way.probe == self.who.dns else "mlops-lab-system"
            return self.lets(way.probe.labels, address, int(port), protocol.upper(), by)
        host, _, port = way.target.removeprefix("http://").partition("/")[0].partition(":")
        if host in FOUR:  # a Service
            leads_to = 9100 if port else 7000 if host == "store" else 8080
            port_open = self.lets(way.probe.labels, f"10.0.0.{FOUR.index(host) + 1}", leads_to)
            return port_open and self.leads(host, host, int(port or 80))
        return self.lets(way.probe.labels, host, int(port))

    def lets_in_a_namespace(self) -> bool:
        other = somebody("10.0.2.2", "mlops-lab-system", app="asker")
        ports = {f"10.0.0.{number}": 7000 if name == "store" else 8080 for number, name in enumerate(FOUR, 1)}
        return any(passes(self.policies, self.pods[to], other, port, "Ingress", "TCP") for to, port in ports.items())

    def names_others(self) -> bool:
        return any(said for policy in self.policies for said in self.others_of(policy, HERE))

    def step(self, asker: str, other: str) -> bool:
        """Does one of the four get through to the next one, as far as policies, ports, labels and names go?"""
        number = FOUR.index(other) + 1
        labels = self.pods[f"10.0.0.{FOUR.index(asker) + 1}"]["labels"]
        service = self.asks(asker).removeprefix("http://").partition(":")[0]
        resolves = self.lets(labels, DNS, 53, "UDP")
        through = self.lets(labels, f"10.0.0.{number}", 7000 if other == "store" else 8080)
        return resolves and through and service == other and self.leads(service, other)

    def leads(self, name: str, other: str, port: int = 80) -> bool:
        """Is there a Service of that name that leads from a port to the pods of one of the four, where they listen?"""
        if ("Service", name) not in self.objects:
            return False
        service = self.objects["Service", name]["spec"]
        target = next((each["targetPort"] for each in service["ports"] if each["port"] == port), None)
        template = self.objects["Deployment", other]["spec"]["template"]
        ports = template["spec"]["containers"][0]["ports"]
        numbers = {each["name"]: each["containerPort"] for each in ports}
        listens = numbers.get(target, target) == (9100 if port == 9100 else 7000 if other == "store" else 8080)
        stands = selects({"matchLabels": service["selector"]}, template["metadata"]["labels"])
        return bool(listens and stands)

    def asks(self, asker: str) -> str:
        """The host that one of the four asks, by the ConfigMap of the variant."""
        (variable,) = [
            each
            for each in self.objects["Deployment", asker]["spec"]["template"]["spec"]["containers"][0]["env"]
            if each["name"] == "NEXT"
        ]
        key = variable["valueFrom"]["configMapKeyRef"]
        return str(self.objects["ConfigMap", key["name"]]["data"][key["key"]])


def failing(world: World) -> list[str]:
    """The checks that this world fails, but for `lasts`; a gateway that was not started anew has its first address."""
    fresh = "annotations" in world.objects["Deployment", "gateway"]["spec"]["template"]["metadata"]
    fresh = fresh or "ConfigMap gateway" in {" ".join(key) for key in world.objects}
    steps = {
        "gateway_asks_the_model": fresh and world.step("gateway", "model"),
        "model_asks_the_features": world.step("model", "features"),
        "features_asks_the_store": world.step("features", "store"),
        "the_rest_goes_on": all(map(world.is_open, world.open)),
        "others_stay_out": not any(map(world.is_open, [*world.shut, *world.away]))
        and not world.lets_in_a_namespace()
        and not world.names_others(),
    }
    return [name for name, good in steps.items() if not good]


STEPS = ["gateway_asks_the_model", "model_asks_the_features", "features_asks_the_store"]


def test_at_first_each_step_fails_and_only_the_port_of_a_service_is_open(lab21: Any) -> None:
    world = World(lab21)
    assert failing(world) == [*STEPS, "the_rest_goes_on", "others_stay_out"]  # not looked at before the steps pass
    too_much = [way.said for way in (*world.shut, *world.away) if world.is_open(way)]
    assert too_much == ["a pod with app=features to port 80 of a pod with app=store, by TCP"]
    models = (world.who.model.name, "model-1")
    assert all(world.lets(way.probe.labels, API, 443) == (way.probe.name not in models) for way in world.shut)


@pytest.mark.parametrize("variant", solutions(LAB), ids=lambda each: each.name)
def test_a_solution_opens_the_list_and_nothing_else(lab21: Any, variant: Variant) -> None:
    assert failing(World(lab21, variant)) == []


@pytest.mark.parametrize("variant", wrongs(LAB), ids=lambda each: each.name)
def test_a_mistake_fails_its_check_by_its_text(lab21: Any, variant: Variant) -> None:
    world = World(lab21, variant)
    if variant.check == "lasts":
        assert failing(world) == [] and world.asks("features") == "http://store:7000"
        assert [each["port"] for each in world.objects["Service", "store"]["spec"]["ports"]] == [80, 9100]
        return
    found = failing(world)
    # What the checks before it leave to it: of those that need a step, none runs where a step has failed.
    assert [each for each in found if each in STEPS] == ([variant.check] if variant.check in STEPS else [])
    assert variant.check in STEPS or found == [variant.check]


def listed(*names: str, more: Object | None = None) -> Object:
    """A peer: the namespaces of these names."""
    rule = {"key": NAME, "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [rule], **(more or {})}}


OF_THE_DNS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
POD_OF_THE_DNS = {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}


@pytest.mark.parametrize(
    ("peer", "more", "let_in", "let_out"),
    [
        (listed("lab-21"), {}, False, False),
        (listed("lab-21", "monitoring"), {}, True, True),
        (listed("lab-21", "monitoring", more={"matchLabels": HERE}), {}, False, False),
        (listed("lab-21", "kube-system"), {}, True, True),
        (listed("kube-system", "monitoring"), {}, True, True),
        ({"ipBlock": {"cidr": "172.18.0.0/16"}}, {}, True, True),
        ({"ipBlock": {"cidr": "10.96.0.10/32"}}, {"ports": [{"port": 53, "protocol": "UDP"}]}, True, False),
        (OF_THE_DNS, {"ports": [{"port": 53, "protocol": "UDP"}, {"port": "dns-tcp"}]}, True, False),
        (OF_THE_DNS, {"ports": [{"port": 53}, {"port": 443}]}, True, True),
        (OF_THE_DNS, {}, True, True),
        ({"namespaceSelector": {}, **POD_OF_THE_DNS}, {"ports": [{"port": 53, "protocol": "UDP"}]}, True, False),
        ({"namespaceSelector": {}, **POD_OF_THE_DNS}, {"ports": [{"port": 53}, {"port": 853}]}, True, True),
        (POD_OF_THE_DNS, {"ports": [{"port": 53, "protocol": "UDP"}]}, True, True),  # of this namespace
        ({"ipBlock": {"cidr": "10.244.0.0/16"}}, {"ports": [{"port": 53}]}, True, False),  # the checker's pods try it
        ({"ipBlock": {"cidr": "10.96.0.10/32"}}, {"ports": [{"port": 53, "endPort": 60}]}, True, True),
        ({"ipBlock": {"cidr": "10.96.0.10/32"}}, {"ports": [{"port": 53}, {"port": 443}]}, True, True),
        ({"ipBlock": {"cidr": "8.8.8.8/32"}}, {"ports": [{"port": 53}]}, True, True),
        ({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}, {"ports": [{"port": 53}]}, True, True),
    ],
)
def test_policies_name_nobody_elsewhere(lab21: Any, peer: Object, more: Object, let_in: bool, let_out: bool) -> None:
    def said(app: str, direction: str, peers: str) -> list[str]:
        spec = {"podSelector": {"matchLabels": {"app": app}}, direction: [{peers: [peer], **more}]}
        return list(lab21.others_of({"metadata": {"name": "p"}, "spec": spec}, HERE))

    assert bool(said("gateway", "ingress", "from")) is let_in
    assert bool(said("model", "egress", "to")) is let_out
    assert not said("gateway", "egress", "to")


def one_of(key: str, *values: str) -> Object:
    """A rule of a selector: one of these values of a label, or any if none is given."""
    return {"key": key, "operator": "In", "values": list(values)} if values else {"key": key, "operator": "Exists"}


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({}, []),
        ({"matchLabels": {"role": "client"}}, []),
        ({"matchLabels": {"role": "client", "team": "curious"}}, []),  # of the clients some
        ({"matchLabels": {"team": "curious"}}, ["team=curious"]),
        ({"matchExpressions": [one_of("role", "client", "display")]}, ["role=display"]),
        ({"matchExpressions": [one_of("role", "client"), one_of("team")]}, []),
        ({"matchExpressions": [one_of("team")]}, ["team=any"]),
        ({"matchExpressions": [one_of("team"), one_of("team", "a", "b")]}, ["team=a", "team=b"]),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, []),  # the pods try it
        ({"matchExpressions": [one_of("app", "cache", "model"), one_of("team", "a", "b")]},
         ["app=cache and team=a", "app=cache and team=b"]),
    ],
)  # fmt: skip
def test_policies_name_no_labels_that_are_on_no_list(lab21: Any, selector: Object, said: list[str]) -> None:
    def named(app: str, direction: str, peers: str, **more: Any) -> list[str]:
        rule = {peers: [{"podSelector": selector, **more}]}
        spec = {"podSelector": {"matchLabels": {"app": app}}, direction: [rule]}
        return list(lab21.others_of({"metadata": {"name": "p"}, "spec": spec}, HERE))

    assert named("gateway", "ingress", "from") == [f"NetworkPolicy p lets in pods with {each}" for each in said]
    assert named("gateway", "ingress", "from", namespaceSelector={"matchLabels": HERE}) == named(
        "gateway", "ingress", "from"
    )
    assert named("model", "egress", "to") == [
        f"NetworkPolicy p lets the model out to pods with {each}" for each in said
    ]
    assert named("gateway", "egress", "to") == []


def test_ports_that_policies_name_are_tried_by_tcp_and_udp(lab21: Any) -> None:
    def policy(direction: str, *ports: Object) -> Object:
        return {"spec": {direction: [{"ports": [*ports]}, {}]}}

    policies = [
        policy("ingress", {"port": 8000, "endPort": 8080}, {"port": "data"}, {"protocol": "UDP"}),
        policy("egress", {"port": 853}, {"port": 7000}),
        {"spec": {}},
    ]
    named = lab21.named_ports(policies, lab21.TRIED)
    assert named == [853, 8000]
    many = policy("ingress", *({"port": each} for each in range(1, 40)))
    assert len(lab21.named_ports([many], lab21.TRIED)) == 10
    lab = made_up_lab("21")
    lab.seed = SEED_OF_THE_RUN
    who = lab21.Visitors.draw(lab, named=named)
    assert {("tcp", 853), ("udp", 853), ("tcp", 8000), ("udp", 8000)} < {*who.knocks}
    assert who.listener.ports[-2:] == (853, 8000)
    once = lab21.Visitors.draw(lab, named=[who.port])
    assert once.named == () and len(set(once.knocks)) == len(once.knocks)


def test_no_name_and_no_meaningless_label_is_twice_the_same(lab21: Any) -> None:
    def drawn(seed: int) -> list[str]:
        lab = made_up_lab("21")
        lab.seed = seed
        who = lab21.Visitors.draw(lab)
        probes = [*who.said, *who.hosts, *who.guests, who.dns]
        return [each.name for each in probes] + [key for each in probes for key in each.labels] + [f"{who.port}-"]

    one, other = drawn(1), drawn(2)
    assert drawn(1) == one and set(one) & set(other) == {"role", "app", "k8s-app"}
    assert len(set(one)) == 20 + 16 + 3 + 1 and all(each.replace("-", "").isalnum() for each in one)


def test_each_visitor_that_is_here_listens(lab21: Any) -> None:
    who = lab21.Visitors.draw(made_up_lab("21"))
    ports = [str(who.port), "7000", "7001", "8080", "8081", "9100", "9101", "80", "53"]
    for each in (*who.said, *who.hosts):
        pod = each.pod("image")
        assert pod["spec"]["containers"][0]["command"] == ["python3", "-c", lab21._LISTEN, *ports]
        assert pod["spec"]["readinessGates"]
        assert pod["spec"]["securityContext"]["sysctls"]  # as nobody else may listen on ports 53 and 80
    for each in (*who.guests, who.dns):
        pod = each.pod("image")
        assert pod["spec"]["containers"][0]["command"][3:] == ["8080"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert who.said[who.store] == "a pod with app=store"


def test_who_listens_does_so_by_tcp_and_udp_on_all_its_ports(lab21: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        free = one.getsockname()[1], other.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", lab21._LISTEN, *map(str, free)])
    try:
        for port in free:
            wait_until(functools.partial(listens, port), what="the program", within=20, every=0.05, hint="")
        targets = [f"{kind}:127.0.0.1:{each}" for kind in ("tcp", "udp") for each in (*free, 1)]
        sent = subprocess.run(
            [sys.executable, "-c", lab21._SEND, *targets], capture_output=True, text=True, check=True, timeout=30
        )
        assert json.loads(sent.stdout) == dict(zip(targets, ("open", "open", "") * 2, strict=True))
    finally:
        process.kill()
        process.wait()


# The given program, at work.


@contextmanager
def chain(folder: Path, *names: str, last: str = "") -> Iterator[list[int]]:
    """The given program for each name, each asking the next one; the ports on which they listen.

    Args:
        last: whom the last one asks; nobody if none is given.
    """
    (folder / "service.py").write_text(applied()["ConfigMap", "program"]["data"]["service.py"])
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    with ExitStack() as stack:
        for number, name in enumerate(names):
            nearest = f"http://127.0.0.1:{ports[number + 1]}" if number + 1 < len(names) else last
            env = {"NEXT": nearest, "HOSTNAME": name, "PORT": str(ports[number]), "METRICS_PORT": "0"}
            process = subprocess.Popen([sys.executable, str(folder / "service.py")], env=env)
            stack.callback(process.wait)
            stack.callback(process.kill)
        for port in ports:
            wait_until(lambda port=port: listens(port), what="the program", within=20, every=0.05, hint="")
        yield ports


def listens(port: int) -> tuple[bool | None, str]:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError as trouble:
        return None, str(trouble)
    return True, ""


def asked_in_a_pod(lab21: Any, port: int) -> list[str]:
    command = [sys.executable, "-c", lab21._ASK, str(port), "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return [str(each) for each in json.loads(done.stdout.splitlines()[-1])[0]]


def test_a_step_that_works_is_answered_by_the_next_one(lab21: Any, tmp_path: Path) -> None:
    with chain(tmp_path, "gateway-a", "model-a", "store-a") as ports:
        said = asked_in_a_pod(lab21, ports[0])
        assert len(said) == 2
        assert [lab21.wrong(each, ["model-a"], "model") for each in said] == ["", ""]
        assert "model-a answers, which is no ready pod" in lab21.wrong(said[0], ["model-b"], "model")
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/delay?flight=UA1545", timeout=5) as answer:
            gave = answer.read().decode()
        assert f'"minutes": {lab21.minutes("UA1545")},' in gave
        assert lab21.through(gave, [["gateway-a"], ["model-b", "model-a"], ["store-a"]]).ok


def test_a_step_that_fails_says_how(lab21: Any, tmp_path: Path) -> None:
    with chain(tmp_path, "gateway-a", "model-a", last="http://127.0.0.1:1") as ports:
        for port, said in ((ports[1], "Connection refused"), (1, "the pod's own program does not answer")):
            (text, _) = asked_in_a_pod(lab21, port)
            assert said in lab21.wrong(text, ["store-a"], "store")
        (fine, _) = asked_in_a_pod(lab21, ports[0])  # the model is there, whatever becomes of it further on
        assert lab21.wrong(fine, ["model-a"], "model") == ""


@pytest.mark.parametrize("who", ["deploy/gateway", "role=client"])
def test_the_given_ask_prints_what_comes_back(tmp_path: Path, who: str) -> None:
    kubectl = tmp_path / "kubectl"  # which runs here what is to be run in a pod
    kubectl.write_text('#!/usr/bin/env bash\n[ "$1" != exec ] || exec "${@:4}"\n')
    kubectl.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    with chain(tmp_path, "store-a") as (port,):
        urls = [f"http://127.0.0.1:{port}/{place}" for place in ("who", "ask")] + ["http://127.0.0.1:1/who"]
        done = subprocess.run(
            [SEED.with_name("ask"), who, *urls], env={"PATH": path}, capture_output=True, text=True, check=True
        )
    assert done.stderr == ""
    said = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert said[:2] == ['{"who": "store-a"}', 'status 404, {"error": "there is no /ask"}']
    assert said[2].startswith("no answer: ") and "refused" in said[2]


def test_a_stranger_beside_the_next_ones_pods_is_seen_though_others_answer_at_first(
    lab21: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([*["model-a"] * 20, "stranger", *["model-a"] * 40])

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"who": next(answers)}).encode())

        def log_message(self, *words: Any) -> None: ...

    def pod(name: str) -> Object:
        return {
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "server"}]},
            "status": {"phase": "Running"},
        }

    async def found(lab: Any, deployment: str, **more: Any) -> list[Object]:
        return [pod(f"{deployment}-a")]

    async def at_home(*given: Any) -> tuple[str, ...]:
        return ()

    async def run_in(name: str, program: str, *words: str, container: str, within: float) -> Printed:
        command = [sys.executable, *words]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=within)
        return Printed(done.returncode, done.stdout.splitlines(), done.stderr)

    instead = {"owned_pods": found, "pods_at_work": found, "settled": found, "_at_home": at_home}
    for module in lab21._modules:
        for each in instead:
            if hasattr(module, each):
                monkeypatch.setattr(module, each, instead[each])
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setitem(lab21.PORTS, "gateway", server.server_port)
        lab = made_up_lab("21", objects=NothingThere(run_in=run_in))
        seen = asyncio.run(lab21.answered(lab, "gateway", "model"))
        server.shutdown()
    assert not seen.ok
    assert "stranger answers, which is no ready pod of model" in seen.seen


def test_where_a_program_leads_is_the_service_of_the_next_one(lab21: Any) -> None:
    one, both = ["10.96.0.7"], ["10.96.0.7", "fd00::7"]
    fine = [(one, one), (one, both), (both, both), ([], one), (["10.0.0.2"], [])]  # a name unknown, a headless Service
    assert [lab21.elsewhere(leads, at, "model") for leads, at in fine] == [""] * len(fine)
    assert lab21.elsewhere(["10.96.0.9"], one, "model") == "it asks 10.96.0.9, which is not Service model"


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"who": null}', '{"who": ["model-a"]}', '{"error": 7}'])
def test_whatever_a_program_says_is_no_answer_of_a_pods(lab21: Any, text: str) -> None:
    assert lab21.wrong(text, ["model-a"], "model")


def test_an_answer_that_is_nested_without_end_is_none(lab21: Any) -> None:
    text = "[" * 100_000
    assert lab21.wrong(text, ["model-a"], "model")
    assert not lab21.through(text, [["gateway-a"]]).ok


def test_a_pod_with_a_second_container_is_asked_at_home_in_its_first(
    lab21: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}, {"name": "debug"}]}}

    async def at_work(*given: Any) -> list[Object]:
        return [pod]

    async def run_in(name: str, *words: str, container: str | None = None) -> Printed:
        assert container == "server", "of a pod with two the API server asks which"
        return Printed(0, [json.dumps({words[-1]: "fine"})], "")

    for module in lab21._modules:
        if hasattr(module, "pods_at_work"):
            monkeypatch.setattr(module, "pods_at_work", at_work)
    (said,) = asyncio.run(lab21._at_home(made_up_lab("21", objects=NothingThere(run_in=run_in)), "model"))
    assert "model-1 answers" in said


SYMPTOMS = (
    "http://x: [Errno -2] Name or service not known", "http://x: [Errno -3] Temporary failure in name resolution",
    "http://x: [Errno 113] No route to host", "http://x: [Errno 111] Connection refused", "http://x: timed out",
    "store-a answers, which is no ready pod of model", "it asks 10.96.0.9, which is not Service model",
    "no pod of model runs",
)  # fmt: skip


def test_each_way_to_fail_has_its_own_explanation(lab21: Any) -> None:
    said = [lab21.why_not_answered(Observation(False, "", "", ["", each])) for each in SYMPTOMS]
    assert len(set(said)) == len(SYMPTOMS)
    assert lab21.why_not_answered(Observation(True, "", "", ["", ""])) == said[-1]


@pytest.mark.parametrize(
    ("gave", "ok"),
    [
        ('{"by": ["gateway-1", "model-1"]}', True),
        ('{"by": ["model-1", "gateway-1"]}', False),
        ('{"by": ["gateway-1"]}', False),
        ('{"by": "gateway-1"}', False),
        ("status 502", False),
        ("[1]", False),
        ("", False),
    ],
)
def test_an_answer_came_through_all_in_their_order(lab21: Any, gave: str, ok: bool) -> None:
    assert lab21.through(gave, [["gateway-1", "gateway-2"], ["model-1"]]).ok == ok


# The scenario, with pods that are made up.


class Space(NothingThere):
    """A namespace in which each of the four has a pod, the checker's pods run, and a world says what is open."""

    def __init__(self, world: World, *, dead: str = "", full: str = "") -> None:
        self.world, self.dead, self.full = world, dead, full
        self.made: dict[str, Object] = {}

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Object | None:
            return self.made.get(name)

        async def present() -> Object:
            return {"status": {"podIP": self.world.at[name]}}

        async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
            if name == self.full:
                return Observation(False, expected, "Pending")
            pod = self.made[name] | {"status": {"phase": "Running"}}
            return Observation(test(pod), expected, shown(pod))

        return SimpleNamespace(now=now, present=present, until=until, kube=None, namespace=LAB.namespace)

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        return self.world.policies if kind == "NetworkPolicy" else []

    async def apply(self, objects: Any) -> None:
        self.made |= {each["metadata"]["name"]: each for each in objects}

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.made.pop(name, None)

    async def run_in(self, pod: str, *command: str, **more: Any) -> Printed:
        if any(pod == f"{each}-1" for each in FOUR) and command[0] in ("env", "python3"):
            assert more["container"] == "server", "of a pod with two the API server asks which"
        if command == ("printenv", "KUBERNETES_SERVICE_HOST"):
            return Printed(0, [API], "")
        if command[-1] == "/etc/resolv.conf":
            return Printed(0, [DNS], "")
        gave = {each: self.gives(pod, each) for each in command[3 if command[0] == "python3" else 5 :]}
        return Printed(0, [json.dumps(gave)], "")

    def gives(self, pod: str, target: str) -> str:
        if "127.0.0.1" in target:  # a server of the checker's, about itself
            return "open"
        way = self.world.ways.get((pod, target))
        if not way:  # one of the four, about itself
            return "" if target == self.dead else "open"
        return (way.answer or "open") if self.world.is_open(way) else ""


def asked(lab21: Any, monkeypatch: pytest.MonkeyPatch, space: Space, status: int = 0) -> Any:
    async def owned(lab: Any, deployment: str) -> list[Object]:
        number = FOUR.index(deployment) + 1
        ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": f"10.0.0.{number}"}
        spec = {"containers": [{"name": "server"}, {"name": "debug"}]}
        labels = {**space.world.pods[ready["podIP"]]["labels"], "pod-template-hash": "abc"}
        return [{"metadata": {"name": f"{deployment}-1", "labels": labels}, "spec": spec, "status": ready}]

    async def get(name: str, path: str, **more: Any) -> Any:
        return SimpleNamespace(status=status)

    lab = made_up_lab("21", objects=space, traffic=SimpleNamespace(get=get))
    for module in lab21._modules:
        if hasattr(module, "owned_pods"):
            monkeypatch.setattr(module, "owned_pods", owned)
        if hasattr(module, "SYSTEM_NAMESPACE"):
            monkeypatch.setattr(module, "Objects", lambda kube, namespace: space)
    lab.seed = SEED_OF_THE_RUN

    async def checked() -> list[str]:
        found = []
        for check in (lab21.the_rest_goes_on, lab21.others_stay_out):
            try:
                await check.run(lab)
            except Failure as failure:
                found.append(f"{check.name}: {failure.seen}")
        return found

    return asyncio.run(checked())


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("solution/each-in-its-place", []),
        (
            "wrong/the_rest_goes_on--one-of-four",
            ["the_rest_goes_on: closed: a pod with app=monitor to port 9100 of model"],
        ),
        ("wrong/others_stay_out--out-to-everybody", ["others_stay_out: open: a pod with app=model to the API server"]),
        (
            "wrong/others_stay_out--nothing-by-default",
            ["others_stay_out: open: a pod with role=client to port PORT of a pod with role=loader, by TCP"],
        ),
        (
            "wrong/others_stay_out--whoever-has-an-app",
            ["others_stay_out: open: a pod with role=client to port PORT of a pod with role=loader, by TCP"],
        ),
        (
            "wrong/others_stay_out--a-rule-without-ports",
            ["others_stay_out: open: a pod with app=features to port 9100 of store"],
        ),
        (
            "wrong/the_rest_goes_on--the-store-asks-nobody",
            ["the_rest_goes_on: closed: a pod of store to one that lets in all, by TCP"],
        ),
        (
            "wrong/others_stay_out--monitors-of-any-namespace",
            [
                "others_stay_out: open: a pod of another namespace, with app=monitor and role=client, to port 9100 of "
                "gateway"
            ],
        ),
        (
            "wrong/others_stay_out--a-port-of-all-pods",
            ["others_stay_out: open: a pod with app=features to port 7000 of a pod with role=client, by TCP"],
        ),
        (
            "wrong/others_stay_out--in-by-the-services-port-as-well",
            ["others_stay_out: open: a pod with app=features to port 80 of a pod with app=store, by TCP"],
        ),
        (
            "wrong/others_stay_out--out-to-the-services-port-as-well",
            [
                "others_stay_out: open: a pod with app=model to port 80 of a new pod with app=features that lets in "
                "all, by TCP"
            ],
        ),
        (
            "wrong/others_stay_out--a-range-of-ports",
            ["others_stay_out: open: a pod with role=client to port 8081 of a pod with app=gateway, by TCP"],
        ),
        (
            "wrong/others_stay_out--a-port-for-later",
            ["others_stay_out: open: a pod with role=client to port 8443 of a pod with app=gateway, by TCP"],
        ),
        (
            "wrong/others_stay_out--from-the-nodes",
            ["others_stay_out: NetworkPolicy from-the-nodes lets in whoever has an address of 172.16.0.0/12"],
        ),
        (
            "wrong/others_stay_out--a-label-that-is-on-no-list",
            ["others_stay_out: NetworkPolicy store lets in pods with team=curious"],
        ),
        (
            "wrong/others_stay_out--displays-as-clients",
            ["others_stay_out: NetworkPolicy gateway lets in pods with role=display"],
        ),
        (
            "wrong/others_stay_out--out-to-a-cache",
            ["others_stay_out: NetworkPolicy model-out lets the model out to pods with app=cache"],
        ),
        (
            "wrong/others_stay_out--one-namespace-more",
            ["others_stay_out: NetworkPolicy metrics-for-monitoring lets in pods of another namespace"],
        ),
        (
            "wrong/others_stay_out--out-of-the-cluster",
            ["others_stay_out: NetworkPolicy model-out lets the model out to whoever has an address of 0.0.0.0/0"],
        ),
        (
            "wrong/others_stay_out--metrics-of-all-pods",
            ["others_stay_out: open: a pod with app=monitor to port 9100 of a pod with role=client, by TCP"],
        ),
        (
            "wrong/others_stay_out--answers-of-the-store",
            ["others_stay_out: open: a pod with app=store to port 8080 of features"],
        ),
        (
            "wrong/others_stay_out--answers-of-the-model",
            ["others_stay_out: open: a pod with app=model that is let out to all to port 8080 of gateway"],
        ),
        (
            "wrong/others_stay_out--a-release-asks-whom-it-likes",
            ["others_stay_out: open: a pod of model to the API server"],
        ),
        (
            "wrong/others_stay_out--a-release-is-let-into-the-store",
            ["others_stay_out: open: a pod with app=model that is let out to all to port 7000 of store"],
        ),
        (
            "wrong/others_stay_out--out-to-the-store",
            [
                "others_stay_out: open: a pod with app=model to port 7000 of a new pod with app=store and role=loader "
                "that lets in all, by TCP"
            ],
        ),
        (
            "wrong/others_stay_out--answers-of-the-dns",
            [
                "others_stay_out: open: a pod of namespace kube-system, with k8s-app=kube-dns and app=monitor and "
                "role=client, to port 53 of a pod with role=client, by TCP"
            ],
        ),
        (
            "wrong/others_stay_out--the-namespace-of-the-dns",
            [
                "others_stay_out: open: a pod of namespace kube-system, with k8s-app=kube-dns and app=monitor and "
                "role=client, to port 8080 of model"
            ],
        ),
        (
            "wrong/others_stay_out--the-features-on-all-ports",
            [
                "others_stay_out: open: a pod with app=model to port PORT of a new pod with app=features that lets in "
                "all, by TCP"
            ],
        ),
        (
            "wrong/others_stay_out--the-features-of-any-namespace",
            ["others_stay_out: open: a pod with app=model to a pod with app=features of another namespace"],
        ),
        (
            "wrong/the_rest_goes_on--both-ports-to-one",
            ["the_rest_goes_on: closed: a pod with app=monitor to port 9100 of Service features"],
        ),
        (
            "wrong/others_stay_out--names-by-udp-from-anybody",
            ["others_stay_out: open: a pod with app=model to port 53 of a pod that is not the DNS, by UDP"],
        ),
        (
            "wrong/others_stay_out--udp-is-let-in",
            ["others_stay_out: open: a pod with role=client to port 8080 of a pod with role=loader, by UDP"],
        ),
        (
            "wrong/others_stay_out--who-only-asks-lets-in-all",
            ["others_stay_out: open: a pod with role=client to port PORT of a pod with role=loader, by TCP"],
        ),
        (
            "wrong/the_rest_goes_on--let-out-to-pods-alone",
            ["the_rest_goes_on: closed: a pod of other labels to the API server"],
        ),
        (
            "wrong/the_rest_goes_on--let-out-by-tcp-alone",
            ["the_rest_goes_on: closed: a pod of other labels to one that lets in all, by UDP"],
        ),
    ],
)  # fmt: skip
def test_the_checks_say_which_way_is_wrong(
    lab21: Any, monkeypatch: pytest.MonkeyPatch, variant: str, said: list[str]
) -> None:
    (one,) = [each for each in (*solutions(LAB), *wrongs(LAB)) if f"{each.kind}/{each.name}" == variant]
    space = Space(World(lab21, one))
    port = str(space.world.who.port)
    assert asked(lab21, monkeypatch, space) == [each.replace("PORT", port) for each in said]
    assert not space.made


def test_a_pod_of_another_namespace_and_an_empty_house_are_seen(lab21: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(lab21, solutions(LAB)[0])
    (said,) = asked(lab21, monkeypatch, Space(world), status=403)
    assert said.startswith("others_stay_out: open: Service gateway, Service model")
    (said,) = asked(lab21, monkeypatch, Space(world, dead="tcp:10.0.0.4:9100"))
    assert said == "others_stay_out: nobody listens on port 9100 of store"


def test_where_the_namespace_of_the_dns_takes_no_pods_the_others_ask(
    lab21: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = [each for each in wrongs(LAB) if each.name == "others_stay_out--answers-of-the-dns"]
    world = World(lab21, one)
    space = Space(world, full=world.who.dns.name)
    said = "others_stay_out: NetworkPolicy answers lets in pods of another namespace"  # by its text alone
    assert asked(lab21, monkeypatch, space) == [said] and not space.made


def test_a_listener_that_does_not_listen_is_nobodys_failure(lab21: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space(World(lab21, solutions(LAB)[0]))
    monkeypatch.setattr(space, "gives", lambda pod, target: "")
    with pytest.raises(LabError, match="did not begin to listen"):
        asked(lab21, monkeypatch, space)
