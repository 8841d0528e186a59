"""A backup is put into a class that runs: beside the gradebook that is there, and in its place once it is whole.

If the server does not find the records whole then, or does not become ready, all is as it was before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.teacher import backup
from mlops_lab.classroom.teacher.asking import asking
from mlops_lab.classroom.teacher.backup import Backup, Content
from mlops_lab.classroom.teacher.installing import bring
from mlops_lab.classroom.teacher.place import NAMESPACE, Place
from mlops_lab.classroom.teacher.standing import Stand

_WITHIN = 3600.0  # s for the database
_ENV = ("env", "PGHOST=/tmp", "PGUSER=postgres")
_FILL = (
    "dropdb --if-exists --force classroom_restored && createdb --owner=classroom classroom_restored && "
    "pg_restore --exit-on-error --single-transaction --no-owner --role=classroom --dbname=classroom_restored"
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
        with progress.showing(lambda: None):
            with progress.piece("reading the backup into a database of its own"), content.dump.open("rb") as dump:
                words = ("exec", "-i", "-n", NAMESPACE, *backup.POD, "--", *_ENV, "sh", "-c", _FILL)
                place.kubectl.pipe(*words, within=_WITHIN, stdin=dump)
            with progress.piece("stopping the server"):
                _stop(place)
        before = [place.find("secret", name) for name in ("class", "class-ca")]
        _swap(place, "classroom_restored", "classroom_before")
        try:
            if not own:
                _secrets(place, content)
            _start(place, progress)
        except LabError as failed:
            progress.say(f"{failed.message}; going back to the gradebook that was there")
            _stop(place)
            _swap(place, "classroom_before", "classroom_restored")
            if not own:
                _apply(place, [item for item in before if item])
            _start(place, progress, check=False)
            raise LabError(f"{file} was not restored: {failed.message}", failed.hint, failed.detail) from failed
        _sql(place, "DROP DATABASE IF EXISTS classroom_before WITH (FORCE)")
        return content.backup


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


def _secrets(place: Place, content: Content) -> None:
    """The backup's key, tokens and authority; the server's certificate is made anew by another authority."""
    known = place.find("secret", "class-ca")
    _apply(place, [content.secrets[name] for name in ("class", "ca") if name in content.secrets])
    authority = content.secrets.get("ca")
    if authority and (known or {}).get("data") != authority.get("data"):
        place.kubectl.run("delete", "secret", "class-tls", "-n", NAMESPACE, "--ignore-not-found")


def _apply(place: Place, items: list[dict[str, Any]]) -> None:
    for item in items:
        meta = {key: item["metadata"].get(key) or {} for key in ("labels", "annotations")}
        plain = {"apiVersion": "v1", "kind": "Secret", "type": item.get("type"), "data": item["data"]}
        name = {"name": item["metadata"]["name"], "namespace": NAMESPACE}
        place.kubectl.apply(json.dumps(plain | {"metadata": name | meta}))


def _swap(place: Place, new: str, old: str) -> None:
    """Have a database be the class's, and the class's have another name: both at once, or neither."""
    _sql(place, f"DROP DATABASE IF EXISTS {old} WITH (FORCE)")
    _sql(place, f"ALTER DATABASE classroom RENAME TO {old}", f"ALTER DATABASE {new} RENAME TO classroom")


def _sql(place: Place, *statements: str) -> None:
    """Statements, several of them in one transaction."""
    words = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname=postgres"]
    words += ["--single-transaction"] if len(statements) > 1 else []
    words += [word for each in statements for word in ("--command", each)]
    place.kubectl.run("exec", "-n", NAMESPACE, *backup.POD, "--", *_ENV, *words, within=60)
