"""Bills of materials: what is read from small images made here, and the documents that come of it."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mlops_lab.cli.main import main
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import load, python, serving
from mlops_lab.images.sbom import bom, content, golang
from mlops_lab.images.sbom.content import Content
from mlops_lab.images.sbom.package import Package, merged

SYSTEM = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
STATUS = """Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.2.13)
Version: 1:1.2.13.dfsg-1
Description: compression library
 zlib is a library.
 .
 It has an empty line.

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: gcc-12-base
Status: install ok installed
Source: gcc-12
Version: 12.2.0
Architecture: amd64

Package: libgcc-s1
Status: install ok installed
Source: gcc-12 (12.2.0-14)
Version: 12.2.0-14
Architecture: amd64
"""
STATED = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Zlib

Files: debian/*
License: GPL-2+ or Artistic
 This is free software.

License: Zlib
"""
GO_LAYER = "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/" + "a" * 64
CONFIG = "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/" + "b" * 64
METADATA = "Metadata-Version: 2.4\nName: Flask_Thing\nVersion: 3.0\n"


def packed(files: Mapping[str, bytes | str]) -> bytes:
    """An archive of files, as `docker export` and layers have them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def read(folder: Path, files: Mapping[str, bytes | str]) -> Content:
    archive = folder / "image.tar"
    archive.write_bytes(packed(files))
    return content.read(archive)


def wheel(metadata: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("thing-1.0.dist-info/METADATA", metadata)
        archive.writestr("thing/vendored/other-2.0.dist-info/METADATA", "Name: other\nVersion: 2.0\n")
    return out.getvalue()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program for Linux that Go's compiler has made here."""
    folder = tmp_path_factory.mktemp("go")
    (folder / "go.mod").write_text("module example.org/hello\n\ngo 1.21\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    environment = {"GOOS": "linux", "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "PATH": "/usr/bin:/bin"}
    home = {"HOME": str(Path.home()), "GOTOOLCHAIN": "local"}
    command = [golang.compiler(), "build", "-ldflags=-s -w", "-o", "hello", "."]
    subprocess.run(command, cwd=folder, env={**environment, **home}, check=True, timeout=300)
    return (folder / "hello").read_bytes()


def test_debian_packages_are_those_installed_with_their_licences(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "usr/share/doc/zlib1g/copyright": STATED,
            "usr/share/doc/gcc-12-base/copyright": "See /usr/share/common-licenses/GPL-3.\nAlso common-licenses.",
            "var/lib/dpkg/status": STATUS,
            "usr/lib/os-release": SYSTEM,
        },
    )
    place = ("/var/lib/dpkg/status",)
    where = (("arch", "amd64"), ("distro", "bookworm"))
    assert found.system["PRETTY_NAME"] == "Debian GNU/Linux 12 (bookworm)"
    assert found.packages == [
        Package("deb", "gcc-12-base", "12.2.0", "debian", ("GPL-3",), place, where),
        Package("deb", "libgcc-s1", "12.2.0-14", "debian", ("GPL-3",), place, where),  # from its sibling's file
        Package("deb", "zlib1g", "1:1.2.13.dfsg-1", "debian", ("Zlib", "GPL-2+ or Artistic"), place, where),
    ]
    assert [each.source for each in found.packages] == ["gcc-12", "gcc-12", "zlib"]


