"""From what a machine has to a bundle, and from the bundle to another machine: planning, making, loading, resuming."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.teacher.grading import BROUGHT
from mlops_lab.cli import bundle as command
from mlops_lab.cli.cluster import up
from mlops_lab.cluster import bundle_load, bundle_make, health, kind, names, registry, registry_content
from mlops_lab.cluster.bundle_make import Selection
from mlops_lab.engine.docker import Docker
from mlops_lab.images import build, push
from mlops_lab.images.bundle import loaded
from mlops_lab.images.bundle.archive import Archive
from mlops_lab.images.bundle.form import Unusable
from mlops_lab.images.catalog import CATALOG, served_as, sources
from mlops_lab.images.recipes import (
    flight_delay,
    helm,
    kfp_python,
    kueue,
    lab_wheels,
    load,
    metrics_server,
    node,
    traefik,
)
from mlops_lab.images.recipes import kind as kind_program
from mlops_lab.images.recipes import registry as registry_image
from mlops_lab.images.sbom import image
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store
from mlops_lab.platform import choice
from mlops_lab.platform.dashboard import library
from mlops_lab.platform.releases import RELEASES
from tests.fake_registry import FakeRegistry, serving

SERVED = (load.NAME, flight_delay.IMAGES[0].name)
IMAGES = (registry_image.NAME, node.NAME, *SERVED)
SHARED = b"a layer that both have" * 1000
# Folders that hold what an engine and a registry would; `docker` on PATH works on them.
DOCKER = """#!/bin/sh
cd "{state}" || exit 1
echo "$*" >>calls
absent() {{ echo "Error: No such object: $1" >&2; exit 1; }}
case "$1 $2" in
  "images "*) cat refs ;;
  "image inspect") grep -qxF "$3" refs || absent "$3"; echo '[{{"Id": "sha256:1", "Size": 1000}}]' ;;
  "container inspect") [ -e registry ] || absent "$3"
    echo '[{{"Config": {{"Labels": {{"mlops-lab.registry": ""}}}}, "State": {{"Running": true}}}}]' ;;
  "run -d") touch registry ;;
  "rm -f") rm -f registry ;;
  "create --network") echo one ;;
  "export -o") tar -cf "$3" refs ;;
  "save "*) [ ! -e hangs ] || exec sleep 30; printf %s "$2" ;;
  "load --quiet") [ ! -e hangs ] || exec sleep 30
    what=$(cat); [ ! -e full ] || {{ echo no space left on device; exit 1; }}
    echo "$what" >>refs ;;
  "ps -aq") ;;
  "tag "*) grep -qxF "$2" refs || exit 1; echo "$3" >>refs ;;
  "pull "*) echo "$2" >>refs ;;
esac
"""


class Machine:
    """A machine: its cache, its engine, its registry."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, fake: FakeRegistry) -> None:
        self._patch, self.folder, self.registry = monkeypatch, folder, fake
        (folder / "bin").mkdir(parents=True)
        (folder / "refs").touch()
        (folder / "bin" / "docker").write_text(DOCKER.format(state=folder))
        (folder / "bin" / "docker").chmod(0o755)
        self.path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.docker = Docker({"ServerVersion": "28", "Architecture": "x86_64"})

    def here(self) -> None:
        """What runs now runs on this machine."""
        self._patch.setenv("MLOPS_LAB_HOME", str(self.folder / "home"))
        self._patch.setenv("PATH", self.path)
        self._patch.setattr(names, "REGISTRY_PORT", self.registry.port)
        self._patch.setattr(registry, "port_taken", lambda: False)  # by a registry that no container is

    def refs(self) -> list[str]:
        return (self.folder / "refs").read_text().split()

    def calls(self, word: str) -> list[str]:
        file = self.folder / "calls"
        return [line for line in (file.read_text() if file.exists() else "").splitlines() if line.startswith(word)]

    def has(self, step: Step, **files: str) -> None:
        """Have an image in the engine, or a folder."""
        if step.image:
            with (self.folder / "refs").open("a") as refs:
                print(step.ref, file=refs)
            return
        folder = Store().folder(step)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o755)


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A machine that has nothing; what runs in the block runs on it."""
    with pytest.MonkeyPatch.context() as patch, serving(FakeRegistry()) as fake:
        found = Machine(patch, folder, fake)
        found.here()
        yield found


WANTED = Selection(IMAGES, {kind_program.NAME: kind_program.program}, labs=["10"])


def builds(found: Machine) -> None:
    """Have built all that a small bundle needs."""
    known = sources("build", "amd64", offline=True)
    for name in IMAGES:
        found.has(known.image(name))
    for name in SERVED:
        digest = found.registry.add(served_as(name), SHARED, name.encode())
        registry.note(served_as(name), known.image(name).key, digest)
    found.has(kind_program.program(known), kind="program")
    found.has(lab_wheels.wheels(known), **{"click-8-py3-none-any.tar.gz": "click"})
    found.has(helm.program(known), helm="program")
    build._remember("build", "")


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Machine]:
    """A machine from whose images bundles are made."""
    with machine(tmp_path / "teacher") as found:
        builds(found)
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was made on another machine."""
    folder = tmp_path_factory.mktemp("made")
    with machine(folder / "teacher") as found:
        builds(found)
        manifest = bundle_make.make(folder / "a.bundle", WANTED, "auto", found.docker, Progress())
        assert (manifest.engine, manifest.mode, manifest.labs) == ("linux/amd64", "build", ["10"])
        assert not (found.folder / "registry").exists(), "the registry that it started is gone"
    return folder / "a.bundle"


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[Machine]:
    """Another machine, which has nothing."""
    with machine(tmp_path / "learner") as found:
        yield found


