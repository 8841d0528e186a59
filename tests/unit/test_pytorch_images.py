"""pytorch:1 and flight-delay-pytorch:v1: which libraries the image gets, and whose values lab 10 goes by."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.rooms.programs import Programs
from mlops_lab.images import needed
from mlops_lab.images.catalog import CATALOG, all_here, sources
from mlops_lab.images.recipes import components, debian, flight_delay_pytorch, pytorch, workbench
from mlops_lab.images.steps import closure
from mlops_lab.kit.predictions import Predictions
from mlops_lab.measure.traffic.flights import HiddenRows
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import NothingThere, made_up_lab


def library(*asks: str) -> bytes:
    """A file that asks the loader for others, with nothing else in it."""
    names = b"\0" + b"".join(each.encode() + b"\0" for each in asks)
    begins = [names.index(each.encode() + b"\0") for each in asks]
    entries = [(1, begin) for begin in begins] + [(5, 0x1000 + 176), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *each) for each in entries)
    size = 176 + len(names) + len(dynamic)
    head = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<QQIHHHHHH", 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 0, 0, 0x1000, 0, size, size, 0)
    table = struct.pack("<IIQQQQQQ", 2, 0, 176 + len(names), 0, 0, len(dynamic), len(dynamic), 0)
    return head + load + table + names + dynamic


def test_a_library_says_what_it_needs(tmp_path: Path) -> None:
    for name, content in (("a", library("libb.so.1", "libc.so.6")), ("b", library()), ("text", b"INPUT(-lm)\n")):
        (tmp_path / name).write_bytes(content)
    assert needed.needed(tmp_path / "a") == ["libb.so.1", "libc.so.6"]
    assert needed.needed(tmp_path / "b") == needed.needed(tmp_path / "text") == []


def test_libraries_lead_to_others_and_one_that_nobody_has_is_named(tmp_path: Path) -> None:
    there = {}
    for name, asks in {"a": ("b", "libc"), "b": ("a", "c"), "c": (), "alone": ()}.items():
        there[name] = tmp_path / name
        there[name].write_bytes(library(*asks))
    assert set(needed.closure(["a"], there, ["libc"])) == {"a", "b", "c"}
    with pytest.raises(FileNotFoundError, match="libc"):
        needed.closure(["a"], there)


def put(file: Path, content: bytes = b"") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_the_image_gets_torch_with_the_libraries_that_it_loads_and_their_licences(tmp_path: Path) -> None:
    unpacked, root = tmp_path / "unpacked", tmp_path / "root"
    usr = unpacked / "usr" / "lib" / "x86_64-linux-gnu"
    put(usr / "libtorch_python.so.1.13.0", library("libblas.so.3", "libc.so.6", "libodd.so.1", "libudev.so.1"))
    (usr / "libtorch_python.so.1.13").symlink_to("libtorch_python.so.1.13.0")
    for name in ("libtorch_global_deps.so.1.13", "libshm.so.1.13", "libgame.so.1", "openblas-pthread/libblas.so.3"):
        put(usr / name, library())
    put(unpacked / "usr/lib/libodd.so.1", library())
    put(unpacked / "lib/x86_64-linux-gnu/libudev.so.1", library())
    put(unpacked / "lib/x86_64-linux-gnu/libc.so.6", library())
    torch = unpacked / pytorch.SITE / "torch"
    for name in ("__init__.py", "bin/torch_shm_manager", "bin/test_jit", "include/torch.h"):
        put(torch / name)
    (torch / "lib").mkdir()
    (torch / "lib" / "libshm.so").symlink_to("../../../../x86_64-linux-gnu/libshm.so.1.13")
    (torch / "lib" / "libgone.so").symlink_to("../../../../x86_64-linux-gnu/libgone.so.1.13")
    for package, file in {"libshm1": usr / "libshm.so.1.13", "games": usr / "libgame.so.1"}.items():
        put(unpacked / pytorch.RECORDS / package, b"Package: x\n")
        put(unpacked / debian.LISTS / package, f"./\n./{file.relative_to(unpacked)}\n".encode())
    put(unpacked / "usr/share/doc/libshm1/copyright", b"License: BSD-3-clause\n")
    pytorch.put_together(unpacked, root)
    own = root / "app" / "pytorch"
    assert {path.name for path in (own / "lib").iterdir()} == {
        *("libtorch_python.so.1.13", "libtorch_global_deps.so.1.13", "libshm.so.1.13", "libblas.so.3"),
        *("libodd.so.1", "libudev.so.1"),
    }
    assert not any(path.is_symlink() for path in (own / "lib").iterdir())
    kept = {str(path.relative_to(own / "site")) for path in (own / "site").rglob("*") if not path.is_dir()}
    assert kept == {"torch/__init__.py", "torch/bin/torch_shm_manager", "torch/lib/libshm.so"}
    assert (own / "site/torch/lib/libshm.so").resolve() == (own / "lib/libshm.so.1.13").resolve()
    assert [each.name for each in (root / pytorch.RECORDS).iterdir()] == ["libshm1"]
    assert (root / "usr/share/doc/libshm1/copyright").is_file()


def test_they_stand_on_the_workbench_and_bring_its_models_and_flights() -> None:
    known = sources("build", "amd64")
    steps = {step.image or step.name for step in closure([CATALOG[flight_delay_pytorch.NAME].build(known)])}
    assert {workbench.NAME, pytorch.NAME, "debian/pytorch", components.DAYS} <= steps


def test_who_asks_for_all_images_gets_those_that_the_host_can_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "can_be_built", lambda: True)
    assert all_here() == list(CATALOG)
    monkeypatch.setattr(debian, "can_be_built", lambda: False)
    assert {*CATALOG} - {*all_here()} == {pytorch.NAME, flight_delay_pytorch.NAME}


OWN, FOREST = (0.125, 0.25, 0.5), (0.2, 0.3, 0.4)
REGISTRY = "localhost:5001"


class Asked(Programs):
    """Runs no pod, and prints what a test says."""

    def __init__(self, said: Any) -> None:
        self.said, self.files = said, {}  # type: ignore[var-annotated]

    async def run(self, image: str, *words: str, files: Any, env: Any = None, within: float) -> Any:
        assert image == "flight-delay-pytorch:v1"
        self.files = files
        return SimpleNamespace(json=lambda: self.said, text="")


def lab(image: str, said: Any = None) -> Any:
    """A lab whose Deployment runs an image, and a network that gives some values."""
    template = {"spec": {"containers": [{"name": "server", "image": image}]}}

    async def present() -> Any:
        return {"spec": {"template": template}}

    objects = NothingThere(deployment=lambda name: SimpleNamespace(present=present))
    platform: Any = SimpleNamespace(registry=REGISTRY)
    return made_up_lab(objects=objects, platform=platform, programs=Asked(said))


def answered(*values: float) -> Predictions:
    body = json.dumps({"probabilities": values}).encode()
    hidden = HiddenRows(({"month": 1},) * len(FOREST), {}, {"v1": FOREST})
    return Predictions(Answer(200, {}, body, 0.01, "", ""), hidden)


@pytest.mark.parametrize(
    ("image", "given", "right"),
    [("flight-delay:v1", FOREST, True), ("flight-delay:v1", OWN, False), ("another:v1", OWN, False),
     ("flight-delay-pytorch:v1", OWN, True), ("flight-delay-pytorch:v1", FOREST, False)],
)  # fmt: skip
def test_values_are_those_of_the_model_in_the_image(image: str, given: tuple[float, ...], right: bool) -> None:
    here = lab(f"{REGISTRY}/{image}", {"probabilities": list(OWN)})
    assert asyncio.run(loaded("10").values(here, answered(*given), within=1e-4)).ok == right


@pytest.mark.parametrize("said", [{}, {"probabilities": [0.5] * 3}, {"probabilities": "x"}, {"reason": "none"}])
def test_an_image_without_its_network_is_the_environments_fault(said: Any) -> None:
    with pytest.raises(LabError, match="has not the network"):
        asyncio.run(loaded("10").values(lab(f"{REGISTRY}/flight-delay-pytorch:v1", said), answered(*OWN), within=1e-4))


@pytest.mark.parametrize("image", ["flight-delay:v1", "flight-delay-pytorch:v1"])
def test_the_given_server_is_compared_with_the_image_that_it_may_have(image: str) -> None:
    checks, seen = loaded("10"), []

    async def given(lab: Any, start: Path, *, why: str) -> None:
        seen.append((start / "model.yaml").read_text())

    checks.must_be_given = given
    asyncio.run(checks.must_be_a_given_one(lab(f"{REGISTRY}/{image}"), why=""))
    assert seen[0].count("image:") == 1 and f"image: {REGISTRY}/{image}\n" in seen[0]
