"""What the class's operator stands on: its queue, its comparison, walls, the table of labs, kits; and all of it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.classroom import gradable
from mlops_lab.classroom import kit as kits
from mlops_lab.classroom.operator import names, queue, seeding, settings, spaces, walls
from mlops_lab.classroom.operator import operator as operators
from mlops_lab.classroom.operator import requests as asked
from mlops_lab.classroom.operator.differences import patch
from mlops_lab.classroom.operator.requests import Kit, Lab, State
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.kube.client import Kube
from mlops_lab.labs.catalog import about, exercises
from tests.unit.cluster_in_memory import ClusterInMemory, Object, merged, until
from tests.unit.test_class_operator import NS, SETTINGS, SPACE

# The queue


class Clock:
    """A time that a test moves on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_new_comes_before_what_is_looked_at_again_and_nobody_waits_twice() -> None:
    turns = queue.Turns()
    for name in ("ann", "bob", "ann"):
        turns.add(name, queue.AGAIN)
    turns.add("cyd")
    turns.add("bob")
    assert [turns.take() for _ in range(3)] == ["cyd", "bob", "ann"]


def test_a_learner_has_one_turn_at_a_time_and_another_for_what_came_meanwhile() -> None:
    turns = queue.Turns()
    turns.add("ann")
    assert turns.take() == "ann"
    turns.add("ann")
    turns.add("bob", queue.AGAIN)
    assert turns.take() == "bob", "ann has a turn already"
    turns.done("ann")
    assert turns.take() == "ann"


def test_what_fails_waits_longer_each_time_and_a_success_forgets_it() -> None:
    clock = Clock()
    turns = queue.Turns(clock)
    waits = []
    turns.add("ann")
    for _ in range(1100):  # 18 hours of it
        assert turns.take() == "ann"
        turns.done("ann", failed=True)
        wait = turns._later[0][0] - clock.now
        waits.append(wait)
        clock.now += wait
    assert waits[:4] == [0.5, 1, 2, 4] and waits[-1] == 60
    assert turns.take() == "ann"
    turns.done("ann")
    turns.add("ann")
    assert turns.take() == "ann"
    turns.done("ann", failed=True)
    assert turns._later[0][0] - clock.now == 0.5


def test_what_goes_on_failing_is_tried_as_often_however_many_turns_it_gets() -> None:
    clock = Clock()
    turns = queue.Turns(clock)

    def tries(seconds: int, every: int) -> int:
        """Turns in that time, when each `every` seconds one is given."""
        count = 0
        for second in range(seconds):
            clock.now += 1
            if second % every == 0:
                turns.add("ann")
            turns.after(0, "bob")  # so that nobody waits
            while (name := turns.take()) != "bob":
                count += 1
                turns.done(name or "", failed=True)
            turns.done("bob")
        return count

    tries(6 * 3600, 300)
    assert tries(3600, 300) <= 3600 / 60 + 3600 / 300
    assert len(turns._later) < 3 and len(turns._replaced) < 3


def test_the_slowest_turn_is_known_and_a_closed_queue_sends_home() -> None:
    clock = Clock()
    turns = queue.Turns(clock)
    turns.add("ann")
    turns.take()
    clock.now = 90
    assert turns.longest() == 90
    waiting = threading.Thread(target=turns.take, daemon=True)
    waiting.start()
    turns.close()
    waiting.join(5)
    assert not waiting.is_alive()


# What is seen


def test_what_a_watch_tells_while_a_list_is_on_its_way_is_newer_than_the_list() -> None:
    def item(name: str, version: int) -> Object:
        return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": NS, "resourceVersion": str(version)}}

    found, told = Seen(), [("MODIFIED", item("changed", 5)), ("ADDED", item("new", 6)), ("DELETED", item("gone", 7))]
    listed = [item(name, version) for name, version in (("changed", 1), ("gone", 2), ("other", 3))]
    found.replace("ConfigMap", lambda: [*listed, item("lost", 4)])

    def asked() -> list[Object]:
        for event, each in told:
            found.take(event, each)
        return listed

    assert [each["metadata"]["name"] for each in found.replace("ConfigMap", asked)] == ["lost"]
    there = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in found.of("ConfigMap")}
    assert there == {"changed": "5", "new": "6", "other": "3"}
    with pytest.raises(LabError):
        found.replace("ConfigMap", fails)
    assert found.replace("ConfigMap", lambda: [item("other", 3)]), "and the next list counts as a whole"
    assert [each["metadata"]["name"] for each in found.of("ConfigMap")] == ["other"]


