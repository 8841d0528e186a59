"""Lab 03: what its checks make of an image's content and of pods, and that its image has what its server asks for."""

import asyncio
import contextlib
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.checks import Failure, Observation
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import containerise
from mlops_lab.kit.predictions import Predictions
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import lay_out, solutions, texts, wrongs
from mlops_lab.measure.images import builds
from mlops_lab.measure.images.layers import Content, Hit, Layer
from mlops_lab.measure.traffic.flights import HiddenRows
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

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
        ("RUN pip install --no-deps --no-index --find-links /wheels --target /srv ./service", False),
        ("RUN python3 -m pip install --no-deps --target /ours flight-delay==1.0", True),
        ("RUN pip install --no-deps Flight_Delay", True),
        ("RUN pip install --no-deps -r /tmp/requirements.txt", True),
        ("RUN pip install --no-deps /wheels/flight_delay-1.0.tar.gz", True),
        ("RUN python3 -m pip install --no-deps --no-compile --target /packages /built/*.whl", True),
        ("RUN pip install --no-deps --target=/packages /built/*", True),
        ("RUN pip install --no-deps /built/numpy-*.whl /built/h11-*.whl", True),
        ("RUN pip install --no-deps /built/numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl", True),
        ("RUN pip install --no-deps -r lock.txt", True),
        ("RUN pip install --no-deps --requirement=/tmp/lock.txt", True),
        ("RUN pip install --no-deps --target /ours numpy starlette pydantic_core==2.1", True),
        ("RUN pip wheel --no-deps -w /built .", False),
        ("RUN pip install --no-deps --require-hashes ./service", False),
        ("RUN pip install --no-deps /built/service-1.0-py3-none-any.whl", False),
        ("RUN pip install --no-deps /built/service*.whl", False),
        ("RUN pip install --no-deps dist/*.whl", False),
        ("RUN pip install --no-deps /source/dist/*.whl", False),
        ("COPY service service", False),
    ],
)
def test_an_instruction_installs_packages_or_only_the_source(checks: ModuleType, step: str, right: bool) -> None:
    archives = ("numpy-2.4.6-cp311-cp311-linux_x86_64.whl", "h11-0.16.0-py3-none-any.whl", "flight_delay-1.0.tar.gz",
                "starlette-1.0.0-py3-none-any.whl", "pydantic_core-2.1-cp311-none-any.whl")  # fmt: skip
    given = {*map(checks.distribution, archives), "fastapi", "uvicorn"}
    assert checks.installs(step, given, {"dist"}) is right


@pytest.mark.parametrize(
    ("dockerfile", "own"),
    [
        ("FROM a\nRUN pip wheel --no-deps -w /dist ./service", {"dist"}),
        ("FROM a\nRUN pip wheel --no-deps --wheel-dir=dist .", {"dist"}),
        ("FROM a\nRUN cd /source && python3 setup.py bdist_wheel -d /dist", {"dist"}),
        ("FROM a\nRUN pip wheel -r requirements.txt -w /dist", set()),
        ("FROM a\nRUN pip wheel --no-deps -r lock.txt -w /dist", set()),
        ("FROM a\nRUN pip wheel -r requirements.txt -w /all \\\n && pip wheel --no-deps -w /all ./service", set()),
        ("FROM a\nRUN pip install --no-deps wheel", set()),
    ],
)
def test_wheels_of_the_source_alone_are_told_from_those_of_packages(
    checks: ModuleType, dockerfile: str, own: set[str]
) -> None:
    assert checks.own_wheels(dockerfile) == own


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
    (original / ".lab").mkdir()
    (original / ".lab" / "kubeconfig").write_text("users:\n- user:\n    token: a-token-0123456789\n")
    planted = checks.plant(workspace, original)
    assert planted["the token that .env had before"] == b"dev-0123456789"
    assert planted["the token of .env"] in (workspace / ".env").read_bytes()
    assert (original / ".env").read_text() == "ARCHIVE_TOKEN=dev-0123456789\n"
    assert len(set(planted.values())) == len(checks.SECRETS) + len(checks.REST) + 2


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("    client-certificate-data: LS0tLS1CRUdJTiBDRVJU\n    client-key-data: LS0tLS1CRUdJTi+/BLRVk=\n",
         b"LS0tLS1CRUdJTi+/BLRVk="),
        ('    token: "sha256~of-my-own-0123"\n', b"sha256~of-my-own-0123"),
        ("    token: ''\n    exec: {command: aws}\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_key_of_the_folders_own_kubeconfig_is_looked_for_as_it_stands_there(
    checks: ModuleType, tmp_path: Path, user: str, key: bytes | None
) -> None:
    kubeconfig = tmp_path / "a" / ".lab" / "kubeconfig"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.write_text(f"apiVersion: v1\nusers:\n- name: me\n  user:\n{user}kind: Config\n")
    planted = checks.plant(tmp_path / "b", tmp_path / "a")
    assert planted.get("the key in .lab/kubeconfig") == key
    assert planted[".lab/kubeconfig"] in (tmp_path / "b" / ".lab" / "kubeconfig").read_bytes()


