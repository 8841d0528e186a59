"""Files that the program wrote, after a power cut, a slip or another program: what each kind of damage becomes."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base import state_files
from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache, state
from mlops_lab.base.progress import Progress
from mlops_lab.base.state_files import Damaged
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.cluster import down, kind, kubeconfig, mend, own, record, registry
from mlops_lab.cluster.kind import Node
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker
from mlops_lab.images.build import last_mode
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store
from mlops_lab.labs.catalog import abouts, exercises
from mlops_lab.learner.records import Records
from mlops_lab.measure.traffic.flights import hidden_rows
from mlops_lab.platform import remove
from mlops_lab.proof.ledger import Done, Ledger
from mlops_lab.proof.proofs import proofs
from mlops_lab.proof.skeleton import make
from tests.command import lab

DAMAGE = {
    "empty": b"",
    "zeros": bytes(512),  # what a file system may leave of a file that was being written
    "cut": b'{"context": "kind-ml',
    "binary": b"\x89PNG\r\n\x1a\n\xff\xfe",
    "another": b'["some", {"other": "file"}]',
    "another object": b'{"kind": "Config", "clusters": [], "labs": 7, "10": {"labs": []}}',
    "deep": b"[" * 100_000,
}
damaged = pytest.mark.parametrize("content", [pytest.param(each, id=name) for name, each in DAMAGE.items()])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("MLOPS_LAB_CLUSTER", raising=False)
    return tmp_path


class Engine(Docker):
    """An engine with a cluster's containers; it remembers what was run."""

    def __init__(self, nodes: int) -> None:
        super().__init__({"ServerVersion": "28.1", "MemTotal": 16_000_000_000, "NCPU": 4})
        self.nodes = [Node(f"mlops-lab-{number}", True, True, "node:1") for number in range(nodes)]
        self.said: list[str] = []

    def run(self, *words: Any, **_: Any) -> Any:
        self.said.append(" ".join(map(str, words)))
        return type("Done", (), {"stdout": "", "code": 0})

    def inspect(self, *_: str) -> None:
        return None


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine that answers, with a cluster of one node."""
    engine = Engine(1)

    def take_away(docker: Engine) -> bool:
        there, docker.nodes = docker.nodes, []
        return bool(there)

    monkeypatch.setattr(kind, "nodes", lambda docker, cluster="": [] if cluster else docker.nodes)  # no second one
    monkeypatch.setattr(kind, "remove", lambda docker: (kubeconfig.remove("kind-mlops-lab"), take_away(docker))[1])
    for module in (down, mend, remove):
        monkeypatch.setattr(module, "answering", lambda: engine)
    return engine


def put(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def made() -> Path:
    return state() / "clusters" / "kind-mlops-lab.json"


def named() -> Path:
    return state() / "clusters" / "named.json"


@damaged
@pytest.mark.parametrize("file", [made, named])
def test_a_damaged_record_of_the_cluster_is_one_line_and_what_to_do(
    file: Callable[[], Path], content: bytes, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(file(), content)
    make("10-scale", home / "labs")
    for words in (["status"], ["start", "10"], ["check", "10"]):
        assert lab(*words) == 3
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 2, said
        assert said[0].startswith(f"lab: the record of the cluster in use is damaged: {file()} ")
        assert "lab down" in said[1] and "lab up" in said[1]


@damaged
@pytest.mark.parametrize("words", [[], ["--keep-data"]])
def test_down_takes_the_cluster_down_whatever_its_record_has_become(
    content: bytes,
    words: list[str],
    engine: Engine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved: list[Cluster] = []
    monkeypatch.setattr("mlops_lab.platform.remove.save", lambda cluster, progress: saved.append(cluster) or ["it"])
    put(made(), content)
    assert lab("down", *words) == 0
    said = capsys.readouterr()
    assert "Removed: cluster mlops-lab" in said.out
    assert "it is written again from the cluster's 1 containers" in said.err
    assert [each.nodes for each in saved] == (["small"] if words else [])
    assert ("Kept for the next `lab up`: it" in said.out) is bool(words)
    assert not made().exists()
    assert lab("down", *words) == 0
    assert capsys.readouterr().out == "Nothing to remove: there is no cluster\n"


def test_down_does_without_a_kubeconfig_that_can_not_be_changed(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, opened = put(home / "closed/config", b"contexts: [{name: kind-mlops-lab}]"), os.open

    def open_(path: Any, *given: Any, **more: Any) -> int:
        if Path(path).parent == kept.parent and given[0] & os.O_CREAT:
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *given, **more)

    monkeypatch.setenv("KUBECONFIG", str(kept))
    monkeypatch.setattr(os, "open", open_)
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    assert lab("down") == 0
    said = capsys.readouterr().out
    assert "Removed: cluster mlops-lab" in said
    assert f"{kept} can't be changed, so it still has the context kind-mlops-lab" in said
    assert record.made() is None


def test_nobody_has_the_cluster_between_what_is_kept_and_its_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `lab up` that waited for it would put the parts to work again, and then the kept data would be forgotten."""
    order: list[str] = []

    def another_up() -> None:
        with exclusive(Progress()):
            order.append("up")

    other = threading.Thread(target=another_up)

    def save(*_: object) -> list[str]:
        order.append("kept")
        other.start()
        return ["it"]

    def take_down(progress: Progress, sure: bool) -> list[str]:
        other.join(0.3)
        order.append("deleted")
        return deleted(progress, sure)

    deleted = down.down
    monkeypatch.setattr("mlops_lab.platform.remove.answering", lambda: engine)
    monkeypatch.setattr("mlops_lab.platform.remove.Kubectl.answers", lambda self: True)
    monkeypatch.setattr("mlops_lab.platform.remove._kubeflows", lambda kubectl: [])
    monkeypatch.setattr("mlops_lab.platform.keep.save", save)
    monkeypatch.setattr(down, "down", take_down)
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    assert lab("down", "--keep-data") == 0
    other.join(10)
    assert order == ["kept", "deleted", "up"]


