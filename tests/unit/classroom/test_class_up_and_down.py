"""A class comes and goes: what is installed and told, who is let in, what is deleted, and what backups are worth."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import ssl
import stat
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.processes import Completed
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.teacher import backup, ending, grading, installing, place, relay
from mlops_lab.classroom.teacher.place import NAMESPACE, RELEASE, Told
from mlops_lab.cli.main import main
from mlops_lab.cluster import own, record
from mlops_lab.cluster.record import Cluster
from mlops_lab.images.catalog import CATALOG
from mlops_lab.platform.helm import Helm
from tests.unit.classroom import teaching
from tests.unit.classroom.conftest import Run
from tests.unit.classroom.made import KEY, OTHER
from tests.unit.classroom.teaching import InMemory, Served

LABELS = {names.CLASS: NAMESPACE}


GRADER = {"digest": f"sha256:{'1' * 64}", "enabled": True, "parts": [], "monitoring": False}


@pytest.fixture
def installs(kubectl: InMemory, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is installed: profile and values; the chart's server runs then, with the roster. What grades is there."""
    found: list[dict[str, Any]] = []

    def alone(release: Any, profile: str, cluster: Any, progress: Any, files: list[Path], mode: str = "auto") -> None:
        (file,) = files
        values = yaml.safe_load(file.read_text())
        found.append({"profile": profile, **values})
        kubectl.put("ConfigMap", "roster", data={"roster.csv": values["roster"]})
        kubectl.release()
        if ("secret", NAMESPACE, "class-tls") not in kubectl.items:
            kubectl.secret("class-tls", ca_crt=json.loads(json.dumps(place.at().secret("class-ca")["ca.crt"])))

    def ready(place: Any, told: Told, progress: Any, mode: str) -> dict[str, Any]:
        return GRADER if grading.wanted(told) else {"enabled": False}

    monkeypatch.setattr(installing, "alone", alone)
    monkeypatch.setattr(grading, "ready", ready)
    return found


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    file = tmp_path / "roster.csv"
    file.write_text("\ufeffid;name\nada;Ada\nbob;Bob\nold;Old\n")
    return file


# It comes


def test_the_class_is_a_release_that_can_be_installed() -> None:
    assert set(RELEASE.images) <= set(CATALOG) and NAMESPACE == "mlops-lab-class"
    chart = yaml.safe_load((RELEASE.folder / "Chart.yaml").read_text())
    assert f"mlops-lab/{chart['name']}:{chart['appVersion']}" in RELEASE.images


def test_up_installs_what_is_told_and_waits_for_the_roster(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run, kubectl: InMemory
) -> None:
    code, out, _ = teach("up", "--roster", str(roster), "--name", "Autumn", "--labs", "4,10")
    assert code == 0, out
    assert installs == [
        {"profile": "small", "class": {"name": "Autumn", "labs": ["04", "10"]}, "roster": roster.read_text()[1:],
         "grader": GRADER}
    ]  # fmt: skip
    assert "The class is up in kind-mlops-lab with 3 learners" in out and "next: lab class kit" in out
    assert "this machine alone; for others: the same command with --listen ADDRESS" in out
    assert any(line.startswith("annotate pods") for line in kubectl.log), "the kubelet would take its time"