def test_what_is_planted_bears_other_names_each_time(checks: ModuleType, tmp_path: Path) -> None:
    held = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        checks.plant(tmp_path / name, tmp_path)
        files = [file.relative_to(tmp_path / name) for file in (tmp_path / name).rglob("*") if file.is_file()]
        held.append({str(file) for file in files if file.parts[0] in ("notebooks", "platform", "__pycache__")})
    given = {"notebooks/explore.ipynb", "platform/model.yaml"}
    assert len(held[0]) == 6 and held[0] & held[1] == given


def test_without_a_token_at_home_only_the_planted_one_is_looked_for(checks: ModuleType, tmp_path: Path) -> None:
    assert "the token that .env had before" not in checks.plant(tmp_path / "b", tmp_path / "a")


def test_the_token_that_the_folder_came_with_is_looked_for_always(checks: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".env").write_text("# it stands in the Dockerfile now\n")
    came = (LAB / "start" / ".env").read_text().strip().removeprefix("ARCHIVE_TOKEN=").encode()
    assert came in checks.plant(tmp_path / "b", tmp_path / "a").values()
    (tmp_path / "a" / ".env").write_text('ARCHIVE_TOKEN="of-my-own-99"\n')
    assert checks.plant(tmp_path / "c", tmp_path / "a")["the token that .env had before"] == b"of-my-own-99"


@pytest.mark.parametrize(
    ("token", "looked_for"),
    [("password", False), ("changeme", False), ("12345678", False), ("1234-5678", False), ("passw0rd", True)],
)
def test_a_token_that_is_a_plain_word_or_number_stands_elsewhere_too(
    checks: ModuleType, tmp_path: Path, token: str, looked_for: bool
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".env").write_text(f"ARCHIVE_TOKEN={token}\n")
    assert (token.encode() in checks.plant(tmp_path / "b", tmp_path / "a").values()) is looked_for


def test_the_given_files_that_stay_out_are_marked_too(checks: ModuleType, tmp_path: Path) -> None:
    planted = checks.plant(tmp_path, tmp_path)
    for name, kind in (
        ("notebooks/explore.ipynb", "notebooks"),
        ("platform/model.yaml", "platform"),
        (".git/HEAD", ".git"),
    ):
        assert planted[kind] in (tmp_path / name).read_bytes()
    json.loads((tmp_path / "notebooks/explore.ipynb").read_text())


def test_what_was_found_is_told_with_its_place(checks: ModuleType) -> None:
    hits = (Hit(".git", PACKAGES, "app/.git/config"), Hit("the token of .env", None, "the history"))
    content = Content((BASE, PACKAGES), {}, hits)
    rest = checks.nothing_of(content, checks.REST)
    assert (rest.ok, rest.evidence) == (False, (".git: /app/.git/config, from COPY /opt/venv /opt/venv",))
    assert checks.nothing_of(content, ("notebooks",)).ok


def test_layers_with_packages_must_be_the_same_again(checks: ModuleType) -> None:
    content = Content((BASE, PACKAGES), {}, ())

    def moved(*digests: str, ran: str) -> tuple[str, ...]:
        found: tuple[str, ...] = checks.moved_layers(
            content, builds.Build("image", "", (), (ran,), tuple(f"sha256:{each}" for each in digests), 1, 1.0)
        )
        return found

    assert moved("0", "1", "9", ran="RUN ./install") == ()
    assert len(moved("0", "9", ran="RUN ./install")) == 1
    model = Layer("sha256:2", "COPY /ours /ours", {"ours/flight_delay/__init__.py": 5}, ())
    again = builds.Build("image", "", (), ("RUN ./compile",), ("sha256:0", "sha256:1", "sha256:8"), 1, 1.0)
    assert checks.moved_layers(Content((BASE, PACKAGES, model), {}, ()), again) == ("another layer: COPY /ours /ours",)
    # Packages and source come from the first stage in one layer: it is another one, and nothing was installed.
    assert moved("0", "9", ran="COPY --from=build /opt /opt") == ()


