"""What tasks' checkers say without a cluster: of times, of right ways to write, and of what is only nearly right."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import importlib
import json
import os
import pathlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlops_lab.checks import Failure, Observation
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.checks.rooms.work import Command
from mlops_lab.labs.checker import load
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.made_up import READY, NothingThere, Room, made_up_lab

Loaded = Callable[[str], ModuleType]
LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)
IMAGE = "localhost:5001/flight-delay:v1"


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """The checker of a task that is drawn."""
    return lambda task: load(render(named(task, bank()), 3, "spaceless", tmp_path / task))


def gives(value: Any = None) -> Callable[..., Any]:
    """A method that always returns this."""

    async def answer(*given: Any, **more: Any) -> Any:
        return value

    return answer


def found(item: Any) -> Callable[..., Any]:
    """`named`, or `deployment`, of objects that are all this one."""
    return lambda *given: SimpleNamespace(now=gives(item), present=gives(item))


def judged(right: bool, seen: str) -> contextlib.AbstractContextManager[Any]:
    """A check passes, or fails with these words."""
    return contextlib.nullcontext() if right else pytest.raises(Failure, match=seen)


def made(seconds: int, **more: Any) -> Any:
    """An object that was made so many seconds after all began."""
    return {"metadata": {"creationTimestamp": (LONG_AGO + timedelta(seconds=seconds)).isoformat()}, **more}


@pytest.mark.parametrize(
    ("more", "said"), [(-1, ""), (0, ""), (1, "token abcdef is good for"), (20, "token abcdef is")]
)
def test_a_token_is_good_for_as_long_as_it_was_made_for(loaded: Loaded, more: int, said: str) -> None:
    """None of these is good any more now."""
    checker = loaded("join-a-node")
    end = LONG_AGO + timedelta(hours=checker.D.hours + more)
    words = {"token-id": "abcdef", "expiration": end.isoformat()}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in words.items()}
    found = checker._too_long({"metadata": {"creationTimestamp": LONG_AGO.isoformat()}, "data": data})
    assert found.startswith(said) and bool(found) == bool(said)


@pytest.mark.parametrize(
    ("ago", "hours", "said"),
    [
        (65, 24.0, ""),
        (6000, 8760.0, ""),
        (5, 24.0, "there is none, and her certificate began 5 min ago"),
        (65, 1.1, "there is none, and her certificate is good for 1.1 h"),
    ],
)
def test_a_request_is_cleared_away_an_hour_after_its_certificate_was_issued(
    loaded: Loaded, ago: int, hours: float, said: str
) -> None:
    cleared = importlib.import_module(f"{loaded('a-user-with-a-certificate').__name__}.kubeconfig").cleared
    begins = LONG_AGO - timedelta(minutes=ago)
    made = SimpleNamespace(not_valid_before_utc=begins, not_valid_after_utc=begins + timedelta(hours=hours))
    found = cleared(made, LONG_AGO)
    assert found.startswith(said) and bool(found) == bool(said)
    assert cleared(None, LONG_AGO)


@pytest.mark.parametrize(("seconds", "right"), [(86_400, True), (31_536_000, True), (86_000, False), (3600, False)])
def test_the_certificate_in_a_kubeconfig_is_good_for_a_day_itself(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, seconds: int, right: bool
) -> None:
    task = loaded("a-user-with-a-certificate")
    made = SimpleNamespace(not_valid_before_utc=LONG_AGO, not_valid_after_utc=LONG_AGO + timedelta(seconds=seconds))
    monkeypatch.setattr(task, "content", gives(Observation(True, "", "")))
    monkeypatch.setattr(task, "known_as", gives(f"{task.D.user}, by a certificate"))
    monkeypatch.setattr(task, "certificate", gives(made))
    monkeypatch.setattr(task, "kubectl", gives(Command(0, f"pod/{task.D.pod}\n", 0.1)))
    with judged(right, f"good for {seconds / 3600:.1f} h in all"):
        asyncio.run(task.kubeconfig_is_hers.run(made_up_lab()))


@pytest.mark.parametrize(
    ("right", "container"),
    [
        (True, {"command": ["python3", "/program/report.py"]}),
        (True, {"args": ["python3", "-u", "/program/report.py"], "env": [{"name": "DESK", "valueFrom": {}}]}),
        (True, {"command": ["sh", "-c"], "args": ["exec /usr/bin/python3 /program/report.py\n"]}),
        (True, {"command": ["sh", "-c", "python3 /program/report.py && echo sent; exit $?"]}),
        (True, {"command": ["sh", "-c", "python3 /program/report.py > /dev/stdout 2>&1 || exit 1"]}),
        (True, {"command": ["bash", "-c", "set -eu\npython3 /program/report.py\necho sent"]}),
        (True, {"command": ["sh", "-ec", "python3 /program/report.py; echo sent"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py || true"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py; echo sent"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py 2>&1 | tee /tmp/log"]}),
        (False, {"command": ["sh", "-c", "until python3 /program/report.py; do sleep 1; done"]}),
        (False, {"command": ["sh", "-ec", "python3 /program/report.py || python3 /program/report.py"]}),
        (False, {"command": ["python3", "-c", "import urllib.request"]}),
        (False, {"command": ["python3", "/program/report.py"], "env": [{"name": "DESK", "value": "http://10.0.0.1"}]}),
        (False, {"command": ["python3", "/program/report.py"], "image": "localhost:5001/flight-delay:v2"}),
    ],
)
def test_what_a_cronjob_runs_may_be_written_in_several_ways(loaded: Loaded, right: bool, container: Any) -> None:
    what_runs = loaded("every-so-often").what_runs
    assert what_runs({"containers": [{"image": IMAGE} | container]}, IMAGE, "http://desk").ok is right


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("5 3 * * 1-5", "05 3 ? * mon-fri", True),
        ("5 3 * * 1-5", "5 3 1-31 * 1-5", False),
        ("5 3 2 * *", "5 3 2 * 0-6", False),
        ("5 3 2 * 1", "5 3 2 * 1", True),
        ("5 3 2 * 1", "5 3 2 * *", False),
        ("*/15 6-12 * * *", "0,15,30,45 6-12 1-31 1-12 0-6", True),
        ("*/15 6-12 * * *", "*/15 6-12 1-31 * *", True),
        ("5 3 */1 * 1-5", "5 3 * * 1-5", True),
        ("5 3 */2 * 1-5", "5 3 1-31/2 * 1-5", True),
    ],
)
def test_a_schedule_may_be_written_in_several_ways(loaded: Loaded, one: str, other: str, same: bool) -> None:
    meaning = loaded("every-so-often").meaning
    assert (meaning(one) == meaning(other)) is same and meaning(one) is not None


@pytest.mark.parametrize(("seconds", "right"), [(-60, True), (0, True), (1, False)])
def test_a_pod_that_was_made_anew_is_younger_than_the_rollout(loaded: Loaded, seconds: int, right: bool) -> None:
    def made(after: int, image: str) -> Any:
        when = (LONG_AGO + timedelta(seconds=after)).isoformat()
        spec = {"template": {"spec": {"containers": [{"image": f"localhost:5001/flight-delay:{image}"}]}}}
        return {"metadata": {"creationTimestamp": when}, "spec": spec}

    class Objects(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Any:
                return made(seconds, "v1")

            return Room(now=now)

        async def all(self, kind: str, selector: str = "") -> list[Any]:
            return [made(-90, "v1"), made(0, "v2.0"), made(100, "v2")]

    lab: Any = made_up_lab(objects=Objects())
    task = loaded("image-that-cannot-be-pulled")
    seen = asyncio.run(task.older_than_the_rollout(lab, "caller", old=lambda each: task.is_old(lab, each)))
    assert seen.ok is right


@pytest.mark.parametrize(("seconds", "right"), [(-60, True), (0, True), (1, False)])
def test_a_passenger_that_was_made_anew_is_younger_than_the_bad_release(
    loaded: Loaded, seconds: int, right: bool
) -> None:
    def revision(after: int, release: str) -> Any:
        env = [{"name": "RELEASE", "value": release}]
        return made(after, spec={"template": {"spec": {"containers": [{"env": env}]}}})

    was_there = importlib.import_module(f"{loaded('back-to-the-last-good').__name__}.passenger").was_there_before
    revisions = [revision(-90, "good"), revision(0, "bad"), revision(-80, "better")]
    lab = made_up_lab(objects=NothingThere(named=found(made(seconds)), all=gives(revisions)))
    assert asyncio.run(was_there(lab, "passenger", "bad")).ok is right
    lab = made_up_lab(objects=NothingThere(named=found(made(seconds)), all=gives(revisions[:1])))
    assert asyncio.run(was_there(lab, "passenger", "bad")).ok


@pytest.mark.parametrize(("count", "right"), [(0, True), (1, False)])
def test_a_passenger_that_was_started_anew_has_not_counted_all_the_time(
    loaded: Loaded, count: int, right: bool
) -> None:
    was_there = importlib.import_module(f"{loaded('back-to-the-last-good').__name__}.passenger").was_there_before
    passenger = made(0, status={"containerStatuses": [{"restartCount": count}]})
    lab = made_up_lab(objects=NothingThere(named=found(passenger)))
    assert asyncio.run(was_there(lab, "passenger", "bad")).ok is right


@pytest.mark.parametrize(("count", "right"), [(0, True), (1, False)])
def test_a_customer_that_was_started_anew_is_none_of_before(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, count: int, right: bool
) -> None:
    task = loaded("blue-and-green")
    rows = [(f"{task.D.old} {task.D.before}", 20), (f"{task.D.new} {task.D.release}", 9)]
    monkeypatch.setattr(task, "record", gives(rows))
    customer = made(0, status={"containerStatuses": [{"restartCount": count}]})
    objects = NothingThere(named=found(customer), service=gives(made(0)), deployment=found(made(60)))
    with judged(right, "its container was started anew"):
        asyncio.run(task.nothing_was_lost.run(made_up_lab(objects=objects)))


@pytest.mark.parametrize(
    ("client", "new", "right"), [(0, 1, True), (5, 5, True), (20, 18, False), (29, 600, True), (31, 600, False)]
)
def test_the_customer_began_with_the_service(loaded: Loaded, client: int, new: int, right: bool) -> None:
    assert loaded("blue-and-green")._began_with(made(client), made(0), made(new)) is right


@pytest.mark.parametrize(
    ("claim", "marks", "reserved"),
    [
        ({"name": "claim"}, {}, True),
        ({"name": "claim", "uid": "7"}, None, True),
        ({"name": "claim", "uid": "7"}, {"pv.kubernetes.io/bound-by-controller": "yes"}, False),
        (None, {}, False),
    ],
)
def test_a_volume_that_was_reserved_by_hand(loaded: Loaded, claim: Any, marks: Any, reserved: bool) -> None:
    volume = {"metadata": {"annotations": marks}, "spec": {"claimRef": claim}}
    assert loaded("claim-that-stays-pending")._reserved(volume) is reserved


@pytest.mark.parametrize(
    ("runs", "next_one", "killed", "seen"),
    [
        ("new", "Pending", [], ""),
        ("old", "Running", ["before"], ""),
        ("old", "Pending", ["before"], "next: not ready, Pending"),
    ],
)
def test_what_is_pushed_last_is_what_the_next_pod_runs(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, runs: str, next_one: str, killed: list[str], seen: str
) -> None:
    def pod(name: str, phase: str, digest: str) -> Any:
        ready = {"type": "Ready", "status": str(phase == "Running")}
        told = [{"imageID": f"localhost:5001/a-server@sha256:{digest}"}]
        status = {"phase": phase, "conditions": [ready], "containerStatuses": told}
        return {"metadata": {"name": name, "uid": name}, "status": status}

    task, gone, looks = loaded("an-image-to-push"), list[str](), list[Any]()
    looks += [[pod("before", "Running", runs)], [pod("next", next_one, "new")]]

    async def owned(*given: Any) -> Any:
        return looks.pop(0)

    async def kill(name: str) -> None:
        gone.append(name)

    monkeypatch.setattr("mlops_lab.kit.deployments.owned_pods", owned)
    with judged(not seen, seen):
        asyncio.run(task._must_run(made_up_lab(objects=NothingThere(kill=kill)), "sha256:new"))
    assert gone == killed


@pytest.mark.parametrize(("more", "seen"), [("", ""), ("-again", "again"), (None, "none")])
def test_a_class_of_another_name_is_another_one_whatever_its_value(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, more: str | None, seen: str
) -> None:
    task = loaded("first-served-when-full")
    pod = {} if more is None else {"priorityClassName": f"{task.D.high}{more}"}
    taken = SimpleNamespace(pod={"spec": {"priority": task.D.high_value}}, refusal="")
    monkeypatch.setattr("mlops_lab.kit.admission.answered", gives(taken))
    lab = made_up_lab(objects=NothingThere(deployment=found({"spec": {"template": {"spec": pod}}})))
    with judged(not seen, seen):
        asyncio.run(task.trials.priority_of(lab, task.D.urgent, task.D.high, task.D.high_value))


@pytest.mark.parametrize(
    ("at", "files", "own"),
    [
        ("/var/run/NAME", ["token"], True),
        ("/run/NAME/", ["ca.crt", "token"], True),
        ("/var/run", ["NAME/token"], True),
        ("/var/run/NAME", ["fresh"], False),
        ("/var/run/NAME", [], False),
        ("/fresh", ["token"], False),
    ],
)
def test_the_token_is_the_kubelets_own_where_it_makes_it(loaded: Loaded, at: str, files: list[str], own: bool) -> None:
    task = loaded("an-identity-of-its-own")
    name = Path(task.D.folder).name
    sources = [{"serviceAccountToken": {"path": each.replace("NAME", name)}} for each in files]
    mounts = [
        {"name": "api", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        {"name": "identity", "mountPath": at.replace("NAME", name)},
    ]
    kind = {"projected": {"sources": [{"secret": {}}, *sources]}} if files else {"emptyDir": {}}
    volumes = [{"name": "api", "projected": {"sources": []}}, {"name": "identity", **kind}]
    assert task._by_the_kubelet({"spec": {"containers": [{"volumeMounts": mounts}], "volumes": volumes}}) is own


@pytest.mark.parametrize(("groups", "right"), [([""], True), (["", "metrics.k8s.io"], False)])
def test_pods_of_another_group_are_other_things(loaded: Loaded, groups: list[str], right: bool) -> None:
    task, lab = loaded("a-user-with-a-certificate"), made_up_lab()

    async def allowed(who: str, verb: str, resource: str, *, group: str = "", **more: Any) -> bool:
        here = who == task.D.user and not more.get("namespace") and not more.get("subresource")
        return here and resource == "pods" and group in groups and verb in ("get", "list")

    lab.__dict__["allowed"] = allowed
    with judged(right, "may get pods.metrics.k8s.io"):
        asyncio.run(task.sees_pods_alone.run(lab))


@pytest.mark.parametrize(
    ("container", "right"),
    [
        ({"command": ["python3", "-m", "http.server", "PORT"]}, True),
        ({"command": ["/usr/bin/python3"], "args": ["-m", "http.server", "PORT"]}, True),
        ({"command": ["sh", "-c"], "args": ["exec python3 -m http.server PORT"]}, True),
        ({"command": ["python3", "-m", "http.server", "PORT", "--bind", "127.0.0.1"]}, False),
        ({"command": ["sh", "-c", "python3 -m http.server -b 127.0.0.1 PORT"]}, False),
    ],
)
def test_a_static_pod_has_no_word_more_on_its_command_line(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, container: dict[str, list[str]], right: bool
) -> None:
    task = loaded("a-static-pod")
    words = {key: [word.replace("PORT", str(task.D.port)) for word in each] for key, each in container.items()}
    monkeypatch.setattr(task, "_pod", gives({"metadata": {"name": "a-pod"}, "spec": {"containers": [words]}}))
    objects = NothingThere(run_in=gives(Printed(0, ["SimpleHTTP/0.6 Python/3.13"], "")))
    with judged(right, "127.0.0.1"):
        asyncio.run(task.answers.run(made_up_lab(objects=objects)))


@pytest.mark.parametrize(
    ("working", "mounts", "where"),
    [
        ("app", [], "/"),
        ("app", ["model"], "/"),
        ("app", ["app"], "app"),
        ("app", ["app/server/app.py"], "app/server/app.py"),
        ("fetched", ["fetched"], "fetched"),
        ("fetched", [], "/"),
    ],
)
def test_a_server_that_is_mounted_is_not_the_images(
    loaded: Loaded, tmp_path: Path, capsys: pytest.CaptureFixture[str], working: str, mounts: list[str], where: str
) -> None:
    """It is looked for as its own process does: first in the working directory."""
    programs = importlib.import_module(f"{loaded('another-model-same-server').__name__}.programs")
    for each in ("app", "fetched"):
        (tmp_path / each / "server").mkdir(parents=True)
        (tmp_path / each / "server" / "__init__.py").touch()
    (tmp_path / "environ").write_text(f"PYTHONPATH={tmp_path}/app\0")
    (tmp_path / "cwd").symlink_to(tmp_path / working)
    table = tmp_path / "mounts"
    table.write_text(
        "".join(f"1 0 0:5 / {each} rw - overlay o rw\n" for each in ("/", *(tmp_path / one for one in mounts)))
    )
    exec(programs.SERVER.replace("/proc/1", str(tmp_path)).replace("/proc/self/mountinfo", str(table)), {})
    said = capsys.readouterr().out.strip()
    assert said == ("/" if where == "/" else str(tmp_path / where))


@pytest.mark.parametrize(
    ("refusal", "owner", "mounted", "said"),
    [
        (errno.EROFS, True, os.ST_RDONLY, "read-only"),
        (errno.EACCES, False, 0, "read-only"),
        (errno.EACCES, True, 0, "it can be written to, or its owner can allow it: "),
    ],
)
def test_who_owns_the_models_folder_can_allow_itself_to_write(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    refusal: int, owner: bool, mounted: int, said: str,
) -> None:  # fmt: skip
    programs = importlib.import_module(f"{loaded('another-model-same-server').__name__}.programs")
    folder, environ = tmp_path / "model", tmp_path / "environ"
    folder.mkdir()
    user = folder.stat().st_uid
    (folder / "metadata.json").write_text("{}")
    environ.write_text(f"HOME=/\0MODEL_DIR={folder}\0")

    def refused(*given: Any) -> int:
        raise OSError(refusal, "refused")

    monkeypatch.setattr(pathlib.Path, "write_text", refused)
    monkeypatch.setattr(os, "access", lambda *given: False)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=mounted))
    monkeypatch.setattr(os, "geteuid", lambda: user if owner else user + 1)
    exec(programs.WRITE.replace("/proc/1/environ", str(environ)), {})
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize(
    ("device", "place", "said"),
    [
        ("8:1", "/volumes/model", "it can be written to"),
        ("8:1", "/volumes", "it can be written to"),
        ("8:1", "/volumes/model/metadata.json", "it can be written to"),
        ("8:1", "/volumes/model-2", "read-only"),
        ("0:9", "/volumes/model", "read-only"),
    ],
)
def test_another_mount_of_the_models_folder_may_be_one_to_write_into(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    device: str, place: str, said: str,
) -> None:  # fmt: skip
    programs = importlib.import_module(f"{loaded('another-model-same-server').__name__}.programs")
    folder, beside, environ, mounts = (tmp_path / each for each in ("model", "beside", "environ", "mounts"))
    for each in (folder, beside / "model"):
        each.mkdir(parents=True)
        (each / "metadata.json").write_text("{}")
    environ.write_text(f"MODEL_DIR={folder}\0")
    mounts.write_text(
        f"1 0 0:5 / / rw - overlay o rw\n2 1 8:1 /volumes/model {folder} ro - ext4 d rw\n"
        f"3 1 {device} {place} {beside} rw - ext4 d rw\n"
    )

    def refused(*given: Any) -> int:
        raise OSError(errno.EROFS, "refused")

    monkeypatch.setattr(pathlib.Path, "write_text", refused)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).is_relative_to(beside))
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    replaced = {"/proc/1/environ": str(environ), "/proc/self/mountinfo": str(mounts)}
    program = programs.WRITE
    for was, now in replaced.items():
        program = program.replace(was, now)
    exec(program, {})
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.parametrize(("text", "why"), [(None, "behind a prefix"), ("another", "the bytes count")])
def test_a_variable_that_is_not_there_is_not_one_with_another_text(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, text: str | None, why: str
) -> None:
    task = loaded("config-from-two-sources")
    secret = {"data": {task.D.entry: base64.b64encode(task.D.secret_value.encode()).decode()}}
    answer = {"key_sha256": hashlib.sha256(text.encode()).hexdigest() if text else None}
    monkeypatch.setattr(task, "settled", gives([{}]))
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives(secret))
    made = made_up_lab(traffic=Room(first_answer=gives(SimpleNamespace(fields=lambda: answer))))
    with pytest.raises(Failure) as failed:
        asyncio.run(task.has_its_key.run(made))
    assert why in failed.value.why


@pytest.mark.parametrize(
    ("first", "then", "looks"), [("as before", True, 2), ("as before", False, 2), ("none", False, 1)]
)
def test_files_may_follow_a_change_of_just_before(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, first: str, then: bool, looks: int
) -> None:
    """Who has tried whether the files follow puts the entry back, and checks at once; what is nowhere never comes."""
    task = loaded("config-from-two-sources")
    wanted = task._WANTED
    said = [{task.D.first: "a trial"} if first == "as before" else {}, wanted if then else {task.D.first: "a trial"}]

    async def get(*given: Any, **more: Any) -> Any:
        answer = {"files": said.pop(0)}
        return SimpleNamespace(fields=lambda: answer, fields_if_any=answer)

    async def first_answer(send: Any, **more: Any) -> Any:
        return await send()

    monkeypatch.setattr(task, "settled", gives([{}]))
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives({"data": wanted}))
    made = made_up_lab(objects=NothingThere(), traffic=Room(get=get, first_answer=first_answer))
    with contextlib.nullcontext() if then else pytest.raises(Failure, match="files in"):
        asyncio.run(task.finds_its_files.run(made))
    assert len(said) == 2 - looks


@pytest.mark.parametrize(("stays", "right"), [("", True), ("first", False), ("second", False)])
def test_each_of_two_files_follows_a_change(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, stays: str, right: bool
) -> None:
    changing = importlib.import_module(f"{loaded('config-from-two-sources').__name__}.changing")
    before = {"metadata": {"name": "config"}, "data": {"first": "one", "second": "two"}}
    config = dict(before["data"])

    async def patch(kind: str, name: str, change: Any) -> None:
        config.update(change["data"])

    async def put_back(*given: Any) -> bool:
        config.update(before["data"])
        return False

    async def get(*given: Any) -> Any:
        return SimpleNamespace(fields_if_any={"files": config | ({stays: before["data"][stays]} if stays else {})})

    monkeypatch.setattr(changing, "put_back", put_back)
    lab = made_up_lab(objects=NothingThere(named=found(before), patch=patch), traffic=Room(get=get))
    assert asyncio.run(changing.follows(lab, "app", "config", ("first", "second"))).ok is right


@pytest.mark.parametrize(
    ("rules", "right"),
    [
        ([], True),
        ([{"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}}], True),
        ([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}], True),
        ([{"action": "Ignore", "onPodConditions": [{"type": "Ready", "status": "False"}]}], False),
        ([{"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [0]}}], False),
        ([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}], False),
    ],
)
def test_each_pod_that_fails_counts(loaded: Loaded, rules: list[Any], right: bool) -> None:
    task = loaded("a-job-in-parts")
    spec = {
        "backoffLimit": task.D.backoff, "activeDeadlineSeconds": task.D.deadline, "podFailurePolicy": {"rules": rules}
    }  # fmt: skip
    with judged(right, "podFailurePolicy: (Ignore|FailJob)"):
        asyncio.run(task.gives_up.run(made_up_lab(objects=NothingThere(named=found({"spec": spec})))))


@pytest.mark.parametrize(("group", "right"), [("", True), ("system:masters", False)])
def test_a_certificate_is_renewed_without_a_group(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, group: str, right: bool
) -> None:
    task = loaded("a-certificate-that-ends-soon")
    parts = [(NameOID.COMMON_NAME, task._NAMES[task.D.cert])]
    parts += [(NameOID.ORGANIZATION_NAME, group)] if group else []
    subject = x509.Name([x509.NameAttribute(part, text) for part, text in parts])
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=365))
    monkeypatch.setattr(task, "_read", gives(builder.sign(key, hashes.SHA256())))
    monkeypatch.setattr(task, "_belongs", gives(True))
    with judged(right, "its groups: none; saw system:masters"):
        asyncio.run(task.is_renewed.run(made_up_lab()))


@pytest.mark.parametrize(("gone", "right"), [("super-admin", True), ("scheduler", False), ("kubelet", False)])
def test_a_kubeconfig_that_is_gone_is_missed(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, gone: str, right: bool
) -> None:
    task = loaded("a-certificate-that-ends-soon")
    files = [*(f"pki/{each}.crt" for each in task._ALL), *task._CONFIGS]
    before = LONG_AGO.timestamp() - 60
    lines = [f"{before} /etc/kubernetes/{each}" for each in files if each != f"{gone}.conf"]
    monkeypatch.setattr("mlops_lab.tasks.nodes.must_answer", gives())
    monkeypatch.setattr("mlops_lab.tasks.nodes.printed", gives("\n".join(lines)))
    lab: Any = made_up_lab(objects=NothingThere(named=found(made(0))))
    lab.namespace, lab.machines = "spaceless", SimpleNamespace(names=("c", "w"))
    with judged(right, f"{gone}.conf"):
        asyncio.run(task.others_stay.run(lab))


@pytest.mark.parametrize(
    ("spec", "marks", "right"),
    [
        ({}, None, True),
        ({"ingressClassName": "traefik"}, {}, True),
        ({"ingressClassName": "nginx"}, {}, False),
        ({}, {"kubernetes.io/ingress.class": "nginx"}, False),
    ],
)
def test_an_ingress_is_of_no_class_that_is_not_there(loaded: Loaded, spec: Any, marks: Any, right: bool) -> None:
    lab = made_up_lab(objects=NothingThere(all=gives([{"metadata": {"name": "traefik"}}])))
    ingress = {"metadata": {"annotations": marks}, "spec": spec}
    assert asyncio.run(loaded("an-old-manifest")._of_a_class(lab, ingress)).ok is right


def counting(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, float]]:
    """The checker of count-what-it-says, and the counters that it reads."""
    task, counted = loaded("count-what-it-says"), {"late": 0.0, "in time": 0.0, "refused": 0.0}

    async def counters(*given: Any) -> dict[str, float]:
        return dict(counted)

    monkeypatch.setattr(task, "counters", counters)
    return task, counted


@pytest.mark.parametrize(("more", "right"), [(0, True), (1, False)])
def test_a_row_just_at_the_limit_is_in_time(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, more: int, right: bool
) -> None:
    """A program that says `late` from one less on errs there alone."""
    task, counted = counting(loaded, monkeypatch)

    async def post(service: str, path: str, body: Any) -> Any:
        said = [100 * row["hour"] + row["distance"] + more > task.D.limit for row in body["rows"]]
        counted["late"] += said.count(True)
        counted["in time"] += said.count(False)
        return SimpleNamespace(fields_if_any={"late": said}, shown=str(said))

    monkeypatch.setattr("mlops_lab.kit.inside.settled", gives([]))
    with judged(right, "POST /predict"):
        asyncio.run(task.counts_predictions.run(made_up_lab(traffic=Room(post=post))))


@pytest.mark.parametrize(("every", "right"), [(False, True), (True, False)])
def test_a_post_that_can_be_read_is_not_refused(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, every: bool, right: bool
) -> None:
    task, counted = counting(loaded, monkeypatch)

    async def post(service: str, path: str, body: Any) -> Any:
        refused = body in task._REFUSED
        counted["refused"] += refused or every
        return SimpleNamespace(status=400 if refused else 200)

    with judged(right, "can be read: 0; saw 1"):
        asyncio.run(task.counts_refusals.run(made_up_lab(traffic=Room(post=post))))


@pytest.mark.parametrize(
    ("first", "file", "typed"), [(False, False, True), (False, True, False), (True, True, True), (None, False, False)]
)
def test_a_colour_that_is_typed_in(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, first: bool | None, file: bool, typed: bool
) -> None:
    """In an init container, in the program's, or in none."""
    task = loaded("config-that-is-not-read")
    own, other = {"env": [{"name": "COLOUR", "value": task.D.colour}]}, {"env": [{"name": "COLOUR", "valueFrom": {}}]}
    template = {
        "initContainers": [own if first else other],
        "containers": [{"name": "sign", **(own if first is False else other)}],
    }
    monkeypatch.setattr("mlops_lab.kit.deployments.owned_pods", gives([{"metadata": {"name": "a-pod"}}]))
    monkeypatch.setattr(task, "printed", gives(Printed(0 if file else 1, [], "")))
    assert asyncio.run(task._typed_in(made_up_lab(), template)) is typed


