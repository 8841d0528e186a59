"""`lab submit` and `lab class verify`: what they say and how they end, against a server of a class on this machine."""

from __future__ import annotations

import ast
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mlops_lab.base.paths import project
from mlops_lab.classroom import certificate, kit, packing, sending
from mlops_lab.classroom.certificate import Lab
from mlops_lab.classroom.roster import Learner
from mlops_lab.cli.main import main
from mlops_lab.proof.skeleton import make
from tests.unit.classroom.made import KEY, OTHER, export, result, signed

TOKEN = "a-token"


class Class(http.server.ThreadingHTTPServer):
    """A class's server, which does what a test says.

    Attributes:
        asked: method, path and headers of each request, with the hash of its body.
        answers: statuses and objects that the next requests get, before it serves as it should.
        states: what a submission's state becomes, one at each question.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.answers: list[tuple[int, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.known: dict[str, int] = {}
        self.retry = ""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes is none."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Class

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        sha256 = hashlib.sha256(content).hexdigest()
        if not self._told(sha256):
            packing.files(content)
            new = sha256 not in self.server.known
            number = self.server.known.setdefault(sha256, len(self.server.known) + 1)
            self._give(
                201 if new else 200, {"submission": 40 + number, "number": number, "state": "waiting", "place": 2}
            )

    def do_GET(self) -> None:
        if not self._told(""):
            now = self.server.states.pop(0) if len(self.server.states) > 1 else self.server.states[0]
            self._give(200, {"submission": 41, "number": 1, **now})

    def _told(self, sha256: str) -> bool:
        self.server.asked.append((self.command, self.path, dict(self.headers), sha256))
        if not self.server.answers:
            return False
        status, answer = self.server.answers.pop(0)
        if status:
            self._give(status, answer)
        return True  # without a status the connection ends

    def _give(self, status: int, answer: Any) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if self.server.retry:
            self.send_header("Retry-After", self.server.retry)
        if status == 302:
            self.send_header("Location", "https://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path / "labs"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("COLUMNS", "120")
    make("10-scale", tmp_path / "labs")
    folder = tmp_path / "work/10-scale"
    (folder / ".lab").mkdir(parents=True)
    (folder / ".lab/kubeconfig").write_text("secret")
    (folder / "deployment.yaml").write_text("kind: Deployment\n")
    return folder


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited."""
    waits: list[float] = []
    monkeypatch.setattr(sending.Server.__init__, "__defaults__", (waits.append,))
    return waits


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A certificate for this machine with its key in one file, and the certificate as text."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "class")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public = made.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_text(private + public)
    return file, public


@pytest.fixture
def server(authority: tuple[Path, str], waited: list[float]) -> Iterator[Class]:
    """The class's server, over TLS, and the kit for it."""
    with Class() as served:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority[0])
        served.socket = context.wrap_socket(served.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        kept(address=f"https://127.0.0.1:{served.server_port}", token=TOKEN, certificate=authority[1])
        yield served
        served.shutdown()
        thread.join()


def kept(mode: int = 0o600, **fields: str) -> Path:
    """The learner's kit with these fields."""
    file = kit.place()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(fields))
    file.chmod(mode)
    return file


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command: its exit code, output, and what it said beside it."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


Run = Callable[..., tuple[int, str, str]]


def graded(*verdicts: str) -> dict[str, Any]:
    checks = [
        {"check": f"check_{place}", "title": "It scales.", "verdict": verdict, "points": 2, "expected": "more pods",
         "seen": "1 pod", "why": "a limit", "more": 1}
        for place, verdict in enumerate(verdicts)
    ]  # fmt: skip
    return {"state": "graded", "place": 0, "result": {"points": 2, "possible": 4, "checks": checks, "at": "now"}}


