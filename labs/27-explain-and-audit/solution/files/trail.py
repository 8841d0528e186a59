"""The trail: a file that only grows, read once at the start."""

import hashlib
import json
import os
import threading
from pathlib import Path


class Trail:
    """Lines, each of which names the one before."""

    def __init__(self, file: Path) -> None:
        whole, _, rest = (file.read_bytes() if file.exists() else b"").rpartition(b"\n")
        self.lines = whole.split(b"\n") if whole else []
        self.lock = threading.Lock()
        self.file = file.open("ab")
        if rest:  # a line that was cut off was never answered for
            self.file.truncate(len(whole) + bool(whole))

    def add(self, event: str, at: str, **more: str) -> None:
        """One line more, on the disk when this returns."""
        with self.lock:
            previous = hashlib.sha256(self.lines[-1]).hexdigest() if self.lines else "0" * 64
            line = json.dumps({"event": event, "at": at, **more, "previous": previous}).encode()
            self.file.write(line + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())
            self.lines.append(line)

    def of(self, event: str) -> list[dict]:
        """All lines of an event."""
        return [each for each in map(json.loads, list(self.lines)) if each["event"] == event]

    def head(self) -> dict:
        """How many, and the digest of the last."""
        lines = list(self.lines)
        return {"lines": len(lines), "sha256": hashlib.sha256(lines[-1]).hexdigest() if lines else "0" * 64}