@pytest.mark.parametrize(
    ("step", "installs"),
    [
        ("RUN pip install -r requirements.txt", True),
        ("RUN /opt/venv/bin/pip install --no-cache-dir -r requirements.txt", True),
        ("RUN python3 -m pip wheel -r requirements.txt", True),
        ("RUN uv sync --frozen", True),
        ("RUN uv pip install --system -r requirements.txt", True),
        ("RUN pip-sync requirements.txt", True),
        ('RUN ["/opt/venv/bin/pip3.11", "install", "fastapi"]', True),
        ("RUN pip uninstall -y pip && pip install fastapi", True),
        ("RUN pip install --no-deps . && pip install -r requirements.txt", True),
        ("RUN /opt/venv/bin/pip uninstall -y pip setuptools wheel", False),
        ("RUN python3 -m pip uninstall --yes wheel", False),
        ("RUN pip cache purge && install -d /srv/data", False),
        ("RUN pip --version; install -m 644 pip.conf /etc/pip.conf", False),
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
    assert [name for name, mark in marks.items() if mark not in held] == ["the token that .env came with"]
    server = (there / "service" / "app.py").read_text()
    title = f'title="{marks[checks.TITLE].decode()}"'
    assert server.replace(title, "") == (LAB / "start" / "service" / "app.py").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


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
    strict, plain = (checks.of_platform(name, "image", "s")[0] for name in (checks.STRICT, checks.PLAIN))
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


@pytest.mark.parametrize(
    ("dockerfile", "found"),
    [
        ("FROM a\nADD https://example.org/x /x", 1),
        ("FROM a\nadd --checksum=sha256:0 https://example.org/x /x", 1),
        ('FROM a\nADD ["https://example.org/x", "/x"]', 1),
        ("FROM a\nADD \\\n  # a comment between\n  https://example.org/x /x", 1),
        ("ARG HOST=example.org\nFROM a\nARG SITE=https://$HOST\nADD ${SITE}/x /x", 1),
        ("FROM a\nENV SITE https://example.org\nONBUILD ADD $SITE/x /x", 1),
        ("FROM a\nADD ${SITE:-https://example.org}/x /x", 1),
        ("FROM a\nADD\thttps://example.org/x /x", 1),
        ("FROM a\nARG\tSITE=https://example.org\nADD $SITE/x /x", 1),
        ("FROM a\nADD git@example.org:a/b.git /x", 1),
        ("# escape=`\nFROM a\nADD `\n  https://example.org/x /x", 1),
        ("FROM a\nADD serve requirements.txt /srv/", 0),
        ("FROM a\n# ADD https://example.org/x /x\nADD packages.tar /srv/\nLABEL url=https://example.org", 0),
        ("FROM a\nRUN echo ADD https://example.org", 0),
        ("", 0),
    ],
)
def test_what_comes_over_the_network_is_seen_in_the_dockerfile(checks: ModuleType, dockerfile: str, found: int) -> None:
    assert len(checks.fetches(dockerfile)) == found


@pytest.mark.parametrize(
    ("dockerfile", "found"),
    [
        ("FROM python:3.11-slim-bookworm", ["python:3.11-slim-bookworm"]),
        ("from --platform=linux/amd64 python AS python\nFROM Python", ["python"]),
        ("FROM localhost:5001/b:1\nCOPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/uv", ["ghcr.io/astral-sh/uv:0.9"]),
        ("FROM localhost:5001/b:1\nCOPY --chown=1 \\\n  --from=uv /uv /bin/", ["uv"]),
        ("FROM localhost:5001/b:1\nRUN --mount=type=bind,from=uv,target=/uv --network=none /uv/uv", ["uv"]),
        ("ARG TAG=3.11 BASE=python\nARG IMAGE=${BASE}:$TAG-slim\nFROM ${IMAGE} AS a", ["python:3.11-slim"]),
        ("ARG BASE\nFROM ${BASE:-python}\nFROM python", ["python"]),
        ("FROM ${BASE-python}", ["python"]),
        ("ARG TAG=3.11\nFROM ${BASE:-python:${TAG:+$TAG-slim}}", ["python:3.11-slim"]),
        ("FROM localhost:5001/a:1\nARG BASE=localhost:5001/a:1\nFROM ${BASE:-python}", ["python"]),
        ("FROM localhost:5001.example.org/a:1", ["localhost:5001.example.org/a:1"]),
        ("FROM 'python'\nONBUILD COPY --from=uv /uv /", ["python", "uv"]),
        ("FROM b AS a\nFROM a", ["b"]),
        ("FROM localhost:5001/b:1@sha256:00 AS Build\nFROM scratch\nCOPY --from=build /a /\nCOPY --from=0 /a /", []),
        ('ARG REGISTRY="localhost:5001"\nFROM $REGISTRY/python-run:1\nFROM ${REGISTRY:-docker.io}/b:1', []),
        ("FROM ${REGISTRY-localhost:5001}/b:1", []),
        ("# syntax=docker/dockerfile:1\n# FROM python\nFROM localhost:5001/b:1\nRUN echo FROM python", []),
        ("FROM localhost:5001/b:1\nRUN a --from=b \\\n  FROM python\nCOPY x --from=y", []),
        ("FROM localhost:5001/b:1\nRUN python3 <<END\nfrom pathlib import Path\nEND", []),
        ("ARG BASE\nFROM $BASE\nFROM", []),
        ("", []),
    ],
)
def test_an_image_that_is_pulled_from_elsewhere_is_seen_in_the_dockerfile(
    checks: ModuleType, dockerfile: str, found: list[str]
) -> None:
    assert checks.from_elsewhere(dockerfile, "localhost:5001") == found


def test_a_base_from_elsewhere_is_told_before_anything_is_pulled(checks: ModuleType, tmp_path: Path) -> None:
    exercise = resolve("03")
    pulled = {
        each.name: checks.from_elsewhere(texts(each)["Dockerfile"], "localhost:5001")
        for each in (*solutions(exercise), *wrongs(exercise))
    }
    mistake = "answers--a-base-from-elsewhere"
    assert {name for name, images in pulled.items() if images} == {mistake}
    lay_out(next(each for each in wrongs(exercise) if each.name == mistake), tmp_path)
    with pytest.raises(Failure, match=r"pulled from elsewhere: python:slim"):
        asyncio.run(checks.answers.run(made_up_lab("03", tmp_path)))


def test_wheels_of_ones_own_behind_the_source_are_an_installation(checks: ModuleType) -> None:
    mistake = "installs_once--own-wheels-behind-the-source"
    dockerfile = texts(next(each for each in wrongs(resolve("03")) if each.name == mistake))["Dockerfile"]
    behind = dockerfile.partition("COPY service")[2].splitlines()
    assert [checks.installs(step, own=checks.own_wheels(dockerfile)) for step in behind].count(True) == 1


def test_a_server_that_was_changed_is_not_the_one_that_was_given(checks: ModuleType) -> None:
    layer = Layer("sha256:2", "COPY service service", {}, ())
    given = [Hit(name, layer, "app/service/app.py") for name in (checks.TITLE, checks.TEXT)]
    assert checks.as_given(Content((BASE, layer), {}, tuple(given))).ok
    compiled = Hit(checks.TITLE, layer, "app/service/__pycache__/app.cpython-311.pyc")
    assert checks.as_given(Content((BASE, layer), {}, (*given, compiled))).ok
    changed = Hit(checks.TITLE, layer, "srv/service/app.py")
    seen = checks.as_given(Content((BASE, layer), {}, (*given, changed)))
    assert not seen.ok and seen.evidence == ("/srv/service/app.py, from COPY service service",)


@pytest.mark.parametrize(
    ("how", "line", "says"),
    [
        ("not done after 300 s", "", "must end"),
        ("exit code 137, as a process was killed: a step may use 2 GB of memory", "", "2 GB of memory"),
        ("exit code 1", "the --mount option requires BuildKit. Refer to its documentation", "DOCKER_BUILDKIT=0"),
        ("exit code 1", "COPY failed: no such file", "stops at the first instruction"),
    ],
)
def test_a_build_that_failed_is_told_with_the_limit_it_met(checks: ModuleType, how: str, line: str, says: str) -> None:
    assert says in checks.not_built(SimpleNamespace(how=how, lines=(line,)))


def test_the_bounds_of_a_build_are_those_that_the_learner_reads() -> None:
    words = f"{builds.CPUS} CPUs and {builds.MEMORY} GB of memory"
    assert words in " ".join((LAB / "README.md").read_text().split())


def ran(monkeypatch: pytest.MonkeyPatch, answers: Any, drained: Callable[..., Any], strict: bool = True) -> Any:
    """What two pods did that are ready, the platform's `strict`; `answers` says of a pod what it predicted."""
    scenario = loaded("03", "scenario")

    async def predicted(lab: Any, pod: str) -> Any:
        return answers(scenario, pod)

    @contextlib.asynccontextmanager
    async def pods(*given: Any) -> AsyncIterator[None]:
        yield

    async def up(lab: Any, pod: str) -> Observation:
        return Observation(strict or pod != scenario.STRICT, "ready", "ready, or not")

    async def nothing(*given: Any) -> str:
        return ""

    async def seen(*given: Any) -> Observation:
        return Observation(True, "as it should", str(given[1]))

    instead = {
        "crowded": seen,
        "idle_end": seen,
        "without_token": seen,
        "first_predicted": predicted,
        "drained": drained,
        "pods": pods,
        "up": up,
        "title": nothing,
        "quickest": nothing,
    }
    for name, what in instead.items():
        monkeypatch.setattr(scenario, name, what)
    return asyncio.run(scenario.run(SimpleNamespace(), SimpleNamespace(push=nothing), "image"))


def gave(body: str, status: int = 200) -> Predictions:
    """What a pod answered about a flight that the model gives 0.5."""
    answer = Answer(status, {}, body.encode(), 0.01, "", "http://checker/predict")
    return Predictions(answer, HiddenRows(({},), {}, {"v1": (0.5,)}))


RIGHT = gave('{"probabilities": [0.5]}')


def test_a_busy_machine_holds_up_one_verdict_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*given: Any) -> Any:
        raise LabError("the batches did not begin", "try again")

    found = ran(monkeypatch, lambda scenario, pod: RIGHT, busy)
    assert found.predicted is RIGHT and found.idle.ok and found.tokenless.ok
    assert found.drain.message == "the batches did not begin"
    with pytest.raises(LabError, match="did not begin"):
        loaded("03", "scenario").said(found.drain)


@pytest.mark.parametrize(
    ("strict", "answer", "drains"),
    [
        (True, RIGHT, "checker-strict"),
        (True, gave('{"probabilities": [0.2]}'), "checker-plain"),
        (True, gave('{"probabilities": "none"}'), "checker-plain"),
        (True, gave("<html>"), "checker-plain"),
        (True, gave("", 0), "checker-plain"),
        (False, None, "checker-plain"),
    ],
)
def test_the_platforms_pod_is_deleted_at_work_unless_another_check_tells_of_it(
    monkeypatch: pytest.MonkeyPatch, strict: bool, answer: Any, drains: str
) -> None:
    async def drained(lab: Any, pod: str) -> Any:
        return pod

    found = ran(monkeypatch, lambda scenario, pod: answer if pod == scenario.STRICT else RIGHT, drained, strict)
    assert found.drain == drains
    assert found.crowded.seen == "checker-plain" and found.tokenless.ok
    # The one with all rights ends once: at work, or with nothing to do.
    assert (found.idle is None) is (drains == "checker-plain")


def test_what_was_given_in_the_folder_is_as_it_was(checks: ModuleType, tmp_path: Path) -> None:
    start = project() / "labs" / "03-containerise" / "start"
    shutil.copytree(start, tmp_path, dirs_exist_ok=True)
    server = tmp_path / "service" / "app.py"
    server.write_bytes(server.read_bytes().replace(b"\n", b"\r\n"))
    assert checks.not_as_given(tmp_path) == []
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "service" / "__init__.py").write_text("import os\n")
    server.write_text(server.read_text().replace("0.1", "0.0"))
    assert checks.not_as_given(tmp_path) == ["service/app.py", "requirements.txt", "service/__init__.py"]