@pytest.mark.parametrize(("generation", "right"), [(None, True), (1, True), (3, False)])
def test_a_budget_that_was_changed_and_put_back_is_of_another_generation(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, generation: int | None, right: bool
) -> None:
    task = loaded("drain-for-maintenance")
    budget = made(0)
    budget["metadata"]["generation"] = generation
    monkeypatch.setattr(task, "unchanged", gives(READY))
    lab = made_up_lab(objects=NothingThere(named=found(budget), deployment=found(made(0))))
    with judged(right, "changes of PodDisruptionBudget budget: 0; saw 2"):
        asyncio.run(task._must_be_the_given(lab, "PodDisruptionBudget", "budget", "it stays"))


@pytest.mark.parametrize(
    ("strategy", "right"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}, False),
    ],
)
def test_deployments_stay_when_a_budget_is_made(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, strategy: Any, right: bool
) -> None:
    task = loaded("a-budget-for-drains")
    seed = (Path(str(task.__file__)).parents[1] / "start" / "seed.yaml").read_text()
    given = {each["metadata"]["name"]: each for each in yaml.safe_load_all(seed) if each}
    given[task.D.model]["spec"]["strategy"] = strategy
    monkeypatch.setattr(task, "drained", gives(task.Drain("", "one is missing", "")))
    objects = NothingThere(named=lambda kind, name: SimpleNamespace(now=gives(given[name])))
    with judged(right, "another strategy"):
        asyncio.run(task.holds_the_second.run(made_up_lab(objects=objects)))