def test_a_roster_may_come_by_a_pipe(installs: list[dict[str, Any]], served: Served, teach: Run) -> None:
    reading, writing = os.pipe()
    os.write(writing, "\ufeffid\nada\nbob\nold\n".encode())
    os.close(writing)
    try:
        code, out, _ = teach("up", "--roster", f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    assert code == 0, out
    assert installs[0]["roster"] == "id\nada\nbob\nold\n"


def test_a_name_that_is_no_text_is_refused_before_anything_is_installed(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run
) -> None:
    code, _, err = teach("up", "--roster", str(roster), "--name", "Autumn \udce4")
    assert code == 2 and "--name has bytes that are not UTF-8" in err
    assert installs == []


def test_run_again_it_takes_a_changed_roster_and_keeps_what_was_told(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run
) -> None:
    teach("up", "--roster", str(roster), "--name", "Autumn", "--address", "class.example.org:443")
    served.learners = [f"l{number}" for number in range(50)]
    roster.write_text("id\n" + "\n".join(served.learners))
    _, out, _ = teach("up", "--roster", str(roster))
    assert installs[1]["class"] == {"name": "Autumn"} and installs[1]["server"] == {"hosts": ["class.example.org"]}
    assert (installs[0]["profile"], installs[1]["profile"]) == ("small", "full")
    assert installs[1]["roster"].startswith("id\nl0\n") and "with 50 learners" in out
    assert "learners reach it at https://class.example.org:443" in out


def test_a_class_grades_unless_the_teacher_has_said_something_else(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run
) -> None:
    _, out, _ = teach("up", "--roster", str(roster), "--no-grading")
    assert "it only collects" in out
    teach("up", "--roster", str(roster))
    _, out, _ = teach("up", "--roster", str(roster), "--grading")
    assert "it only collects" not in out
    assert [each["grader"] for each in installs] == [{"enabled": False}, {"enabled": False}, GRADER]
    assert (grading.release(Told()), grading.release(place.at().told())) == (grading.GRADED, grading.GRADED)
    assert grading.release(Told(values={"grader": {"enabled": False}})) is RELEASE


def test_the_teachers_own_values_of_the_grader_win(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run, tmp_path: Path
) -> None:
    (tmp_path / "more.yaml").write_text("grader: {places: 3, parts: [tracking]}\n")
    teach("up", "--roster", str(roster), "--values", "more.yaml")
    assert installs[0]["grader"] == {**GRADER, "places": 3, "parts": ["tracking"]}


def test_a_server_that_does_not_take_the_roster_is_said(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "_TAKEN_WITHIN", 0.1)
    served.learners = ["ada", "bob"]
    code, _, err = teach("up", "--roster", str(roster))
    assert code == 3 and "1 learners are not as the roster has them, such as old" in err
    served.learners = ["ada", "bob", "old", "by-lti"]
    assert teach("up", "--roster", str(roster))[0] == 0
    roster.write_text("id\nada\n")
    code, _, err = teach("up", "--roster", str(roster))
    assert code == 3 and "2 learners are not as the roster has them, such as bob" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--roster", "none.csv"], "does not exist"),
        (["--roster", "broken.csv"], "broken.csv:3: 'Ada' is no id"),
        (["--roster", "roster.csv", "--listen", "0.0.0.0"], "every address of this machine"),
        (["--roster", "roster.csv", "--shared", "http://c"], "no API server's address"),
        (["--roster", "roster.csv", "--shared", "https://[::1"], "no API server's address"),
        (["--roster", "roster.csv", "--shared", "https://c:99999999"], "no API server's address"),
        (["--roster", "roster.csv", "--shared", "https://c:port"], "no API server's address"),
        (["--roster", "roster.csv", "--labs", "99"], "99"),
        (["--roster", "roster.csv", "--registry", "r"], "--registry works only with --context"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    words: list[str], says: str, installs: list[dict[str, Any]], roster: Path, teach: Run, tmp_path: Path
) -> None:
    (tmp_path / "broken.csv").write_text("id\nada\nAda\n")
    code, _, err = teach("up", *words)
    assert code == 2 and says in err and "next: " in err and not installs


def test_an_address_that_is_not_this_machines_is_said_before_minutes_go_by(
    installs: list[dict[str, Any]], roster: Path, teach: Run
) -> None:
    code, _, err = teach("up", "--roster", str(roster), "--listen", "192.0.2.1")
    assert code == 3 and "192.0.2.1 port 8443 can't be listened at" in err and not installs


# Who is let in


class Forward:
    """A port forward; `ports` are what it leads to, one after the other."""

    def __init__(self, *ports: int) -> None:
        self.ports, self.lost_at = list(ports), list[str]()

    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def lost(self, address: str = "") -> None:
        self.lost_at.append(address)
        if len(self.ports) > 1:
            self.ports.pop(0)

    def close(self) -> None: ...


@contextmanager
def relayed(*ports: int) -> Iterator[tuple[int, Forward, list[str]]]:
    taken, forward, said = relay.bound("127.0.0.1", 0), Forward(*ports), list[str]()
    with taken, relay.relaying(taken, forward, said.append):  # type: ignore[arg-type]
        yield taken.getsockname()[1], forward, said


def key_through(port: int, public: str) -> str:
    """What the server answers behind a port, if it is the one with this certificate."""
    context = ssl.create_default_context(cadata=public)
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as made,
    ):
        made.sendall(b"GET /api/v1/key HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: made.recv(4096), b"")).decode()


def dead() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def silent() -> Iterator[int]:
    """A port where connections are taken and closed, as by a forward whose pod has gone."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def close() -> None:
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                connection.recv(10_000)
                connection.close()

        thread = threading.Thread(target=close, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_what_passes_is_tls_between_a_learner_and_the_server(served: Served, authority: tuple[str, str]) -> None:
    with relayed(served.server_port) as (port, _, said):
        assert KEY.public.pem in key_through(port, authority[1])
        with pytest.raises(ssl.SSLCertVerificationError):
            key_through(port, teaching.certificate("localhost")[1])
    assert not said


def test_a_pod_that_was_replaced_is_found_again(served: Served, authority: tuple[str, str]) -> None:
    with silent() as gone, relayed(dead(), gone, served.server_port) as (port, forward, said):
        assert KEY.public.pem in key_through(port, authority[1])
        assert len(forward.lost_at) == 2
    assert said[0].startswith("the class's server can't be reached") and said[1:] == ["the class's server is back"]


def test_without_a_server_a_connection_ends_and_the_next_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_PAUSE", 0.01)
    with relayed(dead()) as (port, forward, said):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(b"hello")
                assert client.recv(10) == b""
        assert len(forward.lost_at) == 6 and len(said) == 1


def test_ctrl_c_ends_it_whenever_it_comes(served: Served) -> None:
    taken = relay.bound("127.0.0.1", 0)
    with taken, pytest.raises(KeyboardInterrupt), relay.relaying(taken, Forward(served.server_port), print) as ended:  # type: ignore[arg-type]
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
        while not ended.wait(5):
            pass
    assert ended.is_set(), "the loop has come to its end before it was closed"


@contextmanager
def talkative() -> Iterator[int]:
    """A port where each connection is told without an end."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def tell() -> None:
            with suppress(OSError), listening.accept()[0] as connection:
                while True:
                    connection.sendall(b"x" * (1 << 20))

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def test_an_open_page_does_not_keep_it_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for news, one that asks nothing, and one that reads no more."""

    async def until_all_are_gone(server: Any) -> None:
        while server._active_count:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)

    if sys.version_info < (3, 12, 1):  # where it does not wait yet
        monkeypatch.setattr(asyncio.base_events.Server, "wait_closed", until_all_are_gone)
    with ExitStack() as stack:
        loud, quiet = stack.enter_context(talkative()), stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for server in (loud, quiet.getsockname()[1]):
            with relayed(server) as (port, _, _):
                for words in (b"x", b""):
                    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
                    client.sendall(words)
                time.sleep(0.5)  # what can be sent is sent
                begin = time.monotonic()
            assert time.monotonic() - begin < 5


def test_more_connections_than_can_be_kept_are_closed(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    monkeypatch.setattr(relay, "_MOST", 1)
    with relayed(served.server_port) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(b"x")
        with socket.create_connection(("127.0.0.1", port), 20) as second:
            assert second.recv(10) == b""


def test_map_opens_the_page_and_says_how_to_sign_in(
    kubectl: InMemory, teach: Run, monkeypatch: pytest.MonkeyPatch, authority: tuple[str, str]
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(relay, "relaying", interrupted)
    code, out, _ = teach("map", "--no-browser", "--port", str(dead()))
    assert code == 0 and teaching.TEACHER in out
    with pytest.raises(SystemExit):
        main(["class", "map", "--port", "0"])
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    own = x509.load_pem_x509_certificate(authority[1].encode()).fingerprint(hashes.SHA256())
    assert own.hex(":").upper() in out


# Backups


def test_a_backup_is_one_file_that_nobody_else_reads(kubectl: InMemory, teach: Run, tmp_path: Path) -> None:
    code, out, _ = teach("backup", "autumn.tar")
    assert code == 0 and KEY.public.id in out
    file = tmp_path / "autumn.tar"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("*") if "autumn" in each.name] == ["autumn.tar"]
    with backup.opened(file) as content:
        assert content.dump.read_bytes() == b"PGDMP old" and content.backup.key == KEY.public.id
        assert backup.key_of(content.secrets["class"]) == KEY.public.id
        assert content.secrets["ca"]["metadata"]["annotations"] == {"meta.helm.sh/release-name": NAMESPACE}
    code, _, err = teach("backup", "autumn.tar")
    assert code == 2 and "is there" in err


def test_a_backup_by_a_name_that_can_not_be_is_refused(kubectl: InMemory, teach: Run, tmp_path: Path) -> None:
    for name in ("a" * 300, "a" * 250, "roster/autumn.tar"):
        (tmp_path / "roster").write_text("")
        code, _, err = teach("backup", name)
        assert code == 3 and "can't be written: " in err and "next: name another file" in err


def test_a_dump_that_broke_off_is_no_backup(kubectl: InMemory, teach: Run, tmp_path: Path) -> None:
    kubectl.breaks["cut"] = "never said"
    code, _, err = teach("backup", "autumn.tar")
    assert code == 3 and "broke off" in err
    assert not [each for each in tmp_path.iterdir() if "autumn" in each.name]


@pytest.mark.parametrize("change", ["cut", "changed", "another", "link"])
def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    change: str, kubectl: InMemory, teach: Run, tmp_path: Path
) -> None:
    file = tmp_path / "autumn.tar"
    teach("backup", "autumn.tar")
    content = file.read_bytes()
    if change == "cut":
        content = content[: content.index(b"PGDMP") - 600]
    elif change == "changed":
        content = content.replace(b"PGDMP old", b"PGDMP new")
    elif change == "another":
        content = b"something else"
    file.write_bytes(content)
    if change == "link":
        with tarfile.open(file, "w") as archive:
            info = tarfile.TarInfo("manifest.json")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    kubectl.log.clear()
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 2 and ("no whole backup" in err or "is damaged: gradebook.dump" in err)
    assert not kubectl.restored and not [line for line in kubectl.log if "scale" in line or "exec" in line]


def test_a_disk_without_room_for_its_copy_is_no_fault_of_the_backup(
    kubectl: InMemory, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach("backup", "autumn.tar")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backup, "_copy", full)
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "finds no room" in err and "free some space" in err and not kubectl.restored


def test_a_backup_takes_the_gradebooks_place(
    installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run, tmp_path: Path
) -> None:
    teach("backup", "autumn.tar")
    kubectl.secret("class", key_pem=OTHER.pem, teacher=teaching.TEACHER, grader="g" * 24)
    kubectl.secret("class-ca", ca_crt="another", ca_key="secret")
    kubectl.log.clear()
    code, out, err = teach("restore", "autumn.tar", "--yes")
    assert code == 0, err
    assert kubectl.restored == [b"PGDMP old"] and "kits of that time work again" in out
    assert place.at().secret("class")["key.pem"] == KEY.pem
    did = [line for line in kubectl.log if line.startswith(("exec", "scale", "delete"))]
    parts = ("pg_restore", "--replicas=0", "RENAME TO classroom_before", "delete secret class-tls")
    order = [next(number for number, line in enumerate(did) if part in line) for part in parts]
    assert order == sorted(order) and did[-1].endswith("DROP DATABASE IF EXISTS classroom_before WITH (FORCE)")
    assert kubectl.databases == {"postgres": "", "classroom": "restored"}
    assert len(installs) == 1, "the chart starts the server again"


def test_records_that_are_not_whole_leave_the_gradebook_as_it_was(
    installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run
) -> None:
    teach("backup", "autumn.tar")
    kubectl.secret("class", key_pem=OTHER.pem, teacher=teaching.TEACHER, grader="g" * 24)
    served.broken = "record 2 was changed"
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "was not restored: its records are not whole: record 2 was changed" in err
    assert place.at().secret("class")["key.pem"] == OTHER.pem
    renames = [line for line in kubectl.log if "RENAME" in line]
    assert "RENAME TO classroom_before" in renames[0] and "classroom_before RENAME TO classroom" in renames[1]
    assert len(installs) == 2 and kubectl.databases == {"postgres": "", "classroom": "old"}


@pytest.mark.parametrize("where", ["server -n mlops-lab-class --replicas=0", "RENAME", "delete secret"])
@pytest.mark.parametrize("how", [LabError("it is refused", "try again"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_a_restore_that_ends_anywhere_leaves_the_gradebook_and_a_server(
    where: str, how: BaseException, installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    teach("backup", "autumn.tar")
    kubectl.secret("class-ca", ca_crt="another", ca_key="secret")
    once, plain = [how], InMemory.run

    def run(self: InMemory, *args: str, **more: Any) -> Any:
        if where in " ".join(args) and once:
            raise once.pop()
        return plain(self, *args, **more)

    monkeypatch.setattr(InMemory, "run", run)
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code and not once and "going back to the gradebook that was there" in err
    assert kubectl.databases == {"postgres": "", "classroom": "old"}
    assert place.at().secret("class-ca")["ca.crt"] == "another"
    scaled = [line.rpartition("=")[2] for line in kubectl.log if line.startswith("scale")]
    assert scaled[-1] == "1" and len(installs) == 1, "the chart starts the server"


def test_a_backup_that_the_database_does_not_take_leaves_nothing(kubectl: InMemory, teach: Run) -> None:
    teach("backup", "autumn.tar")
    kubectl.breaks["pg_restore"] = "kubectl failed with exit code 1"
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "kubectl failed with exit code 1" in err
    assert kubectl.databases == {"postgres": "", "classroom": "old"}


def test_what_an_interrupted_restore_has_put_aside_stays_until_one_is_proven(
    installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run
) -> None:
    teach("backup", "autumn.tar")
    kubectl.databases |= {"classroom": "unproven", "classroom_before": "the original"}
    served.broken = "record 2 was changed"
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "has left a gradebook as classroom_before; it stays until one is whole" in err
    assert kubectl.databases["classroom"] == "unproven" and kubectl.databases["classroom_before"] == "the original"
    served.broken = ""
    assert teach("restore", "autumn.tar", "--yes")[0] == 0
    assert kubectl.databases == {"postgres": "", "classroom": "restored"}


def test_a_way_back_that_is_barred_is_said_and_the_server_is_started(
    installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run
) -> None:
    teach("backup", "autumn.tar")
    served.broken = "record 2 was changed"
    kubectl.breaks["classroom_before RENAME TO classroom"] = "the database does not answer"
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "going back did not work: the database does not answer" in err
    assert "a database classroom_before, it is the gradebook that was there" in err
    assert kubectl.databases["classroom_before"] == "old" and len(installs) == 2


def test_what_was_read_of_a_backup_and_can_not_be_deleted_is_said(
    installs: list[dict[str, Any]], served: Served, kubectl: InMemory, teach: Run
) -> None:
    teach("backup", "autumn.tar")
    served.broken = "record 2 was changed"
    kubectl.breaks["DROP DATABASE"] = "the database does not answer"
    code, _, err = teach("restore", "autumn.tar", "--yes")
    assert code == 3 and "was not restored: its records are not whole" in err
    assert "what was read of the backup could not be deleted, the next restore does that: the database does" in err
    assert kubectl.databases["classroom"] == "old"


def test_a_database_of_the_teachers_own_is_not_touched(kubectl: InMemory, teach: Run) -> None:
    teach("backup", "autumn.tar")
    place.at().tell(Told(values={"database": {"secretName": "mine"}}))
    for words in (("backup", "b.tar"), ("restore", "autumn.tar", "--yes")):
        code, _, err = teach(*words)
        assert code == 2 and "your own (Secret mine)" in err


# It goes


@pytest.fixture
def removes(kubectl: InMemory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> InMemory:
    """A cluster with learners' namespaces and others', where helm notes what it is told."""

    class Noted(Helm):
        def uninstall(self, release: str, within: float = 180) -> bool:
            kubectl.log.append(f"helm uninstall {release}")
            for key in [key for key in kubectl.items if "helm.release" in key[2]]:
                del kubectl.items[key]
            return True

    monkeypatch.setattr(ending, "Helm", Noted)
    monkeypatch.setattr(ending, "program", lambda progress: tmp_path)
    for name in ("l-ada-lab-10", f"{NAMESPACE}-accounts", "somebody-elses"):
        kubectl.put("Namespace", name, "", metadata={"labels": LABELS})
    for name in (f"{NAMESPACE}-grading", "g-12-1-lab-04", "g-12-1-apart"):
        kubectl.put("Namespace", name, "", metadata={"labels": {"mlops-lab/grading": NAMESPACE}})
    kubectl.put("Namespace", "l-bob-lab-10", "")
    return kubectl


def test_down_deletes_what_the_class_has_made_and_keeps_the_gradebook(
    removes: InMemory, teach: Run, tmp_path: Path
) -> None:
    code, out, _ = teach("down", "--yes", "--backup", "autumn.tar")
    assert code == 0
    assert removes.names("namespace") == ["kube-system", "l-bob-lab-10", NAMESPACE, "somebody-elses"]
    assert "stays, as the class does not name its own so: Namespace somebody-elses" in out
    assert "its gradebook stays" in out and (tmp_path / "autumn.tar").exists()
    parts = ("pg_dump", "delete deployment dispatcher", "/namespaces/g-12-1-lab-04", "helm uninstall",
             "/namespaces/l-ada-lab-10", "delete namespace kueue-system")  # fmt: skip
    order = [next(number for number, line in enumerate(removes.log) if part in line) for part in parts]
    assert order == sorted(order) and "Kueue, which the class has brought" in out


def test_what_can_not_be_deleted_keeps_nothing_else(
    removes: InMemory, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_GOES_WITHIN", 0.1)
    monkeypatch.setattr(ending, "_GOES_AT_LAST", 0.1)
    plain, stays = InMemory.run, ["/api/v1/namespaces/g-12-1-lab-04"]

    def run(self: InMemory, *args: str, **more: Any) -> Any:
        return Completed(0, "", "") if any(each in stays for each in args) else plain(self, *args, **more)

    monkeypatch.setattr(InMemory, "run", run)
    code, _, err = teach("down", "--data", "--yes", "--no-backup")
    assert code == 3 and "g-12-1-lab-04 still there" in err
    assert "delete pods --all -n g-12-1-lab-04 --grace-period=1 --wait=false" in removes.log, "they may be slow"
    assert not {NAMESPACE, "l-ada-lab-10", "g-12-1-apart"} & set(removes.names("namespace"))
    assert f"helm uninstall {NAMESPACE}" in removes.log and "kueue-system" in removes.names("namespace")
    assert not [line for line in removes.log if "delete pods --all -n g-12-1-apart" in line]
    stays.clear()
    assert teach("down", "--data", "--yes", "--no-backup")[0] == 0
    assert not {"g-12-1-lab-04", "kueue-system"} & set(removes.names("namespace"))


@pytest.mark.parametrize("whose", ["somebody else's", "brought for another class", "with others' queues"])
def test_a_kueue_that_others_need_stays(whose: str, removes: InMemory, teach: Run) -> None:
    if whose == "somebody else's":
        del removes.items["namespace", "", "kueue-system"]["metadata"]["annotations"]
    if whose == "brought for another class":
        removes.items["namespace", "", "kueue-system"]["metadata"]["annotations"]["mlops-lab/brought-for"] = "theirs"
    for name in (NAMESPACE, "theirs"):
        removes.put("ClusterQueues.kueue.x-k8s.io", name, "")
    code, out, _ = teach("down", "--yes", "--no-backup")
    assert code == 0 and "kueue-system" in removes.names("namespace") and "which the class has brought" not in out
    assert ("others have queues in it: Kueue (theirs)" in out) is (whose == "with others' queues")


def test_with_data_the_gradebook_goes_too(removes: InMemory, teach: Run, tmp_path: Path) -> None:
    code, out, _ = teach("down", "--data", "--yes")
    assert code == 0 and "with the gradebook and the class's key" in out
    assert NAMESPACE not in removes.names("namespace")
    assert len(list(tmp_path.glob("class-*.tar"))) == 1


def test_nothing_goes_unless_somebody_agrees(removes: InMemory, teach: Run, tmp_path: Path) -> None:
    code, out, err = teach("down", "--data")
    assert code == 2 and "nobody is here to agree" in err and "l-ada-lab-10, with all that is in it" in out
    assert "l-ada-lab-10" in removes.names("namespace") and not list(tmp_path.glob("*.tar"))


def test_without_a_backup_nothing_goes(removes: InMemory, teach: Run) -> None:
    removes.breaks["pg_dump"] = "the pod is not there"
    code, _, err = teach("down", "--data", "--yes")
    assert code == 3 and "the pod is not there" in err and NAMESPACE in removes.names("namespace")
    assert teach("down", "--data", "--yes", "--no-backup")[0] == 0


def test_a_backup_that_can_not_be_is_said_before_anybody_is_asked(
    removes: InMemory, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.cli.class_data.agree", lambda *_: pytest.fail("was asked"))
    place.at().tell(Told(values={"database": {"secretName": "mine"}}))
    code, _, err = teach("down")
    assert code == 2 and "your own (Secret mine)" in err and "pg_dump" in err and "lab class down --no-backup" in err


def test_a_class_with_a_database_of_the_teachers_own_goes_without_a_backup(removes: InMemory, teach: Run) -> None:
    place.at().tell(Told(values={"database": {"secretName": "mine"}}))
    assert teach("down", "--yes", "--no-backup")[0] == 0 and "l-ada-lab-10" not in removes.names("namespace")


def test_what_was_interrupted_goes_on_and_data_alone_need_a_word(removes: InMemory, teach: Run) -> None:
    teach("down", "--yes", "--no-backup")
    removes.put("Namespace", "l-ada-lab-10", "", metadata={"labels": LABELS})
    assert teach("down", "--yes")[0] == 0
    assert "l-ada-lab-10" not in removes.names("namespace")
    code, _, err = teach("down", "--data", "--yes")
    assert code == 2 and "no backup of its gradebook can be made" in err and NAMESPACE in removes.names("namespace")
    assert teach("down", "--data", "--yes", "--no-backup")[0] == 0
    assert "Nothing to delete" in teach("down", "--yes")[1]


def test_on_others_cluster_a_namespace_goes_only_if_it_was_made_here(
    removes: InMemory, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(removes, "context", "team")
    record.remember(Cluster("team", "registry.example"))
    _, out, _ = teach("down", "--data", "--yes", "--no-backup")
    assert "since this installation has not made it" in out and NAMESPACE in removes.names("namespace")
    removes.items.pop(("namespace", "", NAMESPACE))
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    own.create("team", item, lambda made: removes.put("Namespace", NAMESPACE, "", metadata=made["metadata"]))
    assert teach("down", "--data", "--yes", "--no-backup")[0] == 0
    assert NAMESPACE not in removes.names("namespace") and not own.recorded("team").made


def test_lab_down_does_not_take_a_gradebook_with_it(kubectl: InMemory, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["down"])
    assert ended.value.code == 2 and "lab class backup FILE" in capsys.readouterr().err
    kubectl.items.pop(("namespace", "", NAMESPACE))
    ending.leave_alone()


def test_where_the_cluster_stands_still_lab_down_goes_by_what_was_noted_of_a_class(
    kubectl: InMemory, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl.breaks["get"] = "connection refused"
    ending.leave_alone()  # nothing was noted
    record.note_class(True)
    with pytest.raises(SystemExit) as ended:
        main(["down"])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and "does not answer" in err and "lab up" in err and "lab down --yes" in err
    record.forget()  # a record that could not be mended leads to no cluster either, and its class is still there
    record.note_class(True)
    with pytest.raises(UsageError, match="gradebook"):
        ending.leave_alone()
    record.remember(Cluster("team", "registry.example"))
    ending.leave_alone()  # where what does not answer stays as it is
    record.forget(record.current())
    assert record.has_class()
    record.forget()
    assert not record.has_class()
    ending.leave_alone()


def test_that_a_class_is_there_is_noted_until_its_gradebook_goes(
    installs: list[dict[str, Any]], served: Served, roster: Path, teach: Run, removes: InMemory
) -> None:
    assert teach("up", "--roster", str(roster))[0] == 0 and record.has_class()
    record.note_class(False)
    teach("status")
    assert record.has_class(), "one that an earlier version has brought up"
    teach("down", "--yes", "--no-backup")
    assert record.has_class(), "the gradebook stays"
    teach("down", "--yes", "--data", "--no-backup")
    assert not record.has_class()
    record.note_class(True)
    teach("down", "--yes", "--no-backup")
    assert not record.has_class(), "somebody has deleted the class's namespace"


def test_on_a_cluster_of_ones_own_nothing_is_noted(kubectl: InMemory, teach: Run) -> None:
    record.remember(Cluster("team", "registry.example"))
    teach("backup", "b.tar")
    assert not record.has_class()


def test_a_roster_or_words_that_can_not_be_read_are_said(kubectl: InMemory) -> None:
    with pytest.raises(UsageError, match="no roster"):
        kubectl.items.pop(("configmap", NAMESPACE, "roster"))
        place.at().roster()
    kubectl.put("ConfigMap", "teacher", data={"told.json": "{"})
    with pytest.raises(LabError, match="can't be read"):
        place.at().told()