def test_work_is_handed_in_and_its_place_and_result_are_shown(server: Class, lab: Run, waited: list[float]) -> None:
    server.states = [
        {"state": "waiting", "place": 2}, {"state": "waiting", "place": 1}, {"state": "grading", "place": 0},
        graded("pass", "fail"),
    ]  # fmt: skip
    code, out, said = lab("submit", "10")
    assert code == 1
    content = packing.pack(Path(kit.place().parents[2] / "work/10-scale"))
    assert f"handed in as submission 1 of lab 10, sha256 {content.sha256}" in out
    assert "FAIL      0/2  check_1: It scales." in out
    assert "seen      1 pod" in out
    assert "2 of 4 points: 1 passed, 1 failed" in out
    assert said.index("place 2 in the queue") < said.index("place 1 in the queue") < said.index("grader is at work")
    assert "deployment.yaml" in said
    assert "left out, as hidden or generated: .lab/" in said
    method, path, headers, sha256 = server.asked[0]
    assert (method, path, sha256) == ("POST", "/api/v1/submissions?lab=10", content.sha256)
    assert (headers["Authorization"], headers["Content-Type"]) == (f"Bearer {TOKEN}", "application/x-tar")
    assert {each[1] for each in server.asked[1:]} == {"/api/v1/submissions/41"}
    assert waited == [2.0] * 4


def test_a_pass_is_exit_code_0_and_an_error_3(server: Class, lab: Run) -> None:
    server.states = [graded("pass", "pass")]
    assert lab("submit", "10")[0] == 0
    server.states = [graded("pass", "error")]
    assert lab("submit", "10")[0] == 3


def test_the_same_work_is_one_submission_however_often_it_is_sent(
    server: Class, lab: Run, work: Path, waited: list[float]
) -> None:
    server.answers = [(0, None), (503, {"error": "starting", "next": "wait"}), (500, b"<html>")]
    assert lab("submit", "10", "--no-wait")[0] == 0
    assert waited == [1.0, 2.0, 4.0]
    code, out, _ = lab("submit", "10", "--no-wait")
    assert (code, out.count("submission 1")) == (0, 1)
    assert len({each[3] for each in server.asked}) == 1
    assert server.known == {server.asked[0][3]: 1}
    (work / "deployment.yaml").write_text("kind: Deployment # better\n")
    assert "submission 2" in lab("submit", "10", "--no-wait")[1]


def test_a_result_that_was_there_before_is_shown(server: Class, lab: Run, waited: list[float]) -> None:
    server.answers = [(200, {"submission": 41, "number": 1, "state": "graded", "place": 0})]
    server.states = [graded("pass", "pass")]
    code, out, _ = lab("submit", "10")
    assert (code, "2 passed" in out, waited) == (0, True, [])


def test_who_does_not_wait_hears_that_it_is_handed_in(server: Class, lab: Run) -> None:
    server.states = [{"state": "waiting", "place": 9}]
    code, _, said = lab("submit", "10", "--within", "0")
    assert (code, "not graded yet; the same command shows its result" in said) == (0, True)


def test_a_grader_that_could_not_grade_costs_nothing(server: Class, lab: Run) -> None:
    server.states = [{"state": "failed", "why": "its Job died three times"}]
    code, _, said = lab("submit", "10")
    assert code == 3
    assert "the grader could not grade it: its Job died three times" in said
    assert "costs you nothing" in said


@pytest.fixture
def in_place(server: Class) -> Class:
    """A class that shares its cluster; a lab of those that have no files."""
    make("20-mend", Path(os.environ["MLOPS_LAB_LABS"]))
    server.answers = [(201, {"submission": 41, "number": 3, "state": "waiting", "place": 1})]
    return server


def test_a_lab_without_files_sends_none_and_is_followed_all_the_same(in_place: Class, lab: Run) -> None:
    in_place.states = [{"state": "grading", "place": 0}, graded("pass", "pass")]
    code, out, said = lab("submit", "20")
    assert code == 0 and "handed in as submission 3 of lab 20: your namespace, and no files" in out
    method, path, headers, sha256 = in_place.asked[0]
    assert (method, path, sha256) == ("POST", "/api/v1/submissions?lab=20", hashlib.sha256(b"").hexdigest())
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert "you can look at your namespace and change nothing" in said


