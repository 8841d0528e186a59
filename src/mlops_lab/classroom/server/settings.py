"""What the server is told by its environment, and the class's own file.

docs/class.md has a table of these variables. The file, `class.toml`, names the class, its labs and when they are due:

    name = "MLOps, autumn"
    labs = ["01", "04", "10"]

    [due]
    "10" = 2026-11-06T18:00:00+01:00
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.lti import registration
from mlops_lab.classroom.lti.outward import origin
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.labs.catalog import abouts, exercises

_SHORTEST = 24  # characters of a token that somebody has chosen
# A time without seconds, as ISO 8601 and the chart take it; TOML does so from 1.1 on.
_NO_SECONDS = re.compile(
    r"""^(\s*["']?\w+["']?\s*=\s*\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d)(?=(?:[Zz]|[+-]\d\d:\d\d)?\s*(?:\#.*)?$)""", re.M
)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    labs: list[str] = []
    due: dict[str, datetime] = {}


@dataclass(frozen=True)
class Class:
    """A class as its teacher has described it.

    Attributes:
        labs: the titles of its labs by their numbers, in order: of those that can be graded here.
        due: until when a lab's submissions are not late.
        others: the labs that can't be, by their numbers, and why.
        shared: the titles of labs that can be worked on in a namespace of a cluster that learners share.
        in_place: the numbers of those of its labs whose namespace is graded as it is, since there are no files.
    """

    name: str = "Class"
    labs: Mapping[str, str] = field(default_factory=dict)
    due: Mapping[str, datetime] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    in_place: frozenset[str] = frozenset()


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
class Lti:
    """What learning platforms are let in with.

    Attributes:
        address: https; how browsers and platforms reach the server.
        platforms: those of the teacher's file.
        authorities: a file of certificates that platforms' own are trusted by, in place of the system's.
    """

    address: str
    platforms: tuple[Registration, ...] = ()
    authorities: str | None = None


@dataclass(frozen=True)
class Settings:
    """All that the server is told.

    Attributes:
        database: its URL.
        key: the file of the class's private key.
        roster: the file of the roster, which is read again when it changes; None where the roster comes by the API.
        teacher, grader: tokens of the teacher, and of what takes submissions.
        listen: for learners and the teacher.
        inside: for graders and probes.
        metrics: for Prometheus, which can't be told the class's certificate: no TLS, and nothing else is there.
        certificate, certificate_key: files for TLS; None only where nobody else can reach it.
        hosts: names by which browsers may ask, beside the address.
        authority: the file of what learners' own machines trust the server by; none where they do so anyway.
        lti: None where no learning platform leads here.
        namespace: the class's own, where learners share its cluster; empty where each has another one.
    """

    database: str
    key: Path
    teacher: str = field(repr=False)
    grader: str = field(repr=False)
    klass: Class
    roster: Path | None = None
    listen: Address = Address("127.0.0.1", 8443)
    inside: Address = Address("127.0.0.1", 8444)
    metrics: Address = Address("127.0.0.1", 8445)
    certificate: Path | None = None
    certificate_key: Path | None = None
    hosts: tuple[str, ...] = ()
    authority: Path | None = None
    lti: Lti | None = None
    namespace: str = ""

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
    lti = _lti(given)
    named = [given.get("CLASS_HOSTS", ""), *([urlsplit(lti.address).hostname or ""] if lti else [])]
    return Settings(
        database=_of(given, "CLASS_DATABASE"),
        key=Path(_of(given, "CLASS_KEY")),
        teacher=_token(given, "CLASS_TEACHER_TOKEN"),
        grader=_token(given, "CLASS_GRADER_TOKEN"),
        klass=read_class(
            Path(given["CLASS_FILE"]) if given.get("CLASS_FILE") else None, shared=bool(given.get("CLASS_NAMESPACE"))
        ),
        roster=Path(given["CLASS_ROSTER"]) if given.get("CLASS_ROSTER") else None,
        listen=listen, inside=inside, metrics=address(given.get("CLASS_LISTEN_METRICS") or "127.0.0.1:8445"),
        certificate=certificate, certificate_key=own_key,
        hosts=tuple(each.strip().lower() for each in ",".join(named).split(",") if each.strip()),
        authority=Path(given["CLASS_AUTHORITY"]) if given.get("CLASS_AUTHORITY") else None,
        lti=lti, namespace=given.get("CLASS_NAMESPACE", ""),
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


def read_class(file: Path | None, *, shared: bool = False) -> Class:
    """A class by its file; without one, or without labs in it, all labs that can be graded.

    A lab of the file that can't be graded is among the others.

    Args:
        shared: do learners share the class's cluster? There labs are graded in place, too.

    Raises:
        UsageError: it can't be read, or names a lab that there is not.
    """
    try:
        text = _NO_SECONDS.sub(r"\1:00", file.read_text("utf-8")) if file else ""
        told = msgspec.convert(tomllib.loads(text), _File)
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{file} is no description of a class: {wrong}", "see docs/class.md") from wrong
    there = exercises()
    titles = {each.number: about.title for each, about in zip(there, abouts(there), strict=True)}
    for number in (*told.labs, *told.due):
        if number not in titles or (told.labs and number not in told.labs):
            raise UsageError(f"{file}: the class has no lab {number!r}", f"labs are {', '.join(told.labs or titles)}")
    due = {number: when if when.tzinfo else when.replace(tzinfo=UTC) for number, when in told.due.items()}
    known = table()
    others = {number: known[number].why for number in titles if not known[number].graded(shared=shared)}
    wanted = {number: titles[number] for number in sorted(set(told.labs) or titles)}
    labs = {number: title for number, title in wanted.items() if number not in others}
    there_too = {number: title for number, title in wanted.items() if known[number].shared}
    in_place = frozenset(number for number in labs if known[number].in_place)
    return Class(told.name or "Class", labs, due, others, there_too, in_place)


def _lti(given: Mapping[str, str]) -> Lti | None:
    told = given.get("CLASS_LTI_ADDRESS", "").rstrip("/")
    if not told:
        return None
    if not origin(told) or urlsplit(told).path or urlsplit(told).query:
        raise UsageError(f"{told!r} is no https address of a server", "write it as https://class.example:8443")
    file = given.get("CLASS_LTI_PLATFORMS")
    platforms = registration.read(Path(file)) if file else ()
    return Lti(origin(told).removesuffix(":443"), platforms, given.get("CLASS_LTI_AUTHORITIES") or None)


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