def fails() -> list[Object]:
    raise LabError("the API server does not answer", "try again")


# The comparison


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ({"hard": {"pods": "20"}}, {"hard": {"pods": "21"}}),
        ({"hard": {"pods": "20", "more": "1"}}, {"hard": {"pods": "20"}}),
        ({"ingress": [{}]}, {"ingress": [{"from": [{"podSelector": {}}]}]}),
        ({"podSelector": {}, "egress": [{}]}, {"podSelector": {}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}),
    ],
    ids=str,
)
def test_a_difference_is_patched_away_whatever_was_added(there: Object, wanted: Object) -> None:
    item = {"kind": "X", "metadata": {"name": "x"}, "spec": there}
    change = patch(item, {"kind": "X", "metadata": {"name": "x"}, "spec": wanted})
    assert change and merged(item, change)["spec"] == wanted


def test_the_same_amount_in_other_words_is_no_difference() -> None:
    one, other = ({"metadata": {}, "spec": {"hard": {"memory": each}}} for each in ("1024Mi", "1Gi"))
    assert patch(one, other) is None
    assert patch(one, {"metadata": {}, "spec": {"hard": {"memory": "2Gi"}}}) == {"spec": {"hard": {"memory": "2Gi"}}}


# Walls


def policies(lab: str, needs: tuple[str, ...] = (), **more: Any) -> dict[str, Object]:
    grading = replace(gradable.table()[lab], **more)
    found = walls.walls(SETTINGS, "ada", lab, grading, needs, [("10.0.0.1", 6443), ("fd00::1", 6443)])
    return {item["metadata"]["name"]: item["spec"] for item in found if item["kind"] == "NetworkPolicy"}


def bounds(lab: str) -> dict[str, Object]:
    found = walls.walls(SETTINGS, "ada", lab, gradable.table()[lab], (), ())
    return {item["kind"]: item["spec"] for item in found if item["kind"] != "NetworkPolicy"}


