"""A part that can run on more than one engine: which one it gets, what comes with it, and what is said before."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.base.versions import versions
from mlops_lab.cli.cluster import _during_creation, up
from mlops_lab.cli.platform import open_page
from mlops_lab.cluster import kind
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.images import build
from mlops_lab.images.catalog import CATALOG
from mlops_lab.images.sources import full
from mlops_lab.platform import choice, install, pages, plan, pull, releases, remove, room, runs
from mlops_lab.platform.helm import Helm, Late
from mlops_lab.platform.installed import Installed, called, releases_in
from tests.unit.test_platform import FakeKubectl, asked

PIPELINES = next(each for each in releases.RELEASES if each.part == "pipelines")
KUBEFLOW = PIPELINES.by("kubeflow")
MONITORING = next(each for each in releases.RELEASES if each.part == "monitoring")
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


@pytest.mark.parametrize(
    ("asked", "engine", "known", "profile"),
    [
        (None, None, "small", "small"),
        (None, "grafana", "small", "small.grafana"),
        ("full", None, "small.grafana", "full.grafana"),
        (None, None, "small.grafana", "small.grafana"),
        ("full", "dashboard", "small.grafana", "full"),
        ("full", "grafana", "", "full.grafana"),
    ],
)
def test_an_engine_beside_the_profile_keeps_both(
    asked: str | None, engine: str | None, known: str, profile: str
) -> None:
    assert MONITORING.profile(asked, engine, known) == profile
    there = MONITORING.by(profile)
    names = [page.name for page in there.pages]
    assert ("grafana" in names) == bool(there.published) == profile.endswith(".grafana")
    assert names[:2] == ["prometheus", "alertmanager"] and there.images == MONITORING.images
    assert [file.stem for file in MONITORING.files(profile)] == profile.split(".")
    assert MONITORING.running("grafana") is None and PIPELINES.running("small.kubeflow") is None


def test_an_engine_is_no_matter_of_parts_without_a_choice() -> None:
    tracking = next(each for each in releases.RELEASES if each.part == "tracking")
    assert tracking.asked(("kubeflow", "grafana")) is None and MONITORING.asked(("kubeflow", "grafana")) == "grafana"
    assert tracking.profile("full", None, "small") == "full"
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
            assert engine.title and engine.instead and engine.patience <= engine.within
    options = next(each for each in up.params if each.name == "engines").type.choices  # type: ignore[attr-defined]
    choices = [(each.engine, *(other.name for other in each.engines)) for each in releases.RELEASES if each.engines]
    assert set(options) == {name for names in choices for name in names}


def test_while_a_cluster_is_made_the_engines_own_images_come() -> None:
    assert set(_during_creation(["pipelines"], ("kubeflow",))["early"]) == set(KUBEFLOW.images)
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
    monkeypatch.setattr(choice.registry, "digest", lambda name: "")
    monkeypatch.setattr(choice.kind, "images", lambda docker: set())
    return answering


def test_one_image_of_each_registry_is_asked_for(docker: Path) -> None:
    docker.write_text("ghcr.io\nmysql\n")
    assert build.silent(KUBEFLOW.published) == ["gcr.io", "quay.io"]
    asked = (docker.parent / "asked").read_text().split()
    assert len(asked) == 4 and "mysql:8.4" in asked
    docker.write_text("ghcr.io\nmysql\nquay.io\ngcr.io\n")
    assert build.silent(KUBEFLOW.published) == []
    assert build.silent([]) == []


def test_an_image_that_its_registry_does_not_have_is_named(docker: Path) -> None:
    """Some can be pulled and some not: of each registry the image with the shortest name is asked for first."""
    docker.write_text("ghcr.io\nalpine\nmysql\nquay.io\ngcr.io\n")
    assert build.refused(KUBEFLOW.published) == [] and choice.unavailable(KUBEFLOW.published, Docker({})) == ""
    docker.write_text("ghcr.io\nalpine\nmysql\nquay.io/argoproj/argoexec\ngcr.io\n")
    lost = "quay.io/argoproj/workflow-controller:v4.0.6"
    assert build.refused(KUBEFLOW.published) == [lost]
    said = choice.unavailable(KUBEFLOW.published, Docker({}))
    assert said == f"{lost} can't be pulled, though other images of quay.io can"


@pytest.mark.parametrize(
    ("more", "lost"),
    [
        ("echo no matching manifest for linux/arm64 >&2; exit 1", True),
        ("echo 1a2b: Pulling fs layer; sleep 30", False),
        ("echo Status: Image is up to date", False),
    ],
)
def test_an_image_that_is_not_for_this_processor_can_not_be_had(docker: Path, more: str, lost: bool) -> None:
    """Docker says "Pulling from" before it looks for the processor."""
    program = docker.parent / "bin" / "docker"
    program.write_text(f"#!/bin/sh\necho 1: Pulling from $2\n{more}\n")
    assert build.refused(["quay.io/a/b:1"]) == (["quay.io/a/b:1"] if lost else [])


def test_an_engine_is_not_taken_on_a_processor_that_its_images_are_not_for(docker: Path) -> None:
    docker.write_text("ghcr.io\nmysql\nalpine\nquay.io\ngcr.io\n")
    (engine,) = PIPELINES.engines
    arm = Docker({"MemTotal": 16e9, "Architecture": "aarch64"})
    verdict = choice.Ground(arm, FakeKubectl({}), lambda: Drawn(Path("helm"), "x"))(PIPELINES, engine, "full")
    assert verdict == choice.Verdict(False, "its images are published for amd64 only")


def test_an_image_that_the_cluster_has_needs_no_registry(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_nodes = {full(name) for name in KUBEFLOW.published if "kfp" not in name}
    monkeypatch.setattr(choice.kind, "images", lambda docker: on_nodes)
    assert "docker.io/library/mysql:8.4" in on_nodes
    assert choice.unavailable(KUBEFLOW.published, Docker({})) == "no image registry answers at ghcr.io"
    monkeypatch.setattr(choice.registry, "digest", lambda name: "sha256:1" if name.startswith("kubeflow/kfp") else "")
    (docker.parent / "asked").unlink()
    assert choice.unavailable(KUBEFLOW.published, Docker({})) == ""
    assert not (docker.parent / "asked").exists()


def test_only_what_every_node_has_counts_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine(Docker):
        def run(self, *args: Any, **more: Any) -> Completed:
            return Completed(0, {"one": "a:1\nb:1\n", "two": "b:1\nc:1\n"}[args[1]], "")

    monkeypatch.setattr(
        kind, "nodes", lambda docker: [kind.Node("one", True, True, ""), kind.Node("two", True, True, "")]
    )
    assert kind.images(Engine({})) == {"b:1"}
    monkeypatch.setattr(kind, "nodes", lambda docker: [])
    assert kind.images(Engine({})) == set()


def test_nothing_is_made_where_no_registry_answers(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.start, "ensure", lambda say: Docker({}))
    monkeypatch.setattr(install, "program", lambda progress: pytest.fail("something was begun"))
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl({}))
    with pytest.raises(LabError, match=r"no image registry answers at docker.io, gcr.io, ghcr.io, quay.io") as error:
        install.with_parts(["pipelines"], None, KIND, Progress(), engines=["kubeflow"])
    assert "nothing was installed" in error.value.message and error.value.hint.endswith("lab up --engine embedded")
    with pytest.raises(LabError, match="no image registry answers"):
        install.check_engines(["kubeflow"], None, Progress())
    install.check_engines(["embedded"], None, Progress())
    with pytest.raises(UsageError, match="engines of the same part"):
        install.check_engines(["embedded", "kubeflow"], None, Progress())


def test_a_cluster_is_not_even_made(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_lab.cluster import up as cluster_up

    monkeypatch.setattr(install.start, "ensure", lambda say: Docker({}))
    monkeypatch.setattr(cluster_up, "up", lambda *_, **__: pytest.fail("a cluster was begun"))
    done = CliRunner().invoke(up, ["--engine", "kubeflow"])
    assert isinstance(done.exception, LabError) and "no image registry answers" in str(done.exception)


def release_secret(profile: str, status: str = "deployed") -> str:
    return (
        f"mlops-lab-pipelines s t 1 2m name=mlops-lab-pipelines,owner=helm,status={status},version=1,"
        f"mlops-lab/profile={profile}"
    )


def test_what_runs_already_needs_no_registry(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.start, "ensure", lambda say: Docker({}))
    answers: dict[str, Any] = {"get secrets": release_secret("kubeflow")}
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl(answers))
    install.check_engines(["kubeflow"], KIND, Progress())
    assert not (docker.parent / "asked").exists()
    answers["get secrets"] = release_secret("small")
    with pytest.raises(LabError, match="no image registry answers"):
        install.check_engines(["kubeflow"], KIND, Progress())
    assert install._runs(PIPELINES, Installed("failed", "kubeflow"), "kubeflow") is False
    assert install._runs(MONITORING, Installed("deployed", "small.grafana"), "full.grafana") is True


def test_the_pages_are_those_of_the_engine_that_runs() -> None:
    kubectl = FakeKubectl({"get secrets": release_secret("kubeflow")})
    (there,) = releases_in(kubectl)
    assert [page.name for page in there.pages] == ["pipelines", "kubeflow"]
    for name in ("pipelines", "kubeflow"):  # the API's own Service has no page at /
        assert pages.place(kubectl, name, [there]).page.service == "ml-pipeline-ui"
    assert pages.place(kubectl, "pipelines", [there]).page.local == PIPELINES.pages[0].port, (
        "kfp.Client's address stays"
    )
    assert pages.place(kubectl, "pipelines", [PIPELINES]).page.service == "ml-pipeline"
    with pytest.raises(UsageError, match="kubeflow is not installed") as error:
        pages.place(kubectl, "kubeflow", [PIPELINES])
    assert error.value.hint == "in its place there is: lab open pipelines; to install it: lab up --engine kubeflow"
    with pytest.raises(UsageError, match="grafana is not installed") as error:
        pages.place(kubectl, "grafana", [PIPELINES])
    assert error.value.hint == "install it: lab up --engine grafana"


def test_the_list_has_both_systems_always(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(*profiles: tuple[str, str]) -> str:
        secrets = "\n".join(
            release_secret(profile).replace("mlops-lab-pipelines", f"mlops-lab-{part}") for part, profile in profiles
        )
        monkeypatch.setattr("mlops_lab.cluster.kubectl.Kubectl", lambda *_: FakeKubectl({"get secrets": secrets}))
        return CliRunner().invoke(open_page, [], catch_exceptions=False).output

    monkeypatch.setattr("mlops_lab.cluster.record.current", lambda: KIND)
    text = listed(("pipelines", "small"), ("monitoring", "small"))
    assert "kubeflow      not here   instead: lab open pipelines" in text
    assert "grafana       not here   instead: lab dashboard" in text
    text = listed(("pipelines", "kubeflow"), ("monitoring", "small.grafana"))
    assert "not here" not in text and "grafana       NOT READY" in text and "kubeflow      NOT READY" in text
    text = listed()
    assert "instead: lab up --with monitoring" in text and "instead: lab up --with pipelines" in text


def test_a_profile_is_called_by_its_parts() -> None:
    assert called("small.grafana") == "small profile with grafana"
    assert called("kubeflow") == "kubeflow profile" and called("") == "own profile"


def test_a_password_is_printed_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    there = MONITORING.by("small.grafana")
    page = there.pages[-1]
    secret = {"data": {"user": "YWRtaW4=", "password": "aHVudGVyMg=="}}
    kubectl = FakeKubectl({"get secret grafana -n mlops-lab-monitoring": secret})
    assert pages.login(kubectl, there, page) == ("admin", "hunter2")
    assert pages.login(FakeKubectl({"get secret grafana": ""}), there, page) is None
    assert pages.login(kubectl, there, there.pages[0]) is None


# The choice


def judged(verdict: choice.Verdict) -> choice.Judge:
    return lambda release, engine, profile: verdict


def unasked(*_: Any) -> choice.Verdict:
    pytest.fail("nobody is to be asked")


CAN, CAN_NOT = choice.Verdict(True, "there is room"), choice.Verdict(False, "no registry answers")


def test_a_new_part_gets_the_published_system_where_it_can_be_had() -> None:
    made = choice.choose(PIPELINES, "full", (), "", True, judged(CAN))
    assert (made.profile, made.counterpart) == ("kubeflow", "full")
    assert made.line == "pipelines: kubeflow, since there is room"
    made = choice.choose(PIPELINES, "full", (), "", True, judged(CAN_NOT))
    assert (made.profile, made.counterpart) == ("full", "")
    assert made.line == (
        "pipelines: embedded, since no registry answers; for Kubeflow Pipelines: lab up --engine kubeflow"
    )
    made = choice.choose(PIPELINES, None, (), "", True, unasked)
    assert made.profile == "small" and "without --profile full" in made.line and "--engine kubeflow" in made.line
    for profile in (None, "small", "full"):
        made = choice.choose(MONITORING, profile, (), "", True, judged(CAN))
        assert (made.profile, made.counterpart) == (f"{profile or 'small'}.grafana", profile or "small")
    made = choice.choose(MONITORING, None, (), "", True, judged(CAN_NOT))
    assert made.profile == "small" and "dashboard, since no registry answers; for Grafana" in made.line


@pytest.mark.parametrize(
    ("part", "requested", "engines", "known", "profile", "line"),
    [
        ("pipelines", "full", (), "small", "full", "pipelines: embedded, as it is installed; to change that"),
        ("pipelines", None, (), "small", "small", ""),
        ("pipelines", "full", (), "kubeflow", "kubeflow", ""),
        ("pipelines", "small", (), "kubeflow", "kubeflow", ""),
        ("pipelines", "full", ("embedded",), "", "full", "pipelines: embedded, as --engine says"),
        ("pipelines", None, ("kubeflow",), "", "kubeflow", "pipelines: kubeflow, as --engine says"),
        ("pipelines", None, ("kubeflow",), "kubeflow", "kubeflow", ""),
        ("monitoring", "full", (), "small", "full", "monitoring: dashboard, as it is installed"),
        ("monitoring", "full", ("dashboard",), "small.grafana", "full", "monitoring: dashboard, as --engine says"),
        ("monitoring", None, ("grafana",), "", "small.grafana", "monitoring: grafana, as --engine says"),
        ("tracking", "full", ("kubeflow",), "small", "full", ""),
    ],
)
def test_nothing_changes_unasked_and_who_names_an_engine_gets_it(
    part: str, requested: str | None, engines: tuple[str, ...], known: str, profile: str, line: str
) -> None:
    release = next(each for each in releases.RELEASES if each.part == part)
    made = choice.choose(release, requested, engines, known, not known, unasked)
    assert made.profile == profile and made.counterpart == "", "what the user has decided gets no other"
    assert made.line.startswith(line) and bool(made.line) == bool(line)


def test_kept_data_stays_with_its_engine_and_grafana_has_none() -> None:
    for known in ("small", "kubeflow"):
        assert choice.choose(PIPELINES, None, (), known, True, unasked).profile == known
    assert choice.choose(MONITORING, None, (), "full.grafana", True, judged(CAN_NOT)).profile == "full"
    assert choice.choose(MONITORING, None, (), "full", True, judged(CAN)).profile == "full.grafana"


def asks(memory: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": {"memory": memory}}, **more}


def test_memory_is_what_pods_request() -> None:
    pods: list[dict[str, Any]] = [
        {"spec": {"containers": [asks("100Mi"), asks("28Mi"), {"name": "without"}]}, "status": {"phase": "Running"}},
        {"spec": {"containers": [asks("1Mi")], "initContainers": [asks("2Mi"), asks("3Mi")]}},
        {"spec": {"containers": [asks("1Gi")]}, "status": {"phase": "Succeeded"}},
    ]
    assert room.asked_by(pods) == (128 + 3) * 2**20
    made = [
        {"kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": {"containers": [asks("10Mi")]}}}},
        {"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": [asks("5Mi")]}}}},
        {"kind": "DaemonSet", "spec": {"template": {"spec": {"containers": [asks("1Mi")]}}}},
        {"kind": "Pod", "spec": {"containers": [asks("1Gi")]}},
        None,
    ]
    assert room.asked_in(yaml.safe_dump_all(made), nodes=3) == (20 + 5 + 3) * 2**20


class Drawn(Helm):
    """Renders one Deployment for each profile, which asks for as many GB as the table says."""

    def template(self, release: str, chart: Path, files: Sequence[Path] = ()) -> str:
        asked = {"kubeflow": 2, "full": 1}.get(files[-1].stem, 0)
        return yaml.safe_dump(
            {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [asks(f"{asked}G")]}}}}
        )


@pytest.mark.parametrize(("memory", "well"), [(7.4e9, False), (7.6e9, True)])
def test_there_is_room_if_the_requests_of_all_leave_some(
    docker: Path, memory: float, well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 GB for Kubeflow, 1 GB for another new part, 2 GB that pods have: 2.5 GB have to be left."""
    pods = [
        {"metadata": {"namespace": "kube-system"}, "spec": {"containers": [asks("2G")]}},
        {"metadata": {"namespace": "mlops-lab-pipelines"}, "spec": {"containers": [asks("9G")]}},  # it goes
    ]
    nodes = {"items": [{"metadata": {"name": "w1"}}]}
    kubectl = FakeKubectl({"get nodes": nodes, "get pods -A": {"items": pods}})
    docker.write_text("ghcr.io\nmysql\nalpine\nquay.io\ngcr.io\n")
    ground = choice.Ground(
        Docker({"MemTotal": memory, "Architecture": "x86_64"}), kubectl, lambda: Drawn(Path("helm"), "x")
    )
    ground.beside({"tracking": (releases.RELEASES[0], "full"), "pipelines": (PIPELINES, "full")})
    (engine,) = PIPELINES.engines
    verdict = ground(PIPELINES, engine, "full")
    assert verdict.well is well
    if well:
        assert verdict.why == (
            "all its images can be had, and it requests 2.0 GB where 4.6 GB of the Docker engine's 7.6 GB are free"
        )
    else:
        assert verdict.why.startswith("it takes 4.5 GB (2.0 GB, and room for labs), and 4.4 GB of")
    docker.write_text("")
    assert ground(PIPELINES, engine, "full").why == "no image registry answers at docker.io, gcr.io, ghcr.io, quay.io"
    theirs = choice.Ground(None, kubectl, lambda: pytest.fail("nothing is to be rendered"))
    assert not theirs(PIPELINES, engine, "full").well


