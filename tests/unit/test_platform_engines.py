"""A part that can run on more than one engine: which one it gets, what comes with it, and what is said before."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.base.versions import versions
from mlops_lab.cli.cluster import _during_creation, up
from mlops_lab.cluster.record import Cluster
from mlops_lab.images import build
from mlops_lab.images.catalog import CATALOG
from mlops_lab.platform import install, pages, releases
from mlops_lab.platform.installed import Installed, releases_in
from tests.unit.test_platform import FakeKubectl

PIPELINES = next(each for each in releases.RELEASES if each.part == "pipelines")
KUBEFLOW = PIPELINES.by("kubeflow")
KIND = Cluster("kind-x", "localhost:5001", nodes="small")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("asked", "engine", "known", "profile"),
    [
        (None, None, "", "small"),
        ("full", None, "small", "full"),
        (None, None, "full", "full"),
        (None, "kubeflow", "full", "kubeflow"),
        ("full", "kubeflow", "", "kubeflow"),
        (None, None, "kubeflow", "kubeflow"),
        ("full", None, "kubeflow", "kubeflow"),  # `lab up --profile full` takes no engine away
        (None, "embedded", "kubeflow", "small"),
        ("full", "embedded", "kubeflow", "full"),
        (None, "embedded", "full", "full"),
    ],
)
def test_an_engine_stays_until_another_is_asked_for(
    asked: str | None, engine: str | None, known: str, profile: str
) -> None:
    assert PIPELINES.profile(asked, engine, known) == profile
    assert PIPELINES.by(profile).published == (KUBEFLOW.published if profile == "kubeflow" else ())


def test_an_engine_is_no_matter_of_parts_without_a_choice() -> None:
    tracking = next(each for each in releases.RELEASES if each.part == "tracking")
    assert tracking.profile("full", "kubeflow", "small") == "full"
    assert tracking.by("kubeflow") == tracking
    assert releases.part_of("kubeflow") == releases.part_of("embedded") == "pipelines"
    with pytest.raises(UsageError, match="no engine 'x'"):
        releases.part_of("x")


def test_an_engines_images_are_pinned_and_its_profile_is_there() -> None:
    pins = {table["name"] for table in versions()["images"].values()}
    for release in releases.RELEASES:
        for engine in release.engines:
            assert (release.folder / "profiles" / f"{engine.name}.yaml").exists()
            assert set(engine.published) <= pins and not set(engine.published) & set(CATALOG)
            assert set(engine.images) <= set(CATALOG)
    options = next(each for each in up.params if each.name == "engine").type.choices  # type: ignore[attr-defined]
    assert list(options) == [PIPELINES.engine, *(each.name for each in PIPELINES.engines)]


def test_while_a_cluster_is_made_the_engines_own_images_come() -> None:
    assert set(_during_creation(["pipelines"], "kubeflow")["early"]) == set(KUBEFLOW.images)
    assert set(_during_creation(["pipelines"])["early"]) == set(PIPELINES.images)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A docker whose pulls are answered by the registries named in the file `answering`, one a line."""
    answering = tmp_path / "answering"
    answering.write_text("")
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$2" >>{tmp_path}/asked\nwhile read -r host; do\n'
        f'  case $2 in "$host"*) echo "1: Pulling from $2" ;; esac\ndone <{answering}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return answering


def test_one_image_of_each_registry_is_asked_for(docker: Path) -> None:
    docker.write_text("ghcr.io\nmysql\n")
    assert build.silent(KUBEFLOW.published) == ["gcr.io", "quay.io"]
    asked = (docker.parent / "asked").read_text().split()
    assert len(asked) == 4 and "mysql:8.4" in asked
    docker.write_text("ghcr.io\nmysql\nquay.io\ngcr.io\n")
    assert build.silent(KUBEFLOW.published) == []
    assert build.silent([]) == []


def test_nothing_is_made_where_no_registry_answers(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.start, "ensure", lambda say: object())
    monkeypatch.setattr(install, "program", lambda progress: pytest.fail("something was begun"))
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl({}))
    with pytest.raises(LabError, match=r"no image registry answers at docker.io, gcr.io, ghcr.io, quay.io") as error:
        install.with_parts(["pipelines"], None, KIND, Progress(), engine="kubeflow")
    assert "nothing was installed" in error.value.message and error.value.hint.endswith("lab up --engine embedded")
    with pytest.raises(LabError, match="no image registry answers"):
        install.check_engine("kubeflow", None, Progress())
    install.check_engine("embedded", None, Progress())


def test_a_cluster_is_not_even_made(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_lab.cluster import up as cluster_up

    monkeypatch.setattr(install.start, "ensure", lambda say: object())
    monkeypatch.setattr(cluster_up, "up", lambda *_, **__: pytest.fail("a cluster was begun"))
    done = CliRunner().invoke(up, ["--engine", "kubeflow"])
    assert isinstance(done.exception, LabError) and "no image registry answers" in str(done.exception)


def release_secret(profile: str, status: str = "deployed") -> str:
    return (
        f"mlops-lab-pipelines s t 1 2m name=mlops-lab-pipelines,owner=helm,status={status},version=1,"
        f"mlops-lab/profile={profile}"
    )


def test_what_runs_already_needs_no_registry(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.start, "ensure", lambda say: object())
    answers: dict[str, Any] = {"get secrets": release_secret("kubeflow")}
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl(answers))
    install.check_engine("kubeflow", KIND, Progress())
    assert not (docker.parent / "asked").exists()
    answers["get secrets"] = release_secret("small")
    with pytest.raises(LabError, match="no image registry answers"):
        install.check_engine("kubeflow", KIND, Progress())
    assert install._runs(Installed("failed", "kubeflow"), "kubeflow") is False


def test_the_pages_are_those_of_the_engine_that_runs() -> None:
    kubectl = FakeKubectl({"get secrets": release_secret("kubeflow")})
    (there,) = releases_in(kubectl)
    assert [page.name for page in there.pages] == ["pipelines", "kubeflow"]
    assert pages.place(kubectl, "kubeflow", [there]).page.service == "ml-pipeline-ui"
    assert pages.place(kubectl, "pipelines", [there]).page.port == 8888
    with pytest.raises(UsageError, match="kubeflow is not installed") as error:
        pages.place(kubectl, "kubeflow", [PIPELINES])
    assert error.value.hint == "install it: lab up --engine kubeflow"
