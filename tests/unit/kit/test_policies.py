"""What NetworkPolicies let through, worked out from what they say."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_lab.kit.policies import flows

SPACES: dict[str, Any] = {"here": {}, "kube-system": {}, "other": {"team": "red"}}
PODS = [{"app": "a"}, {"app": "b"}, {}]
SHUT: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def pods(app: str) -> Any:
    return {"podSelector": {"matchLabels": {"app": app}}}


def opened(*specs: Any) -> list[str]:
    return [str(each) for each in flows(specs, "here", spaces=SPACES, labels=PODS, ports=[80])]


def to_all(**rule: Any) -> Any:
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}


def from_all(**rule: Any) -> Any:
    return {"podSelector": {}, "ingress": [rule]}


def test_what_no_policy_selects_is_open_and_what_one_selects_is_shut() -> None:
    assert "a pod of here with app=a to port 80 of a pod of here with app=b, by UDP" in opened()
    assert opened(SHUT) == []
    only_in = opened({"podSelector": {}})
    assert only_in and not any("of a pod of here" in each for each in only_in)
    assert all("port 53 of" in each for each in opened(SHUT, to_all(ports=[{"port": 53, "protocol": "UDP"}])))


def test_between_two_pods_a_way_needs_both_ends() -> None:
    out = {**pods("a"), "policyTypes": ["Egress"], "egress": [{"to": [pods("b")], "ports": [{"port": 80}]}]}
    into = {**pods("b"), "ingress": [{"from": [pods("a")], "ports": [{"port": 80}]}]}
    assert opened(SHUT, out) == opened(SHUT, into) == []
    assert opened(SHUT, out, into) == ["a pod of here with app=a to port 80 of a pod of here with app=b, by TCP"]


@pytest.mark.parametrize(
    ("ports", "ways"),
    [
        ([{"port": 80}], {("TCP", 80)}),
        ([{"port": 80, "endPort": 82}], {("TCP", 80), ("TCP", 81), ("TCP", 82)}),
        ([{"port": 80, "protocol": "UDP"}], {("UDP", 80)}),
        ([{"port": "dns", "protocol": "UDP"}], {("UDP", "dns")}),
        ([{"protocol": "SCTP"}], {("SCTP", 80), ("SCTP", 81)}),
        ([], {(protocol, port) for protocol in ("TCP", "UDP", "SCTP") for port in (80, 81)}),
    ],
)
def test_which_ports_a_rule_is_about(ports: Any, ways: Any) -> None:
    rule = {"to": [{"namespaceSelector": {"matchLabels": {"team": "red"}}}], "ports": ports}
    found = flows([SHUT, to_all(**rule)], "here", spaces=SPACES, labels=PODS, ports=[80])
    assert {(each.protocol, each.port) for each in found} == ways


@pytest.mark.parametrize(
    ("peer", "whom"),
    [
        ({"podSelector": {}}, set()),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, {"other"}),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "later"}}}, {"later"}),
        ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, set()),
        ({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}, {"other"}),
        ({"namespaceSelector": {}}, {"kube-system", "other", "one-more-namespace"}),
        ({"ipBlock": {"cidr": "10.96.0.10/32"}}, {"10.96.0.10"}),
        ({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9", "10.255.0.0/16"]}},
         {"10.128.0.0", "10.254.255.255"}),
        ({"ipBlock": {"cidr": "fd00::/64"}}, {"fd00::", "fd00::ffff:ffff:ffff:ffff"}),
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"0.0.0.0", "255.255.255.255", "203.0.113.1"}),
    ],
)  # fmt: skip
def test_whom_an_item_of_a_rule_names(peer: Any, whom: set[str]) -> None:
    out = flows([SHUT, to_all(to=[peer])], "here", spaces=SPACES, labels=PODS, ports=[80])
    assert {each.asked.address or each.asked.namespace for each in out} == whom
    into = flows([SHUT, from_all(**{"from": [peer]})], "here", spaces=SPACES, labels=PODS, ports=[80])
    assert {each.asks.address or each.asks.namespace for each in into} == whom


def test_labels_that_policies_name_are_tried_alone_and_beside_those_of_pods() -> None:
    seen = {"podSelector": {"matchExpressions": [{"key": "sees", "operator": "In", "values": ["one", "two"]}]}}
    out = flows([SHUT, {**seen, "policyTypes": ["Egress"], "egress": [{}]}], "here", spaces={}, labels=PODS, ports=[80])
    asks = [each.asks.labels for each in out if each.asked.address]
    assert {"sees": "one"} in asks and {"app": "a", "sees": "two"} in asks and {"app": "a"} not in asks