@pytest.mark.parametrize(("second", "right"), [("superseded", True), ("failed", True), ("uninstalled", False)])
def test_a_release_whose_history_was_kept_was_uninstalled_all_the_same(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, second: str, right: bool
) -> None:
    task = loaded("install-with-helm")
    states = ("superseded", second, "deployed")
    kept = [
        {"version": number, "info": {"status": state}, "manifest": f"of {number % 2}", "config": {"odd": number % 2}}
        for number, state in enumerate(states, 1)
    ]
    monkeypatch.setattr(task, "revisions", gives(kept))
    monkeypatch.setattr(task, "_answers", gives())
    with judged(right, "2 uninstalled"):
        asyncio.run(task.is_back.run(made_up_lab()))


@pytest.mark.parametrize(
    ("volume", "more", "said"),
    [
        ("identity", [], []),
        ("identity", [{"path": "api"}], ["api"]),
        ("identity", [{"path": "api", "audience": "https://kubernetes.default.svc.cluster.local"}], ["api"]),
        ("identity", [{"path": "vault", "audience": "vault"}], []),
        ("other", [{"path": "token"}], ["token"]),
        ("away", [{"path": "token"}], []),
    ],
)
def test_a_token_for_the_api_server_is_one_wherever_it_lies(
    loaded: Loaded, volume: str, more: list[dict[str, str]], said: list[str]
) -> None:
    """In the volume of the wanted one, in another one, and in one that is not mounted; the wanted one is not asked."""
    task = loaded("an-identity-of-its-own")
    tokens: dict[str, list[dict[str, str]]] = {"identity": [{"path": "token"}], "other": [], "away": []}
    tokens[volume] += more
    volumes = [
        {"name": name, "projected": {"sources": [{"serviceAccountToken": each} for each in tokens[name]]}}
        for name in tokens
    ]
    mounts = [{"name": "identity", "mountPath": task.D.folder}, {"name": "other", "mountPath": "/other"}]
    assert task._of_the_api_server({"spec": {"containers": [{"volumeMounts": mounts}], "volumes": volumes}}) == said


