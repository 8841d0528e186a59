"""The `lab` object, as far as it needs no cluster."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.current import Running, change, running
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.rooms import work as work_module
from mlops_lab.checks.rooms.time import Time
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.measure.traffic.http import Answer


def lab_at(workspace: Path, kube: Any = None) -> Lab:
    return Lab.on(cast(Any, kube), "lab-12", "12", workspace, "localhost:5001")


class MadeUpKube:
    """A Service, and what a watch of pods sees step by step."""

    def __init__(self, selector: dict[str, str], *steps: list[dict[str, Any]]) -> None:
        self.service = {"spec": {"selector": selector}}
        self.steps = steps

    def find(self, kind: str, name: str, namespace: str) -> Any:
        return self.service

    def wait_all(
        self, kind: str, namespace: str, condition: Any, *, selector: str, within: float, stop: Any
    ) -> tuple[Any, Any]:
        assert (kind, namespace, selector) == ("Pod", "lab-12", "app=a,track=b")
        for pods in self.steps:
            if condition(pods):
                return True, pods
        return None, self.steps[-1]


def pod(name: str, **metadata: str) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


def test_the_pods_of_a_service_are_watched_without_those_that_leave_or_have_ended(tmp_path: Path) -> None:
    told: list[str] = []
    leaving = pod("b", deletionTimestamp="now")
    evicted, done = ({**pod(phase), "status": {"phase": phase}} for phase in ("Failed", "Succeeded"))
    selector = {"app": "a", "track": "b"}

    async def story(kube: MadeUpKube) -> Any:
        state = Running(Check("c", "C.", cast(Any, None), 1), lambda check, said, left: told.append(said))
        running.set(state)
        found = await lab_at(tmp_path, kube).objects.pods_until(
            "model", lambda pods: len(pods) == 1, expected="one pod", shown=lambda pods: f"{len(pods)} pods", within=5
        )
        await asyncio.sleep(0)
        return found

    found = asyncio.run(story(MadeUpKube(selector, [leaving], [pod("a"), leaving, evicted, done])))
    assert found.ok and [each["metadata"]["name"] for each in found.value] == ["a"]
    assert told == ["0 pods"]
    found = asyncio.run(story(MadeUpKube(selector, [leaving])))
    assert (found.ok, found.expected, found.seen) == (False, "one pod within 5 s", "0 pods after 0 s")
    found = asyncio.run(story(MadeUpKube({})))  # a Service without a selector
    assert not found.ok and found.value == []


def test_a_request_goes_to_the_services_own_address_with_its_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []

    async def ask(kube: Any, method: str, url: str, **given: Any) -> Answer:
        sent.append((method, url, given["body"], given["headers"]))
        return Answer(200, {}, b"{}", 0.01, "", url)

    monkeypatch.setattr("mlops_lab.measure.traffic.http.ask", ask)
    kube = MadeUpKube({})
    kube.service = {"spec": {"clusterIP": "10.0.0.7", "ports": [{"port": 80}]}}

    async def story() -> None:
        lab = lab_at(tmp_path, kube)
        await lab.traffic.post("model", "/predict", {"rows": []}, headers={"X-API-Key": "k"})
        await lab.traffic.get("model", "/version")

    asyncio.run(story())
    assert sent == [
        ("POST", "http://10.0.0.7:80/predict", {"rows": []}, {"X-API-Key": "k"}),
        ("GET", "http://10.0.0.7:80/version", None, None),
    ]


def test_a_program_of_the_learners_is_known_to_run_until_its_last_change_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "_HEARD_AFTER", 0.1)
    program = tmp_path / "deploy"
    program.write_text("#!/bin/sh\nsleep 0.3\necho $1\n")
    program.chmod(0o755)

    async def story() -> None:
        lab = lab_at(tmp_path)
        assert not lab.work.runs_program
        with lab.work.copy() as copy:
            running = asyncio.create_task(copy.command("deploy", "v2", within=10))
            await asyncio.sleep(0.1)
            assert lab.work.runs_program and copy.runs_program
            done = await running
        assert (done.code, done.output) == (0, "v2\n")
        assert lab.work.runs_program
        await asyncio.sleep(0.2)
        assert not lab.work.runs_program

    asyncio.run(story())


@pytest.mark.parametrize("apart", ["", "setsid "])
def test_what_a_program_leaves_in_the_background_does_not_hold_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: str
) -> None:
    monkeypatch.setattr(work_module, "_HEARD_AFTER", 0.0)
    program = tmp_path / "promote"
    program.write_text(f"#!/bin/sh\n{apart}sleep 20 &\necho $!\nexit 3\n")
    program.chmod(0o755)
    done = asyncio.run(lab_at(tmp_path).work.command("promote", within=10))
    assert done.code == 3 and done.seconds < 5
    if apart:  # who has left the program's session is not the checker's to end
        os.kill(int(done.output), signal.SIGKILL)
    end = time.monotonic() + 5
    while not ended(int(done.output)):
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] in ("", "Z")


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "_HEARD_AFTER", 0.0)
    program = tmp_path / "promote"
    program.write_text("#!/bin/sh\necho begun\nsleep 20 | cat\n")
    program.chmod(0o755)
    done = asyncio.run(lab_at(tmp_path).work.command("promote", within=0.5))
    assert (done.code, done.output) == (None, "begun\n") and done.seconds < 5
    assert "stopped by the checker" in done.observed(False, "it ends").seen


def test_a_program_that_cannot_be_started_runs_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module, "_HEARD_AFTER", 0.0)

    async def story() -> None:
        lab = lab_at(tmp_path)
        with pytest.raises(Failure, match="deploy"):
            await lab.work.command("deploy", within=10)
        await asyncio.sleep(0.05)
        assert not lab.work.runs_program

    asyncio.run(story())


def test_a_program_of_the_learners_knows_nothing_of_the_checkers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "_HEARD_AFTER", 0.0)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("MLOPS_LAB_SEED", "7")
    monkeypatch.setenv("KUBECONFIG", "/root/.kube/config")
    program = tmp_path / "deploy"
    program.write_text("#!/bin/sh\nenv\necho touched >$HOME/file\n")
    program.chmod(0o755)

    def known(**more: Any) -> dict[str, str]:
        done = asyncio.run(lab_at(tmp_path).work.command("deploy", within=10, **more))
        assert done.code == 0
        return dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)

    alone, given = known(), known(env={"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}, cluster=True)
    assert set(alone) <= {
        "PATH", "LANG", "LANGUAGE", "TZ", "HOME", "TMPDIR", "PWD", "SHLVL", "_", "OLDPWD", "PYENV_ROOT",
        "PYENV_VERSION", "PYTHONUSERBASE", "ASDF_DATA_DIR", "MISE_DATA_DIR",
    } | {name for name in alone if name.startswith("LC_")}  # fmt: skip
    assert not Path(alone["HOME"]).exists() and alone["HOME"] != str(Path.home())
    assert (given["KUBECONFIG"], given["MLFLOW_TRACKING_URI"]) == (
        str(tmp_path / ".lab" / "kubeconfig"), "http://127.0.0.1:1",
    )  # fmt: skip


def devices(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("make", "seen"),
    [(lambda path: path.symlink_to("/etc/hostname"), "sub/it is a link to /etc/hostname, which is not in the folder"),
     (lambda path: path.symlink_to("../../elsewhere"), "sub/it is a link to ../../elsewhere"),
     (lambda path: os.mkfifo(path), "sub/it is a named pipe"), (devices, "sub/it is a link to /dev/zero"),
     (bound, "sub/it is a socket")],
)  # fmt: skip
def test_what_is_none_of_the_workspaces_own_is_refused_by_its_name(
    tmp_path: Path, make: Callable[[Path], None], seen: str
) -> None:
    workspace = tmp_path / "w"
    (workspace / "sub").mkdir(parents=True)
    (workspace / "deploy").write_text("#!/bin/sh\n")
    (workspace / "deploy").chmod(0o755)
    make(workspace / "sub/it")
    work = lab_at(workspace).work

    def copied() -> None:
        with work.copy():
            pass

    for use in (lambda: work.folder, copied, lambda: work.pipeline("it"),
                lambda: asyncio.run(work.command("deploy", within=10))):  # fmt: skip
        with pytest.raises(Failure) as refused:
            use()
        assert seen in refused.value.seen and "cp -L" in refused.value.why


def test_links_within_the_workspace_and_those_of_an_environment_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").write_text("")
    (tmp_path / "venv/bin/python").symlink_to("/usr/bin/python3")
    (tmp_path / "model.yaml").write_text("a: 1")
    (tmp_path / "other.yaml").symlink_to("model.yaml")
    (tmp_path / ".#model.yaml").symlink_to("me@host.1:2")  # an editor's
    with lab_at(tmp_path).work.copy() as work:
        assert sorted(path.name for path in work.folder.iterdir()) == [".#model.yaml", "model.yaml", "other.yaml"]


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_a_program_made_in_the_place_of_a_pipeline_is_not_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "deploy").write_text("#!/bin/sh\n")
    with lab_at(tmp_path).work.copy() as work:
        place = work.folder / "pipeline.yaml"
        if kind == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to("/dev/zero")
        with pytest.raises(Failure, match=r"pipeline\.yaml"):
            work.pipeline("pipeline.yaml")


def test_a_copy_of_the_workspace_leaves_out_what_it_does_not_need_and_says_what_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "work"
    (workspace / "sub").mkdir(parents=True)
    (workspace / ".venv").mkdir()
    (workspace / "sub/run.py").write_text("")
    (workspace / "gone").symlink_to("nowhere")
    (workspace / "made.json").mkdir()
    (workspace / "sub/made.json").write_text("")
    with lab_at(workspace).work.copy(without="made.json") as work:
        copied = sorted(str(path.relative_to(work.folder)) for path in work.folder.rglob("*"))
    assert copied == ["gone", "sub", "sub/made.json", "sub/run.py"]

    def refuse(number: int) -> None:
        def copy(*given: Any, **more: Any) -> None:
            raise shutil.Error([("a", "b", str(OSError(number, os.strerror(number))))])

        monkeypatch.setattr("shutil.copytree", copy)

    refuse(errno.EACCES)
    with pytest.raises(Failure, match="Permission denied"), lab_at(workspace).work.copy():
        pass
    refuse(errno.ENOSPC)
    with pytest.raises(LabError, match="No space left"), lab_at(workspace).work.copy():
        pass


def test_only_in_the_verification_of_a_mistake_elsewhere_may_a_measurement_be_brief(tmp_path: Path) -> None:
    first, second = (Check(name, "C.", cast(Any, None), 1) for name in ("first", "second"))
    lab = lab_at(tmp_path)
    assert lab.thorough(first) and lab.thorough(second)
    lab.mistake = "second"
    assert not lab.thorough(first)
    assert lab.thorough(second) and lab.thorough(first, second)


def test_what_nobody_waits_for_any_more_is_ended_and_puts_back_what_it_changed() -> None:
    told: list[str] = []

    async def shared(lab: Lab) -> None:
        told.append("changed")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            told.append("put back")

    async def main() -> None:
        lab = lab_at(Path())
        waiting = asyncio.create_task(lab.once(shared))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await lab.end()
        told.append("ended")

    asyncio.run(main())
    assert told == ["changed", "put back", "ended"]


def test_what_runs_beside_the_checks_begins_once_holds_nobody_up_and_puts_back_at_their_end() -> None:
    told: list[str] = []

    async def kept(lab: Lab) -> None:
        told.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            told.append("put back")

    async def main() -> None:
        lab = lab_at(Path())
        lab.beside(kept)
        lab.beside(kept)
        await asyncio.sleep(0.01)
        told.append("checked")
        await lab.end()

    asyncio.run(main())
    assert told == ["begun", "checked", "put back"]


def test_a_change_ends_before_it_is_taken_back_however_often_the_check_is_cancelled() -> None:
    told: list[str] = []
    unheard: list[Any] = []

    def changed() -> None:
        time.sleep(0.2)
        told.append("changed")
        raise LabError("the API server was away", "")

    async def check() -> None:
        try:
            await change(changed)
        finally:
            told.append("put back")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
        task = asyncio.create_task(check())
        for _ in range(2):
            await asyncio.sleep(0.05)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()  # a task whose exception nobody has asked for tells it then

    asyncio.run(main())
    assert (told, unheard) == (["changed", "put back"], [])


async def looked(*answers: Any, within: float) -> Any:
    """What `eventually` says of these answers, one a look; the last one stays."""
    left = list(answers)

    async def look() -> int:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return cast(int, answer)

    return await Time().eventually(
        look, lambda seen: seen == 2, expected="2 pods", shown=lambda seen: f"{seen} pods", within=within, every=0.01
    )


def test_a_wait_goes_on_over_trouble_that_may_be_over_in_a_moment() -> None:
    broken = Refused("the metric of pods: Internal error occurred: unable to fetch metrics", "try again", 500)
    restarting = Unreachable("Pod a: the API server does not answer", "lab status", transient=True)
    found = asyncio.run(looked(broken, 1, restarting, broken, 2, within=5))
    assert (found.ok, found.value) == (True, 2)


def test_a_wait_in_which_trouble_stays_ends_in_the_last_of_it() -> None:
    first, last = Refused("first", "", 500), Refused("last", "", 500)
    began = time.monotonic()
    with pytest.raises(Refused, match="last"):
        asyncio.run(looked(1, first, last, within=0.1))
    assert 0.1 <= time.monotonic() - began < 3


def away_until(*ends: float, then: int = 1) -> Any:
    """Looks at what does not answer in every second of these stretches of time (s), and in the end has `then` pods."""
    began = time.monotonic()

    async def look() -> int:
        passed = time.monotonic() - began
        if sum(passed > end for end in ends) % 2 == 0 and passed < ends[-1]:
            raise Unreachable("mlflow does not answer", "lab status", transient=True)
        return then if passed > ends[-1] + 0.2 else 1

    return look


def waited(look: Any, within: float) -> Any:
    shown = "{} pods".format
    return asyncio.run(
        Time().eventually(look, lambda seen: seen == 2, expected="2 pods", shown=shown, within=within, every=0.02)
    )


def test_the_time_in_which_nothing_answered_is_given_on_top() -> None:
    assert waited(away_until(0.45, then=2), within=0.5).ok
    began = time.monotonic()
    found = waited(away_until(0.45), within=0.5)
    assert not found.ok and 0.9 < time.monotonic() - began < 3
    assert found.expected == "2 pods within 0.5 s"


def test_a_wait_in_which_hardly_anything_answered_ends_in_that_trouble() -> None:
    # Away, there for a moment, away, and there when all the time is over.
    with pytest.raises(Unreachable, match="mlflow does not answer"):
        waited(away_until(0.45, 0.5, 0.95), within=0.5)


@pytest.mark.parametrize("trouble", [Refused("forbidden", "", 403), Unreachable("silent", ""), LabError("no page", "")])
def test_a_wait_ends_at_once_in_trouble_that_no_waiting_mends(trouble: LabError) -> None:
    began = time.monotonic()
    with pytest.raises(type(trouble)):
        asyncio.run(looked(1, trouble, within=60))
    assert time.monotonic() - began < 3