@pytest.mark.parametrize(("free", "there", "well"), [(9e9, False, False), (11e9, False, True), (1e9, True, True)])
def test_there_is_room_if_each_node_can_store_the_images(
    docker: Path, free: float, there: bool, well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (engine,) = PIPELINES.engines
    if there:
        monkeypatch.setattr(choice.kind, "images", lambda docker: {full(name) for name in engine.published})
    docker.write_text("ghcr.io\nmysql\nalpine\nquay.io\ngcr.io\n")
    program = docker.parent / "bin" / "docker"
    program.write_text(
        program.read_text().replace("\n", f"\n[ $1 = exec ] && printf 'Avail\\n{free:.0f}\\n' && exit\n", 1)
    )
    nodes = [{"metadata": {"name": "w1"}}, {"metadata": {"name": "w2"}, "spec": {}}]
    kubectl = FakeKubectl({"get nodes": {"items": nodes}})
    verdict = choice.Ground(
        Docker({"MemTotal": 16e9, "Architecture": "x86_64"}), kubectl, lambda: Drawn(Path("helm"), "x")
    )(PIPELINES, engine, "full")
    assert verdict.well is well
    if not well:
        assert verdict.why == "its images take up to 10 GB of disk on 2 nodes, and 9.0 GB are free"


def test_what_can_not_be_told_is_a_reason_for_the_counterpart(docker: Path) -> None:
    class Broken(Drawn):
        def template(self, release: str, chart: Path, files: Sequence[Path] = ()) -> str:
            raise LabError("helm failed with exit code 1", "")

    docker.write_text("ghcr.io\nmysql\nalpine\nquay.io\ngcr.io\n")
    ground = choice.Ground(
        Docker({"MemTotal": 16e9, "Architecture": "x86_64"}), FakeKubectl({}), lambda: Broken(Path("helm"), "x")
    )
    made = choice.choose(PIPELINES, "full", (), "", True, ground)
    assert (
        made.profile == "full" and "it can't be told whether there is room (helm failed with exit code 1)" in made.line
    )


# The installation


@pytest.fixture
def site(docker: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A kind cluster where all images can be had; `fails` has, for a values file's name, how its upgrade ends."""
    told: dict[str, Any] = {"upgrades": [], "settled": [], "fails": {}, "answers": {}, "within": []}

    class Told(Drawn):
        def upgrade(self, release: str, chart: Path, **more: Any) -> None:
            profile = more["labels"]["mlops-lab/profile"]
            told["upgrades"].append((release, profile, [file.stem for file in more["files"]], more["values"]))
            told["within"].append(more["within"])
            if profile in told["fails"]:
                raise told["fails"][profile]

        def settle(self, release: str) -> bool:
            told["settled"].append(len(told["upgrades"]))
            return False

    monkeypatch.setattr(install, "Helm", Told)
    monkeypatch.setattr(install, "program", lambda progress: Path("helm"))
    monkeypatch.setattr(install, "_bring", lambda docker, wanted, mode, progress: told.update(brought=wanted) or {})
    monkeypatch.setattr(install, "_forget_images", lambda release, docker: None)
    monkeypatch.setattr(install.pages, "answers", lambda *_: None)
    monkeypatch.setattr(install.pull, "on_nodes", lambda *_: None)
    monkeypatch.setattr(install.state, "lacking", lambda *_: ([], []))
    monkeypatch.setattr(install.start, "ensure", lambda say: Docker({"MemTotal": 16e9, "Architecture": "x86_64"}))
    monkeypatch.setattr(install.Watch, "detail", lambda self: "mysql-0: not scheduled: Insufficient memory")
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl(told["answers"]))
    docker.write_text("ghcr.io\nmysql\nalpine\nquay.io\ngcr.io\ndocker.io\n")
    return told


def bring_up(
    *parts: str, profile: install.Profile | None = "full", engines: Sequence[str] = ()
) -> tuple[list[str], str]:
    """The pages of what is installed, and what was said."""
    said = io.StringIO()
    made = install.with_parts(list(parts), profile, KIND, Progress(said), engines=engines)
    return [page.service for release in made for page in release.pages], said.getvalue()


def test_the_published_systems_come_where_they_can(site: dict[str, Any]) -> None:
    served, said = bring_up("tracking", "monitoring", "pipelines")
    assert {"grafana", "ml-pipeline-ui"} <= set(served)
    made = {release: (profile, files) for release, profile, files, _ in site["upgrades"]}
    assert made == {
        "mlops-lab-tracking": ("full", ["full"] if (releases.RELEASES[0].files("full")) else []),
        "mlops-lab-monitoring": ("full.grafana", ["full", "grafana"]),
        "mlops-lab-pipelines": ("kubeflow", ["kubeflow"]),
    }
    assert said.count("pipelines: kubeflow, since all its images can be had") == 1
    assert said.count("monitoring: grafana, since all its images can be had") == 1
    values = {release: values for release, _, _, values in site["upgrades"]}
    mlflow = "http://mlflow.mlops-lab-tracking.svc:5000"
    assert values["mlops-lab-pipelines"]["kubeflow.mlflow.endpoint"] == mlflow
    brought = {name for release in site["brought"] for name in release.images}
    assert set(PIPELINES.images) <= brought, "the counterpart's images are there if it is needed"
    site["upgrades"].clear()
    bring_up("pipelines", engines=["kubeflow"])
    assert "kubeflow.mlflow.endpoint" not in site["upgrades"][0][3], "there is no MLflow"


def test_what_does_not_become_ready_costs_nothing(site: dict[str, Any]) -> None:
    (engine,) = PIPELINES.engines
    site["fails"]["kubeflow"] = LabError("mysql-0 can't start: no room", "", "helm's words")
    served, said = bring_up("pipelines")
    assert [profile for _, profile, _, _ in site["upgrades"]] == ["kubeflow", "full"] and served == ["ml-pipeline"]
    assert [round(each, -1) for each in site["within"]] == [engine.patience, PIPELINES.within]
    assert "Kubeflow Pipelines: pipelines is not installed: mysql-0 can't start: no room" in said
    assert "\n  mysql-0: not scheduled: Insufficient memory\n" in said
    assert "pipelines goes on with the engine embedded; to try again: lab up --engine kubeflow" in said
    site["fails"]["full"] = Late("helm failed", "")
    with pytest.raises(LabError, match="pipelines did not become ready"):
        bring_up("pipelines")


def test_who_names_an_engine_is_told_when_it_fails(site: dict[str, Any]) -> None:
    site["fails"]["kubeflow"] = Late("helm failed", "")
    with pytest.raises(LabError, match="pipelines did not become ready within 1500 s") as error:
        bring_up("pipelines", engines=["kubeflow"])
    assert len(site["upgrades"]) == 1 and error.value.hint.endswith("lab up --engine embedded")


def test_what_helm_refuses_at_once_is_told_in_its_words_first(site: dict[str, Any]) -> None:
    """Warnings of the cluster may have another cause."""
    site["fails"]["kubeflow"] = LabError("helm failed", "", "Error: it exists already")
    with pytest.raises(LabError, match="pipelines can't be installed") as error:
        bring_up("pipelines", engines=["kubeflow"])
    assert error.value.detail.splitlines()[0] == "Error: it exists already"
    site["fails"]["kubeflow"] = Late("helm failed", "", "Error: timed out")
    with pytest.raises(LabError) as error:
        bring_up("pipelines", engines=["kubeflow"])
    assert error.value.detail.splitlines()[-1] == "Error: timed out"


def test_two_engines_of_one_part_are_a_mistake_in_any_cluster(site: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="embedded and kubeflow are engines of the same part"):
        install.with_parts([], None, Cluster("theirs", "example.org"), Progress(), engines=["embedded", "kubeflow"])
    assert not site["upgrades"]


def test_definitions_that_others_have_made_are_named(site: dict[str, Any]) -> None:
    site["answers"]["create"] = {"kind": "Namespace", "metadata": {"name": "x", "uid": "u"}}
    words = (
        'Error: Unable to continue with install: CustomResourceDefinition "workflows.argoproj.io" in namespace ""'
        " exists and cannot be imported into the current release: invalid ownership metadata"
    )
    site["fails"]["kubeflow"] = LabError("helm failed", "", words)
    with pytest.raises(LabError, match="can't be installed") as error:
        install.with_parts(["pipelines"], None, Cluster("theirs", "example.org"), Progress(), engines=["kubeflow"])
    assert error.value.detail.startswith(words) and "definitions of the same names" in error.value.hint


def test_what_only_runs_need_is_pulled_before_the_engine_counts_as_ready(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[str, ...], float]] = []

    def pull(kubectl: Any, docker: Any, images: tuple[str, ...], within: float, stopped: Any) -> None:
        asked.append((images, within))
        if site.get("lost"):
            raise LabError("argoexec can't be pulled on worker2", "", "403 Forbidden")

    monkeypatch.setattr(install.pull, "on_nodes", pull)
    (engine,) = PIPELINES.engines
    assert len(engine.later) == 3 and set(engine.later) < set(engine.published)
    served, _ = bring_up("pipelines")
    assert asked == [(engine.later, engine.patience)] and set(served) == {"ml-pipeline-ui"}
    site["upgrades"].clear()
    site["lost"] = True
    served, said = bring_up("pipelines")
    assert [profile for _, profile, _, _ in site["upgrades"]] == ["full"] and served == ["ml-pipeline"]
    assert "pipelines is not installed: argoexec can't be pulled on worker2" in said and "\n  403 Forbidden\n" in said


