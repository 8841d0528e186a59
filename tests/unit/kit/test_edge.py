"""The checker's client at the edge: by host and path, with headers, over TLS; and what comes back."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlops_lab.checks import Failure, LabError
from mlops_lab.checks.rooms.objects import Printed
from mlops_lab.kit import edge
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.kube.errors import NotFound, Refused
from tests.made_up import NothingThere, made_up_lab

HOST = "amber.example.org"


class Router(BaseHTTPRequestHandler):
    """Says for which host and with which header it was asked; /old is sent to /new."""

    def do_GET(self) -> None:
        text = json.dumps({"host": self.headers["Host"], "path": self.path, "ring": self.headers["X-Ring"]}).encode()
        self.send_response(302 if self.path == "/old" else 200)
        if self.path == "/old":
            self.send_header("Location", "/new")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


def certificate(host: str) -> tuple[str, str]:
    """One for a host, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2048, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem).decode(), private.decode()


PEM, KEY = certificate(HOST)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Of the router without TLS and with it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    (folder / "crt").write_text(PEM)
    (folder / "key").write_text(KEY)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Router) for _ in range(2)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True)
    for each in servers:
        threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield [str(each.server_port) for each in servers]
    for each in servers:
        each.shutdown()
        each.server_close()


def said(ports: list[str], *asks: Ask, times: int = 1) -> list[Said]:
    words = json.dumps([{**vars(ask), "headers": dict(ask.headers)} for ask in asks])
    done = subprocess.run(
        [sys.executable, "-c", edge._ASK, "127.0.0.1", words, str(times), *ports],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return [Said(**each) for each in json.loads(done.stdout)]


def test_the_router_is_told_host_path_and_headers(ports: list[str]) -> None:
    plain, with_header, sent = said(ports, Ask(HOST), Ask(HOST, "/a?b=c", {"X-Ring": "beta"}), Ask(HOST, "/old"))
    assert plain.fields == {"host": HOST, "path": "/", "ring": None}
    assert with_header.fields == {"host": HOST, "path": "/a?b=c", "ring": "beta"}
    assert (sent.status, sent.headers["location"]) == (302, "/new"), "no redirect is followed"
    assert "status 302, to /new" in sent.shown


def test_over_tls_the_certificate_must_be_the_one_for_the_host(ports: list[str]) -> None:
    other, _ = certificate(HOST)
    right, any_at_all, wrong_host, wrong = said(
        ports, Ask(HOST, tls=True, trust=PEM), Ask("x.example.org", tls=True),
        Ask("x.example.org", tls=True, trust=PEM), Ask(HOST, tls=True, trust=other),
    )  # fmt: skip
    assert right.fields["host"] == HOST
    assert any_at_all.status == 200
    assert right.certificate == any_at_all.certificate
    assert (wrong_host.status, wrong.status) == (0, 0)
    assert "certificate verify failed" in wrong_host.shown
    assert "certificate verify failed" in wrong.shown


def test_requests_are_sent_so_often(ports: list[str]) -> None:
    assert [each.fields["path"] for each in said(ports, Ask(HOST, "/a"), Ask(HOST, "/b"), times=3)] == ["/a", "/b"] * 3


@pytest.mark.parametrize("text", ["", "[1]", "NaN", "{", "[" * 100_000])
def test_an_answer_may_be_anything(text: str) -> None:
    assert Said(200, text, {}, "", "").fields == {}


class Objects(NothingThere):
    """A pod of the checker's that prints what a test says, and whether it is gone afterwards."""

    def __init__(self, printed: Printed | LabError, refused: LabError | None = None) -> None:
        self.printed, self.refused, self.there = printed, refused, False

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return None

        async def until(test: Any, **more: Any) -> Any:
            assert test({"status": {"phase": "Running"}})
            return SimpleNamespace(ok=True)

        return SimpleNamespace(now=now, until=until)

    async def apply(self, objects: Any) -> None:
        if self.refused:
            raise self.refused
        self.there = True

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.there = False

    async def run_in(self, pod: str, *command: str, within: float) -> Printed:
        assert self.there
        if isinstance(self.printed, LabError):
            raise self.printed
        return self.printed


def look(objects: Objects) -> Any:
    def right(answers: Sequence[Said]) -> str:
        return "" if answers[0].status == 200 else answers[0].shown

    lab = made_up_lab(objects=objects)
    return asyncio.run(asked(lab, [Ask(HOST)], right, expected="it answers", name="client", within=1))


def test_what_comes_back_is_judged_and_the_pod_is_gone() -> None:
    answer = {"status": 200, "text": "", "headers": {}, "error": "", "certificate": ""}
    objects = Objects(Printed(0, [json.dumps([answer])], ""))
    seen = look(objects)
    assert seen.ok
    assert seen.seen == "it answers"
    assert not objects.there
    seen = look(Objects(Printed(0, [json.dumps([{**answer, "status": 404, "text": "no route"}])], "")))
    assert not seen.ok
    assert seen.seen == "status 404, 'no route'"


def test_a_client_that_does_not_run_is_no_failure() -> None:
    with pytest.raises(LabError, match="no python3"):
        look(Objects(Printed(127, [], "no python3")))


def test_a_namespace_that_takes_no_pods_is_a_failure() -> None:
    with pytest.raises(Failure) as failed:
        look(Objects(Printed(0, [], ""), Refused("the namespace is terminating", "", 403)))
    assert "the namespace is terminating" in failed.value.seen


def test_a_pod_that_is_taken_away_meanwhile_is_a_failure_and_a_cluster_that_forbids_commands_is_none() -> None:
    with pytest.raises(Failure) as failed:
        look(Objects(NotFound('pods "client" not found', "")))
    assert 'pods "client" not found' in failed.value.seen
    with pytest.raises(LabError, match="forbidden by the cluster's policy"):
        look(Objects(Refused("forbidden by the cluster's policy", "", 403)))
