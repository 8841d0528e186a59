"""A cluster that the user named, and that others use too: only what this installation made is ever deleted there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import addons, existing, leave, own, record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.images.recipes import helm
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces
from tests.command import lab
from tests.fake_cluster import BROKEN, FakeCluster

OURS = {"app.kubernetes.io/managed-by": "mlops-lab"}
SYSTEM = "mlops-lab-system"
ABOVE = Path(__file__).parents[2]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """One that someone else uses too: a lab's namespace and a part of the platform, with the project's label."""
    fake = FakeCluster(tmp_path / "cluster")
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({"contexts": [{"name": "team"}, {"name": "other"}]}))
    settings = {**fake.env(), "MLOPS_LAB_HOME": str(tmp_path / "home"), "KUBECONFIG": str(config)}
    settings["PYTHONPATH"] = f"{ABOVE}:{ABOVE / 'src'}"
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(helm, "on_path", helm.on_path.__wrapped__)
    fake.add("Namespace", "lab-12", labels=OURS)
    fake.add("Namespace", "mlops-lab-tracking", labels=OURS)
    release = {"owner": "helm", "name": "mlops-lab-tracking", "status": "deployed", "version": "1"}
    fake.add("Secret", "sh.helm.release.v1.mlops-lab-tracking.v1", "mlops-lab-tracking", labels=release)
    return fake


def up(registry: str = "registry.example", context: str = "team") -> Cluster:
    return existing.use(context, registry, Progress())


def theirs(cluster: FakeCluster) -> list[str]:
    return [name for name in cluster.named("Namespace") if name not in ("kube-system", SYSTEM)]


def test_down_deletes_what_it_made_and_nothing_of_others(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    assert SYSTEM in cluster.named("Namespace") and cluster.named("PriorityClass") == ["mlops-lab-measuring"]
    capsys.readouterr()
    assert lab("down", "--yes") == 0
    said = capsys.readouterr().out
    assert theirs(cluster) == ["lab-12", "mlops-lab-tracking"]
    assert not any("uninstall" in line for line in cluster.log())
    assert [line.partition(" delete jobs ")[2] for line in cluster.log() if " delete jobs " in line] == [
        f"--all -n {SYSTEM} --wait=false"
    ]
    assert SYSTEM not in cluster.named("Namespace") and cluster.named("PriorityClass") == []
    assert f"  Namespace {SYSTEM}, with all that is in it" in said and "  PriorityClass mlops-lab-measuring" in said
    assert "stays, as this installation has not made it: Namespace lab-12" in said
    assert said.index("To be deleted in team") < said.index("Removed from team")
    assert record.named() is None and own.contexts() == []


def test_a_kubeconfig_in_a_closed_folder_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, exists = tmp_path / "closed", Path.exists

    def exists_(path: Path) -> bool:
        if path.parent == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", exists_)
    monkeypatch.setenv("KUBECONFIG", str(closed / "config"))
    with pytest.raises(UsageError, match="there is no kubeconfig at"):
        up()


def test_down_asks_and_without_a_terminal_it_refuses(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    assert lab("down") == 2
    said = capsys.readouterr()
    assert f"Namespace {SYSTEM}" in said.out and "--yes" in said.err
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    for answer in (False, True):
        assert SYSTEM in cluster.named("Namespace")
        monkeypatch.setattr("click.confirm", lambda _, answer=answer: answer)
        assert lab("down") == 0
        assert ("Nothing was deleted" in capsys.readouterr().out) is not answer
    assert SYSTEM not in cluster.named("Namespace")


def test_a_cluster_that_does_not_answer_is_an_error_and_stays_in_the_record(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    for broken in ("get", "delete"):
        monkeypatch.setenv(BROKEN, f" {broken} ")
        assert lab("down", "--yes") == 3
        said = capsys.readouterr().err
        assert "was refused" in said and "next: " in said
        assert SYSTEM in cluster.named("Namespace") and own.contexts() == ["team"] and record.named()
    assert "--forget" not in said
    monkeypatch.setenv(BROKEN, " get ")
    assert lab("down") == 3
    assert "lab down --context team --forget" in capsys.readouterr().err
    assert lab("down", "--forget") == 0
    assert f"left in it: Namespace {SYSTEM}" in capsys.readouterr().out
    assert record.named() is None and own.contexts() == []


def test_an_up_that_fails_removes_what_it_made_and_nothing_of_others(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addons, "wait", lambda *_: (_ for _ in ()).throw(LabError("the image can't be used", "push")))
    with pytest.raises(LabError, match="the image can't be used"):
        up("registry.example/nothing")
    assert theirs(cluster) == ["lab-12", "mlops-lab-tracking"]
    assert SYSTEM not in cluster.named("Namespace") and own.contexts() == [] and record.named() is None


def test_an_up_that_fails_leaves_what_was_there_before(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the API server did not answer when it was asked whether something is there."""
    cluster.add("Namespace", SYSTEM, labels=OURS)
    monkeypatch.setenv(BROKEN, "get -f -")
    with pytest.raises(LabError):
        up("registry.example/nothing")
    monkeypatch.delenv(BROKEN)
    monkeypatch.setattr(addons, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        up("registry.example/nothing")
    assert {SYSTEM, "lab-12", "mlops-lab-tracking"} < set(cluster.named("Namespace"))


def test_an_up_that_can_not_clear_up_says_how_to(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        monkeypatch.setenv(BROKEN, " delete ")
        raise KeyboardInterrupt

    monkeypatch.setattr(addons, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        up("registry.example/nothing")
    assert "to remove it: lab down --context team" in capsys.readouterr().err
    monkeypatch.delenv(BROKEN)
    assert record.named() is None
    assert lab("down", "--context", "team", "--yes") == 0
    assert theirs(cluster) == ["lab-12", "mlops-lab-tracking"] and SYSTEM not in cluster.named("Namespace")


def test_what_was_made_when_the_answer_was_lost_or_the_command_was_killed_is_known(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROKEN, "answer to create PriorityClass")
    with pytest.raises(LabError):
        up()
    assert cluster.named("PriorityClass") == [] and theirs(cluster) == ["lab-12", "mlops-lab-tracking"]
    monkeypatch.delenv(BROKEN)
    if (child := os.fork()) == 0:
        monkeypatch.setattr(own, "_put", _killed_after_the_first(own._put))
        up()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert SYSTEM in cluster.named("Namespace")
    (made,) = own.recorded("team").made
    assert (made.name, made.uid) == (SYSTEM, "")
    found = leave.look(Kubectl("team"))
    assert [each.name for each in found.own] == [SYSTEM]
    leave.delete(Kubectl("team"), found.own)
    assert SYSTEM not in cluster.named("Namespace") and own.contexts() == []


def _killed_after_the_first(put: Any) -> Any:
    """As `put`, and killed when it is to be told a UID: the object is made, and nobody has noted that."""

    def first(context: str, drop: Any, add: Any) -> None:
        if drop:
            os.kill(os.getpid(), signal.SIGKILL)
        put(context, drop, add)

    return first


def test_an_object_of_the_same_name_that_someone_else_made_later_stays(cluster: FakeCluster) -> None:
    up()
    found = leave.look(Kubectl("team"))
    cluster.drop(SYSTEM)
    cluster.add("Namespace", SYSTEM, labels=OURS)
    leave.delete(Kubectl("team"), found.own)  # it was agreed to before the other one was made
    assert SYSTEM in cluster.named("Namespace")
    up()
    assert lab("down", "--yes") == 0
    assert SYSTEM in cluster.named("Namespace")


def test_a_context_that_leads_to_another_cluster_by_now_is_an_error(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    cluster.drop("kube-system")
    cluster.add("Namespace", "kube-system")
    assert lab("down", "--yes") == 3
    assert "leads to another cluster" in capsys.readouterr().err
    assert SYSTEM in cluster.named("Namespace") and own.contexts() == ["team"]
    with pytest.raises(LabError, match="leads to another cluster"):
        up()


def test_a_record_that_can_not_be_read_deletes_nothing(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    (file,) = (tmp_path / "home/state/clusters").glob("own-*.json")
    file.write_text(file.read_text()[:40])
    assert lab("down", "--yes") == 3
    said = capsys.readouterr().err
    assert str(file) in said and "nothing was deleted" in said
    assert SYSTEM in cluster.named("Namespace")


def test_parts_that_this_installation_made_are_uninstalled_or_kept(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    space = "mlops-lab-pipelines"
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": OURS}}
    assert own.create("team", item, Kubectl("team").create)
    release = {"owner": "helm", "name": space, "status": "deployed", "version": "1", "mlops-lab/profile": "small"}
    cluster.add("Secret", "sh.helm.release.v1.x.v1", space, labels=release)
    assert lab("down", "--keep-data", "--yes") == 0
    assert f"stays, with its data: Namespace {space}" in capsys.readouterr().out
    gone = [line.split() for line in cluster.log() if "uninstall" in line]
    assert [words[words.index("uninstall") + 1] for words in gone] == [space]
    assert space in cluster.named("Namespace") and SYSTEM not in cluster.named("Namespace")
    marked = [each["metadata"]["name"] for each in cluster.items()
              if "mlops-lab/kept" in (each["metadata"].get("labels") or {})]  # fmt: skip
    assert marked == [space]
    assert own.contexts() == ["team"]
    assert lab("down", "--context", "team", "--yes") == 0
    assert theirs(cluster) == ["lab-12", "mlops-lab-tracking"]


def test_what_is_left_in_another_context_is_said(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    up(context="other")
    assert lab("down", "--yes") == 0
    monkeypatch.setattr("mlops_lab.cluster.down.down", lambda *_: [])
    assert lab("down") == 0
    assert "lab down --context team" in capsys.readouterr().out
    assert lab("down", "--context", "nowhere") == 2
    assert "it has made something in: team" in capsys.readouterr().err


def test_a_labs_namespace_in_such_a_cluster_is_recorded_until_it_is_gone(cluster: FakeCluster) -> None:
    up()

    class Kubed:
        context = "team"

        def create(self, item: dict[str, Any]) -> Any:
            return Kubectl("team").create(item)

        def apply(self, items: list[dict[str, Any]]) -> None:
            Kubectl("team").apply(yaml.safe_dump_all(items))

        def wait(self, *_: Any, **__: Any) -> Any:
            return True, {}

        def find(self, kind: str, name: str) -> Any:
            return next((each for each in cluster.items() if each["metadata"]["name"] == name), None)

        def list(self, kind: str, namespace: str) -> list[Any]:
            return []

        def delete(self, kind: str, name: str) -> None:
            cluster.drop(name)

        def wait_gone(self, *_: Any, **__: Any) -> None: ...

    namespaces.make(cast(Kube, Kubed()), "lab-10", OURS)
    namespaces.make(cast(Kube, Kubed()), "lab-12", OURS)  # there already, someone else's
    assert {each.name for each in own.recorded("team").made} == {SYSTEM, "mlops-lab-measuring", "lab-10"}
    assert own.recorded("team").made[-1].uid
    about = SimpleNamespace(needs=())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(namespaces, "about", lambda _: about)
        patched.setattr("mlops_lab.labs.parts.remove", lambda *_: None)
        namespaces.remove(cast(Kube, Kubed()), cast(Any, None), "lab-10")
    assert {each.name for each in own.recorded("team").made} == {SYSTEM, "mlops-lab-measuring"}
    whole = json.loads(next((Path(os.environ["MLOPS_LAB_HOME"]) / "state/clusters").glob("own-*.json")).read_text())
    assert whole["context"] == "team" and whole["cluster"]
