"""A class is brought up: what it runs and grades with, its chart with what the teacher has told, and the roster until
the server has it.

All of it may be interrupted and run again: what stands is left alone, and what was told before is told again.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.base.waiting import wait_until
from mlops_lab.classroom import roster
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.teacher import grading
from mlops_lab.classroom.teacher.asking import asking
from mlops_lab.classroom.teacher.place import HERE, NAMESPACE, PORT, Place, Told
from mlops_lab.platform.install import Mode, alone

_LARGE = 40  # learners, from which on the chart's full profile is taken
_TAKEN_WITHIN = 180.0  # s until the server has a changed roster; a kubelet may take 90 of them
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Address:
    """Where learners reach the server: a name or an IP address, and a port."""

    host: str
    port: int = PORT

    @property
    def url(self) -> str:
        """As it stands in kits."""
        return f"https://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Can only this machine reach it?"""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True)
class Wishes:
    """What one `lab class up` asks for; what is None stays as it was told before.

    Attributes:
        shared: the API server's address as learners reach it, for a class that works on its cluster; empty for none.
        graded: whether what is handed in is graded on the class's cluster.
        values: the chart's values of a file of the teacher's.
    """

    learners: Sequence[Learner]
    roster: str
    address: Address | None = None
    name: str | None = None
    labs: Sequence[str] | None = None
    shared: str | None = None
    values: Mapping[str, Any] | None = None
    graded: bool | None = None


def address(text: str, what: str) -> Address:
    """An address such as `192.168.1.10`, `class.example.org:443` or `[2001:db8::1]:8443`.

    Args:
        what: the option, for the error.

    Raises:
        UsageError: it is none, or stands for every address of a machine.
    """
    hint = f"write it as {what} 192.168.1.10, or with another port {what} 192.168.1.10:9443"
    try:
        if text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port or PORT
    except ValueError as wrong:
        raise UsageError(f"{text!r} is no address", hint) from wrong
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        number = None
    if number is not None and number.is_unspecified:
        raise UsageError(f"{host} is every address of this machine, and learners need one", hint)
    named = number is not None or (_NAME.fullmatch(host) and not host.replace(".", "").isdigit())
    if parts.path or parts.username or not named:
        raise UsageError(f"{text!r} is no address", hint)
    return Address(host, port)


def read_values(file: Path) -> dict[str, Any]:
    """The chart's values in a file of the teacher's.

    Raises:
        UsageError: it can't be read, or says what `lab class up` itself says.
    """
    import yaml

    hint = "see charts/classroom/README.md for what can stand in it"
    try:
        found = msgspec.to_builtins(yaml.safe_load(file.read_text("utf-8")) or {})  # times as texts
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as wrong:
        reason = " ".join(str(getattr(wrong, "strerror", "") or wrong).split())
        raise UsageError(f"the values {file} can't be read: {reason}", hint) from wrong
    if not isinstance(found, dict):
        raise UsageError(f"the values {file} are no table of names and values", hint)
    if taken := sorted({"roster", "registry"} & set(found)):
        raise UsageError(f"{file} has {taken[0]}, which the command itself sets", f"take {taken[0]} out of it")
    if unquoted := [key for key in _keys(found) if not isinstance(key, str)]:
        raise UsageError(f"{file}: {unquoted[0]!r} is a number where a name has to be", 'put it in quotes, as in "04"')
    return found


def _keys(values: Mapping[Any, Any]) -> Iterator[Any]:
    for key, value in values.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value)