def test_images_come_to_each_node_that_takes_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there by its name is not asked for; no registry may answer for it."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        '  "exec w1 crictl pull "*lost-on-w2*) sleep 30 ;;\n'
        '  "exec w1 ctr "*) echo docker.io/library/alpine:3.23 ;;\n'
        '  *" crictl pull slow"*) sleep 30 ;;\n'
        '  *" crictl pull "*lost*) echo "403 Forbidden"; exit 1 ;;\n'
        f'  *" crictl pull "*) echo "$2 $5" >>{tmp_path}/pulled ;;\n'
        "esac\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    barred = {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}
    nodes = [{"metadata": {"name": name}, "spec": spec} for name, spec in (("cp", barred), ("w1", {}), ("w2", {}))]
    kubectl = FakeKubectl({"get nodes": {"items": nodes}})
    pull.on_nodes(kubectl, Docker({}), ["alpine:3.23", "quay.io/a/b:1"], 60, lambda: "")
    assert sorted((tmp_path / "pulled").read_text().splitlines()) == [
        "w1 quay.io/a/b:1", "w2 docker.io/library/alpine:3.23", "w2 quay.io/a/b:1",
    ]  # fmt: skip
    with pytest.raises(LabError, match=r"quay.io/lost:1 can't be pulled on w\d$") as error:
        pull.on_nodes(kubectl, Docker({}), ["quay.io/lost:1"], 60, lambda: "")
    assert error.value.detail == "403 Forbidden"
    with pytest.raises(LabError, match=r"lost-on-w2:1 can't be pulled on w2$"):
        pull.on_nodes(kubectl, Docker({}), ["quay.io/lost-on-w2:1"], 60, lambda: "")  # nobody waits for w1
    for within, stopped in ((0, ""), (60, "interrupted")):
        with pytest.raises(LabError, match=stopped or "not in time"):
            pull.on_nodes(kubectl, Docker({}), ["slow.io/a:1"], within, lambda: stopped)  # noqa: B023


