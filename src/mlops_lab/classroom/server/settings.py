"""What the server is told by its environment, and the class's own file.

docs/class.md has a table of these variables. The file, `class.toml`, names the class, its labs and when they are due:

    name = "MLOps, autumn"
    labs = ["01", "04", "10"]

    [due]
    "10" = 2026-11-06T18:00:00+01:00
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.labs.catalog import abouts, exercises

_SHORTEST = 24  # characters of a token that somebody has chosen


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    labs: list[str] = []
    due: dict[str, datetime] = {}


@dataclass(frozen=True)
class Class:
    """A class as its teacher has described it.

    Attributes:
        labs: the titles of its labs by their numbers, in order.
        due: until when a lab's submissions are not late.
    """

    name: str = "Class"
    labs: Mapping[str, str] = field(default_factory=dict)
    due: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @property
    def is_own(self) -> bool:
        """Can only this machine reach it?"""
        return ipaddress.ip_address(self.host).is_loopback


@dataclass(frozen=True)
class Settings:
    """All that the server is told.

    Attributes:
        database: its URL.
        key: the file of the class's private key.
        roster: the file of the roster, which is read again when it changes; None where the roster comes by the API.
        teacher, grader: tokens of the teacher, and of what takes submissions.
        listen: for learners and the teacher.
        inside: for graders, probes and Prometheus.
        certificate, certificate_key: files for TLS; None only where nobody else can reach it.
        hosts: names by which browsers may ask, beside the address.
    """

    database: str
    key: Path
    teacher: str = field(repr=False)
    grader: str = field(repr=False)
    klass: Class
    roster: Path | None = None
    listen: Address = Address("127.0.0.1", 8443)
    inside: Address = Address("127.0.0.1", 8444)
    certificate: Path | None = None
    certificate_key: Path | None = None
    hosts: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Is it spoken?"""
        return self.certificate is not None


def from_environment(given: Mapping[str, str]) -> Settings:
    """The settings of a server's environment.

    Raises:
        UsageError: one is missing or wrong.
    """
    certificate, own_key = (
        Path(given[name]) if given.get(name) else None for name in ("CLASS_CERTIFICATE", "CLASS_CERTIFICATE_KEY")
    )
    listen = address(given.get("CLASS_LISTEN") or "127.0.0.1:8443")
    inside = address(given.get("CLASS_LISTEN_INSIDE") or "127.0.0.1:8444")
    if (certificate is None) != (own_key is None):
        raise UsageError("a certificate and its key belong together", "set CLASS_CERTIFICATE and CLASS_CERTIFICATE_KEY")
    if certificate is None and not (listen.is_own and inside.is_own):
        raise UsageError("what others can reach speaks TLS", "set CLASS_CERTIFICATE and CLASS_CERTIFICATE_KEY")
    return Settings(
        database=_of(given, "CLASS_DATABASE"),
        key=Path(_of(given, "CLASS_KEY")),
        teacher=_token(given, "CLASS_TEACHER_TOKEN"),
        grader=_token(given, "CLASS_GRADER_TOKEN"),
        klass=read_class(Path(given["CLASS_FILE"]) if given.get("CLASS_FILE") else None),
        roster=Path(given["CLASS_ROSTER"]) if given.get("CLASS_ROSTER") else None,
        listen=listen, inside=inside, certificate=certificate, certificate_key=own_key,
        hosts=tuple(each.strip().lower() for each in given.get("CLASS_HOSTS", "").split(",") if each.strip()),
    )  # fmt: skip


def address(text: str) -> Address:
    """An address such as `0.0.0.0:8443` or `[::]:8443`.

    Raises:
        UsageError: it is none.
    """
    host, _, port = text.rpartition(":")
    try:
        return Address(str(ipaddress.ip_address(host.strip("[]"))), int(port))
    except ValueError as wrong:
        raise UsageError(f"{text!r} is no address and port", "write it as 127.0.0.1:8443") from wrong


def read_class(file: Path | None) -> Class:
    """A class by its file; without one, or without labs in it, all labs that there are.

    Raises:
        UsageError: it can't be read, or names a lab that there is not.
    """
    try:
        told = msgspec.convert(tomllib.loads(file.read_text("utf-8")) if file else {}, _File)
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{file} is no description of a class: {wrong}", "see docs/class.md") from wrong
    there = exercises()
    titles = {each.number: about.title for each, about in zip(there, abouts(there), strict=True)}
    for number in (*told.labs, *told.due):
        if number not in titles or (told.labs and number not in told.labs):
            raise UsageError(f"{file}: the class has no lab {number!r}", f"labs are {', '.join(told.labs or titles)}")
    due = {number: when if when.tzinfo else when.replace(tzinfo=UTC) for number, when in told.due.items()}
    return Class(told.name or "Class", {number: titles[number] for number in sorted(set(told.labs) or titles)}, due)


def _of(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise UsageError(f"{name} is not set", "see docs/class.md for the server's settings")
    return given[name]


def _token(given: Mapping[str, str], name: str) -> str:
    file = Path(_of(given, f"{name}_FILE"))
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{file} can't be read: {wrong}", f"{name}_FILE names a file with a token") from wrong
    if len(token) < _SHORTEST:
        raise UsageError(f"the token in {file} is too short", f"use at least {_SHORTEST} random characters")
    return token
