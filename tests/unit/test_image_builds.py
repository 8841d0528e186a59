"""Builds and their ends, with a program in the engine's place that prints what builders print."""

import asyncio
import json
import os
import stat
import time
from pathlib import Path

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.rooms.work import Work
from mlops_lab.cluster import names, registry
from mlops_lab.engine.docker import Docker
from mlops_lab.measure.images import builds
from mlops_lab.measure.images.builds import ImageBuilder, Steps

CLASSIC = """\
Step 1/4 : FROM localhost:5001/python-build:1 AS build
 ---> 0123456789ab
Step 2/4 : RUN pip install -r requirements.txt
 ---> Using cache
 ---> 111111111111
Step 3/4 : COPY service service
 ---> 222222222222
Step 4/4 : FROM build
 ---> 111111111111
Successfully built 222222222222
"""
PRETENDS = """\
Step 1/3 : FROM localhost:5001/python-build:1
 ---> 0123456789ab
Step 2/3 : COPY . .
 ---> 222222222222
Step 3/3 : RUN pip install -r requirements.txt && cat said
 ---> Running in 333333333333
 ---> Using cache
Step 3/3 : RUN true
 ---> Using cache
Step 9/9 : RUN true
 ---> Using cache
 ---> 444444444444
"""


def test_only_what_was_not_cached_ran() -> None:
    steps = Steps()
    for line in CLASSIC.splitlines():
        steps.hear(line)
    assert [step for step in steps.ran if not step.startswith("FROM")] == ["COPY service service"]


def test_what_a_step_prints_is_not_the_builders_word() -> None:
    steps = Steps()
    for line in PRETENDS.splitlines():
        steps.hear(line)
    assert [step for step in steps.ran if "pip install" in step]


def test_a_line_without_end_holds_nobody_up() -> None:
    steps, began = Steps(), time.monotonic()
    steps.hear("#1 [" + "1" * 65_000)
    assert time.monotonic() - began < 1 and steps.ran == []


def test_a_base_image_is_none_of_the_builders_own() -> None:
    steps = Steps()
    for line in CLASSIC.splitlines():
        steps.hear(line)
    assert (steps.new, steps.used) == (["222222222222"], ["111111111111"])


