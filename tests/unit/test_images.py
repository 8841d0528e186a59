"""Steps named by their content, the store that keeps them, and the runs that make what is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress, spell
from mlops_lab.cluster import health
from mlops_lab.engine.docker import Docker
from mlops_lab.images import build, prune, work
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.push import names
from mlops_lab.images.recipes import debian, golang, helm, node
from mlops_lab.images.sources import Image, Sources, repository
from mlops_lab.images.steps import Step, closure
from mlops_lab.images.store import Store
from mlops_lab.images.work import Work


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Recorder:
    """Makes steps that note their order and how many ran at once."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def step(self, name: str, *, fails: bool = False, takes: float = 0.02, **extra: object) -> Step:
        def make(work: Work) -> None:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            time.sleep(takes)
            with self._lock:
                self._now -= 1
            if fails:
                raise LabError(f"{name} failed", "try again")
            (work.out / "result").write_text(name)
            self.done.append(name)

        return Step(name, make, (name,), **extra)  # type: ignore[arg-type]


def engine() -> Docker:
    return Docker({"ServerVersion": "28", "Architecture": "x86_64"})


def run(steps: list[Step]) -> None:
    build.run_steps(steps, engine(), Store(), Progress())


def test_a_key_changes_with_what_the_result_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")

    def step(*inputs: str | Path, needs: tuple[Step, ...] = (), arch: str = "amd64") -> Step:
        return Step("x", lambda work: None, inputs, needs=needs, arch=arch)

    first = step(file, "1.0").key
    assert step(file, "1.0").key == first
    assert step(file, "1.1").key != first
    assert step(file, "1.0", arch="arm64").key != first
    assert step(file, "1.0", needs=(step("other"),)).key != first
    file.write_text("two")
    assert step(file, "1.0").key != first
    file.write_text("one")
    file.chmod(0o755)
    assert step(file, "1.0").key != first, "a program that may be run is another than one that may not"


