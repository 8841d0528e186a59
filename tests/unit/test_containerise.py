"""Lab 03: what its checks make of an image's content and of pods, and that its image has what its server asks for."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.checks import Observation
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import containerise
from mlops_lab.measure.images.layers import Content, Hit, Layer
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded

LAB = project() / "labs" / "03-containerise"
FOLDER = project() / "images" / "python-build"
BASE = Layer("sha256:0", "ADD root.tar /", {"usr/bin/python3": 7}, ())
PACKAGES = Layer("sha256:1", "COPY /opt/venv /opt/venv", {"opt/venv/lib/numpy/__init__.py": 5}, ())


@pytest.fixture(scope="module")
def checks() -> Any:
    return loaded("03")


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("RUN pip install -r requirements.txt", True),
        ("RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt", True),
        ("RUN pip install --no-deps .", False),
        ("COPY service service", False),
    ],
)
def test_an_instruction_installs_packages_or_only_the_source(checks: ModuleType, step: str, right: bool) -> None:
    assert checks.installs(step) is right


@pytest.mark.parametrize(
    ("reason", "message", "final", "ours"),
    [
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", True, False),
        ("RunContainerError", 'exec: "uvicorn": executable file not found in $PATH', True, False),
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition", False, True),
        ("CreateContainerError", "context deadline exceeded", False, True),
        ("ContainerCreating", "", False, True),
    ],
)
def test_what_may_pass_is_not_held_against_the_image(
    checks: ModuleType, reason: str, message: str, final: bool, ours: bool
) -> None:
    waiting = {"reason": reason, "message": message}
    pod = {"status": {"containerStatuses": [{"state": {"waiting": waiting}}]}}
    assert bool(checks.ended_or_refused(pod)) is final
    assert bool(checks.NOT_OURS.search(checks.state(pod))) is ours


def test_the_image_has_the_packages_that_the_server_asks_for() -> None:
    locked = (FOLDER / "requirements.lock").read_text() + (FOLDER / "package" / "pyproject.toml").read_text()
    for line in (LAB / "start" / "requirements.txt").read_text().split():
        name, _, version = line.partition("==")
        ours = f'name = "{name}"\nversion = "{version}"'
        assert re.search(rf"^{re.escape(line)} ", locked, re.MULTILINE) or ours in locked, line


def test_what_is_published_is_pulled_and_the_rest_built_on_it() -> None:
    known = sources("pull", "amd64")
    whole = known.image(containerise.WHOLE)
    assert whole.name.startswith("pull/")
    assert whole in known.image(containerise.BUILD).needs
    assert all(CATALOG[name].served for name in (containerise.BUILD, containerise.RUN))


def test_a_copy_is_planted_with_a_token_of_its_own(checks: ModuleType, tmp_path: Path) -> None:
    original, workspace = tmp_path / "a", tmp_path / "b"
    for folder in (original, workspace):
        folder.mkdir()
        (folder / ".env").write_text("ARCHIVE_TOKEN=dev-0123456789\n")
    planted = checks.plant(workspace, original)
    assert planted["the token that .env had before"] == b"dev-0123456789"
    assert planted["the token of .env"] in (workspace / ".env").read_bytes()
    assert (original / ".env").read_text() == "ARCHIVE_TOKEN=dev-0123456789\n"
    assert len(set(planted.values())) == len(checks.SECRETS) + len(checks.REST)


def test_without_a_token_at_home_only_the_planted_one_is_looked_for(checks: ModuleType, tmp_path: Path) -> None:
    assert "the token that .env had before" not in checks.plant(tmp_path / "b", tmp_path / "a")


def test_what_was_found_is_told_with_its_place(checks: ModuleType) -> None:
    hits = (Hit(".git/config", PACKAGES, "app/.git/config"), Hit("the token of .env", None, "the history"))
    content = Content((BASE, PACKAGES), {}, hits)
    rest = checks.nothing_of(content, checks.REST)
    assert (rest.ok, rest.evidence) == (False, (".git/config: /app/.git/config, from COPY /opt/venv /opt/venv",))
    assert checks.nothing_of(content, ("notebooks",)).ok


def test_layers_with_packages_must_be_the_same_again(checks: ModuleType) -> None:
    content = Content((BASE, PACKAGES), {}, ())
    assert checks.moved_layers(content, ("sha256:0", "sha256:1", "sha256:9")) == ()
    assert len(checks.moved_layers(content, ("sha256:0", "sha256:9"))) == 1


@pytest.mark.parametrize(
    ("step", "installs"),
    [
        ("RUN pip install -r requirements.txt", True),
        ("RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt", True),
        ("RUN python3 -m pip wheel -r requirements.txt", True),
        ("RUN uv sync --frozen", True),
        ("RUN python3 -m compileall service", False),
        ("COPY service service", False),
    ],
)
def test_an_installation_is_known_by_its_command(checks: ModuleType, step: str, installs: bool) -> None:
    assert checks.installs(step) is installs


def test_a_long_instruction_is_read_at_once(checks: ModuleType) -> None:
    began = time.process_time()
    assert checks.installs("RUN " + "pip uv " * 20_000 + "install")
    assert not checks.installs("RUN " + "pip uv " * 20_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "odd",
    [
        lambda there: (there / ".git").write_text("gitdir: elsewhere"),
        lambda there: (there / "notebooks").symlink_to(there.parent),
        lambda there: (there / "notebooks").symlink_to("notebooks"),
        lambda there: (there / ".env").symlink_to(".env"),
        lambda there: (there / ".env").mkdir(),
        lambda there: ((there / ".env").write_text("A=b"), (there / ".env").chmod(0o444)),
        lambda there: ((there / "service").mkdir(), (there / "service" / "app.py").symlink_to("app.py")),
        lambda there: (there / "service").write_text(""),
        lambda there: ((there / "service").mkdir(), (there / "service").chmod(0o555)),
    ],
)
def test_what_is_looked_for_was_planted_whatever_the_folder_is_like(
    checks: ModuleType, tmp_path: Path, odd: Callable[[Path], Any]
) -> None:
    there = tmp_path / "copy"
    there.mkdir()
    odd(there)
    marks = checks.plant(there, tmp_path)
    held = b"".join(file.read_bytes() for file in there.rglob("*") if file.is_file())
    assert [name for name, mark in marks.items() if mark not in held] == []
    assert (there / "service" / "app.py").read_text() == (LAB / "start" / "service" / "app.py").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(
    ("said", "fault"), [({"status": "ok"}, False), ({"batches": "2"}, False), ({"batches": 0}, True)]
)
def test_a_server_that_never_says_that_it_is_at_work_is_another_one(checks: ModuleType, said: Any, fault: bool) -> None:
    health = Answer(200, {}, json.dumps(said).encode(), 0.01, "", "http://checker-plain/healthz")
    begun = Observation(False, "the batches are under way", health.text, health)

    async def post(*given: Any, **more: Any) -> Answer:
        return health

    async def eventually(*given: Any, **more: Any) -> Observation:
        return begun

    traffic = SimpleNamespace(post=post, hidden_rows=lambda count: SimpleNamespace(body={}))
    lab = SimpleNamespace(traffic=traffic, time=SimpleNamespace(eventually=eventually))
    if fault:
        with pytest.raises(LabError):
            asyncio.run(checks.drained(lab))
    else:
        assert asyncio.run(checks.drained(lab)).begun is begun


@pytest.mark.parametrize(
    ("status", "said", "never"),
    [
        ({"waiting": {"reason": "CreateContainerConfigError", "message": "non-numeric user"}}, "non-numeric", True),
        ({"waiting": {"reason": "ImagePullBackOff"}}, "ImagePullBackOff", False),
        ({"terminated": {"exitCode": 1}}, "exit code 1", True),
        ({"running": {}}, "running, not ready", False),
    ],
)
def test_a_pod_that_will_never_be_ready_is_told_from_one_that_may(
    checks: ModuleType, status: dict[str, Any], said: str, never: bool
) -> None:
    pod = {"status": {"phase": "Pending", "containerStatuses": [{"state": status}]}}
    assert said in checks.state(pod)
    assert bool(checks.ended_or_refused(pod)) is never


def test_one_pod_is_the_platforms_and_the_other_may_all(checks: ModuleType) -> None:
    deployment = yaml.safe_load(checks.PLATFORM.read_text().split("\n---\n")[0])
    strict, plain = (checks.of_platform(deployment, name, "image", "s")[0] for name in (checks.STRICT, checks.PLAIN))
    assert strict["spec"]["securityContext"]["runAsNonRoot"]
    assert "runAsUser" not in strict["spec"]["securityContext"]
    assert strict["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    assert plain["spec"]["securityContext"] == {"runAsUser": 0}
    assert plain["spec"]["containers"][0]["image"] == "image"


def test_a_link_out_of_the_copy_is_not_written_through(checks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("mine")
    workspace = tmp_path / "copy"
    workspace.mkdir()
    (workspace / ".env").symlink_to(tmp_path / "real")
    checks.plant(workspace, workspace)
    assert (tmp_path / "real").read_text() == "mine"