def test_why_a_lab_was_not_graded_in_place_is_said_in_a_line(in_place: Class, lab: Run) -> None:
    in_place.states = [{"state": "failed", "why": "lab 20 was begun anew or ended after you had handed it in"}]
    code, _, said = lab("submit", "20")
    assert code == 3 and "it was not graded: lab 20 was begun anew or ended after you had handed it in\n" in said
    assert "hand in again: lab submit 20" in said
    in_place.answers = [(409, {"error": "you have not begun lab 20: there is nothing to grade", "next": "begin it"})]
    assert lab("submit", "20")[::2] == (
        2,
        "lab: you have not begun lab 20: there is nothing to grade\n  next: begin it\n",
    )


def test_who_does_not_wait_finds_the_result_of_a_grading_in_place_on_the_page(in_place: Class, lab: Run) -> None:
    in_place.states = [{"state": "waiting", "place": 9}]
    code, _, said = lab("submit", "20", "--within", "0")
    assert (code, "not graded yet; your page shows its result" in said) == (0, True)


def test_a_lab_without_files_has_no_archive(in_place: Class, lab: Run, tmp_path: Path) -> None:
    code, _, said = lab("submit", "20", "--to", str(tmp_path / "x.tar"))
    assert code == 2 and "has no files to hand in" in said and not (tmp_path / "x.tar").exists()
    kit.place().unlink()
    code, _, said = lab("submit", "20")
    assert code == 2 and "lab check 20" in said and in_place.asked == []


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([(401, {"error": "your token has ended", "next": "ask for a new file"})], 2, "lab: your token has ended\n"),
        ([(403, b"no")], 2, "answers with status 403\n  next: your token may have ended"),
        ([(413, {"error": "too large\x1b[2J", "next": ""})], 2, "lab: too large [2J\n"),
        ([(302, {})], 2, "answers with status 302"),
        ([(200, b"<html>")], 3, "answers something else than the server of a class"),
        ([(200, {"submission": 1})], 3, "answers something else than the server of a class"),
        ([(200, b"[" * 100_000)], 3, "answers something else than the server of a class"),
        ([(200, b" " * (5 << 20))] * 4, 3, "does not answer: its answer is too long"),
        ([(0, None)] * 4, 3, "does not answer: it closed the connection"),
        ([(503, {"error": "the database is away", "next": "wait"})] * 4, 3, "lab: the database is away\n  next: wait"),
    ],
)  # fmt: skip
def test_what_the_server_refuses_is_said(
    answers: list[tuple[int, Any]], code: int, said: str, server: Class, lab: Run
) -> None:
    server.answers = list(answers)
    found, out, err = lab("submit", "10")
    assert (found, out) == (code, "")
    assert said in err
    assert TOKEN not in out + err
    assert len(server.asked) == len(answers)


def test_a_server_that_asks_to_wait_is_waited_for(server: Class, lab: Run, waited: list[float]) -> None:
    server.retry, server.answers = "7", [(429, {"error": "too often", "next": "wait"})]
    assert lab("submit", "10", "--no-wait")[0] == 0
    assert waited == [7.0]
    server.retry, server.answers = "86400", [(429, {})]
    assert lab("submit", "10", "--no-wait")[0] == 0
    assert waited == [7.0, 60.0]


def test_another_server_than_the_class_gets_no_token(server: Class, lab: Run, authority: tuple[Path, str]) -> None:
    address = f"https://127.0.0.1:{server.server_port}"
    kept(address=address, token=TOKEN)  # an authority of this machine's is not what signed it
    code, _, said = lab("submit", "10")
    assert (code, "is not the server of your class, by its certificate" in said) == (3, True)
    kept(address=address.replace("127.0.0.1", "localhost"), token=TOKEN, certificate=authority[1])
    code, _, said = lab("submit", "10")
    assert (code, "is not the server of your class" in said) == (3, True)
    assert server.asked == []


