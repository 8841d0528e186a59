"""A class's backup: one file with a dump of its database, its key and tokens, its roster and what its teacher has told.

Whoever has the file can write any grade, so only its owner may read it.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.signing import private_from_pem
from mlops_lab.classroom.teacher.place import NAMESPACE, Place, Told

SCHEMA = "mlops-lab/class-backup/1"
DUMP = "gradebook.dump"
_MANIFEST, _SECRETS, _ROSTER, _TOLD = "manifest.json", "secrets.json", "roster.csv", "told.json"
_SMALL = (_SECRETS, _ROSTER, _TOLD)
_LARGEST = 4 << 20  # bytes of each of these
_WITHIN = 3600.0  # s for the database
_WHOLE = b"\nmlops-lab: whole\n"  # what comes behind a dump: a stream that was cut has no such end
_FULL = (errno.ENOSPC, errno.EDQUOT)
_AUTHORITY = "class-ca"
POD = ("postgresql-0", "-c", "postgresql")


@dataclass(frozen=True)
class Backup:
    """What a backup's file says of itself.

    Attributes:
        at: when it was made, in UTC.
        key: the id of the class's public key.
        files: the sha256 of each.
    """

    schema: str
    at: str
    key: str
    files: dict[str, str]


@dataclass(frozen=True)
class Content:
    """A backup that was read, and found to be as it was written.

    Attributes:
        dump: the file with the database.
        secrets: the Secrets, by what they are: `class`, and `ca` where the chart had made one.
    """

    backup: Backup
    dump: Path
    secrets: dict[str, dict[str, Any]]


def make(place: Place, file: Path, progress: Progress) -> Backup:
    """Write a backup; learners go on meanwhile.

    Raises:
        UsageError: the file is there, or the database is not the class's own.
        LabError: the database does not answer, or the file can't be written; then there is none.
    """
    told = place.told()
    if os.path.exists(file):  # noqa: PTH110 (a name that can't be is no name that is there)
        raise UsageError(f"{file} is there", "name another file")
    require_own_database(told)
    secrets = {"class": place.find("secret", told.value("server", "existingSecret") or "class")}
    if authority := place.find("secret", _AUTHORITY):
        secrets["ca"] = authority
    texts = {
        _SECRETS: json.dumps({name: _bare(item) for name, item in secrets.items() if item}),
        _ROSTER: (place.find("configmap", "roster") or {}).get("data", {}).get("roster.csv", ""),
        _TOLD: msgspec.json.encode(told).decode(),
    }
    dump, whole = (file.with_name(f".{file.name}.{each}") for each in ("dump", "part"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with progress.piece("reading the class's database"), _private(dump) as target:
            words = "pg_dump -h /tmp -U postgres --format=custom classroom && printf '\\nmlops-lab: whole\\n'"
            place.kubectl.pipe("exec", "-n", NAMESPACE, *POD, "--", "sh", "-c", words, within=_WITHIN, stdout=target)
            _cut(target)
        hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        made = Backup(SCHEMA, now, key_of(secrets["class"]), hashes | {DUMP: _hash(dump)})
        with _private(whole) as target, tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, text in ((_MANIFEST, msgspec.json.encode(made).decode()), *texts.items()):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(text.encode()), 0o600
                archive.addfile(info, io.BytesIO(text.encode()))
            archive.add(dump, DUMP, filter=_plain)
        durable.to_disk(whole)
        whole.replace(file)
        durable.to_disk(file.parent)
    except OSError as trouble:
        raise LabError(f"{file} can't be written: {trouble.strerror or trouble}", "name another file") from trouble
    finally:
        for each in (dump, whole):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)
    return made


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Content]:
    """A backup, for as long as the block runs.

    Raises:
        UsageError: it can't be read, is none, or is damaged.
        LabError: there is no room for a copy of its database.
    """
    with tempfile.TemporaryDirectory(dir=file.parent if os.access(file.parent, os.W_OK) else None) as folder:
        try:
            with tarfile.open(file, "r:") as archive:
                backup = _manifest(archive, file)
                texts = {name: _small(archive, name) for name in _SMALL}
                dump = Path(folder) / DUMP
                with _private(dump) as target:
                    _copy(_member(archive, DUMP), target)
        except (tarfile.TarError, EOFError, KeyError, msgspec.MsgspecError) as broken:
            raise UsageError(f"{file} is no whole backup of a class: {broken}", "take another one") from broken
        except OSError as trouble:
            if trouble.errno in _FULL:
                what = f"the database in {file} finds no room in {folder}: {trouble.strerror}"
                raise LabError(what, "free some space there, then run the same command again") from trouble
            raise UsageError(
                f"{file} can't be read: {trouble.strerror or trouble}", "name a backup's file"
            ) from trouble
        found = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()} | {DUMP: _hash(dump)}
        if changed := sorted(name for name in found if found[name] != backup.files.get(name)):
            raise UsageError(f"{file} is damaged: {changed[0]} is not as it was written", "take another backup")
        yield Content(backup, dump, json.loads(texts[_SECRETS]))


def require_own_database(told: Told, then: str = "") -> None:
    """See that the class's database is in the class's namespace.

    Args:
        then: what to do once it is backed up.

    Raises:
        UsageError: it is one of the teacher's own.
    """
    if name := told.value("database", "secretName"):
        raise UsageError(
            f"the class's database is your own (Secret {name}), and `lab` does not reach it",
            "use pg_dump and pg_restore there, as docs/class.md says" + (f", then: {then}" if then else ""),
        )


def key_of(item: dict[str, Any] | None) -> str:
    """The id of the key in a class's Secret; empty where there is none."""
    text = _text(item, "key.pem") if item else ""
    return private_from_pem(text, "the class's Secret", "see charts/classroom/README.md").public.id if text else ""


def _text(item: dict[str, Any] | None, key: str) -> str:
    return base64.b64decode(((item or {}).get("data") or {}).get(key, "")).decode()


def _bare(item: dict[str, Any]) -> dict[str, Any]:
    """An object as it would be made again: helm knows what is its own by labels and annotations."""
    kept = ("name", "namespace", "labels", "annotations")
    meta = {key: item["metadata"][key] for key in kept if key in item["metadata"]}
    return {"apiVersion": "v1", "kind": item["kind"], "metadata": meta, "type": item.get("type"), "data": item["data"]}


def _cut(target: IO[bytes]) -> None:
    """Take the mark off a dump's end.

    Raises:
        LabError: it has none.
    """
    size = target.seek(0, os.SEEK_END)
    target.seek(max(0, size - len(_WHOLE)))
    if target.read() != _WHOLE:
        raise LabError("the dump of the class's database broke off", "run the same command again")
    target.truncate(size - len(_WHOLE))


def _manifest(archive: tarfile.TarFile, file: Path) -> Backup:
    content = _small(archive, _MANIFEST)
    schema = msgspec.json.decode(content, type=dict[str, Any]).get("schema")
    if schema != SCHEMA:
        raise UsageError(f"{file} is a backup of another form ({schema})", "use the `lab` that has written it")
    return msgspec.json.decode(content, type=Backup)


def _small(archive: tarfile.TarFile, name: str) -> bytes:
    return _member(archive, name).read(_LARGEST)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name) if archive.getmember(name).isreg() else None
    if found is None:
        raise KeyError(f"{name} is no file")
    return found


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _private(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while portion := source.read(1 << 20):
        target.write(portion)


def _hash(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