def test_a_folder_counts_with_its_names_and_not_with_its_compiled_files(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a").write_text("x")

    def key() -> str:
        return Step("x", lambda work: None, (folder,)).key

    first = key()
    (folder / "__pycache__" / "a.pyc").write_text("y")
    assert key() == first
    (folder / "a").rename(folder / "b")
    assert key() != first


def test_results_are_made_once_in_order_and_again_when_an_input_changes(home: Path) -> None:
    made = Recorder()
    first = made.step("first")
    last = made.step("last", needs=(first,))
    run([last])
    assert made.done == ["first", "last"]
    run([last])
    assert made.done == ["first", "last"]
    run([made.step("last", needs=(made.step("first", arch="arm64"),))])
    assert made.done == ["first", "last", "first", "last"]


def test_what_nothing_needs_any_more_is_not_made(home: Path) -> None:
    made = Recorder()
    first = made.step("first")
    last = made.step("last", needs=(first,))
    run([last])
    import shutil

    shutil.rmtree(Store().folder(first))
    run([last])
    assert made.done == ["first", "last"]


def test_steps_run_side_by_side_but_heavy_ones_alone(home: Path) -> None:
    light = Recorder()
    run([light.step(f"light-{number}", takes=2.0) for number in range(2)])
    assert light.most == 2
    heavy = Recorder()
    run([heavy.step(f"heavy-{number}", takes=0.2, heavy=True) for number in range(3)])
    assert heavy.most == 1


def test_a_failure_keeps_what_is_done_and_leaves_no_half_result(home: Path) -> None:
    made = Recorder()
    first = made.step("first")
    bad = made.step("bad", fails=True, needs=(first,))
    with pytest.raises(LabError, match="bad failed"):
        run([bad])
    assert Store().has(first)
    assert not Store().has(bad)
    run([made.step("bad", needs=(first,))])
    assert made.done == ["first", "bad"]
    assert not list((home / "cache" / "build").glob("*/*.part"))


def test_a_failing_program_is_quoted_and_its_log_named(home: Path) -> None:
    def make(work: Work) -> None:
        work.run(["sh", "-c", "echo the reason; exit 7"])

    with pytest.raises(LabError) as error:
        run([Step("shell", make, ())])
    assert "exit code 7" in error.value.message
    assert "the reason" in error.value.detail
    assert "shell.log" in error.value.detail


def test_a_program_beside_a_failing_step_is_ended(home: Path) -> None:
    def long(work: Work) -> None:
        work.run(["sleep", "60"])

    def bad(work: Work) -> None:
        time.sleep(0.5)
        raise LabError("no", "go on")

    begin = time.monotonic()
    with pytest.raises(LabError):
        run([Step("long", long, ()), Step("bad", bad, ())])
    assert time.monotonic() - begin < 20


def test_a_step_has_a_limit(home: Path) -> None:
    with pytest.raises(LabError, match="not done within"):
        run([Step("slow", lambda work: work.run(["sleep", "60"], within=0.3), ())])


def test_too_little_disk_is_said_before_anything_is_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recorder()
    usage = build.shutil.disk_usage("/")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(LabError, match="disk"):
        run([made.step("first")])
    assert made.done == []


@pytest.mark.parametrize(("home_of_labs", "moved"), [("/x", "MLOPS_LAB_HOME"), ("", "XDG_CACHE_HOME")])
def test_a_cache_is_moved_by_the_variable_that_counts(
    home_of_labs: str, moved: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = build.shutil.disk_usage("/")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    monkeypatch.setattr(build, "cache", lambda: home)
    monkeypatch.setenv("MLOPS_LAB_HOME", home_of_labs)
    with pytest.raises(LabError) as error:
        build._check_room([])
    for hint in (error.value.hint, health._disk().todo):
        assert re.findall(r"[A-Z_]+_HOME", hint) == [moved]


def test_building_needs_the_room_that_the_doctor_asks_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recorder()
    usage = build.shutil.disk_usage("/")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=10 * 10**9 - 1))
    heavy = made.step("last", needs=(made.step("first", heavy=True),))
    with pytest.raises(LabError, match="building images needs 10 GB"):
        run([heavy])
    assert (health._disk().verdict, made.done) == ("fail", [])
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=10 * 10**9))
    run([heavy])
    assert (health._disk().verdict, made.done) == ("warn", ["first", "last"])


def test_what_is_pulled_or_small_needs_less_room(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recorder()
    usage = build.shutil.disk_usage("/")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=2 * 10**9 - 1))
    with pytest.raises(LabError, match="bringing images needs 2 GB"):
        run([made.step("one")])
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage._replace(free=2 * 10**9))
    run([made.step("one")])
    assert made.done == ["one"]