def told_now(before: Told, wishes: Wishes) -> Told:
    """What was told before, with what is told now; a lab that the class has no more is due no more."""
    values = merged(before.values, wishes.values or {})
    if wishes.name is not None:
        values = merged(values, {"class": {"name": wishes.name}})
    if wishes.labs is not None:
        values = merged(values, {"class": {"labs": list(wishes.labs)}})
    labs, due = (Told(values=values).value("class", name) for name in ("labs", "due"))
    if labs and isinstance(labs, list) and isinstance(due, Mapping):  # the chart refuses what is neither
        said = Told(values=dict(wishes.values or {})).value("class", "due")
        values["class"]["due"] = {lab: when for lab, when in due.items() if lab in labs or lab in said}
    if wishes.shared is not None:
        values = merged(values, {"cluster": {"address": wishes.shared}})
    if wishes.graded is not None:
        values = merged(values, {"grader": {"enabled": wishes.graded}})
    url = before.address
    if wishes.address is not None:
        url = wishes.address.url
        known = Told(values=values).value("server", "hosts") or []
        if not wishes.address.is_loopback and wishes.address.host not in known:
            values = merged(values, {"server": {"hosts": [wishes.address.host, *known]}})
    return Told(url, values)


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Values as helm puts them together: tables name by name, all else as the new ones have it."""
    found = copy.deepcopy(dict(old))
    for key, value in new.items():
        there = found.get(key)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        found[key] = merged(there, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return found


def install(place: Place, wishes: Wishes, progress: Progress, mode: Mode = "auto") -> Told:
    """Bring the class up, or to what is told now, and wait until its server has the roster.

    Raises:
        LabError: it did not become ready; what was there before is there again.
    """
    told, before = told_now(place.told(), wishes), _before(place)
    place.note()
    bring(place, told, len(wishes.learners), progress, {"roster": wishes.roster}, mode)
    place.tell(told)
    wanted = {each.id for each in wishes.learners}
    with progress.piece("waiting until the server has the roster"):
        _hurry(place, wishes.roster)
        _await_roster(place, wanted, before - wanted)
    return told


def bring(
    place: Place, told: Told, learners: int, progress: Progress, more: Mapping[str, Any], mode: Mode = "auto"
) -> None:
    """Have all be there that graders need, and install the chart, or repair what is installed.

    Args:
        learners: how many there are, for the chart's profile.
        more: values that are not kept.

    Raises:
        LabError: it did not become ready.
    """
    profile = "full" if learners > _LARGE else "small"
    graders = grading.ready(place, told, progress, mode)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "told.yaml"
        values = {**merged({"grader": graders}, told.values), **more}
        file.write_text(json.dumps(values), "utf-8")  # JSON is YAML
        alone(grading.release(told), profile, place.cluster, progress, [file], mode)  # type: ignore[arg-type]


def read_roster(file: Path) -> tuple[list[Learner], str]:
    """The learners of a roster, and its text. It is read once: a pipe has no way back.

    Raises:
        UsageError: it can't be read, or a line is wrong; says which.
    """
    text = roster.text(file)
    return roster.learners(file, text), text


def _before(place: Place) -> set[str]:
    """Who was on the roster until now; nobody where there was none that can be read."""
    try:
        return {each.id for each in place.roster()}
    except UsageError:
        return set()


def _hurry(place: Place, text: str) -> None:
    """Have the kubelet look at the pods' ConfigMaps now: it does whenever a pod has changed, else now and then."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    words = ("annotate", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=server", "--overwrite")
    place.kubectl.run(*words, f"mlops-lab/roster={mark}", check=False)


class _At(msgspec.Struct):
    learner: str


class _Status(msgspec.Struct):
    learners: list[_At]


def _await_roster(place: Place, wanted: set[str], left: set[str]) -> None:
    """Wait until the server knows who came and who left; a learning platform may have brought others besides."""

    def probe() -> tuple[bool | None, str]:
        try:
            with asking(place) as server:
                there = {each.learner for each in server.get("status", _Status).learners}
        except UsageError:
            raise
        except LabError as trouble:
            return None, trouble.message
        late = sorted((wanted - there) | (left & there))
        if not late:
            return True, ""
        return None, f"{len(late)} learners are not as the roster has them, such as {late[0]}"

    wait_until(
        probe, what="the class's server", within=_TAKEN_WITHIN, every=1,
        hint=f"see its log (kubectl -n {NAMESPACE} logs deployment/server), then run the same command again",
    )  # fmt: skip


def is_here(told: Told) -> bool:
    """Is the class for this machine alone?"""
    return told.address == HERE
