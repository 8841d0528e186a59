"""A room without internet: from a bundle to a first PASS where there is no route to anywhere.

It needs root (for a network namespace, and an engine in it) and 20 GB of disk. A clean copy of the project, without a
.venv and with a home of its own, gets nothing but Python, the engine and the file.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kube.client import Kube
from tests.e2e.conftest import lab

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(5400)]

ALONE = project() / "tests" / "e2e" / "without-network"
CORE, EVERYTHING = 1.2e9, 3e9  # bytes that they may have


@pytest.fixture(scope="module")
def bundle(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of what this machine has, for the labs that need nothing else than the cluster."""
    file = tmp_path_factory.mktemp("bundle") / "core.bundle"
    done = lab("bundle", str(file), within=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.stat().st_size < CORE, done.stdout
    return file


@dataclass
class Room:
    """A machine without a network; its engine's images stay from one command to the next."""

    folder: Path
    clone: Path
    said: list[str] = field(default_factory=list)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in it."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        env = {
            "PATH": f"{self.clone}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home), "MLOPS_LAB_HOME": str(home / "lab"), "PYTHON": os.path.realpath("/proc/self/exe"),
        }  # fmt: skip
        return subprocess.Popen(
            [str(ALONE), str(self.folder / "engine"), *words],
            cwd=self.clone, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words: str, within: float = 1500) -> tuple[int, str]:
        """Run a command in it: its exit code, and what it printed."""
        done = self.begin(*words)
        try:
            said, _ = done.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            done.send_signal(signal.SIGTERM)
            said, _ = done.communicate(timeout=120)
            raise AssertionError(f"{words} did not end: {said[-4000:]}") from None
        self.said.append(said)
        return done.returncode, said


@pytest.fixture(scope="module")
def room(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The machine, with a clean copy of the project."""
    assert os.geteuid() == 0, "a network namespace and an engine in it need root"
    folder = tmp_path_factory.mktemp("room")
    clone = folder / "clone"
    clone.mkdir()
    git = ("git", "-C", str(project()))
    now = subprocess.run([*git, "stash", "create"], capture_output=True, text=True, check=True).stdout.strip()
    archive = subprocess.run([*git, "archive", now or "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", clone], input=archive, check=True)
    try:
        yield Room(folder, clone)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def furnished(bundle: Path, room: Room) -> Room:
    """The machine with a .venv; no index was asked for its packages."""
    code, said = room.run("scripts/setup", "--bundle", str(bundle), within=300)
    assert code == 0 and asked(said) == 0, said
    return room


def seconds(said: str) -> float:
    """How long `lab up` says that it took."""
    found = re.search(r"The cluster is up \((?:(\d+) min )?([\d.]+) s\)", said)
    assert found, said
    return 60 * int(found[1] or 0) + float(found[2])


def asked(said: str) -> int:
    """How often somebody asked for an address beyond the machine."""
    found = re.search(r"^asked beyond: (\d+)$", said, re.MULTILINE)
    assert found, said
    return int(found[1])


def test_a_damaged_file_changes_nothing(bundle: Path, room: Room) -> None:
    bad = room.folder / "bad.bundle"
    shutil.copy(bundle, bad)
    with bad.open("r+b") as file:
        file.seek(bad.stat().st_size // 2)
        file.write(b"damage")
    code, said = room.run("scripts/quickstart", "--bundle", str(bad), within=300)
    assert code == 3 and "is damaged" in said, said
    assert not (room.clone / ".venv").exists() and not list((room.folder / "home").rglob("wheels-*"))
    bad.unlink()


def test_from_the_file_to_a_first_pass_though_it_was_interrupted(bundle: Path, furnished: Room) -> None:
    begun = furnished.begin("lab", "up", "--bundle", str(bundle))
    time.sleep(12)  # the registry's image is there, and the node's is on its way
    begun.send_signal(signal.SIGTERM)
    begun.communicate(timeout=180)
    assert begun.returncode == 130
    code, said = furnished.run("scripts/quickstart", "--bundle", str(bundle))
    assert code == 0, said
    assert re.search(r"\b(\d+) of \1 points", said), said
    assert asked(said) == 0, "somebody in there asked for a registry, a name or an index"


def test_a_cluster_from_a_bundle_is_up_in_twice_the_time_of_a_warm_one(bundle: Path, furnished: Room) -> None:
    """Each command has its engine anew, and with it the cluster: so `lab up` makes one each time."""
    code, said = furnished.run("bash", "-c", "lab down && lab up && lab down", within=900)
    assert code == 0, said
    warm = seconds(said)
    shutil.rmtree(furnished.folder / "home" / "lab")
    shutil.rmtree(furnished.folder / "engine")
    code, said = furnished.run("lab", "up", "--bundle", str(bundle), within=900)
    assert code == 0, said
    assert seconds(said) <= 2 * warm, f"{seconds(said)} s from the bundle, {warm} s warm"


def test_what_it_lacks_is_said_at_once_and_nobody_is_asked(bundle: Path, furnished: Room) -> None:
    code, said = furnished.run("bash", "-c", f"lab up --bundle {bundle} && time lab start 02", within=900)
    assert code == 3 and "mlops-lab/workbench:1 is not in the bundle" in said, said
    assert asked(said) == 0


def test_all_that_learners_may_need_fits_on_a_stick(cluster: Kube, tmp_path: Path) -> None:
    file = tmp_path / "all.bundle"
    done = lab("bundle", str(file), "--labs", "all", "--exams", within=4500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.stat().st_size < EVERYTHING, done.stdout