@pytest.mark.parametrize("status", ["pending-install", "uninstalling", "failed"])
def test_an_interrupted_choice_is_made_again(status: str, site: dict[str, Any]) -> None:
    """What never stood is nobody's engine: `lab up` was ended while it was installed, or helm while it removed it."""
    site["answers"]["get secrets"] = release_secret("kubeflow", status)
    site["fails"]["kubeflow"] = LabError("helm failed", "")
    bring_up()
    assert [profile for _, profile, _, _ in site["upgrades"]] == ["kubeflow", "full"]
    assert site["settled"] == [0, 1], "what the first has left must not be in the counterpart's way"


def test_an_engine_is_not_replaced_while_runs_are_at_work(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site["answers"]["get secrets"] = release_secret("full")
    found: list[str] | None = [f"run {number}" for number in range(5)]
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: found)
    with pytest.raises(LabError, match="run 0, run 1, run 2 and 2 more; nothing was changed") as error:
        bring_up(engines=["kubeflow"])
    assert "engine embedded" in error.value.message and "terminate them" in error.value.hint
    assert not site["upgrades"]
    bring_up()  # the same engine: nobody asks
    bring_up(engines=["embedded"])
    site["upgrades"].clear()
    found = []
    bring_up(engines=["kubeflow"])
    assert site["upgrades"][0][1] == "kubeflow"
    found = None
    assert "the engine embedded does not answer; no pod of a run" in bring_up(engines=["kubeflow"])[1]


