"""Hands vlagent what containers wrote while it was away, and that it would not look for itself.

vlagent goes on where it was, but only in the logs of the containers that the API server names now. Those of a container
that was replaced meanwhile, and of all containers when the node was restarted, have lines that nobody has read: often
the last words before a crash. This program runs before vlagent does. It writes these lines into a file of JSON, which
vlagent collects as it collects any file, and moves vlagent's marks behind them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Lines that were read this long before the marks were written may have been in memory only, had vlagent been killed.
_UNSURE = 10.0
_BACK = 1 << 18  # bytes before a mark in which these lines are looked for
_KEPT = 7 * 86400.0  # s that a file of leftovers is kept if it is not collected: the store has no older lines
Mark = dict[str, Any]


def main(state: Path, logs: Path, pod: str, node: str) -> int:
    """Write the leftovers, move the marks; returns how many lines were left over."""
    marks_file, folder = state / "vlagent-kubernetes-checkpoints.json", state / "leftovers"
    with contextlib.suppress(PermissionError):  # somebody else's folder, who says who may look into it
        state.chmod(0o700)  # what waits here are lines of logs, which the kubelet shows to root alone
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    tidy(folder, read_marks(state / "vlagent-file-checkpoints.json"))
    if not marks_file.exists():
        return 0  # vlagent is new here, and reads all logs from their beginning
    marks, written = read_marks(marks_file), marks_file.stat().st_mtime
    # This pod has run before, and init containers run again only if the node or the pod's sandbox was restarted.
    restarted = any(Path(path).name.startswith(f"{pod}_") for path in marks)
    count, out = 0, folder / f"{time.time_ns()}.log"
    part = out.with_suffix(".part")
    with part.open("w") as file:

        def hand_over(line: dict[str, Any]) -> None:
            nonlocal count
            file.write(json.dumps({**line, **named(link, node)}) + "\n")
            count += 1

        for link in sorted(logs.glob("*.log")):
            mark, there = marks.get(str(link)), link.exists()
            late = there and replaced(link) and (mark is not None or link.stat().st_mtime >= written)
            if late or (there and restarted and mark is not None):
                marks[str(link)] = drain(link, mark or {}, written - _UNSURE if restarted else None, hand_over)
    if not count:
        part.unlink()
        return 0
    part.rename(out)
    part = marks_file.with_suffix(".part")
    part.write_text(json.dumps(list(marks.values())))
    part.rename(marks_file)
    return count


def read_marks(file: Path) -> dict[str, Mark]:
    """vlagent's marks by the path of the log: its inode, and how far it was read."""
    text = file.read_text() if file.exists() else ""
    return {mark["path"]: mark for mark in json.loads(text or "[]")}


def tidy(folder: Path, marks: dict[str, Mark]) -> None:
    """Remove leftovers that vlagent has collected, or that nobody has for days."""
    for file in folder.iterdir():
        about = file.stat()
        done = marks.get(str(file), {}).get("offset", -1) >= about.st_size
        if done or file.suffix == ".part" or time.time() - about.st_mtime > _KEPT:
            file.unlink()


def replaced(link: Path) -> bool:
    """Is there a log of a later container in this one's place? They are numbered: 0.log, 1.log."""
    log = link.resolve()
    numbers = [int(file.stem) for file in log.parent.glob("*.log") if file.stem.isdigit()]
    return log.stem.isdigit() and max(numbers, default=0) > int(log.stem)


def pieces(link: Path, mark: Mark) -> Iterator[tuple[Path, int]]:
    """The files that were not read to their end, the oldest first, each with how far it was: the kubelet renames a log
    that has become long to NUMBER.log.TIME, and packs the older ones.
    """
    log = link.resolve()
    files = [*sorted(file for file in log.parent.glob(f"{log.name}.*") if file.suffix not in (".gz", ".tmp")), log]
    known = [number for number, file in enumerate(files) if file.stat().st_ino == mark.get("inode")]
    for number, file in enumerate(files[known[0] if known else -1 :]):
        yield file, int(mark["offset"]) if known and number == 0 else 0


def drain(link: Path, mark: Mark, since: float | None, hand_over: Callable[[dict[str, Any]], None]) -> Mark:
    """Hand over what was not read, and what was written after `since` although it was read; returns the new mark."""
    parts: dict[str, str] = {}
    inode, end = 0, 0
    for log, offset in pieces(link, mark):
        with log.open("rb") as file:
            inode, end = os.fstat(file.fileno()).st_ino, offset
            place = offset if since is None else max(0, offset - _BACK)
            file.seek(place)
            if 0 < place < offset:
                place += len(file.readline())
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                place += len(raw)
                end = max(end, place)
                stamp, stream, flag, text = [*raw.decode(errors="replace")[:-1].split(" ", 3), "", "", ""][:4]
                if flag not in ("F", "P") or (since is not None and place <= offset and moment(stamp) < since):
                    continue
                text = parts.pop(stream, "") + text
                if flag == "P":
                    parts[stream] = text  # the runtime cuts a long line
                elif text:
                    hand_over({**content(text), "_time": stamp})
    for text in parts.values():  # the rest never came
        hand_over({**content(text), "_time": datetime.now(UTC).isoformat()})
    return {"path": str(link), "inode": inode, "fingerprint": 0, "offset": end}


def moment(stamp: str) -> float:
    """A runtime's time, such as 2013-01-01T05:00:00.123456789Z, in whole seconds; one that can't be read is late."""
    try:
        return datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()
    except ValueError:
        return float("inf")


def content(text: str) -> dict[str, Any]:
    """The fields of a line: JSON's own, or one message."""
    try:
        return dict(json.loads(text)) if text.startswith("{") else {"_msg": text}
    except (ValueError, RecursionError):  # the latter where it is nested too deeply
        return {"_msg": text}


def named(link: Path, node: str) -> dict[str, str]:
    """Whose log it is, by its name: POD_NAMESPACE_CONTAINER-ID.log."""
    pod, namespace, rest = link.stem.split("_", 2)
    container, _, identity = rest.rpartition("-")
    fields = {"container_name": container, "pod_name": pod, "pod_namespace": namespace, "pod_node_name": node}
    return {f"kubernetes.{key}": value for key, value in fields.items()} | {
        "kubernetes.container_id": f"containerd://{identity}"
    }


if __name__ == "__main__":
    os.umask(0o077)
    found = main(Path(sys.argv[1]), Path(sys.argv[2]), os.environ["POD_NAME"], os.environ["NODE_NAME"])
    print(json.dumps({"message": "leftovers handed over", "lines": found}), flush=True)