@pytest.mark.parametrize(
    ("rule", "enough"),
    [
        ({"succeededIndexes": "0"}, 1),
        ({"succeededIndexes": "0-2,4"}, 4),
        ({"succeededIndexes": "0-3", "succeededCount": 2}, 2),
        ({"succeededCount": 5}, 5),
    ],
)
def test_with_how_many_parts_a_job_is_done(loaded: Loaded, rule: dict[str, Any], enough: int) -> None:
    assert loaded("a-job-in-parts").enough_by(rule) == enough


@pytest.mark.parametrize(("last", "digest", "right"), [(-1, "", True), (-1, "@sha256:0", True), (-2, "", False)])
def test_a_job_is_done_with_all_its_parts(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, last: int, digest: str, right: bool
) -> None:
    task = loaded("a-job-in-parts")
    container = {"command": task._PROGRAM.split(), "image": IMAGE + digest}
    volumes = [{"name": "program", "configMap": {"name": task.D.program}}]
    job = {"spec": {
        "completions": task.D.parts, "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": f"0-{task.D.parts + last}"}]},
        "template": {"spec": {"containers": [container], "volumes": volumes}},
    }}  # fmt: skip
    words = {part: hashlib.sha256(f"{task.D.word} {part}".encode()).hexdigest()[:12] for part in range(task.D.parts)}
    lines = {part: f"part {part}: {word}" for part, word in words.items()}
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives(job))
    monkeypatch.setattr(task, "ended", gives(READY))
    monkeypatch.setattr(task, "printed_by_part", gives(lines))
    with judged(right, f"by successPolicy {task.D.parts - 1} are enough"):
        asyncio.run(task.each_part_is_done.run(made_up_lab()))