def test_everything_is_shut_both_ways_and_only_named_places_are_open() -> None:
    found = policies("04")
    assert found["class-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allow = found["class-allow"]
    peers = [peer for rule in allow["ingress"] for peer in rule["from"]]
    assert peers == [
        {"podSelector": {}},
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mlops-lab-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "load"}},
        },
    ]
    own, dns = allow["egress"]
    assert own == {"to": [{"podSelector": {}}]}
    assert {(each["protocol"], each["port"]) for each in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert dns["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    assert all(rule.get("from") or rule.get("to") for rule in (*allow["ingress"], *allow["egress"])), "one for all"


def test_what_a_lab_needs_is_open_and_nothing_that_it_does_not_need() -> None:
    assert "mlops-lab-monitoring" in str(policies("15", ("cluster", "monitoring"))["class-allow"]["ingress"])
    assert "mlops-lab-monitoring" not in str(policies("15", ("cluster", "monitoring"))["class-allow"]["egress"])
    assert "mlops-lab-tracking" not in str(policies("01", ("cluster", "tracking"))), "learners don't share it"
    blocks = [
        (peer["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in policies("17")["class-allow"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert blocks == [("10.0.0.1/32", 6443), ("fd00::1/128", 6443)]
    assert "ipBlock" not in str(policies("04"))


def test_bounds_leave_out_what_would_answer_for_the_learner() -> None:
    never = {"services.nodeports": "0", "services.loadbalancers": "0"}
    never |= walls._COUNTS
    assert bounds("04")["ResourceQuota"]["hard"] == SETTINGS.quota | never
    (limit,) = bounds("04")["LimitRange"]["limits"]
    assert limit["defaultRequest"] == {"cpu": "10m", "memory": "32Mi"} and limit["default"] == {"memory": "512Mi"}
    assert bounds("10")["ResourceQuota"]["hard"] == {"pods": "20", "limits.memory": "6Gi"} | never
    assert bounds("10")["LimitRange"]["limits"][0]["defaultRequest"] == {"memory": "32Mi"}
    assert bounds("06") == {"ResourceQuota": {"hard": {"pods": "20"} | never}}


def test_a_charts_values_say_how_many_objects_there_may_be() -> None:
    own = {"count/deployments.apps": "7", "count/jobs.batch": "3"}
    more = replace(SETTINGS, quota=SETTINGS.quota | own)
    hard = walls.walls(more, "ada", "04", gradable.table()["04"], (), ())[0]["spec"]["hard"]
    assert own.items() <= hard.items() and hard["count/statefulsets.apps"] == "30"


def test_pods_of_a_namespace_that_goes_have_no_time_left() -> None:
    kube = ClusterInMemory()
    kube.waits_for_pods = True
    kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": names.labels(NS)}})
    for name in ("slow", "stays"):
        kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}})
    spaces.Spaces(cast(Kube, kube), SETTINGS, Seen()).remove(SPACE)
    assert kube.writes == [f"delete Namespace {SPACE}", *(f"delete Pod {each} in {SPACE} within 1 s"
                                                         for each in ("slow", "stays"))]  # fmt: skip


# The table of labs


def test_every_lab_is_in_the_table_and_says_how_it_is_graded() -> None:
    known = {each.number: about(each) for each in exercises()}
    assert set(gradable.table()) == set(known), "a class grades each lab by its entry in classroom/gradable.toml"
    for number, grading in gradable.table().items():
        if known[number].cluster == "nodes":
            assert grading.grading == "own", number
        if known[number].level == "E":
            assert grading.grading != "files", f"lab {number} is mended in the cluster; its files say nothing"
        if not grading.shared:
            assert not grading.without and not grading.api


def document() -> str:
    """The table of docs/class-labs.md: edit gradable.toml, not this."""
    titles = {each.number: about(each).title for each in exercises()}
    words = {"files": "your files, in a sandbox", "cluster": "in place, on the shared cluster", "own": "not in a class"}
    rows = [
        f"| {number} {titles[number]} | {words[each.grading]} | {each.why} | "
        f"{each.without or ('' if each.shared else 'all of it')} |"
        for number, each in gradable.table().items()
    ]
    return "\n".join(["| lab | graded by | since | not on a shared cluster |", "|---|---|---|---|", *rows]) + "\n"


def test_the_documents_table_is_the_table() -> None:
    """`UPDATE_TABLES=1 pytest tests/unit/test_class_operator_parts.py -k documents` writes it."""
    file = project() / "docs" / "class-labs.md"
    text = file.read_text()
    if os.environ.get("UPDATE_TABLES"):
        file.write_text(text[: text.index("| lab |")] + document())
    assert document() in file.read_text()


# Kits, and what the chart says


KIT = kits.Kit("https://class.test:8443", "abc.def", "ada", "PEM", "", "2026-12-31")


@pytest.mark.parametrize("shared", [False, True])
def test_a_kits_first_lines_work_as_they_stand(shared: bool, tmp_path: Path) -> None:
    kubeconfig = kits.kubeconfig("https://c:6443", "CA", "t", "ada", [SPACE]) if shared else ""
    name = "kit of ada's.json"
    (tmp_path / name).write_text(kits.spelled(KIT, name, kubeconfig))
    says = json.loads((tmp_path / name).read_text())["first"]
    commands = [line for line in says if not line.endswith(":") and line.split()[0] not in ("Then,", "kubectl", "lab")]
    done = subprocess.run(
        ["sh", "-eu", "-c", "\n".join(commands)], cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, check=False
    )
    assert done.returncode == 0
    read = kits.read(tmp_path / ".config" / "mlops-lab" / "class.json")
    assert read == KIT
    assert "lab up" in says or shared
    if shared:
        config = tmp_path / "class.kubeconfig"
        assert config.read_text().strip() == kubeconfig.strip() and config.stat().st_mode & 0o77 == 0
    else:
        assert not (tmp_path / "class.kubeconfig").exists()


def test_a_learner_without_a_namespace_has_a_context_too() -> None:
    assert "current-context: class" in kits.kubeconfig("https://c:6443", "", "t", "ada", [])


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"namespace": "x", "surprise": 1}')
    with pytest.raises(UsageError, match="not what the chart writes"):
        settings.read(tmp_path / "settings.json")


def test_what_is_asked_for_leaves_the_rest_as_it_was() -> None:
    kube = ClusterInMemory()
    asked.ask(cast(Kube, kube), NS, "ada", {"lab-04": Lab(), "kit": Kit()})
    asked.ask(cast(Kube, kube), NS, "ada", {"lab-10": Lab(2, "7"), "kit": None})
    item = kube.get("ConfigMap", "learner-ada", NS)
    assert asked.read(item) == asked.Wanted({"04": Lab(), "10": Lab(2, "7")})
    assert item["metadata"]["labels"] == {names.PART: "learner", names.LEARNER: "ada"}
    states = {"lab-04": State("ready", namespace=SPACE, seconds=0.3), "kit": State("over", "why")}
    item["metadata"]["annotations"] = {names.STATUS: asked.spelled(states)}
    assert asked.states(item) == states
    item["metadata"]["annotations"] = {names.STATUS: '{"lab-04": 7}'}
    assert asked.states(item) == {}


def test_what_is_asked_for_at_the_same_moment_is_all_kept() -> None:
    kube = ClusterInMemory()
    # As both see it who ask for the first time.
    early = SimpleNamespace(find=lambda *_: None, create=kube.create, apply=kube.apply, patch=kube.patch)
    asked.ask(cast(Kube, early), NS, "ada", {"lab-04": Lab()})
    asked.ask(cast(Kube, early), NS, "ada", {"kit": Kit()})
    assert asked.read(kube.get("ConfigMap", "learner-ada", NS)) == asked.Wanted({"04": Lab()}, Kit())


# Seeds


def test_a_seed_is_put_in_once_and_its_trouble_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kube, seen, again = ClusterInMemory(), Seen(), []
    kube.told.append(seen.take)
    exercise = next(each for each in exercises() if each.number == "04")
    seeder = seeding.Seeding(cast(Kube, kube), seen, "registry.test", again.append)
    labels = names.labels(NS, "ada", "04")
    kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}})
    kube.refuses = lambda write: 422 if "Deployment" in write else 0
    assert seeder(exercise, SPACE) == State("making", "what the lab begins with is being made")
    assert until(lambda: again == ["ada"])
    trouble = seeder(exercise, SPACE)
    assert trouble and trouble.state == "trouble" and "Deployment" in trouble.why
    kube.refuses = lambda write: 0
    assert seeder(exercise, SPACE)
    assert until(lambda: seeder(exercise, SPACE) is None)
    image = kube.get("Deployment", kube.named("Deployment", SPACE)[0], SPACE)["spec"]["template"]["spec"]["containers"][
        0
    ]
    assert image["image"].startswith("registry.test/")
    kube.writes.clear()
    assert seeder(exercise, SPACE) is None and kube.writes == []
    seeder.close()