def test_a_server_that_is_not_there(lab: Run, waited: list[float]) -> None:
    kept(address="http://127.0.0.1:1", token=TOKEN)
    code, _, said = lab("submit", "10")
    assert (code, waited) == (3, [1.0, 2.0, 4.0])
    assert "the class's server http://127.0.0.1:1 does not answer: nothing listens there" in said
    assert "handed in once only" in said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": "http://192.168.1.10:8443", "token": "x"}, "is not encrypted, and not on this machine"),
        ({"address": "ftp://127.0.0.1", "token": "x"}, "is no https address"),
        ({"address": "https://", "token": "x"}, "is no https address"),
        ({"address": "https://a:b@host", "token": "x"}, "is no https address"),
        ({"address": "https://host:port", "token": "x"}, "its address is none"),
        ({"address": "https://a..host", "token": "x"}, "its address is none"),
        ({"address": "https://host/ä", "token": "x"}, "is no https address"),
        (
            {"address": "https://host", "token": "x", "certificate": "PEM"},
            "the certificate in your class's file is none",
        ),
        ({"address": "https://host", "token": "x", "certificate": "ä"}, "the certificate in your class's file is none"),
        ({"address": "https://host"}, "is damaged"),
        ({"address": "https://host", "token": ""}, "it has no token"),
        ({"address": "https://host", "token": "a\r\nX: y"}, "it has no token"),
    ],
)
def test_a_kit_that_is_none_is_refused(fields: dict[str, str], said: str, lab: Run) -> None:
    kept(**fields)
    code, _, err = lab("submit", "10")
    assert (code, said in err) == (2, True), err


def test_a_kit_that_others_may_read_or_that_is_no_file(lab: Run) -> None:
    file = kept(0o644, address="https://host", token="x")
    assert f"others may read your class's file {file}" in lab("submit", "10")[2]
    file.write_text("{")
    file.chmod(0o600)
    assert "is damaged" in lab("submit", "10")[2]
    file.unlink()
    file.mkdir()
    assert "can't be read" in lab("submit", "10")[2]


def test_without_a_class_the_archive_goes_to_a_file(lab: Run, work: Path, tmp_path: Path) -> None:
    code, _, said = lab("submit", "10")
    assert (code, "you are in no class" in said, "lab submit 10 --to FILE" in said) == (2, True, True)
    file = tmp_path / "new/work.tar"
    code, out, _ = lab("submit", "10", "--to", str(file))
    assert (code, out) == (0, f"wrote {file}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}\n")
    assert [each.path for each in packing.files(file.read_bytes())] == ["deployment.yaml"]
    code, _, said = lab("submit", "10", "--to", str(work / "work.tar"))
    assert (code, "would be in the folder that is handed in" in said) == (2, True)


def test_what_can_not_be_handed_in(lab: Run, work: Path, tmp_path: Path) -> None:
    (work / "link").symlink_to("/etc/passwd")
    code, _, said = lab("submit", "10", "--to", str(tmp_path / "work.tar"))
    assert (code, "link: a link is no file of its own" in said) == (2, True)
    work.rename(work.with_name("elsewhere"))
    code, _, said = lab("submit", "10", "--to", str(tmp_path / "work.tar"))
    assert (code, f"you have no folder for lab 10: {work}\n  next: " in said) == (2, True)
    assert "with a cluster of your own: lab start 10; else make it" in said
    assert not (tmp_path / "work.tar").exists()


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "class.pem"
    file.write_text(KEY.public.pem)
    return str(file)


def test_an_export_is_verified(lab: Run, tmp_path: Path, key: str) -> None:
    file = tmp_path / "records.jsonl"
    lines = export([result(), result("bob")])
    file.write_text("".join(lines))
    expected = (
        f"2 records are whole and in order, as of 2026-11-02T00:00:00+00:00; signed with the key {KEY.public.id}\n"
    )
    assert lab("class", "verify", str(file), "--key", key) == (0, expected, "")
    file.write_text("".join(lines[1:]))
    code, out, _ = lab("class", "verify", str(file), "--key", key)
    assert code == 1
    assert out == (
        "NOT AS IT WAS SIGNED, left out: line 1, record 1 (bob, lab 10): record 1 is missing before record 2: bob, "
        "lab 10\n"
    )
    file.write_text("".join([lines[0], lines[1].replace('"points":4', '"points":5'), lines[2]]))
    code, out, _ = lab("class", "verify", str(file), "--key", key)
    assert (code, "NOT AS IT WAS SIGNED, changed: line 2, record 2 (bob, lab 10)" in out) == (1, True)
    assert "the 1 before it are whole" in out
    file.write_text("")
    assert lab("class", "verify", str(file), "--key", key)[0] == 1
    file.write_text("{" + "x" * (9 << 20))
    assert lab("class", "verify", str(file), "--key", key)[0] == 1