def test_a_disk_that_fills_up_while_building_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = work.shutil.disk_usage("/")

    def fill(now: Work) -> None:
        monkeypatch.setattr(work.shutil, "disk_usage", lambda _: usage._replace(free=0))
        now.run(["sh", "-c", "echo No space left on device; exit 1"])

    with pytest.raises(LabError, match="the disk is full") as error:
        run([Step("full", fill, ())])
    assert "goes on where it stopped" in error.value.hint


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo Error response from daemon: toomanyrequests: your limit >&2; exit 1", "toomanyrequests: your limit"),
        ("exit 1", "no answer within 5 s"),
        ("echo 3: Pulling from library/registry; echo 1a2b: Pulling fs layer; sleep 30", ""),
    ],
)
def test_why_images_are_built_is_said_in_the_engines_words(
    script: str, why: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(build, "run_steps", lambda *_, **__: None)
    build.bring([], "auto", engine(), Progress())
    said = capsys.readouterr().err
    assert (why in said and "images are built, as they can't be pulled: registry:3: " in said) if why else said == ""
    assert build.last_mode() == ("build" if why else "pull")
    line = health._registries(engine())
    assert (why in line.seen) if why else line.seen == "an image registry answers: images are pulled"


def test_an_images_user_may_read_what_a_strict_umask_has_closed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\n[ "$1" = build ] || exit 0\nfor last; do :; done\n'
        f'cd "$last" && find . -printf "%P %m\\n" | sort >{tmp_path}/seen\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    closed = tmp_path / "closed"
    (closed / "folder").mkdir(parents=True)
    (closed / "link").symlink_to("folder")
    for name, mode in (("folder/text", 0o600), ("program", 0o700), ("open", 0o644)):
        (closed / name).write_text(name)
        (closed / name).chmod(mode)
    for folder in (closed / "folder", closed):
        folder.chmod(0o700)
    run([Step("image/x", lambda work: work.image(work.context(closed), "FROM scratch"), (), image="x:1")])
    assert (tmp_path / "seen").read_text().splitlines() == [
        " 755", "folder 755", "folder/text 644", "link 777", "open 644", "program 755",
    ]  # fmt: skip
    assert [(closed / name).stat().st_mode & 0o777 for name in ("folder/text", "program", ".")] == [0o600, 0o700, 0o700]


class Holding(Docker):
    """An engine with images, each by its names."""

    def __init__(self, *images: tuple[str, ...]) -> None:
        super().__init__({"ServerVersion": "28"})
        self.images = [list(each) for each in images]

    def run(self, *words: Any, **_: Any) -> Completed:
        if words[0] == "images":
            said = "\n".join(name for each in self.images for name in each if name.startswith("mlops-lab/"))
        elif words[:2] == ("image", "inspect"):
            found = [(at, each) for at, each in enumerate(self.images) if set(each) & set(words)]
            said = json.dumps([{"Id": str(at), "Size": 10**6, "RepoTags": each} for at, each in found])
        elif words[0] == "rmi":
            self.images = [[name for name in each if name not in words] for each in self.images]
            said = ""
        else:
            said = ""
        return Completed(0, said, "")


def test_images_go_with_the_names_that_they_were_pushed_under_and_not_with_the_users(home: Path) -> None:
    engine = Holding(
        ("mlops-lab/load:v1-0123456789ab", "localhost:5001/load:v1"),
        ("mlops-lab/postgres:17-0123456789ab", "localhost:5001/library/postgres:17", "localhost:5001/mine:1"),
        ("localhost:5001/model:1",),
    )
    held = prune.images(engine)
    assert [(each.name, each.size) for each in held] == [
        ("mlops-lab/load:v1-0123456789ab", 10**6), ("mlops-lab/postgres:17-0123456789ab", 10**6),
    ]  # fmt: skip
    prune.remove(engine, held)
    assert engine.images == [[], ["localhost:5001/mine:1"], ["localhost:5001/model:1"]]


def test_a_file_that_goes_while_the_cache_is_measured_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "cache" / "registry"
    folder.mkdir(parents=True)
    for name in ("upload", "blob"):
        (folder / name).write_bytes(bytes(8192))
    looked = Path.lstat

    def gone(path: Path) -> os.stat_result:
        if path.name == "upload":
            path.unlink()
        return looked(path)

    monkeypatch.setattr(Path, "lstat", gone)
    (held,) = prune.folders()
    assert held.size == looked(folder / "blob").st_blocks * 512


def test_results_in_use_are_not_old_where_the_cache_lies_behind_a_link(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for inputs in ("first", "second"):
        run([Step("one", lambda work: None, (inputs,))])
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "link"))
    now = Store().current("one")
    assert now and len([*now.parent.iterdir()]) == 3, "two results, and the link to the current one"
    old = [each.folder for each in prune.replaced(Holding(), set())]
    assert len(old) == 1 and old[0] and old[0].resolve() != now.resolve()