# All of it


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[tuple[ClusterInMemory, operators.Operator]]:
    kube = ClusterInMemory()
    (tmp_path / "ca.crt").write_text("CA")
    quick = replace(SETTINGS, resync_seconds=30)
    operator = operators.Operator(cast(Kube, kube), quick, tmp_path / "alive", tmp_path / "ca.crt")
    thread = threading.Thread(target=operator.run, daemon=True)
    thread.start()
    yield kube, operator
    operator.stop()
    thread.join(15)
    assert not thread.is_alive()


def enrol(kube: ClusterInMemory, *learners: str) -> None:
    meta = {"name": "roster", "namespace": NS, "labels": {names.PART: names.ROSTER}}
    text = "id\n" + "".join(f"{each}\n" for each in learners)
    kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"roster.csv": text}})


def state(kube: ClusterInMemory, learner: str, lab: str) -> str:
    found = asked.states(kube.find("ConfigMap", f"learner-{learner}", NS)).get(f"lab-{lab}")
    return found.state if found else ""


def test_the_operator_follows_what_changes(
    at_work: tuple[ClusterInMemory, operators.Operator], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kube, _ = at_work
    assert until((tmp_path / "alive").exists)
    enrol(kube, "ada")
    asked.ask(cast(Kube, kube), NS, "ada", {"lab-04": Lab()})
    assert until(lambda: state(kube, "ada", "04") == "ready")
    found = asked.states(kube.find("ConfigMap", "learner-ada", NS))["lab-04"]
    assert found.seconds is not None and found.seconds < 2
    kube.take_away("NetworkPolicy", "class-deny", SPACE)
    assert until(lambda: kube.find("NetworkPolicy", "class-deny", SPACE))
    kube.take_away("RoleBinding", "class-server", "mlops-lab-class-accounts")
    assert until(lambda: kube.find("RoleBinding", "class-server", "mlops-lab-class-accounts"))
    kube.put({**kube.get("ConfigMap", "roster", NS), "data": {"roster.csv": "surname\nX\n"}})
    assert until(lambda: "the roster stays as it was" in capsys.readouterr().err)
    kube.take_away("ConfigMap", "roster", NS)
    assert not until(lambda: not kube.find("RoleBinding", "class-learner", SPACE), within=0.3)
    enrol(kube, "bob")
    assert until(lambda: not kube.find("RoleBinding", "class-learner", SPACE))
    enrol(kube, "ada", "bob")
    assert until(lambda: kube.find("RoleBinding", "class-learner", SPACE))


def test_how_long_a_lab_took_is_not_lost_to_a_turn_that_has_not_heard_of_it_yet(
    at_work: tuple[ClusterInMemory, operators.Operator],
) -> None:
    kube, operator = at_work
    enrol(kube, "ada")
    asked.ask(cast(Kube, kube), NS, "ada", {"lab-04": Lab()})
    assert until(lambda: state(kube, "ada", "04") == "ready")
    before = kube.get("ConfigMap", "learner-ada", NS)
    written = asked.states(before)["lab-04"].seconds
    # The watch tells late: what the operator knows of the request is from before its last turn.
    late = {**before, "metadata": {**before["metadata"], "annotations": {}}}
    operator.seen.take("MODIFIED", late)
    assert asked.states(operator.seen.find("ConfigMap", "learner-ada", NS)) == {}
    assert operator.reconciler.turn("ada")
    assert asked.states(kube.get("ConfigMap", "learner-ada", NS))["lab-04"].seconds == written is not None


def test_three_hundred_learners_begin_at_once_and_nothing_is_written_twice(
    at_work: tuple[ClusterInMemory, operators.Operator],
) -> None:
    kube, _ = at_work
    learners = [f"l{number:03}" for number in range(300)]
    for each in learners:
        meta = {"name": f"learner-{each}", "namespace": NS, "labels": {names.PART: "learner", names.LEARNER: each}}
        data = {"lab-16": '{"round": 1}'} if each == "l007" else {"lab-18": '{"round": 1}'}
        kube.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    enrol(kube, *learners)
    done = lambda: [each for each in learners if state(kube, each, "18") == "ready"]  # noqa: E731
    assert until(lambda: len(done()) == 299, within=60)  # 2 s at rest
    applied = [each for each in kube.writes if each.startswith(("create", "apply")) and "l-l" in each]
    assert len(applied) == len(set(applied)), "something was made twice"


def test_an_operator_that_is_stuck_stops_saying_that_it_lives(
    at_work: tuple[ClusterInMemory, operators.Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operator = at_work
    assert until((tmp_path / "alive").exists)
    monkeypatch.setattr(operators, "_TICK", 0.02)
    operator._stop.set()
    assert until(lambda: operator.turns._closed)
    (tmp_path / "alive").unlink()
    stuck = operators.Operator(cast(Kube, ClusterInMemory()), SETTINGS, tmp_path / "alive", tmp_path / "ca.crt")
    monkeypatch.setattr(stuck.turns, "longest", lambda: 121.0)
    thread = threading.Thread(target=stuck.run, daemon=True)
    thread.start()
    assert not until((tmp_path / "alive").exists, within=0.3)
    monkeypatch.setattr(stuck.turns, "longest", lambda: 0.0)
    assert until((tmp_path / "alive").exists)
    stuck.stop()
    thread.join(15)


def test_a_bug_in_one_turn_is_nobody_elses_trouble(
    at_work: tuple[ClusterInMemory, operators.Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube, operator = at_work
    whole = operator.reconciler.turn

    def turn(learner: str) -> bool:
        if learner == "bad":
            raise ZeroDivisionError
        return whole(learner)

    monkeypatch.setattr(operator.reconciler, "turn", turn)
    enrol(kube, "ada", "bad")
    for each in ("bad", "ada"):
        asked.ask(cast(Kube, kube), NS, each, {"lab-18": Lab()})
    assert until(lambda: state(kube, "ada", "18") == "ready")
