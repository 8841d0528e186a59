"""What the desk does: models, decisions, records and erasures, each in files of its own under one folder.

trail.jsonl             the lines, appended
models/VERSION.json     as it was handed in; who did stands in the trail
records/ID.json         a decision's record, until it is erased
"""

import hashlib
import json
import os
import re
import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path

from bank import features
from judgement import judged
from trail import Trail

NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Refused(Exception):
    """A request that is not done, with the status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Desk:
    """One folder, one program that writes there.

    Args:
        code: names the program that decides.
    """

    def __init__(self, folder: Path, code: str) -> None:
        self.models, self.records, self.code = folder / "models", folder / "records", code
        for each in (self.models, self.records):
            each.mkdir(parents=True, exist_ok=True)
        self.trail = Trail(folder / "trail.jsonl")
        self.lock = threading.RLock()  # nothing comes between looking and writing

    def hand_in(self, version: str, file: bytes, by: str) -> dict:
        """A model, under a version that it then has for ever."""
        place = self.place(self.models, version)
        with self.lock:
            if place.is_file() and place.read_bytes() != file:
                raise Refused(409, "another file has that version")
            if not place.is_file():
                json.loads(file)
                write(place, file)
                self.trail.add("model", now(), model=version, sha256=digest(file), by=by)
        return {"model": version}

    def approve(self, version: str, by: str) -> dict:
        """The trail says which model decides: that of its last approval."""
        place = self.place(self.models, version)
        with self.lock:
            if not place.is_file():
                raise Refused(404, "there is no such model")
            if by == next(each["by"] for each in self.trail.of("model") if each["model"] == version):
                raise Refused(403, "four eyes are wanted")
            self.trail.add("approval", now(), model=version, sha256=digest(place.read_bytes()), by=by)
        return {"model": version}

    def decide(self, application: dict) -> bytes:
        """Judge, keep what it was judged by, and answer."""
        if not (approvals := self.trail.of("approval")):
            raise Refused(409, "no model decides yet")
        record = {
            "salt": secrets.token_hex(24), "decision": secrets.token_hex(12), "at": now(), "code": self.code,
            "model": approvals[-1]["model"], "application": application,
        }  # fmt: skip
        answer, text = self.replay(record), json.dumps(record, ensure_ascii=False).encode()
        with self.lock:
            write(self.place(self.records, record["decision"]), text)
            self.trail.add(
                "decision", record["at"], decision=record["decision"], model=record["model"], sha256=digest(text)
            )
        return answer

    def replay(self, record: dict) -> bytes:
        """What a record leads to: nothing else counts."""
        place = self.place(self.models, record["model"])
        if record["code"] != self.code or not place.is_file():
            raise Refused(409, "that was another program's, or another bank's model")
        model = json.loads(place.read_bytes())
        said = judged(model, features(record["application"], record["at"]))
        return json.dumps({name: record[name] for name in ("decision", "at", "model")} | said).encode()

    def record(self, decision: str) -> bytes:
        """The bytes of a record."""
        try:
            return self.place(self.records, decision).read_bytes()
        except FileNotFoundError:
            gone = any(each["decision"] == decision for each in self.trail.of("erasure"))
            raise Refused(410 if gone else 404, "there is no record") from None

    def erase(self, person: str, by: str) -> dict:
        """Each record of a person's goes, and a line says so."""
        with self.lock:
            for each in list(self.records.iterdir()):
                if json.loads(each.read_bytes())["application"]["person"] == person:
                    self.trail.add("erasure", now(), decision=each.stem, by=by)
                    each.unlink()
        return {"erased": True}

    def place(self, folder: Path, name: str) -> Path:
        """A file by a name that leads nowhere else."""
        if not NAMES.fullmatch(name):
            raise Refused(404, "nothing has such a name")
        return folder / f"{name}.json"


def write(place: Path, content: bytes) -> None:
    """A file that is whole, on the disk, or not there."""
    part = place.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(place)


def digest(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def now() -> str:
    """UTC, as bank.features takes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