def test_the_result_in_use_can_be_found_by_name(home: Path) -> None:
    made = Recorder()
    run([made.step("one/two")])
    found = Store().current("one/two")
    assert found and (found / "result").read_text() == "one/two"
    assert Store().current("nothing") is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("registry:3", "library/registry:3"),
        ("kindest/node:v1", "kindest/node:v1"),
        ("registry.k8s.io/metrics-server/metrics-server:v0", "metrics-server/metrics-server:v0"),
        ("localhost:5001/load:v1", "load:v1"),
    ],
)
def test_a_mirror_serves_names_without_their_registry(name: str, path: str) -> None:
    assert repository(name) == path


def test_a_published_image_is_pulled_by_digest_and_from_a_mirror_by_tag() -> None:
    image = Image("a/b:1", lambda sources: Step("x", lambda work: None, ()), digest="sha256:0", published=True)
    assert image.pull_ref() == "a/b:1@sha256:0"
    assert image.pull_ref("localhost:1/") == "localhost:1/a/b:1"


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("mode", ["pull", "build"])
def test_every_image_of_the_catalog_has_steps_in_both_modes(mode: build.Mode, arch: str) -> None:
    known = sources(mode, arch)
    steps = closure([known.image(name) for name in CATALOG])
    assert len({step.name for step in steps}) == len(steps)
    for name, image in CATALOG.items():
        step = known.image(name)
        assert step.image, name
        assert step.name.startswith("pull/") == (mode == "pull" and image.published), name
        assert step.key in step.ref
    assert all(step.arch for step in steps), "a result for one architecture must not pass for another's"


def test_nothing_of_kubernetes_is_compiled_in_pull_mode() -> None:
    known = sources("pull", "amd64")
    assert "go/kubernetes" not in {step.name for step in closure([known.image(name) for name in CATALOG])}


def test_pushed_names_serve_a_mirror_and_a_shared_cluster() -> None:
    pushed = names("example.org/labs/")
    assert pushed["registry:3"] == "example.org/labs/library/registry:3"
    assert pushed["mlops-lab/load:v1"] == "example.org/labs/load:v1"


def test_an_unknown_image_is_named() -> None:
    with pytest.raises(LabError, match="no/such"):
        Sources({}, "build", "amd64").image("no/such:1")


@pytest.mark.parametrize("name", ["workbench", "rag", "pytorch", "tensorflow"])
def test_packages_are_found_with_and_without_the_pythonpath_of_an_image(name: str) -> None:
    text = (project() / "images" / name / "Dockerfile").read_text()
    told, kept = re.search(r"^ENV PYTHONPATH=(\S+)", text, re.MULTILINE), re.search(r"printf '(\S+)' >\S+\.pth", text)
    assert told and kept and told[1].split(":") == kept[1].removesuffix("\\n").split("\\n")


def test_packages_that_an_image_gets_are_compiled_to_bytecode() -> None:
    """Its programs may write none (PYTHONDONTWRITEBYTECODE, or a root that is read only)."""
    got = {}
    for file in sorted((project() / "images").rglob("*Dockerfile")):
        text = file.read_text()
        if copied := re.findall(r"^COPY site (\S+)$", text, re.MULTILINE):
            compiled = re.findall(r"compileall .*unchecked-hash (.+?)(?: \\)?$", text, re.MULTILINE)
            got[str(file)] = set(copied) - set(" ".join(compiled).split())
    assert len(got) >= 10 and not any(got.values()), got


def test_the_storage_manifest_is_put_together_from_kinds_source() -> None:
    source = 'const one = "a:1"\n\nconst defaultStorageManifest = `\nx: ` + one + `\ny: 2\n`\n'
    assert node.storage_manifest(source) == "x: a:1\ny: 2\n"
    with pytest.raises(ValueError, match="defaultStorageManifest"):
        node.storage_manifest("package nodeimage")


