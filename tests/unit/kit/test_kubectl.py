"""kubectl is run in the workspace with its kubeconfig, an object is given to it as a file, and its JSON is read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit import kubectl as module
from mlops_lab.kit.kubectl import kubectl, printed
from tests.made_up import made_up_lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A workspace, and a kubectl that says where it is, what it is told, and what is in the file that it is given."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "$KUBECONFIG $PWD $*"\nwhile [ $# -gt 1 ]; do shift; done\ncat "$1" 2>/dev/null\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(module, "find", lambda name: program if name == "kubectl" else None)
    folder = tmp_path / "workspace"
    folder.mkdir()
    return made_up_lab(folder=folder)


def test_in_the_workspace_with_its_kubeconfig(lab: Lab) -> None:
    folder = lab.work.folder
    done = asyncio.run(kubectl(lab, "get", "pods"))
    assert done.output == f"{folder}/.lab/kubeconfig {folder} get pods\n"


def test_an_object_is_given_as_a_file(lab: Lab) -> None:
    item = {"kind": "Crew", "metadata": {"name": "one"}}
    done = asyncio.run(kubectl(lab, "create", manifest=item))
    said, _, content = done.output.partition("\n")
    words = said.split()
    assert (words[2:4], json.loads(content)) == (["create", "-f"], item)
    assert not Path(words[4]).exists()


def test_without_kubectl_it_is_the_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find", lambda name: None)
    with pytest.raises(LabError, match="not installed"):
        asyncio.run(kubectl(lab, "get", "pods"))


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ('{"kind": "Pod"}\n', {"kind": "Pod"}),
        ('Warning: {old} is deprecated\n{"kind": "Pod"}\nbye\n', {"kind": "Pod"}),
        ("error: no such thing {\n", {}),
        ("", {}),
    ],
)
def test_json_behind_warnings(output: str, found: dict[str, str]) -> None:
    assert printed(Command(0, output, 0.1)) == found


def failing(lab: Lab, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Its kubectl fails with this output."""
    program = lab.work.folder.parent / "failing"
    program.with_suffix(".txt").write_text(output)
    program.write_text(f'#!/bin/sh\ncat "{program}.txt"\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(module, "find", lambda name: program)


@pytest.mark.parametrize(
    "said",
    [
        "Unable to connect to the server: net/http: TLS handshake timeout",
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?",
        "Error from server: etcdserver: request timed out",
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
        "Error from server (TooManyRequests): the server has received too many requests",
        'error: error validating "x": error validating data: failed to download openapi: Get "https://127.0.0.1:6443"',
    ],
)
@pytest.mark.parametrize("manifest", [None, {"kind": "Crew"}])
def test_an_api_server_that_is_away_is_the_environment(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, said: str, manifest: dict[str, str] | None
) -> None:
    failing(lab, monkeypatch, f"Warning: old\n{said}\nmore\n")
    with pytest.raises(LabError) as failed:
        asyncio.run(kubectl(lab, "create", manifest=manifest))
    assert failed.value.transient and failed.value.message.removeprefix("kubectl: ") in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "crews"], 'Error from server (NotFound): crews "one" not found'),
        (["create"], 'Error from server (InternalError): failed calling webhook "a": The connection to the server b'),
        (["--kubeconfig", "theirs", "get", "pods"], "Unable to connect to the server: no such host"),
    ],
)
def test_other_failures_and_those_with_a_kubeconfig_of_theirs_are_seen_as_they_are(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    failing(lab, monkeypatch, said)
    done = asyncio.run(kubectl(lab, *words))
    assert (done.code, done.output) == (1, said)