@damaged
def test_down_forgets_a_cluster_of_the_users_that_it_cannot_name_and_takes_no_other_down(
    content: bytes, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    own.begin("theirs", "its-id")
    own.create(
        "theirs",
        {"kind": "Namespace", "metadata": {"name": "lab-10"}},
        lambda item: {"metadata": {**item["metadata"], "uid": "1"}},
    )
    put(named(), content)
    assert lab("down") == 0
    said = capsys.readouterr()
    assert "no cluster of yours is in use any more" in said.err
    assert "Still in the cluster theirs" in said.out and "lab down --context theirs" in said.out
    assert engine.nodes and record.current().is_kind
    assert named().with_name("named.json.damaged").read_bytes() == content


def test_down_does_without_a_kubeconfig_that_is_none(
    engine: Engine, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"\xff\xfe\x00", b"contexts: [1, 2]", b"contexts: 5", b"a: [", b"just text"):
        engine.nodes = Engine(1).nodes
        record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
        put(home / "kubeconfig", content)
        assert lab("down") == 0
        said = capsys.readouterr().out
        assert "Removed: cluster mlops-lab" in said
        assert f"{home / 'kubeconfig'} is no kubeconfig" in said
        assert (home / "kubeconfig").read_bytes() == content
        with pytest.raises(LabError, match="kubeconfig"):
            kubeconfig.contexts()


@damaged
def test_up_writes_a_damaged_record_again_and_leaves_the_cluster_as_it_is(content: bytes, engine: Engine) -> None:
    put(made(), content)
    said: list[str] = []
    found = mend.made(lambda: engine, said.append)
    assert found == record.made() == Cluster("kind-mlops-lab", "localhost:5001", "small", "node:1", network_ours=True)
    assert engine.nodes and "written again" in said[0]
    engine.nodes = Engine(2).nodes  # of three: it is not whole
    put(made(), content)
    assert mend.made(lambda: engine, said.append) is None
    assert not made().exists()


def test_a_record_of_a_cluster_of_another_kind_is_none(engine: Engine) -> None:
    for file, nodes in ((made, ""), (made, "huge"), (named, "small")):
        put(file(), json.dumps({"context": "c", "registry": "r", "nodes": nodes}).encode())
        with pytest.raises(Damaged, match="another kind of cluster"):
            record.made() if file is made else record.named()


def test_a_file_that_is_closed_to_us_is_damaged_too() -> None:
    made().mkdir(parents=True)
    with pytest.raises(Damaged, match="can't be read"):
        record.made()


@damaged
def test_what_only_saves_work_is_made_anew(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache() / "registry/pushed.json", content)
    monkeypatch.setattr(registry, "digest", lambda name: "sha256:1")
    step = Step("load", lambda work: None, (), image="load:v1")
    engine = Engine(0)
    assert registry.serve(engine, "load:v1", step) is True
    assert engine.said[-2:] == ["push localhost:5001/load:v1", "rmi localhost:5001/load:v1"], "no name is left there"
    assert registry.serve(engine, "load:v1", step) is False

    put(cache() / "build/times.json", content)
    assert Store().times() == {}
    made_by = Step("made", lambda work: None, ())
    Store().finish(made_by, Store().begin(made_by), 2.0)
    assert Store().times() == {"made": 2.0}

    put(cache() / "build/mode", content)
    assert last_mode() is None

    kind.registries()
    for file in (cache() / "node-registries").rglob("hosts.toml"):
        put(file, content)
        kind.registries()
        assert b"capabilities" in file.read_bytes()


@damaged
def test_a_damaged_catalog_is_read_again(content: bytes, home: Path) -> None:
    make("10-scale", home / "labs")
    (about,) = abouts(exercises())
    kept = cache() / "catalog.json"
    key = next(iter(json.loads(kept.read_text())))
    for text in (content, json.dumps({key: 5}).encode(), json.dumps({key: [None] * 7}).encode()):
        put(kept, text)
        assert abouts(exercises()) == [about]
        assert list(json.loads(kept.read_text())) == [key]


@damaged
def test_what_a_verification_found_is_found_again_if_its_file_is_damaged(content: bytes) -> None:
    ledger = Ledger()
    put(ledger.file, content)
    assert (ledger.read(), ledger.seconds(), ledger.steps("10", "key")) == ({"labs": {}}, {}, {})
    ledger.keep("10", "key", Done("form", "honest", results=[Result("a", "A.", Verdict.PASS, 1)]), wanted=["form"])
    whole = json.loads(ledger.file.read_text())
    for damage in (7, {}, {"key": "key", "steps": {"form": {"outcome": 3}}}):
        whole["labs"]["11"] = damage
        ledger.file.write_text(json.dumps(whole))
        assert list(ledger.read()["labs"]) == ["10"] == list(ledger.seconds())
    assert ledger.steps("10", "key")["form"]["results"][0]["verdict"] == "pass"


@damaged
def test_a_damaged_proof_says_which_and_what_to_do(content: bytes, home: Path) -> None:
    folder = make("10-scale", home / "labs")
    file = put(folder / "proof.json", content)
    with pytest.raises(Damaged, match="the proof of lab 10 is damaged: ") as said:
        proofs(exercises()[0])
    assert str(file) in said.value.message and "take it from the repository again" in said.value.hint


@damaged
def test_damaged_hidden_flights_say_how_to_make_them(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(cache() / "build/made/hidden.json", content).parent
    monkeypatch.setattr(Store, "current", lambda self, name: folder)
    with pytest.raises(Damaged, match="the list of hidden flights is damaged"):
        hidden_rows(1)


@damaged
def test_a_damaged_configuration_of_the_engine_is_left_and_said(
    content: bytes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_CONFIG", put(home / "daemon.json", content))
    if not content:
        assert start._settings() == {}
        return
    if content.startswith(b'{"kind"'):  # it is for the engine to say what it does not know
        assert start._settings()["kind"] == "Config"
        put(home / "daemon.json", b'{"runtimes": ["runc"]}')
    with pytest.raises(Damaged, match="the Docker engine's configuration is damaged"):
        start._settings()


def records() -> Records:
    records = Records()
    records.attempt("10", [Result("a", "A.", Verdict.FAIL, 1, trace={"requests": []})], whole=True)
    return records


def test_records_that_cannot_be_read_are_one_line_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    whole = records().file.read_bytes()
    for suffix in ("-wal", "-shm"):
        records().file.with_name(f"records.sqlite{suffix}").unlink(missing_ok=True)
    for content in (*DAMAGE.values(), whole[:5000], whole[:100] + b"\xff" * (len(whole) - 100)):
        if content:  # an empty file is an empty database
            put(records_file := Records().file, content)
            assert lab("list") == lab("records") == lab("progress") == 3
            said = capsys.readouterr().err.splitlines()
            assert len(said) == 6 and f"in {records_file} can't be read or written" in said[0]
            assert f"mv {records_file} {records_file}.damaged" in said[1]
            assert records_file.read_bytes() == content


@damaged
def test_a_damaged_result_in_the_records_is_said(content: bytes) -> None:
    own = records()
    with sqlite3.connect(own.file) as db:
        db.execute("UPDATE attempts SET results = ?", (content,))
        db.execute("UPDATE traces SET trace = ?", (content,))
    with pytest.raises(LabError, match="can't be read or written"):
        own.results("10")
    if content != DAMAGE["another object"]:
        with pytest.raises(LabError, match="can't be read or written"):
            own.trace("10", "a")


def test_a_mistake_of_ours_is_not_taken_for_damaged_records() -> None:
    own = records()
    before = own.results("10")
    with pytest.raises(TypeError, match="not JSON serializable"):
        own.attempt("10", [Result("a", "A.", Verdict.PASS, 1, trace={"requests": object()})], whole=True)
    with pytest.raises(sqlite3.ProgrammingError), own._open() as db:
        db.execute("SELECT ?", ())
    with pytest.raises(LabError, match="can't be read or written: no such table"), own._open() as db:
        db.execute("SELECT * FROM others")
    assert own.results("10") == before, "nothing of it was kept"


def test_results_of_an_older_version_have_what_was_added_since() -> None:
    own = records()
    with sqlite3.connect(own.file) as db:
        short = [{"check": "a", "title": "A.", "verdict": "pass", "points": 1}]
        db.execute("UPDATE attempts SET results = ?", (json.dumps(short),))
    assert own.results("10")[0] == Result("a", "A.", Verdict.PASS, 1).plain()


def test_a_file_is_written_whole_or_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "new/file.json"
    state_files.write(file, "one", mode=0o600)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("one", 0o600)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_files.os, "fsync", full)
    with pytest.raises(LabError, match=r"file.json cannot be written: No space left") as said:
        state_files.write(file, "two")
    assert "free disk space" in said.value.hint
    assert file.read_text() == "one" and list(file.parent.iterdir()) == [file]