def test_kubeflow_is_not_upgraded_under_runs_at_work(site: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own engine stays, so nobody has refused; what another part or an update changes can wait."""
    site["answers"]["get secrets"] = release_secret("kubeflow")
    found: list[str] | None = ["run a", "run b"]
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: found)
    said = bring_up("tracking")[1]
    assert [release for release, *_ in site["upgrades"]] == ["mlops-lab-tracking"]
    assert (
        "pipelines: not upgraded, as that could end runs that are at work on Kubeflow Pipelines: run a, run b" in said
    )
    for now in ([], None):
        found = now
        site["upgrades"].clear()
        assert "at work" not in bring_up("pipelines")[1]
        assert [profile for _, profile, _, _ in site["upgrades"]] == ["kubeflow"]
    site["answers"]["get pods"] = {"items": [
        {"metadata": {"name": "s", "namespace": "x", "labels": {"workflows.argoproj.io/workflow": "w"}}, "spec": {}},
    ]}  # fmt: skip
    assert "does not answer, and is upgraded though runs were at work: pod/s" in bring_up("pipelines")[1]
    site["answers"]["get secrets"] = release_secret("small")
    site["upgrades"].clear()
    found = ["run a"]
    bring_up("pipelines")
    assert site["upgrades"], "the project's own engine is upgraded: its runs go on while it is away"


def test_a_repair_of_kubeflow_does_not_wait(site: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is replaced then, and without what is gone the runs may never end."""
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: ["a"])
    fingerprint = plan.made_from(KUBEFLOW, "kubeflow", KIND, {}).fingerprint
    site["answers"]["get secrets"] = f"{release_secret('kubeflow')},mlops-lab/fingerprint={fingerprint}"
    monkeypatch.setattr(install.state, "lacking", lambda *_: (["Service mysql does not exist"], []))
    assert "repairing pipelines: Service mysql" in bring_up("pipelines")[1]
    assert site["upgrades"]


