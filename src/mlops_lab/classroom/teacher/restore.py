"""A backup is put into a class that runs: beside the gradebook that is there, and in its place once it is whole.

If the server does not find the records whole then, does not become ready, or all of it is interrupted, all is as it was
before. The gradebook that was there is deleted only when the new one is proven, whatever an interrupted run has left.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.teacher import backup
from mlops_lab.classroom.teacher.asking import asking
from mlops_lab.classroom.teacher.backup import Backup
from mlops_lab.classroom.teacher.installing import bring
from mlops_lab.classroom.teacher.place import NAMESPACE, Place
from mlops_lab.classroom.teacher.standing import Stand

_WITHIN = 3600.0  # s for the database
_BEFORE = "classroom_before"  # how names begin of databases that were the class's
_RESTORED = "classroom_restored"  # a backup's, until it is the class's
_READ = "what was read of the backup"
_AUTHORITY = "class-ca"
_ENV = ("env", "PGHOST=/tmp", "PGUSER=postgres")
_FILL = (
    f"dropdb --if-exists --force {_RESTORED} && createdb --owner=classroom {_RESTORED} && "
    f"pg_restore --exit-on-error --single-transaction --no-owner --role=classroom --dbname={_RESTORED}"
)


def put(place: Place, file: Path, progress: Progress) -> Backup:
    """Put a backup's gradebook, key and tokens in the place of the class's.

    Raises:
        UsageError: the file is no backup, or the class's database or key is not the class's own.
        LabError: it could not be; the gradebook is as it was before, unless the error says something else.
    """
    told = place.told()
    backup.require_own_database(told)
    with backup.opened(file) as content:
        own = told.value("server", "existingSecret")
        if own and backup.key_of(place.find("secret", own)) != content.backup.key:
            raise UsageError(
                f"the backup is signed with another key than that of your Secret {own}",
                f"put that class's key into it (it is in {file}, secrets.json), then run this again",
            )
        try:
            with progress.piece("reading the backup into a database of its own"), content.dump.open("rb") as dump:
                words = ("exec", "-i", "-n", NAMESPACE, *backup.POD, "--", *_ENV, "sh", "-c", _FILL)
                place.kubectl.pipe(*words, within=_WITHIN, stdin=dump)
            before = [] if own else [item for name in ("class", _AUTHORITY) if (item := place.find("secret", name))]
            aside = _aside(place, progress)
        except BaseException:
            _drop(place, progress, _RESTORED, _READ)
            raise
        try:
            with progress.piece("stopping the server"):
                _stop(place)
            _swap(place, _RESTORED, aside)
            if not own:
                _secrets(place, [content.secrets[name] for name in ("class", "ca") if name in content.secrets])
            _start(place, progress)
        except BaseException as failed:  # an interrupt, too, leaves no class without its server
            said = failed.message if isinstance(failed, LabError) else "it was interrupted"
            progress.say(f"{said}; going back to the gradebook that was there")
            try:
                _go_back(place, aside, before, progress)
            except LabError as worse:
                raise LabError(
                    f"{file} was not restored: {said}; and going back did not work: {worse.message}",
                    f"run this again; if there is a database {aside}, it is the gradebook that was there",
                    worse.detail,
                ) from failed
            _drop(place, progress, _RESTORED, _READ)
            if isinstance(failed, LabError):
                raise LabError(f"{file} was not restored: {said}", failed.hint, failed.detail) from failed
            raise
        _drop(place, progress, _BEFORE, "the gradebook of before")  # also what interrupted runs have left
        return content.backup


def _aside(place: Place, progress: Progress) -> str:
    """The name that the class's database is to have until the new one is proven: one that no database has."""
    there = _databases(place)
    left = [each for each in there if each.startswith(_BEFORE)]
    if left:
        progress.say(f"an interrupted restore has left a gradebook as {', '.join(left)}; it stays until one is whole")
    return next(name for name in (_BEFORE, *(f"{_BEFORE}_{number}" for number in range(2, 99))) if name not in there)