def test_a_required_version_is_read_from_go_mod(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(
        "module x\n\nrequire a.b/c v1.2.3\n\nrequire (\n\ta.b/d/v2 v2.0.1 // indirect\n)\n"
    )
    assert golang.required(tmp_path, "a.b/c") == "v1.2.3"
    assert golang.required(tmp_path, "a.b/d/v2") == "v2.0.1"
    with pytest.raises(ValueError, match="does not require"):
        golang.required(tmp_path, "a.b/e")


@pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (48.4, "48 s"), (200, "3 min 20 s")])
def test_durations_are_spelled_as_people_write_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text


@pytest.mark.parametrize(
    ("answer", "will_do"),
    [
        *(("v3.14.0+g3fc9f4b", True), ("v3.22.0", True), ("v4.1.3+gc94d381", True)),
        *(("v3.13.3+g3e8c", False), ("v2.17.0", False), ("v5.0.0", False), ("", False), ("Client: &version", False)),
    ],
)
def test_a_helm_is_taken_by_its_version(answer: str, will_do: bool) -> None:
    assert helm.acceptable(answer) is will_do


def test_helm_is_found_on_path_or_among_the_results(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(helm, "on_path", helm.on_path.__wrapped__)
    assert helm.path(Store()) is None
    result = home / "cache" / "build" / "go-helm"
    (result / "abc").mkdir(parents=True)
    (result / "current").symlink_to("abc")
    assert helm.path(Store()) == result / "abc" / "helm"
    for version, wanted in (("v2.17.0", result / "abc" / "helm"), ("v3.16.1", tools / "helm")):
        (tools / "helm").write_text(f"#!/bin/sh\necho {version}\n")
        (tools / "helm").chmod(0o755)
        assert helm.path(Store()) == wanted


def test_the_built_helm_says_its_version_and_knows_the_clusters() -> None:
    flags = [item for item in helm.program(sources("build", "amd64")).inputs if isinstance(item, str)]
    assert any("internal/version.version=v3." in flag and "k8sVersionMinor=37" in flag for flag in flags)


def test_a_root_that_is_only_unpacked_gets_a_record_of_each_package(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dpkg-deb").write_text(
        '#!/bin/sh\n[ "$1" = --field ] && [ -e "$2" ] || exit 2\n'
        'name=$(basename "$2" .deb)\nif [ "${3:-}" = Package ]; then echo "$name"; else echo "Package: $name"; fi\n'
    )
    (tmp_path / "bin" / "dpkg-deb").chmod(0o755)
    root = tmp_path / "root"
    root.mkdir()
    for name in ("dash", "tar"):
        (root / f"{name}.deb").write_text("")

    def record(debs: str) -> int:
        environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "MMDEBSTRAP_ESSENTIAL": debs}
        return subprocess.run(["sh", "-c", debian._RECORD, "sh", root], env=environment, check=False).returncode

    assert record("/dash.deb /tar.deb") == 0
    kept = {file.name: file.read_text() for file in (root / "var/lib/dpkg/status.d").iterdir()}
    assert kept == {"dash": "Package: dash\n", "tar": "Package: tar\n"}
    assert record("/dash.deb /gone.deb") != 0


def test_only_a_root_that_is_unpacked_records_and_each_keeps_its_licences(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(debian, "apt_install", lambda *packages: None)
    monkeypatch.setattr(debian, "_mirror", lambda suite: [])

    class Told:
        arch, out = "amd64", Path("/out")

        def run(self, args: list[str | Path], **options: object) -> None:
            asked.append([str(each) for each in args])

    for variant in ("minbase", "extract"):
        known = sources("build", "amd64")
        debian.root(known, f"debian/{variant}", ("dash",), variant=variant).make(Told())  # type: ignore[arg-type]
    whole, unpacked = asked
    assert [word for word in whole if "-hook" in word] == []
    assert [word for word in unpacked if "-hook" in word] == [f"--extract-hook={debian._RECORD}"]
    for words in asked:
        # The last option that fits a path counts.
        include = words.index("--dpkgopt=path-include=/usr/share/doc/*/copyright")
        assert words.index("--dpkgopt=path-exclude=/usr/share/doc/*") < include
