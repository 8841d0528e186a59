"""The teacher's commands and the class's real server understand each other."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.classroom import audit
from mlops_lab.classroom import kit as learners_kit
from mlops_lab.classroom.teacher import asking, place
from mlops_lab.cli.main import main
from mlops_lab.cluster import record
from mlops_lab.cluster.record import Cluster
from tests.classroom import served as serving
from tests.classroom.made_up import KEY, ROSTER
from tests.classroom.served import Served
from tests.unit.classroom import teaching
from tests.unit.classroom.teaching import InMemory

Run = Callable[..., str]


@pytest.fixture
def klass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server on this machine that the commands take for the cluster's; TLS is left out, as this server has none."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    kubectl, certificate = InMemory(), teaching.certificate("localhost")[1]
    teaching.klass(kubectl, certificate)
    kubectl.secret("class", key_pem=KEY.pem, teacher=serving.TEACHER, grader=serving.GRADER)
    kubectl.put("ConfigMap", "roster", data={"roster.csv": "id\n" + "\n".join(each.id for each in ROSTER)})
    monkeypatch.setattr(place, "Kubectl", lambda *_: kubectl)
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))

    class Plain:
        def wrap_socket(self, plain: socket.socket, **_: Any) -> socket.socket:
            return plain

    monkeypatch.setattr(ssl, "create_default_context", lambda **_: Plain())
    with serving.served(tmp_path) as found:
        monkeypatch.setattr(asking, "forward", lambda *_: contextlib.nullcontext(found.port))
        yield found


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that ends well; returns what it said."""

    def run(*words: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(("class", *words))
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    return run


def test_what_the_server_says_is_understood(klass: Served, lab: Run) -> None:
    who = ROSTER[0].id
    for _ in range(2):
        klass.graded(who, "scales")
    assert klass.submit(ROSTER[1].id, "waits", "04").status == 201
    out = lab("status")
    assert f"waits, place 1: {ROSTER[1].id}, lab 04, submission 1" in out and "stuck for 0 min" in out
    assert who in lab("grades") and lab("grades", "--csv").lstrip("\ufeff").startswith("id,name,email")
    assert {each["learner"] for each in json.loads(lab("grades", "--json"))["learners"]} >= {who}
    lines = lab("grades", "--records").encode().splitlines(keepends=True)
    assert audit.verify(iter(lines), KEY.public).records == 2


def test_a_kit_hands_in_and_ends_as_it_is_told(klass: Served, lab: Run, tmp_path: Path) -> None:
    who = next(each.id for each in ROSTER if each.ends is None)
    lab("kit", who, "--until", "2090-01-01")
    kit = learners_kit.read(tmp_path / f"kits/{who}.json")
    assert kit and klass.api(kit.token, "/api/v1/me").json["ends"].startswith("2090-01-01T23:59:59")
    assert "is there" in lab("kit", who)
    assert "1 of" in lab("extend", who, "--until", "2091-01-01")
    assert klass.api(kit.token, "/api/v1/me").json["ends"].startswith("2091-01-01T23:59:59")
    lab("kit", who, "--new")
    assert klass.api(kit.token, "/api/v1/me").status == 401
