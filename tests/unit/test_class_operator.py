"""The class's operator: what one turn makes of a roster and requests, of drift, and of what is somebody else's."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator import accounts, names, spaces, walls
from mlops_lab.classroom.operator import requests as asked
from mlops_lab.classroom.operator.reconcile import Reconciler
from mlops_lab.classroom.operator.requests import Kit, Lab, State
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.classroom.roster import Learner
from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused
from tests.unit.cluster_in_memory import ClusterInMemory, Object

NS, ACCOUNTS, SPACE = "mlops-lab-class", "mlops-lab-class-accounts", "l-ada-lab-04"
SETTINGS = Settings(
    namespace=NS, registry="registry.test", address="https://cluster.test:6443",
    quota={"pods": "20", "requests.cpu": "2", "limits.memory": "6Gi"}, requests={"cpu": "10m", "memory": "32Mi"},
    limits={"memory": "512Mi"}, dns={"k8s-app": "kube-dns"}, keep_hours=24,
)  # fmt: skip
ADA, BOB = Learner("ada"), Learner("bob", ends=date(2026, 6, 30))
BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class World:
    """A reconciler over a cluster in memory; what it has seen is what there is, unless a test says otherwise."""

    kube: ClusterInMemory
    seen: Seen
    reconciler: Reconciler
    now: datetime = BEGIN
    seeded: list[str] = field(default_factory=list)
    issued: list[int] = field(default_factory=list)

    def ask(self, learner: str, **changes: Lab | Kit | None) -> None:
        wanted = {key.replace("_", "-"): value for key, value in changes.items()}
        asked.ask(cast(Kube, self.kube), NS, learner, wanted)
        self.kube.writes.clear()

    def turn(self, learner: str = "ada") -> list[str]:
        """One turn; what was written in it."""
        self.kube.writes.clear()
        self.reconciler.turn(learner)
        return list(self.kube.writes)

    def states(self, learner: str = "ada") -> dict[str, State]:
        return asked.states(self.kube.find("ConfigMap", f"learner-{learner}", NS))

    def enrol(self, *learners: Learner) -> None:
        self.reconciler.roster = {each.id: each for each in learners}


def world_of(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    kube, seen = ClusterInMemory(), Seen()
    kube.told.append(seen.take)
    reconciler = Reconciler(
        cast(Kube, kube), settings, seen, lambda *_: None, lambda: [("10.0.0.1", 6443)], lambda: "CA"
    )
    world = World(kube, seen, reconciler)
    reconciler.now = lambda: world.now

    def seed(exercise: Any, space: str) -> None:
        there = kube.get("Namespace", space)
        if not names.annotation(there, names.SEEDED):
            world.seeded.append(space)
            there["metadata"]["annotations"][names.SEEDED] = "now"
            kube.put(there)

    def issue(_: Kube, account: str, namespace: str, seconds: int, bound: Object) -> tokens.Token:
        assert kube.find("ServiceAccount", account, namespace) and bound["metadata"]["uid"]
        world.issued.append(seconds)
        ends = (world.now + timedelta(seconds=seconds)).isoformat()
        return tokens.Token(f"token-{len(world.issued)}", ends)

    reconciler.seed = seed
    monkeypatch.setattr(tokens, "issue", issue)
    world.enrol(ADA, BOB)
    reconciler.base()
    return world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(SETTINGS, monkeypatch)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(spaces, "_HEARD_WITHIN", 0.05)
    monkeypatch.setattr(spaces, "_AGAIN", 0.001)
    yield


def test_a_lab_that_is_begun_gets_its_walls_before_its_learner(world: World) -> None:
    world.ask("ada", lab_04=Lab(draw="7"))
    writes = world.turn()
    space = world.kube.get("Namespace", SPACE)["metadata"]
    assert space["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (space["labels"]["mlops-lab/learner"], space["annotations"]["mlops-lab/draw"]) == ("ada", "7")
    made = [each for each in writes if SPACE in each]
    assert made[0] == f"create Namespace {SPACE}"
    assert made[1] == f"apply RoleBinding class-operator in {SPACE}", "the operator has no right in it before"
    assert made[-1] == f"apply RoleBinding class-learner in {SPACE}", "the learner is in before the walls stand"
    assert len(made) == 7 and world.seeded == [SPACE]
    (subject,) = world.kube.get("RoleBinding", "class-learner", SPACE)["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "learner-ada", "namespace": ACCOUNTS}
    assert world.kube.named("ServiceAccount", ACCOUNTS) == ["learner-ada"]
    assert world.states()["lab-04"].state == "ready" and world.states()["lab-04"].seconds is not None


def test_a_lab_that_is_ended_and_begun_before_the_operator_looks_is_made_anew(world: World) -> None:
    world.ask("ada", lab_04=Lab(2))
    world.turn()
    old = world.kube.get("Namespace", SPACE)["metadata"]["uid"]
    for what in ("end", "begin"):
        wanted = asked.read(world.kube.get("ConfigMap", "learner-ada", NS))
        world.ask("ada", lab_04=getattr(wanted, what)("04"))
    world.turn()
    world.turn()
    space = world.kube.get("Namespace", SPACE)["metadata"]
    assert (space["annotations"][names.ROUND], space["uid"] != old) == ("3", True)
    world.ask("ada", lab_04=Lab(3, ended=True))
    world.turn()
    assert not world.kube.find("Namespace", SPACE) and "lab-04" not in world.states()


def test_what_is_as_it_should_be_is_not_written(world: World) -> None:
    world.ask("ada", lab_04=Lab(), lab_10=Lab(), kit=Kit())
    world.turn()
    world.turn()
    assert world.turn() == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("NetworkPolicy", "class-deny"), ("NetworkPolicy", "class-allow"), ("ResourceQuota", "class"),
        ("LimitRange", "class"), ("RoleBinding", "class-operator"), ("RoleBinding", "class-learner"),
    ],
)  # fmt: skip
def test_what_somebody_takes_away_or_changes_is_put_back(kind: str, name: str, world: World) -> None:
    world.ask("ada", lab_04=Lab())
    world.turn()
    right = world.kube.get(kind, name, SPACE)
    world.kube.take_away(kind, name, SPACE)
    world.turn()
    assert same(world.kube.get(kind, name, SPACE), right)
    changed = world.kube.get(kind, name, SPACE)
    changed["metadata"]["labels"] = {"app": "mine"}
    if kind == "RoleBinding":
        changed["roleRef"]["name"], changed["subjects"] = "cluster-admin", [{"kind": "Group", "name": "everybody"}]
    else:
        changed["spec"] = {**right["spec"], "more": [{"cidr": "0.0.0.0/0"}], next(iter(right["spec"])): {}}
    world.kube.put(changed)
    world.turn()
    now = world.kube.get(kind, name, SPACE)
    assert now["metadata"]["labels"].pop("app", "mine") == "mine"
    assert same(now, right)
    assert world.turn() == []


def test_a_namespaces_level_is_put_back_and_labels_of_others_stay(world: World) -> None:
    world.ask("ada", lab_04=Lab())
    world.turn()
    level = {"pod-security.kubernetes.io/enforce": "privileged", "cost-centre": "7"}
    world.kube.patch("Namespace", SPACE, {"metadata": {"labels": level}})
    world.turn()
    labels = world.kube.get("Namespace", SPACE)["metadata"]["labels"]
    assert (labels["pod-security.kubernetes.io/enforce"], labels["cost-centre"]) == ("restricted", "7")


def same(one: Object, other: Object) -> bool:
    def plain(item: Object) -> Object:
        meta = {key: item["metadata"].get(key) for key in ("name", "namespace", "labels")}
        return {**item, "metadata": meta}

    return plain(one) == plain(other)


# Others


def test_a_namespace_of_somebody_else_is_left_alone(world: World) -> None:
    meta = {"name": SPACE, "labels": {"team": "ops"}, "annotations": {names.ROUND: "1"}}
    world.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    world.ask("ada", lab_04=Lab())
    writes = world.turn()
    assert not [each for each in writes if SPACE in each]
    assert world.states()["lab-04"].state == "refused" and "not this class's" in world.states()["lab-04"].why
    world.ask("ada", lab_04=None)
    assert not [each for each in world.turn() if SPACE in each]
    other = spaces.Spaces(cast(Kube, world.kube), SETTINGS, world.seen)
    with pytest.raises(spaces.Foreign):
        other.remove(SPACE)


def test_another_classs_accounts_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = ClusterInMemory()
    labels = names.labels("another-class")
    kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCOUNTS, "labels": labels}})
    reconciler = Reconciler(cast(Kube, kube), SETTINGS, Seen(), lambda *_: None, lambda: (), lambda: "")
    with pytest.raises(spaces.Foreign):
        reconciler.base()
    assert kube.writes == []


# The roster


def test_without_a_roster_nothing_is_done(world: World) -> None:
    world.ask("ada", lab_04=Lab())
    world.turn()
    world.reconciler.roster = None
    world.kube.take_away("NetworkPolicy", "class-deny", SPACE)
    assert world.turn() == []


@pytest.mark.parametrize("how", ["the last day is over", "no longer on the roster"])
def test_who_takes_part_no_longer_is_shut_out_at_once_and_the_namespace_goes_later(how: str, world: World) -> None:
    space = "l-bob-lab-04"
    world.ask("bob", lab_04=Lab(), kit=Kit())
    world.turn("bob")
    world.turn("bob")
    assert world.states("bob")["kit"].state == "ready"
    world.now = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
    assert world.turn("bob") == [] or world.states("bob")["lab-04"].state == "ready", "the last day is a whole one"
    if how == "the last day is over":
        world.now = datetime(2026, 7, 1, 0, 1, tzinfo=UTC)
    else:
        world.enrol(ADA)
    world.turn("bob")
    assert world.kube.named("ServiceAccount", ACCOUNTS) == [] and world.kube.named("Secret", ACCOUNTS) == []
    assert world.kube.named("RoleBinding", space) == ["class-operator"]
    state = world.states("bob")["lab-04"]
    assert state.state == "over" and (world.now + timedelta(hours=24)).isoformat(timespec="seconds") in state.why
    assert world.turn("bob") == []
    world.now += timedelta(hours=23)
    world.turn("bob")
    assert space in world.kube.named("Namespace")
    world.now += timedelta(hours=2)
    world.turn("bob")
    assert space not in world.kube.named("Namespace")


def test_a_later_end_opens_again(world: World) -> None:
    world.ask("bob", lab_04=Lab())
    world.turn("bob")
    world.now = datetime(2026, 7, 1, 1, tzinfo=UTC)
    world.turn("bob")
    world.enrol(Learner("bob", ends=date(2026, 7, 31)))
    world.turn("bob")
    space = world.kube.get("Namespace", "l-bob-lab-04")
    assert world.states("bob")["lab-04"].state == "ready" and not names.annotation(space, names.ENDED)
    assert world.kube.named("RoleBinding", "l-bob-lab-04") == ["class-learner", "class-operator"]
    assert world.kube.named("ServiceAccount", ACCOUNTS) == ["learner-bob"]


# Beginnings


def test_another_round_is_another_namespace_once_the_first_has_gone(world: World) -> None:
    world.ask("ada", lab_04=Lab(1))
    world.turn()
    first = world.kube.get("Namespace", SPACE)["metadata"]["uid"]
    world.kube.waits_for_pods = True
    world.ask("ada", lab_04=Lab(2))
    assert f"delete Namespace {SPACE}" in world.turn() and world.states()["lab-04"].state == "going"
    assert world.turn() == [], "it is going already"
    world.kube.finish()
    world.turn()
    assert world.kube.get("Namespace", SPACE)["metadata"]["uid"] != first
    assert world.states()["lab-04"].state == "ready"


def test_what_was_seen_may_be_old_and_the_new_beginning_stays(world: World) -> None:
    world.ask("ada", lab_04=Lab(1))
    world.turn()
    old = world.kube.get("Namespace", SPACE)
    world.ask("ada", lab_04=Lab(2))
    world.turn()
    world.turn()
    new = world.kube.get("Namespace", SPACE)["metadata"]["uid"]
    world.seen.take("MODIFIED", old)
    world.turn()
    assert world.kube.get("Namespace", SPACE)["metadata"]["uid"] == new


def test_a_lab_that_is_no_longer_asked_for_goes_and_without_anybody_who_asks_all_stays(world: World) -> None:
    world.ask("ada", lab_04=Lab(), lab_10=Lab())
    world.turn()
    world.ask("ada", lab_04=None)
    world.turn()
    assert [each for each in world.kube.named("Namespace") if each.startswith("l-")] == ["l-ada-lab-10"]
    world.kube.take_away("ConfigMap", "learner-ada", NS)
    world.turn()
    assert "l-ada-lab-10" in world.kube.named("Namespace")


def test_what_can_not_be_read_is_told_and_takes_nothing_away(world: World) -> None:
    world.ask("ada", lab_04=Lab())
    world.turn()
    world.kube.patch("ConfigMap", "learner-ada", {"data": {"lab-04": '{"round": "two"}'}}, NS)
    world.turn()
    assert SPACE in world.kube.named("Namespace") and world.states()["lab-04"].state == "refused"


def test_a_learner_has_so_many_labs_at_a_time_and_keeps_those_that_there_are(world: World) -> None:
    world.ask("ada", lab_10=Lab(), lab_12=Lab())
    world.turn()
    world.ask("ada", lab_04=Lab())
    world.turn()
    assert {key: each.state for key, each in world.states().items()} == {
        "lab-04": "refused", "lab-10": "ready", "lab-12": "ready",
    }  # fmt: skip
    world.ask("ada", lab_10=None)
    world.turn()
    world.turn()
    assert world.states()["lab-04"].state == "ready"


@pytest.mark.parametrize(
    ("lab", "why"),
    [
        ("77", "no such lab"), ("13", "a cluster of your own"), ("01", "needs tracking"),
        ("26", "needs tracking and pipelines"),
    ],
)  # fmt: skip
def test_a_lab_that_can_not_be_had_here_is_refused(lab: str, why: str, world: World) -> None:
    world.ask("ada", **{f"lab_{lab}": Lab()})
    writes = world.turn()
    assert why in world.states()[f"lab-{lab}"].why and world.states()[f"lab-{lab}"].state == "refused"
    assert not [each for each in writes if "Namespace" in each]


def test_a_shared_part_is_let_through_and_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    world = world_of(replace(SETTINGS, shared_parts=["tracking"]), monkeypatch)
    world.ask("ada", lab_01=Lab())
    world.turn()
    assert world.states()["lab-01"].state == "trouble" and "tracking" in world.states()["lab-01"].why
    world.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlops-lab-tracking"}})
    world.turn()
    assert world.states()["lab-01"].state == "ready"
    labels = world.kube.get("Namespace", "l-ada-lab-01")["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "mlops-lab", "MLflow's own policy lets these in"
    policy = world.kube.get("NetworkPolicy", "class-allow", "l-ada-lab-01")["spec"]
    assert "mlops-lab-tracking" in str(policy["egress"]) and "mlops-lab-monitoring" not in str(policy)


# Kits


def kit_of(world: World) -> str:
    text = accounts.kubeconfig(cast(Kube, world.kube), NS, "ada")
    return str(yaml.safe_load(text)["users"][0]["user"]["token"]) if text else ""


def test_a_kit_is_made_once_and_another_round_revokes_it(world: World) -> None:
    world.ask("ada", lab_04=Lab(), kit=Kit(hours=2))
    world.turn()
    world.turn()
    assert world.issued == [7200] and kit_of(world) == "token-1"
    first = world.kube.get("Secret", "kit-ada", ACCOUNTS)["metadata"]["uid"]
    made = yaml.safe_load(accounts.kubeconfig(cast(Kube, world.kube), NS, "ada"))
    assert made["contexts"][0]["context"]["namespace"] == SPACE
    assert made["clusters"][0]["cluster"] == {
        "server": "https://cluster.test:6443", "certificate-authority-data": base64.b64encode(b"CA").decode(),
    }  # fmt: skip
    world.ask("ada", kit=Kit(round=2, hours=1000))
    world.turn()
    assert world.issued == [7200, 12 * 3600], "no longer than the class's limit"
    assert world.kube.get("Secret", "kit-ada", ACCOUNTS)["metadata"]["uid"] != first, "its token goes with it"


def test_a_kit_that_is_half_made_is_made_anew(world: World) -> None:
    world.ask("ada", kit=Kit())
    world.kube.refuses = lambda write: 500 if write.startswith("patch Secret") else 0
    with pytest.raises(LabError):
        world.turn()
    assert kit_of(world) == ""
    world.kube.refuses = lambda write: 0
    world.turn()
    assert kit_of(world) == "token-2"


def test_what_was_seen_of_a_kit_may_be_old_and_it_is_not_revoked_for_that(world: World) -> None:
    world.ask("ada", kit=Kit())
    world.turn()
    half = world.kube.get("Secret", "kit-ada", ACCOUNTS)
    half["metadata"]["annotations"].pop(names.ENDS)
    world.seen.take("MODIFIED", half)
    world.turn()
    assert len(world.issued) == 1


def test_a_kit_that_has_ended_says_so_and_no_other_is_made_unasked(world: World) -> None:
    world.ask("ada", kit=Kit(hours=1))
    world.turn()
    world.now += timedelta(hours=2)
    world.turn()
    assert world.states()["kit"].state == "over" and len(world.issued) == 1


# Trouble


def test_a_right_that_was_just_bound_is_waited_for(world: World) -> None:
    left = [3]

    def refuses(write: str) -> int:
        if "NetworkPolicy" in write and left[0]:
            left[0] -= 1
            return 403
        return 0

    world.kube.refuses = refuses
    world.ask("ada", lab_04=Lab())
    world.turn()
    assert world.states()["lab-04"].state == "ready" and left == [0]


@pytest.mark.parametrize("status", [403, 422])
def test_what_the_api_server_refuses_is_told_and_tried_again(status: int, world: World) -> None:
    world.kube.refuses = lambda write: status if "ResourceQuota" in write else 0
    world.ask("ada", lab_04=Lab(), lab_10=Lab())
    assert world.reconciler.turn("ada") is False
    assert world.states()["lab-04"].state == "trouble" and "ResourceQuota" in world.states()["lab-04"].why
    assert not world.seeded and world.kube.named("RoleBinding", SPACE) == ["class-operator"], "nobody is let in"
    world.kube.refuses = lambda write: 0
    assert world.reconciler.turn("ada") is True


def test_a_turn_that_is_cut_off_anywhere_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = world_of(SETTINGS, monkeypatch)
    whole.ask("ada", lab_04=Lab(), kit=Kit())
    steps = whole.turn()
    for cut in range(len(steps)):
        world = world_of(SETTINGS, monkeypatch)
        world.ask("ada", lab_04=Lab(), kit=Kit())
        count = [0]

        def stops(write: str, cut: int = cut, count: list[int] = count) -> int:
            count[0] += 1
            if count[0] > cut:
                raise KeyboardInterrupt  # killed here
            return 0

        world.kube.refuses = stops
        with pytest.raises(KeyboardInterrupt):
            world.turn()
        if world.kube.find("RoleBinding", walls.ENTRY, SPACE):
            assert world.kube.named("NetworkPolicy", SPACE) == ["class-allow", "class-deny"]
        world.kube.refuses = lambda write: 0
        fresh = Seen()
        for item in world.kube.items.values():
            fresh.take("ADDED", item)
        world.kube.told[:] = [fresh.take]
        world.seen = fresh
        world.reconciler = Reconciler(
            cast(Kube, world.kube), SETTINGS, fresh, world.reconciler.seed, lambda: (), lambda: "CA",
            world.reconciler.roster, world.reconciler.now,
        )  # fmt: skip
        world.turn()
        assert {key: each.state for key, each in world.states().items()}.get("lab-04") == "ready", steps[cut]
        assert kit_of(world) and sorted(world.kube.named("RoleBinding", SPACE)) == ["class-learner", "class-operator"]


def test_refusals_other_than_of_rights_are_not_waited_for() -> None:
    calls = [0]

    def call() -> None:
        calls[0] += 1
        raise Refused("no", "why", 422)

    with pytest.raises(Refused):
        spaces.Spaces.heard(call)
    assert calls == [1]