def test_a_root_that_was_only_unpacked_has_a_file_for_each_package(tmp_path: Path) -> None:
    found = read(tmp_path, {"var/lib/dpkg/status": "", "./var/lib/dpkg/status.d/dash": "Package: dash\nVersion: 0.5\n"})
    assert found.packages == [Package("deb", "dash", "0.5", "debian", (), ("/var/lib/dpkg/status.d/dash",))]


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: MIT\n", ("MIT OR Apache-2.0",)),
        ("License: BSD-3-Clause\nClassifier: License :: OSI Approved :: BSD License\n", ("BSD-3-Clause",)),
        (
            "License: Copyright (c) 2020\n        All rights\n"
            "Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: BSD License\n",
            ("BSD License",),
        ),
        ("License: UNKNOWN\nClassifier: Topic :: Internet\n", ()),
    ],
    ids=["expression", "field", "whole text", "nothing"],
)
def test_a_distribution_states_its_licence_in_one_of_three_ways(
    fields: str, licences: tuple[str, ...], tmp_path: Path
) -> None:
    path = "site/flask_thing-3.0.dist-info/METADATA"
    found = read(tmp_path, {path: METADATA + fields, "site/thing/METADATA": METADATA})
    assert found.packages == [Package("pypi", "flask-thing", "3.0", licences=licences, places=(f"/{path}",))]


def test_wheels_and_eggs_count_and_what_is_broken_does_not(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "wheels/thing-1.0-py3-none-any.whl": wheel("Name: thing\nVersion: 1.0\n"),
            "wheels/torn.whl": b"PK",
            "lib/old-0.1.egg-info/PKG-INFO": "Name: old\nVersion: 0.1\n",
            "lib/nameless.dist-info/METADATA": "Summary: of nothing\n",
        },
    )
    assert [(each.name, each.places) for each in found.packages] == [
        ("old", ("/lib/old-0.1.egg-info/PKG-INFO",)), ("thing", ("/wheels/thing-1.0-py3-none-any.whl",)),
    ]  # fmt: skip


def test_a_program_is_known_by_what_the_compiler_wrote_into_it(tmp_path: Path, program: bytes) -> None:
    assert golang.is_program(io.BytesIO(program))
    assert not golang.is_program(io.BytesIO(b"\x7fELF" + b"\0" * (3 << 20)))
    assert not golang.is_program(io.BytesIO(b"text about \xff Go buildinf: and so on"))
    (found,) = read(tmp_path, {"usr/bin/hello": program, "etc/passwd": "root"}).packages
    assert (found.full_name, found.places) == ("stdlib", ("/usr/bin/hello",))
    assert found.version.startswith("1.")


def test_the_mark_of_gos_compiler_is_seen_where_two_pieces_meet() -> None:
    for before in range((1 << 20) - 16, (1 << 20) + 2):
        assert golang.is_program(io.BytesIO(b"\x7fELF" + b"\0" * (before - 4) + b"\xff Go buildinf:" + b"\0" * 9))


def test_modules_are_those_that_were_compiled_in() -> None:
    info = {
        "GoVersion": "go1.26.4 X:nodwarf5",
        "Main": {"Path": "mlops-lab/node", "Version": "(devel)"},
        "Deps": [
            {"Path": "golang.org/x/net", "Version": "v0.50.0"},
            {"Path": "a.org/old", "Version": "v1.0.0", "Replace": {"Path": "b.org/new", "Version": "v2.0.0"}},
            {"Path": "c.org/ui", "Version": "v3.0.0", "Replace": {"Path": "/tmp/copy"}},
        ],
    }
    found = golang.described(info, "/bin/x")
    assert [(each.full_name, each.version) for each in found] == [
        ("stdlib", "1.26.4"), ("golang.org/x/net", "v0.50.0"), ("b.org/new", "v2.0.0"), ("c.org/ui", "v3.0.0"),
    ]  # fmt: skip


def test_images_that_lie_in_an_image_are_read_too(tmp_path: Path) -> None:
    layer = packed(
        {"usr/share/doc/dash/copyright": STATED, "var/lib/dpkg/status.d/dash": "Package: dash\nVersion: 1\n"}
    )
    found = read(tmp_path, {GO_LAYER: layer, CONFIG: '{"layers": []}', "var/lib/dpkg/status": STATUS})
    inside = next(each for each in found.packages if each.name == "dash")
    assert inside.places == (f"/{GO_LAYER}!/var/lib/dpkg/status.d/dash",) and inside.licences[0] == "Zlib"
    assert len(found.packages) == 4