def _go_back(place: Place, aside: str, before: list[dict[str, Any]], progress: Progress) -> None:
    """Have the gradebook and Secrets of before, as far as they were replaced, and start the server whatever comes.

    Raises:
        LabError: something of it did not work.
    """
    try:
        if aside in _databases(place):
            _stop(place)
            _swap(place, aside, _RESTORED)
        _secrets(place, before)
    finally:
        place.kubectl.run("scale", "deployment/server", "-n", NAMESPACE, "--replicas=1")
        _start(place, progress, check=False)


def _drop(place: Place, progress: Progress, begin: str, what: str) -> None:
    """Delete the databases whose names begin so: gradebooks that a proven one has replaced, or one that is not used."""
    try:
        for each in _databases(place):
            if each.startswith(begin):
                _sql(place, f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")
    except LabError as trouble:
        progress.say(f"{what} could not be deleted, the next restore does that: {trouble.message}")


def _stop(place: Place) -> None:
    """End the server's pod, which alone writes."""
    place.kubectl.run("scale", "deployment/server", "-n", NAMESPACE, "--replicas=0")
    place.see_gone("server", "server")


def _start(place: Place, progress: Progress, *, check: bool = True) -> None:
    """Have the chart be as it should, which starts the server, and see what it says of the records."""
    roster = (place.find("configmap", "roster") or {}).get("data", {}).get("roster.csv", "")
    bring(place, place.told(), len(place.roster()), progress, {"roster": roster})
    if not check:
        return
    with asking(place) as server:
        broken = server.get("status", Stand).broken
    if broken:
        raise LabError(f"its records are not whole: {broken}", "take another backup")


def _secrets(place: Place, items: list[dict[str, Any]]) -> None:
    """A gradebook's key, tokens and authority; the server's certificate is made anew by another authority."""
    known = place.find("secret", _AUTHORITY)
    _apply(place, items)
    authority = next((each for each in items if each["metadata"]["name"] == _AUTHORITY), None)
    if authority and (known or {}).get("data") != authority.get("data"):
        place.kubectl.run("delete", "secret", "class-tls", "-n", NAMESPACE, "--ignore-not-found")


def _apply(place: Place, items: list[dict[str, Any]]) -> None:
    for item in items:
        meta = {key: item["metadata"].get(key) or {} for key in ("labels", "annotations")}
        plain = {"apiVersion": "v1", "kind": "Secret", "type": item.get("type"), "data": item["data"]}
        name = {"name": item["metadata"]["name"], "namespace": NAMESPACE}
        place.kubectl.apply(json.dumps(plain | {"metadata": name | meta}))


def _swap(place: Place, new: str, old: str) -> None:
    """Have a database be the class's, and the class's have another name that is free: both at once, or neither.

    A database that somebody is connected to can't be renamed, so others' connections are ended.
    """
    connected = f"pg_stat_activity WHERE datname IN ('classroom', '{new}') AND pid <> pg_backend_pid()"
    _sql(
        place, f"SELECT pg_terminate_backend(pid) FROM {connected}",
        f"ALTER DATABASE classroom RENAME TO {old}", f"ALTER DATABASE {new} RENAME TO classroom",
    )  # fmt: skip


def _databases(place: Place) -> list[str]:
    """The names of all databases."""
    return sorted(_sql(place, "SELECT datname FROM pg_database").split())


def _sql(place: Place, *statements: str) -> str:
    """What statements answer, several of them in one transaction."""
    words = ["psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    words += ["--dbname=postgres", *(["--single-transaction"] if len(statements) > 1 else [])]
    words += [word for each in statements for word in ("--command", each)]
    return place.kubectl.run("exec", "-n", NAMESPACE, *backup.POD, "--", *_ENV, *words, within=60).stdout