def test_who_sees_cronjobs_sees_more_than_pods(loaded: Loaded) -> None:
    task, lab = loaded("a-user-with-a-certificate"), made_up_lab()

    async def allowed(who: str, verb: str, resource: str, **more: Any) -> bool:
        here = who == task.D.user and not more.get("namespace") and not more.get("subresource")
        return here and (resource, more["group"]) in (("pods", ""), ("cronjobs", "batch")) and verb in ("get", "list")

    lab.__dict__["allowed"] = allowed
    with pytest.raises(Failure, match="may get cronjobs"):
        asyncio.run(task.sees_pods_alone.run(lab))


@pytest.mark.parametrize(("more", "right"), [({}, True), ({"restartPolicy": "Always"}, False)])
def test_an_init_container_that_goes_on_is_a_second_one(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], right: bool
) -> None:
    task = loaded("a-static-pod")
    container = {"image": IMAGE, "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}}}
    pod = {
        "metadata": {"labels": {"app": task.D.pod}},
        "spec": {"nodeName": "worker", "containers": [container], "initContainers": [{"name": "beside", **more}]},
    }
    monkeypatch.setattr(task, "_pod", gives(pod))
    monkeypatch.setattr("mlops_lab.tasks.nodes.must_answer", gives())
    lab = made_up_lab()
    lab.__dict__["machines"] = SimpleNamespace(names=["control-plane", "worker"])
    with judged(right, "its containers: 1; saw 2"):
        asyncio.run(task.is_as_wanted.run(lab))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"enum": ["ONE", "TWO", "THREE"]}, []),
        ({"enum": ["ONE", "TWO", "THREE", "a fourth"]}, ["a fourth"]),
        ({"pattern": "^(ONE|TWO|THREE|fourth)$"}, ["fourth"]),
        ({"x-kubernetes-validations": [{"rule": "self in ['ONE', 'fourth']"}]}, ["self", "in", "fourth"]),
    ],
)
def test_words_of_a_schema_that_are_none_of_the_three(loaded: Loaded, schema: Any, said: list[str]) -> None:
    """Who takes none of them is right."""
    task = loaded("a-new-kind")
    drawn = json.dumps(schema)
    for name, word in (("ONE", task.D.one), ("TWO", task.D.two), ("THREE", task.D.three)):
        drawn = drawn.replace(name, word)
    spec = {"properties": {task.D.choice: {"type": "string", **json.loads(drawn)}}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"spec": spec}}}}
    found = task.fourth({"spec": {"versions": [{"name": "v1beta1"}, version]}})
    assert [wrong[task.D.choice] for _, wrong in found.values()] == said


@pytest.mark.parametrize("taken", ["trial-word-0", "trial-null"])
def test_a_fourth_word_and_null_are_refused(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    task = loaded("a-new-kind")

    async def tried(lab: Any, name: str, spec: Any) -> Any:
        return SimpleNamespace(refused="", spec={"paused": False} | spec)

    async def refused(lab: Any, specs: dict[str, Any]) -> set[str]:
        return {*specs} - {taken}

    monkeypatch.setattr(task, "tried", tried)
    monkeypatch.setattr(task, "refused", refused)
    version = {"name": "v1", "schema": {"enum": [task.D.one, "fourth"]}}
    objects = NothingThere(named=found({"spec": {"versions": [version]}}))
    with pytest.raises(Failure, match=f"accepted: ({task.D.choice} fourth|{task.D.number} null)"):
        asyncio.run(task.refuses_what_is_wrong.run(made_up_lab(objects=objects)))