def test_one_version_in_two_places_is_one_package() -> None:
    one = Package("golang", "net", "v1", "golang.org/x", places=("/b",))
    two = Package("golang", "net", "v1", "golang.org/x", licences=("BSD-3-Clause",), places=("/a",))
    other = Package("golang", "net", "v2", "golang.org/x", places=("/a",))
    assert merged([other, one, two, one]) == [
        Package("golang", "net", "v1", "golang.org/x", ("BSD-3-Clause",), ("/a", "/b")), other,
    ]  # fmt: skip


FOUND = Content(
    [
        Package(
            "deb", "zlib1g", "1:1.2", "debian", ("Zlib", "GPL-2+ or Artistic"), ("/var/lib/dpkg/status",),
            (("arch", "amd64"), ("distro", "bookworm")), "zlib",
        ),
        Package("golang", "net", "v0.50.0", "golang.org/x", places=("/bin/x", "/bin/y")),
        Package("pypi", "flask", "3.0", licences=("MIT OR Apache-2.0",), places=("/site/METADATA",)),
        Package("pypi", "odd", "1", licences=("Some Licence",)),
    ],
    {"ID": "debian", "VERSION_ID": "12"},
)  # fmt: skip


def test_a_document_is_valid_and_says_all_that_was_found() -> None:
    text = bom.document("quay.io/a/thing:v1", FOUND, {"image": "mlops-lab/thing:v1-abc"})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    whole = json.loads(text)
    assert whole["metadata"]["component"] == {
        "bom-ref": "quay.io/a/thing:v1", "name": "quay.io/a/thing", "type": "container", "version": "v1",
        "properties": [{"name": "mlops-lab:image", "value": "mlops-lab/thing:v1-abc"}],
    }  # fmt: skip
    parts = {each["name"]: each for each in whole["components"]}
    assert parts["zlib1g"]["purl"] == "pkg:deb/debian/zlib1g@1:1.2?arch=amd64&distro=bookworm"
    licences = [each["license"] for each in parts["zlib1g"]["licenses"]]
    assert sorted(licences, key=str) == [{"id": "Zlib"}, {"name": "GPL-2+ or Artistic"}]
    assert parts["zlib1g"]["properties"] == [{"name": "mlops-lab:source-package", "value": "zlib"}]
    assert parts["golang.org/x/net"]["purl"] == "pkg:golang/golang.org/x/net@v0.50.0"
    assert "licenses" not in parts["golang.org/x/net"]
    assert parts["golang.org/x/net"]["evidence"]["occurrences"] == [{"location": "/bin/x"}, {"location": "/bin/y"}]
    assert parts["flask"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert parts["odd"]["licenses"] == [{"license": {"name": "Some Licence"}}]
    assert parts["debian"]["type"] == "operating-system"
    (tree,) = [each for each in whole["dependencies"] if each["ref"] == "quay.io/a/thing:v1"]
    assert len(tree["dependsOn"]) == len(whole["components"]) == 5


def test_the_same_content_is_the_same_list_each_time() -> None:
    many = Content([Package("golang", "net", "v1", places=tuple(f"/bin/{number:02}" for number in range(40)))], {})
    lists = [json.loads(bom.document("thing:v1", many, {}))["components"] for _ in range(3)]
    assert lists[0] == lists[1] == lists[2]
    places = [each["location"] for each in lists[0][0]["evidence"]["occurrences"]]
    assert places == list(many.packages[0].places)


def test_an_image_without_packages_has_a_document_and_an_empty_table() -> None:
    text = bom.document("thing:v1", Content([], {}), {})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert bom.table(Content([], {})) == ""


def test_a_table_has_a_line_for_each_package() -> None:
    assert bom.table(FOUND).splitlines()[:2] == [
        "deb     zlib1g            1:1.2    Zlib, GPL-2+ or Artistic", "golang  golang.org/x/net  v0.50.0  unknown",
    ]  # fmt: skip


class Engine:
    """A `docker` on PATH that holds some images, and the container of each is the same archive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log = folder / "log"
        self.archive = folder / "content.tar"
        self._script = folder / "bin" / "docker"
        self._script.parent.mkdir()
        self.holds()

    def holds(self, *refs: str) -> None:
        facts = json.dumps({"ServerVersion": "28", "Architecture": "x86_64"})
        lines = [
            "#!/bin/sh",
            f'echo "$@" >>{self.log}',
            'case "$1" in',
            f"info) echo '{facts}' ;;",
            f"images) printf '%s\\n' {' '.join(refs)} ;;",
            "create) echo made ;;",
            f'export) cp {self.archive} "$3" ;;',
            """image) echo '[{"Id": "sha256:123"}]' ;;""",
            "esac",
        ]
        self._script.write_text("\n".join(lines) + "\n")
        self._script.chmod(0o755)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(tmp_path)
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLOPS_LAB_MIRROR", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return made


def lab(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["images", "sbom", *words])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("mode", ["build", "pull"])
@pytest.mark.parametrize("name", [serving.FLAVOURS["fastapi"], "serving:1", "serving"])
def test_an_image_on_either_base_is_read_and_its_container_removed(
    name: str, mode: str, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = sources("pull" if mode == "pull" else "build", "amd64").image(serving.FLAVOURS["fastapi"])
    engine.holds(step.ref)
    engine.archive.write_bytes(packed({"var/lib/dpkg/status": STATUS}))
    assert lab(name) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["metadata"]["component"]["name"] == "mlops-lab/serving"
    assert {"name": "mlops-lab:image-id", "value": "sha256:123"} in whole["metadata"]["component"]["properties"]
    assert len(whole["components"]) == 3
    said = engine.log.read_text()
    assert f"create --network none {step.ref} none\n" in said and "rm -f made\n" in said
    assert list((tmp_path / "home/cache/build").iterdir()) == []


def test_the_table_is_for_people(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.holds(sources("build", "amd64").image(load.NAME).ref)
    engine.archive.write_bytes(packed({"var/lib/dpkg/status": STATUS}))
    assert lab("load:v1", "--format", "table") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["deb", "zlib1g", "1:1.2.13.dfsg-1", "unknown"]


def test_an_image_that_was_pulled_or_is_not_there_says_what_to_do(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab(python.NAME) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"lab: {python.NAME} is not here yet",
        f"  next: build it (lab images build {python.NAME}), then run this again",
    ]
    engine.holds(sources("pull", "amd64").image(python.NAME).ref)
    assert lab(python.NAME) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"lab: {python.NAME} was pulled")
    assert said[1] == f"  next: build it (lab images build --images build {python.NAME}), then run this again"


def test_an_unknown_or_unclear_image_is_a_mistake_in_the_command(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab("postgress") == 2
    assert capsys.readouterr().err.startswith("lab: no image 'postgress' in the catalog; did you mean postgres")
    assert lab("nothing-like-it") == 2
    assert "did you mean" not in capsys.readouterr().err
    assert lab("flight-delay") == 2
    said = capsys.readouterr().err
    assert "there are several images 'flight-delay'" in said and "mlops-lab/flight-delay:v3-broken" in said


def test_without_an_engine_there_is_nothing_to_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlops_lab.engine.docker.answering", lambda: None)
    assert lab("load:v1") == 3
    assert "no container engine answers" in capsys.readouterr().err


def test_a_container_is_removed_when_its_files_cannot_be_read(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.holds(sources("build", "amd64").image(load.NAME).ref)
    assert lab("load:v1") == 3  # the engine writes no archive
    assert "docker failed with exit code 1" in capsys.readouterr().err
    assert "rm -f made\n" in engine.log.read_text()