def test_what_comes_by_a_pipe_is_verified(lab: Run, tmp_path: Path, key: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    token = certificate.issue(Learner("ada", "Ada"), [Lab("10", "Scale")], signed([result()]), "Bootcamp", KEY)
    for content, said in (("".join(export([result()])), "1 records are whole"), (token, "for Ada"), ("", "cut off")):
        writer = threading.Thread(target=pipe.write_text, args=(content,))
        writer.start()
        code, out, _ = lab("class", "verify", str(pipe), "--key", key)
        writer.join()
        assert (code, said in out) == (0 if content else 1, True), out


def test_a_certificate_and_its_page_are_verified(lab: Run, tmp_path: Path, key: str) -> None:
    token = certificate.issue(
        Learner("ada", "Ada Lovelace"),
        [Lab("10", "Scale")],
        signed([result()]),
        "Bootcamp",
        KEY,
        "2026-11-05T12:00:00Z",
    )
    page = certificate.page(certificate.read(token, KEY.public))
    file = tmp_path / "certificate"
    for content in (token + "\n", page):
        file.write_text(content)
        code, out, _ = lab("class", "verify", str(file), "--key", key)
        assert (code, out) == (
            0, "a certificate of Bootcamp for Ada Lovelace, of 2026-11-05T12:00:00Z: 10 Scale (4 of 4 points); signed "
            f"with the key {KEY.public.id}\n",
        )  # fmt: skip
    for content in (page.replace("Ada", "Eve"), token[:-5], "nonsense"):
        file.write_text(content)
        code, out, _ = lab("class", "verify", str(file), "--key", key)
        assert (code, out.startswith("NOT AS IT WAS SIGNED: ")) == (1, True)
    file.write_bytes(b"\xff\xfe")
    assert lab("class", "verify", str(file), "--key", key)[0] == 1


def test_the_key_is_the_kits_unless_another_is_named(lab: Run, tmp_path: Path, key: str) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text("".join(export([result()])))
    code, _, said = lab("class", "verify", str(file))
    assert (code, "the class's public key is needed" in said, "--key" in said) == (2, True, True)
    kept(address="https://host", token="x", key=OTHER.public.pem)
    code, out, _ = lab("class", "verify", str(file))
    assert (code, "another key" in out) == (1, True)
    assert lab("class", "verify", str(file), "--key", key)[0] == 0
    kept(address="https://host", token="x", key=KEY.public.pem)
    assert lab("class", "verify", str(file))[0] == 0
    Path(key).write_text(KEY.pem)
    code, _, said = lab("class", "verify", str(file), "--key", key)
    assert (code, "holds a private key" in said) == (2, True)


# What learners read


def texts() -> list[str]:
    """All that the programs of a class say, in lower case, with `*` where something is filled in."""

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.JoinedStr):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    files = [*(project() / "src/mlops_lab/classroom").rglob("*.py"), project() / "src/mlops_lab/cli/classroom.py"]
    return [text(node).lower() for file in files for node in ast.walk(ast.parse(file.read_text()))]


def says(quote: str, said: list[str]) -> bool:
    """Is this a text, or a part of one, with something filled in?"""
    words = [rf"(?:{re.escape(word)}|\S*\*\S*)" for word in quote.lower().split()]
    pattern = re.compile(r"(?:\s+\S*\*\S*)?\s+".join(words))
    return any(pattern.search(each) for each in said)


def test_the_page_for_learners_quotes_what_the_commands_say() -> None:
    page, said = (project() / "docs" / "class-learner.md").read_text(), texts()
    table = page.partition("| it says | do |")[2]
    quoted = [row.split("|")[1].strip() for row in table.splitlines()[2:] if row.startswith("|")]
    assert len(quoted) > 5
    shown = (
        "handed in as submission 1 of lab 04", "waiting, place 2 in the queue", "the class's grader is at work on it",
        "The grader could not grade it", "a certificate of Autumn for",
    )  # fmt: skip
    assert [each for each in shown if each not in page] == []
    assert [each for each in (*quoted, *shown) if not says(each, said)] == []
    assert not says("your token is green, or it has wings", said)
