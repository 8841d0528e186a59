"""The server's certificate is renewed while it serves."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.classroom.server import tls
from tests.classroom.served import Served, served, until
from tests.unit.classroom.teaching import certificate


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder as the kubelet mounts a Secret: a link leads to the files, which another one takes the place of."""
    put(tmp_path, "first")
    return tmp_path / "tls"


@pytest.fixture
def at_class(tmp_path: Path, mounted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(tls, "LOOK", 0.02)
    with served(tmp_path, certificate=mounted / "tls.crt", certificate_key=mounted / "tls.key") as found:
        yield found


def put(folder: Path, name: str) -> str:
    """A new certificate and its key, in place of what was there, at once; returns the certificate."""
    key, made = certificate("localhost")
    (folder / name).mkdir()
    (folder / name / "tls.crt").write_text(made)
    (folder / name / "tls.key").write_text(key)
    (folder / "new").symlink_to(name)
    (folder / "new").replace(folder / "tls")
    return made.strip()


def shown(port: int) -> str:
    """The certificate that a new connection meets."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10).strip()


def test_a_renewed_certificate_is_taken_up_while_the_server_runs(at_class: Served, tmp_path: Path) -> None:
    assert at_class.ask("/healthz").status == 200
    for name in ("second", "third"):
        made = put(tmp_path, name)
        for port in (at_class.port, at_class.port_inside):
            until(lambda port=port, made=made: shown(port) == made)
        assert at_class.ask("/healthz").status == 200, "its key is that of the certificate"


def test_a_certificate_without_its_key_leaves_the_one_before_in_use(
    at_class: Served, mounted: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = shown(at_class.port)
    key, made = certificate("localhost")
    with caplog.at_level(logging.WARNING, tls.__name__):
        (mounted / "tls.crt").write_text(made)
        until(lambda: caplog.messages)
        for content in ("no key", None):
            told = len(caplog.messages)
            (mounted / "tls.key").write_text(content) if content else (mounted / "tls.key").unlink()
            until(lambda told=told: len(caplog.messages) > told)
            assert shown(at_class.port) == before
    assert len(caplog.messages) < 6, "it is said once of each, not at every look"
    assert "can't be used" in caplog.messages[0] and "the one before it stays in use" in caplog.messages[0]
    (mounted / "tls.key").write_text(key)
    until(lambda: shown(at_class.port) == made.strip())
