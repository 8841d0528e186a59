"""In the pod: takes files and a command, runs it within its limits, and says how it ended and what it has written.

Only the standard library is needed. Who runs the command trusts nothing that is said here: the program, which runs as
the same user, could say all of it itself.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

PLACE = Path("/tmp")
KEPT = 64 << 10  # bytes of output
LINE = 96 << 10  # bytes of an archive in one line
MOST_FILES = 1000
OURS = ("kubectl",)  # programs of the image; all others are files of the workspace
GENERATED = (".pyc", ".pyo", "~", ".swp")
LARGEST = 16 << 20  # bytes of what it has written
# The cluster's name server tells its metrics here, to any pod that no policy keeps from it; and to none of these.
FORBIDDEN = 9153
ALONE = "alone"
_ALONE_WITHIN = 30.0  # s
_READ_WITHIN = 1.0  # s for the rest of the output
# What counts how often the kernel has killed here for want of memory, for both versions of control groups.
_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
_NOT_DUMPABLE = (4, 0)  # prctl: the program can't look into this process


def main(place: Path = PLACE) -> None:
    """Read a line that says what to do and lines with an archive, and answer with one of each."""
    ctypes.CDLL(None).prctl(*_NOT_DUMPABLE)
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    packed = b"".join(base64.b64decode(sys.stdin.readline()) for _ in range(asked["lines"]))
    work, home = place / "work", place / "home"
    for each in (work, home):
        each.mkdir()
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as files:
        _lay(files, work)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
    }
    if packages := os.environ.get("PROGRAMS_PATH"):
        environment["PYTHONPATH"] = packages
    environment |= asked["env"]
    if asked["kubeconfig"]:
        file = place / "kubeconfig"
        file.write_text(asked["kubeconfig"])
        file.chmod(0o600)
        environment["KUBECONFIG"] = str(file)
    before = _seen(work)
    said = run(asked["words"], work, environment, asked["within"])
    written = _archive(work, before) if asked["files"] else b""
    lines = [written[at : at + LINE] for at in range(0, len(written), LINE)]
    print(json.dumps({**said, "lines": len(lines)}))
    for line in lines:
        print(base64.b64encode(line).decode())
    sys.stdout.flush()


def _lay(files: tarfile.TarFile, work: Path) -> None:
    """Only files; what else an archive may have is not laid. (`extractall` has filters from Python 3.11.4 on alone.)"""
    for entry in files:
        content = files.extractfile(entry) if entry.isfile() else None
        if content is not None:
            target = work / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            target.chmod(entry.mode & 0o777)


def alone(within: float = _ALONE_WITHIN, resolver: Path = Path("/etc/resolv.conf")) -> bool:
    """Wait until this pod reaches nobody but whom it may: right after its start the network may not know yet."""
    lines = [line.split() for line in resolver.read_text().splitlines()]
    servers = [words[1] for words in lines if words[:1] == ["nameserver"] and words[1:]]
    end = time.monotonic() + within
    while any(_reached(each) for each in servers):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _reached(host: str) -> bool:
    try:
        with socket.create_connection((host, FORBIDDEN), timeout=1):
            return True
    except OSError:
        return False


def run(words: list[str], work: Path, environment: dict[str, str], within: float) -> dict[str, Any]:
    """Run a command in a session of its own, and kill all of that once it has ended or its time is over."""
    program = str(work / words[0]) if words[0] not in OURS else words[0]
    began, kills = time.monotonic(), _out_of_memory()
    try:
        process = subprocess.Popen(
            [program, *words[1:]], cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as trouble:
        return {"trouble": trouble.strerror or str(trouble), "code": None, "output": "", "seconds": 0.0}
    kept = bytearray()
    reading = threading.Thread(target=_read, args=(process, kept), daemon=True)
    reading.start()
    code: int | None
    try:
        code = process.wait(within)
    except subprocess.TimeoutExpired:
        code = None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reading.join(_READ_WITHIN)
    if code == -signal.SIGKILL and _out_of_memory() > kills:
        kept.extend(b"\nkilled: it used more than its share of memory\n")
    output = base64.b64encode(bytes(kept)).decode()
    return {"trouble": "", "code": code, "output": output, "seconds": time.monotonic() - began}


def _out_of_memory() -> int:
    """How often the kernel has killed in this container since it had no memory left."""
    for file in _COUNTERS:
        with contextlib.suppress(OSError, ValueError):
            for name, number in (line.split() for line in file.read_text().splitlines()):
                if name == "oom_kill":
                    return int(number)
    return 0


def _read(process: subprocess.Popen[bytes], kept: bytearray) -> None:
    assert process.stdout is not None
    while chunk := os.read(process.stdout.fileno(), 8192):
        kept.extend(chunk)
        del kept[:-KEPT]


def _seen(work: Path) -> dict[str, str]:
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in _files(work)}


def _archive(work: Path, before: dict[str, str]) -> bytes:
    """The files that are new or others than before, as far as they are plain and within bounds."""
    out, total, found = io.BytesIO(), 0, 0
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.USTAR_FORMAT) as to:
        for name, file in sorted(_files(work)):
            content = file.read_bytes()
            total += len(content)
            if total > LARGEST:
                break
            if before.get(name) != hashlib.sha256(content).hexdigest():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o755 if os.access(file, os.X_OK) else 0o644
                to.addfile(entry, io.BytesIO(content))
                found += 1
    return out.getvalue() if found else b""


def _files(work: Path) -> list[tuple[str, Path]]:
    """Regular files that are not too large; not those that are hidden or made by Python."""
    found: list[tuple[str, Path]] = []
    for folder, folders, names in os.walk(work):
        folders[:] = [each for each in folders if not each.startswith(".") and each != "__pycache__"]
        for name in names:
            file = Path(folder, name)
            if name.startswith(".") or name.endswith(GENERATED):
                continue
            about = file.lstat()
            if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST and len(found) < MOST_FILES:
                found.append((file.relative_to(work).as_posix(), file))
    return found


if __name__ == "__main__":
    if sys.argv[1:] == [ALONE]:
        print(ALONE if alone() else "it is reached")
    else:
        main()