@pytest.mark.parametrize(("profile", "restarted"), [("kubeflow", False), ("full", True)])
def test_pods_are_restarted_only_for_images_that_they_run(
    profile: str, restarted: bool, site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Kubeflow's own pods none runs an image whose content can change: those are steps' and the test's."""
    kubectl = FakeKubectl({"get secrets": release_secret(profile)})  # the images' label is not what it would be now
    monkeypatch.setattr(install, "Kubectl", lambda *_: kubectl)
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: [])
    bring_up("pipelines")
    assert len(site["upgrades"]) == 1
    assert any("rollout restart" in line for line in asked(kubectl)) is restarted


@pytest.mark.parametrize(
    ("labels", "phase", "refused"),
    [
        ({"app.kubernetes.io/managed-by": "mlops-lab-pipelines"}, "Running", True),
        ({"workflows.argoproj.io/workflow": "w"}, "Pending", True),
        ({"workflows.argoproj.io/workflow": "w"}, "Failed", False),
        ({"app.kubernetes.io/managed-by": "Helm"}, "Running", False),
    ],
)
def test_an_engine_that_does_not_answer_is_not_replaced_under_pods_of_runs(
    labels: dict[str, str], phase: str, refused: bool, site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site["answers"]["get secrets"] = release_secret("kubeflow")
    pod = {"metadata": {"name": "step", "namespace": "x", "labels": labels}, "spec": {}, "status": {"phase": phase}}
    site["answers"]["get pods"] = {"items": [pod]}
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: None)
    if not refused:
        bring_up(engines=["embedded"])
        assert site["upgrades"]
        return
    with pytest.raises(LabError, match="which does not answer, and would be lost: pod/step; nothing was changed") as e:
        bring_up(engines=["embedded"])
    wanted = "kubectl --context test -n mlops-lab-pipelines delete pod/step"
    assert e.value.hint.endswith(wanted) and not site["upgrades"]