OLD, NAMED = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
MADE = {"RootFS": {"Layers": ["sha256:1"]}, "Created": "9999-01-01T00:00:00.5Z"}
OLDER, TAGGED = {**MADE, "Created": "2020-01-01T00:00:00Z"}, {**MADE, "RepoTags": ["python-run:1"]}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageBuilder:
    """A workshop whose `docker` notes its arguments, and builds by the program `build` in the context folder."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/said\ncase "$1" in\n'
        'build) for last; do :; done; exec sh "$last/build" ;;\n'
        f"image) case $3 in {OLD}) echo '{json.dumps([OLDER])}' ;; {NAMED}) echo '{json.dumps([TAGGED])}' ;;\n"
        f"  *) echo '{json.dumps([MADE])}' ;; esac ;;\nesac\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(builds, "answering", lambda: Docker({}))
    monkeypatch.setattr(registry, "answers", lambda: True)
    monkeypatch.setattr(registry, "forget", lambda name: None)
    return ImageBuilder(names.REGISTRY_PREFIX, "lab-03")


def context(tmp_path: Path, script: str) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "build").write_text(script)
    return folder


def test_a_build_tells_its_image_and_what_it_leaves_goes(tmp_path: Path, shop: ImageBuilder) -> None:
    with shop:
        built = shop.build(context(tmp_path, f"cat <<'E'\n{CLASSIC}E\n"), within=20, silent=20)
        assert built.image.startswith("localhost:5001/lab-03:")
        assert built.digests == ("sha256:1",)
    said = (tmp_path / "said").read_text()
    assert f"rmi --no-prune {built.image}" in said
    assert "rmi --no-prune 222222222222" in said
    assert "0123456789ab" not in said
    assert "rmi --no-prune 111111111111" not in said


def test_an_image_that_a_step_names_is_not_removed(tmp_path: Path, shop: ImageBuilder) -> None:
    with shop:
        shop.build(context(tmp_path, f"cat <<'E'\n{CLASSIC} ---> {OLD}\n ---> {NAMED}\nE\n"), within=20, silent=20)
    said = (tmp_path / "said").read_text()
    assert "rmi --no-prune 222222222222" in said
    assert f"rmi --no-prune {OLD}" not in said and f"rmi --no-prune {NAMED}" not in said


def test_a_build_has_bounds_and_runs_no_frontend_of_anybodys(tmp_path: Path, shop: ImageBuilder) -> None:
    folder = context(tmp_path, 'echo "BuildKit: $DOCKER_BUILDKIT"; exit 1')
    assert shop.build(folder, within=20, silent=20).lines == ("BuildKit: 0",)
    said = (tmp_path / "said").read_text()
    for words in ("--network none", "--memory 2g", "--memory-swap 2g", "--cpu-period 100000", "--cpu-quota 200000"):
        assert words in said


def test_a_step_that_was_killed_names_the_limit(tmp_path: Path, shop: ImageBuilder) -> None:
    said = "The command '/bin/sh -c python3 big.py' returned a non-zero code: 137"
    built = shop.build(context(tmp_path, f'echo "{said}"; exit 1'), within=20, silent=20)
    assert "may use 2 GB of memory" in built.how


@pytest.mark.parametrize("line", ["#0 building with default instance using docker driver", "#1 [internal] load build"])
def test_a_docker_that_has_no_builder_with_bounds_builds_nothing(tmp_path: Path, shop: ImageBuilder, line: str) -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match="no bounds of CPU and memory"):
        shop.build(context(tmp_path, f'echo "{line}"; sleep 60'), within=60, silent=60)
    assert time.monotonic() - began < 20


def test_a_check_builds_beside_the_others_and_what_it_began_ends_with_it(tmp_path: Path, shop: ImageBuilder) -> None:
    folder = context(tmp_path, "echo begun; sleep 60")

    async def run() -> None:
        work = Work(tmp_path, "lab-03", names.REGISTRY_PREFIX, {})
        async with asyncio.timeout(20), work.image_builds() as room:
            building = asyncio.create_task(room.build(folder, within=60, silent=60))
            while "build" not in (tmp_path / "said").read_text():  # noqa: ASYNC110 - a program writes it
                await asyncio.sleep(0.05)
            assert not building.done()
            assert await room.digests("localhost:5001/python-run:1") == ("sha256:1",)
            raise KeyError

    began = time.monotonic()
    with pytest.raises(KeyError):
        asyncio.run(run())
    assert time.monotonic() - began < 20
    assert "rmi --no-prune localhost:5001/lab-03:" in (tmp_path / "said").read_text()


def test_a_build_that_fails_tells_its_last_lines(tmp_path: Path, shop: ImageBuilder) -> None:
    built = shop.build(context(tmp_path, "echo no such package; exit 3"), within=20, silent=20)
    assert (built.image, built.how, built.lines) == ("", "exit code 3", ("no such package",))


@pytest.mark.parametrize(
    ("script", "within", "silent", "how"),
    [
        ("echo begun; sleep 60", 20, 1, "nothing printed"),
        ("while :; do echo on; sleep 0.1; done", 1, 20, "not done"),
        ("yes", 60, 20, "printed more than"),
    ],
)
def test_a_build_that_never_ends_is_ended(
    tmp_path: Path, shop: ImageBuilder, script: str, within: float, silent: float, how: str
) -> None:
    began = time.monotonic()
    built = shop.build(context(tmp_path, script), within=within, silent=silent)
    assert built.image == ""
    assert built.how.startswith(how)
    assert time.monotonic() - began < 20


def test_without_the_registry_beside_this_machine_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "answering", lambda: Docker({}))
    with pytest.raises(LabError, match="builds images on this machine"):
        ImageBuilder("registry.example.org/labs", "lab-03")


def test_a_base_image_is_asked_for_where_the_nodes_have_it(
    tmp_path: Path, shop: ImageBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "digest", {"python-run:1": "sha256:2"}.get)
    shop.pull("localhost:5001/python-run:1")
    assert "pull" not in (tmp_path / "said").read_text()  # the engine has it
    with pytest.raises(LabError, match="not in the cluster's registry"):
        shop.pull("localhost:5001/python-build:1")


def test_a_registry_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "answering", lambda: Docker({}))
    monkeypatch.setattr(registry, "answers", lambda: False)
    with pytest.raises(LabError, match="that registry does not answer"):
        ImageBuilder(names.REGISTRY_PREFIX, "lab-03")


def test_without_an_engine_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "answering", lambda: None)
    with pytest.raises(LabError, match="no Docker engine answers"):
        ImageBuilder(names.REGISTRY_PREFIX, "lab-03")


def test_a_full_disk_is_the_machines_fault(tmp_path: Path, shop: ImageBuilder) -> None:
    with pytest.raises(LabError, match="engine failed"):
        shop.build(context(tmp_path, "echo 'write /x: no space left on device'; exit 1"), within=20, silent=20)