def take(learner: Machine, bundle: Path) -> None:
    bundle_load.load(Archive(bundle), learner.docker, command.makers(), Progress())


def test_a_bundle_holds_images_programs_packages_and_bills_of_materials(bundle: Path) -> None:
    found = Archive(bundle)
    found.check(Progress())
    manifest = found.manifest
    assert set(manifest.loaded) == {registry_image.NAME, node.NAME} and set(manifest.served) == set(SERVED)
    blobs = [name for name in manifest.files if name.startswith("blobs/")]
    assert len(blobs) == 7, "two configurations, two layers of their own, one that both have, two manifests"
    assert "wheels/click-8-py3-none-any.tar.gz" in manifest.files and "sbom/lab.cdx.json" in manifest.files
    assert len([name for name in manifest.files if name.startswith("sbom/")]) == len(IMAGES) + 1
    packed = b"".join(found.chunks(manifest.loaded[node.NAME].file))
    assert gzip.decompress(packed).decode() == sources("build", "amd64").image(node.NAME).ref
    assert manifest.versions["kubernetes"].startswith("v1.") and set(manifest.locks) == {"setup.txt", "lab.txt"}
    lines = command.table(manifest)
    assert any(load.NAME in line for line in lines) and any("Python packages" in line for line in lines)


def test_another_machine_has_all_of_it_and_asks_nobody(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(learner, bundle)
    known = sources("build", "amd64")
    assert learner.refs() == [known.image(registry_image.NAME).ref, known.image(node.NAME).ref]
    assert {repository for repository, _ in learner.registry.manifests} == {"load", "flight-delay"}
    program = kind_program.path(Store())
    assert program.read_text() == "program" and os.access(program, os.X_OK)
    monkeypatch.setattr(build, "not_pulled", lambda *_: pytest.fail("a registry was asked"))
    monkeypatch.setenv("MLOPS_LAB_MIRROR", "mirror.example.org")
    steps = build.bring(list(IMAGES), "auto", learner.docker, Progress(), "mirror.example.org", (kind_program.program,))
    for name in SERVED:
        assert registry.serve(learner.docker, served_as(name), steps[name]) is False
    assert not learner.calls("push") and not learner.calls("pull")
    bundle.unlink()
    assert build.bring(list(IMAGES), "auto", learner.docker, Progress()).keys() == set(IMAGES), "the file may go"


def test_layers_that_images_share_are_sent_once(bundle: Path, learner: Machine) -> None:
    take(learner, bundle)
    assert len(learner.registry.sent) == len(set(learner.registry.sent)) == 5


def test_a_load_that_was_interrupted_goes_on_where_it_was(
    bundle: Path, learner: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    learner.registry.fails_after = 2
    with pytest.raises(LabError, match=r"the registry answers 500") as error:
        take(learner, bundle)
    assert "no space left" in error.value.detail and "it goes on there" in error.value.hint
    assert loaded.loaded() is None and len(learner.registry.manifests) < 3
    before, learner.registry.fails_after = list(learner.registry.sent), None
    capsys.readouterr()
    take(learner, bundle)
    assert sorted(learner.registry.sent) == sorted({*before, *learner.registry.sent}), "nothing was sent twice"
    assert len(learner.refs()) == 2 and len(learner.calls("load")) <= 3, "what was whole is not loaded again"
    assert "checking" not in capsys.readouterr().err, "it was found well before"
    assert loaded.loaded() is not None
    calls = len(learner.calls("load"))
    take(learner, bundle)
    assert len(learner.calls("load")) == calls and sorted(learner.registry.sent) == sorted(set(learner.registry.sent))


def test_an_engine_that_takes_no_image_is_quoted_and_the_rest_stays(bundle: Path, learner: Machine) -> None:
    (learner.folder / "full").touch()
    with pytest.raises(LabError, match="the engine does not take registry:3") as error:
        take(learner, bundle)
    assert "no space left on device" in error.value.detail
    assert learner.refs() == [] and loaded.loaded() is None and not learner.registry.sent
    (learner.folder / "full").unlink()
    take(learner, bundle)
    assert loaded.loaded() is not None


def test_an_engine_that_neither_reads_nor_writes_is_waited_for_within_limits(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (learner.folder / "hangs").touch()
    monkeypatch.setattr(bundle_load, "_LOADED_WITHIN", 0.5)
    monkeypatch.setattr(bundle_make, "_SAVED_WITHIN", 0.5)
    monkeypatch.setattr(bundle_load, "inflated", lambda content, into: into.write(bytes(1 << 20)))  # no pipe takes it
    with pytest.raises(LabError, match=r"docker load did not end within 0\.5 s"):
        take(learner, bundle)
    step = sources("build", "amd64").image(node.NAME)
    with pytest.raises(LabError, match=r"docker save did not end within 0\.5 s"):
        bundle_make._save(learner.docker, step, learner.folder / "saved", Progress())


def test_nothing_is_taken_from_a_damaged_bundle(bundle: Path, learner: Machine) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(SHARED[:100], SHARED[:99] + b"?", 1))
    with pytest.raises(Unusable, match="is damaged"):
        take(learner, bundle)
    assert learner.refs() == [] and not learner.registry.blobs and loaded.loaded() is None
    assert not list((learner.folder / "home").rglob("kind")), "nothing is half-installed"


def test_a_bundle_of_another_processor_system_or_version_is_refused(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = Docker({"ServerVersion": "28", "Architecture": "aarch64"})
    with pytest.raises(Unusable, match="is for linux/amd64, and this machine is linux/arm64"):
        bundle_load.load(Archive(bundle), arm, command.makers(), Progress())
    with monkeypatch.context() as patch:
        patch.setattr("platform.system", lambda: "Darwin")
        with pytest.raises(Unusable, match="and this machine is darwin/"):
            take(learner, bundle)
    monkeypatch.setitem(command.makers.__globals__, "_makers", dict)
    with pytest.raises(Unusable, match="another version of the project: its go/kind") as error:
        take(learner, bundle)
    assert Archive(bundle).manifest.project in error.value.hint
    monkeypatch.undo()
    assert learner.refs() == []


def test_an_image_of_another_version_is_refused(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = CATALOG[load.NAME]
    other = Step("image/load", lambda work: None, ("other",), image=load.NAME)
    monkeypatch.setitem(CATALOG, load.NAME, type(there)(load.NAME, lambda _: other, served=True))
    with pytest.raises(Unusable, match=f"another version of the project: its {load.NAME}"):
        take(learner, bundle)


def test_a_disk_without_room_is_said_before_anything_is_taken(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(LabError, match="for the registry takes 200 MB"):
        take(learner, bundle)
    roomy = Docker({**learner.docker.facts, "DockerRootDir": str(learner.folder)})
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: usage._replace(free=10**6 if path == learner.folder else 10**12)
    )
    with pytest.raises(LabError, match="for the engine takes 200 MB"):
        bundle_load.load(Archive(bundle), roomy, command.makers(), Progress())
    assert learner.refs() == [] and not learner.registry.sent


def test_what_a_bundle_lacks_is_one_line_and_nobody_is_asked(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(learner, bundle)
    for name in ("not_pulled", "_refusal"):
        monkeypatch.setattr(build, name, lambda *_: pytest.fail("a registry was asked"))
    with pytest.raises(LabError, match=r"workbench:1 and 1 more is not in the bundle .*a\.bundle") as error:
        build.bring([load.NAME, "mlops-lab/workbench:1", kfp_python.NAME], "auto", learner.docker, Progress())
    assert "lab up --bundle FILE" in error.value.hint and "--images pull" in error.value.hint
    with pytest.raises(LabError, match="pypi/dashboard is not in the bundle"):
        library.library(Progress())
    monkeypatch.setattr(kind, "nodes", lambda *_: [])
    assert "no image registry is asked" in choice.unavailable(["docker.io/grafana/grafana:1"], learner.docker)
    assert health._registries(learner.docker).verdict == "ok"
    assert build.last_mode() == "build"


def test_images_that_the_user_has_brought_otherwise_end_that(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(learner, bundle)
    with pytest.raises(LabError, match="the disk"):
        monkeypatch.setattr(build, "_check_room", lambda missing: (_ for _ in ()).throw(LabError("the disk", "")))
        build.bring(["mlops-lab/workbench:1"], "build", learner.docker, Progress())
    assert loaded.loaded() is not None, "it failed, so nothing has changed"
    build.bring([registry_image.NAME], "build", learner.docker, Progress())
    assert loaded.loaded() is None


def test_an_image_that_the_registry_has_lost_is_to_be_loaded_again(bundle: Path, learner: Machine) -> None:
    take(learner, bundle)
    learner.registry.manifests.clear()
    step = sources("build", "amd64").image(load.NAME)
    with pytest.raises(LabError, match="the registry has lost load:v1") as error:
        registry.serve(learner.docker, "load:v1", step)
    assert f"lab up --bundle {bundle}" in error.value.hint
    take(learner, bundle)
    assert registry.serve(learner.docker, "load:v1", step) is False


def test_a_bundle_in_a_folder_with_blanks_is_named_as_it_is_to_be_typed(learner: Machine, tmp_path: Path) -> None:
    loaded.note(tmp_path / "my bundles/core.bundle", "build", ["x"])
    with pytest.raises(LabError, match="the registry has lost load:v1") as error:
        registry.serve(learner.docker, "load:v1", sources("build", "amd64").image(load.NAME))
    assert shlex.split(error.value.hint.rpartition(": ")[2])[-1] == str(tmp_path / "my bundles/core.bundle")


def test_a_registry_that_is_slow_has_lost_nothing(
    bundle: Path, learner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(learner, bundle)
    step = sources("build", "amd64").image(load.NAME)
    learner.registry.pause = 3.5
    assert registry.serve(learner.docker, "load:v1", step) is False
    monkeypatch.setattr(registry, "_WITHIN", 0.5)
    with pytest.raises(LabError, match="the registry does not answer: timed out"):
        registry.serve(learner.docker, "load:v1", step)
    monkeypatch.setattr(names, "REGISTRY_PORT", 1)
    assert registry.digest("load:v1") == "" and not registry.answers(), "nothing listens there"


def test_images_of_a_bundle_can_be_pushed_elsewhere(bundle: Path, learner: Machine) -> None:
    take(learner, bundle)
    known = sources("build", "amd64")
    steps = {name: known.image(name) for name in (node.NAME, load.NAME)}
    push.fetch(learner.docker, steps, "localhost:5001")
    assert learner.calls("pull") == ["pull localhost:5001/load:v1"]
    assert steps[load.NAME].ref in learner.refs()


def test_an_images_bill_of_materials_is_in_the_bundle(bundle: Path, learner: Machine) -> None:
    take(learner, bundle)
    with pytest.raises(LabError, match=f"{load.NAME} came from the bundle") as error:
        image.built("load", learner.docker)
    assert error.value.hint == f"tar -xOf {bundle} sbom/mlops-lab-load-v1.cdx.json"
    assert "sbom/mlops-lab-load-v1.cdx.json" in Archive(bundle).manifest.files


def test_a_registry_that_ends_in_the_middle_is_no_bug(learner: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    learner.registry.add("load:v1", SHARED)
    digest = next(iter(registry_content.tree("load:v1").blobs))

    def broken(*_: object) -> bytes:
        raise http.client.IncompleteRead(b"")

    monkeypatch.setattr(http.client.HTTPResponse, "read", broken)
    with pytest.raises(LabError, match="has ended in the middle"):
        list(registry_content.blob("load", digest))
    with pytest.raises(LabError, match="has ended in the middle"):
        registry_content.tree("load:v1")


def test_a_second_bundle_adds_to_the_first(bundle: Path, learner: Machine) -> None:
    take(learner, bundle)
    first = loaded.loaded()
    assert first
    loaded.note(bundle, "build", ["mlops-lab/other:1-x"])
    both = loaded.loaded()
    assert both and both.refs == first.refs | {"mlops-lab/other:1-x"}
    loaded.note(bundle, "pull", [])
    other = loaded.loaded()
    assert other and other.refs == frozenset(), "what was made in another way is no result of these steps"


def test_a_machine_that_has_a_bundle_makes_none(bundle: Path, learner: Machine, tmp_path: Path) -> None:
    take(learner, bundle)
    with pytest.raises(LabError, match="came from the bundle"):
        bundle_make.make(tmp_path / "b.bundle", WANTED, "auto", learner.docker, Progress())


def test_making_again_after_an_interrupt_packs_nothing_twice(
    teacher: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blob, given = registry_content.blob, []

    def interrupted(repository: str, digest: str) -> Iterator[bytes]:
        given.append(digest)
        if len(given) == 3:
            raise KeyboardInterrupt
        return blob(repository, digest)

    monkeypatch.setattr(registry_content, "blob", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bundle_make.make(tmp_path / "a.bundle", WANTED, "auto", teacher.docker, Progress())
    saved = teacher.calls("save")
    capsys.readouterr()
    bundle_make.make(tmp_path / "a.bundle", WANTED, "auto", teacher.docker, Progress())
    assert "going on with" in capsys.readouterr().err
    assert teacher.calls("save") == saved and len(given) == len(set(given)) + 1
    Archive(tmp_path / "a.bundle").check(Progress())


def test_a_second_bundle_waits_until_the_first_is_made(
    teacher: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (teacher.folder / "registry").touch()  # of a cluster, so neither has the cluster for itself
    blob, waiting = registry_content.blob, threading.Event()
    second: list[threading.Thread] = []

    class Said(Progress):
        def say(self, text: str) -> None:
            waiting.set()
            super().say(text)

    def make_other() -> None:
        bundle_make.make(tmp_path / "b.bundle", WANTED, "auto", teacher.docker, Said())

    def meanwhile(repository: str, digest: str) -> Iterator[bytes]:
        if not second:
            second.append(threading.Thread(target=make_other))
            second[0].start()
            assert waiting.wait(10)
            assert not [*tmp_path.glob("b.bundle*")]
        return blob(repository, digest)

    monkeypatch.setattr(registry_content, "blob", meanwhile)
    bundle_make.make(tmp_path / "a.bundle", WANTED, "auto", teacher.docker, Progress())
    second[0].join(20)
    assert "another `lab` command is using the pieces of bundles" in capsys.readouterr().err
    for name in ("a.bundle", "b.bundle"):
        Archive(tmp_path / name).check(Progress())


def test_images_that_a_mirror_gave_are_named_as_without_one(teacher: Machine, tmp_path: Path) -> None:
    mirrored, plain = sources("pull", "amd64", "m.example.org", offline=True), sources("pull", "amd64", offline=True)
    for name in IMAGES:
        teacher.has(mirrored.image(name))
    for name in SERVED:
        registry.note(served_as(name), mirrored.image(name).key, registry.digest(served_as(name)))
    made = bundle_make.make(tmp_path / "m.bundle", WANTED, "pull", teacher.docker, Progress(), "m.example.org")
    assert made.mode == "pull" and made.loaded[node.NAME].key == plain.image(node.NAME).key
    assert plain.image(node.NAME).ref in "".join(teacher.calls("save"))
    assert {name: each.key for name, each in made.served.items()} == {n: plain.image(n).key for n in SERVED}


def test_where_nodes_pull_nothing_what_stands_in_comes_along() -> None:
    assert not sources("pull", "amd64").brings(kfp_python.NAME)
    assert sources("pull", "amd64", offline=True).brings(kfp_python.NAME)


def plan(parts: str = "", labs: str = "", exams: bool = False) -> Selection:
    return command.selected(command._words([parts]), command._words([labs]), exams)


def test_a_class_can_be_brought_along() -> None:
    own = {"mlops-lab/classroom:1", *BROUGHT}
    found = plan("class")
    assert own <= set(found.images) and "class" in found.parts and kueue.MANIFESTS in found.folders
    assert not own & set(plan("all").images) and kueue.MANIFESTS not in plan("all").folders


def test_a_plan_without_parts_and_labs_is_the_clusters_own() -> None:
    found = plan()
    flights = [image.name for image in flight_delay.IMAGES]
    assert list(found.images) == [registry_image.NAME, node.NAME, metrics_server.NAME, load.NAME, *flights]
    assert set(found.folders) == {flight_delay.TRAIN, "go/kind", "go/helm"}
    assert (found.parts, found.labs, found.exams) == ([], [], False)


def test_a_plan_has_what_labs_and_parts_need_and_no_more() -> None:
    assert (
        "mlops-lab/python-build:1" in plan(labs="03").images and "mlops-lab/workbench:1" not in plan(labs="03").images
    )
    monitored = plan(labs="11,autoscale-on-requests")
    assert monitored.labs == ["11"] and "monitoring" in monitored.parts and "pypi/dashboard" in monitored.folders
    assert "exam-node/files" in plan(labs="24").folders and traefik.NAME not in plan(labs="24").images
    assert plan(parts="tracking").parts == ["tracking"]
    assert kfp_python.NAME in plan(parts="pipelines").images


def test_a_plan_of_all_has_every_image_that_a_learner_may_meet() -> None:
    assert set(plan(labs="all", exams=True).parts) == {"tracking", "monitoring", "pipelines"}
    found = plan(parts="all", labs="all", exams=True)
    assert set(found.parts) == {each.part for each in RELEASES} and len(found.labs) >= 25
    assert set(found.folders) == set(command.makers()) - {kueue.MANIFESTS}
    # What only authors ask for, a chart's reader, and a class's teacher.
    own = {"mlops-lab/tensorflow:1", "mlops-lab/serving-bentoml:1", "mlops-lab/classroom:1", *BROUGHT}
    own |= {"mlops-lab/pytorch:1", "mlops-lab/flight-delay-pytorch:v1"}
    bases = {"python:3.11-slim-bookworm", "python:3.11-bookworm"}
    assert set(CATALOG) - set(found.images) == own | bases
    assert set(plan(parts="all").parts) == set(found.parts)


@pytest.mark.parametrize(("parts", "labs"), [("nothing", ""), ("", "99")])
def test_a_plan_of_what_there_is_not_is_refused(parts: str, labs: str) -> None:
    with pytest.raises(UsageError):
        plan(parts, labs)


@pytest.mark.parametrize(
    "words", [["--bundle", "x", "--images", "pull"], ["--bundle", "x", "--context", "mine", "--registry", "r"]]
)
def test_a_bundle_goes_with_no_other_way(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    done = CliRunner().invoke(up, words)
    assert isinstance(done.exception, UsageError) and "--bundle" in done.exception.message


def test_up_loads_the_bundle_before_anything_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    done = CliRunner().invoke(up, ["--bundle", str(tmp_path / "none")])
    assert isinstance(done.exception, Unusable) and "there is no file" in done.exception.message


def test_files_that_are_there_with_that_name_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = CliRunner().invoke(command.bundle, [str(tmp_path / "mine")])
    assert isinstance(done.exception, UsageError) and (tmp_path / "mine").read_text() == "mine"


def test_the_locks_leave_no_package_to_one_version_of_python() -> None:
    for lock in lab_wheels.locks():
        assert "python_version" not in lock.read_text() and "python_full_version" not in lock.read_text(), (
            "pip reads such a marker for the Python that it runs in: lab_wheels has to fetch with each version's own"
        )