def test_all_runs_that_are_in_an_engines_way_are_in_the_command_that_deletes_them(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the cluster that is meant, whatever kubectl's own context is; pods go with their workflow."""
    site["answers"]["get secrets"] = release_secret("kubeflow")
    site["answers"]["get workflows"] = {"items": [{"metadata": {"name": name}} for name in ("one", "two")]}
    labels = {"workflows.argoproj.io/workflow": "one"}
    pod = {"metadata": {"name": "step", "namespace": "x", "labels": labels}, "spec": {}, "status": {"phase": "Running"}}
    site["answers"]["get pods"] = {"items": [pod]}
    monkeypatch.setattr(choice.runs, "at_work", lambda *_, **__: None)
    with pytest.raises(LabError, match="would be lost: workflow/one, workflow/two, pod/step; nothing") as refused:
        bring_up(engines=["embedded"])
    assert refused.value.hint.endswith("kubectl --context test -n mlops-lab-pipelines delete workflow/one workflow/two")


def test_a_workflow_between_two_steps_is_at_work() -> None:
    """It has no pod then; and a cluster without Argo has none of the kind."""
    workflows = {"items": [{"metadata": {"name": "w"}}]}
    kubectl = FakeKubectl({"get workflows.argoproj.io -n x -l workflows.argoproj.io/completed!=true": workflows})
    assert runs.unended(kubectl, "x") == ["workflow/w"]
    none = Completed(1, "", 'error: the server doesn\'t have a resource type "workflows"')
    assert runs.unended(FakeKubectl({"get workflows": none}), "x") == []
    with pytest.raises(LabError, match="can't be listed"):
        runs.unended(FakeKubectl({"get workflows": Completed(1, "", "connection refused")}), "x")


@pytest.mark.parametrize(
    ("profile", "by_api", "workflows", "said"),
    [
        ("kubeflow", ["a"], [], "runs are at work on Kubeflow Pipelines and could not go on from what is kept: a;"),
        ("kubeflow", None, ["w"], "runs are at work on Kubeflow Pipelines and could not .*: workflow/w;"),
        ("kubeflow", None, [], ""),
        ("kubeflow", [], ["w"], ""),
        ("full", ["a"], [], ""),
    ],
)
def test_data_is_not_saved_under_runs_that_could_not_go_on_with_it(
    profile: str, by_api: list[str] | None, workflows: list[str], said: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    answers: dict[str, Any] = {
        "get secrets": release_secret(profile),
        "get workflows.argoproj.io": {"items": [{"metadata": {"name": name}} for name in workflows]},
        "get scheduledworkflows.kubeflow.org": {"items": [{"metadata": {"name": "nightly-x1"}}]},
        "get --raw": "ok",
    }
    saved: list[str] = []
    monkeypatch.setattr(remove, "Kubectl", lambda *_: FakeKubectl(answers))
    monkeypatch.setattr(remove, "answering", lambda: Docker({}))
    monkeypatch.setattr(remove.keep, "save", lambda *_: saved.append("it") or saved)
    monkeypatch.setattr(remove.runs, "at_work", lambda *_, **__: by_api)
    if said:
        with pytest.raises(LabError, match=said) as error:
            remove.save(KIND, Progress())
        assert "delete those" in error.value.hint and not saved
        return
    assert remove.save(KIND, Progress()) == ["it"]
    told = capsys.readouterr().err
    assert "recurring runs are not kept" in told and "nightly-x1" in told


def test_where_kubeflow_never_was_nothing_is_said_of_recurring_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its definitions outlive it, and with them what starts its recurring runs: without them there is nothing."""
    none = Completed(1, "", 'error: the server doesn\'t have a resource type "scheduledworkflows"')
    answers: dict[str, Any] = {
        "get secrets": release_secret("full"), "get scheduledworkflows": none, "get --raw": "ok",
    }  # fmt: skip
    monkeypatch.setattr(remove, "Kubectl", lambda *_: FakeKubectl(answers))
    monkeypatch.setattr(remove, "answering", lambda: Docker({}))
    monkeypatch.setattr(remove.keep, "save", lambda *_: ["it"])
    assert remove.save(KIND, Progress()) == ["it"]
    assert "recurring" not in capsys.readouterr().err


class Api(http.server.BaseHTTPRequestHandler):
    """Fifteen pages of runs, as both engines list them; the oldest is at work, too."""

    endless = False

    def do_GET(self) -> None:
        assert self.path.startswith("/apis/v2beta1/runs?") and "created_at%20desc" in self.path
        page = int(self.path.partition("page_token=")[2].partition("%2B")[2] or 0)
        body: dict[str, Any] = {
            "runs": [{"display_name": "z", "state": "SUCCEEDED"}],
            "next_page_token": f"+{page + 1}",
        }
        if page == 0:
            body["runs"].append({"display_name": "a", "state": "RUNNING"})
        elif page == 14 and self.endless:
            body["next_page_token"] = "+3"
        elif page == 14:
            body = {"runs": [{"run_id": "b", "display_name": "b", "state": "PENDING"}, {"run_id": "c"}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_runs_at_work_are_those_that_have_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        monkeypatch.setattr(runs, "forward", lambda *_: contextlib.nullcontext(port))
        assert runs.at_work(FakeKubectl({}), "x") == ["a", "b", "c"]
        # A run whose workflow went with the recurring run that made it is at work in Kubeflow's database alone.
        there = [{"metadata": {"labels": {"pipeline/runid": key}}} for key in ("b", "other")] + [{"metadata": {}}]
        argo = FakeKubectl({"get workflows.argoproj.io": {"items": there}})
        assert runs.at_work(argo, "x", workflows=True) == ["b"]
        monkeypatch.setattr(Api, "endless", True)
        assert runs.at_work(FakeKubectl({}), "x") is None
        server.shutdown()
    assert runs.at_work(FakeKubectl({}), "x") is None
