"""The lines that the pods' logs have about answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, absent
from mlops_lab.kit.json_lines import json_objects
from mlops_lab.kit.pods import lasting
from mlops_lab.kube.client import Object

from .scenario import Seen

LOGGED_WITHIN = 10  # s
LINES = 20_000  # of a container's log; some write a line for each flight, too
ASKED = ("request_id", "path", "status")  # of each line
Missing = list[tuple[str, str]]  # the id, and the answer in words


async def logged(lab: Lab, seen: Seen, answers: Sequence[Object]) -> Observation:
    """There is a line in the pods' logs for each of these answers; no line is about two of them.

    The value is what the lines lack of an answer that has none.
    """

    async def look() -> tuple[Missing, list[str]]:
        lines = await log(lab, seen.pods)
        kept = records(lines)
        missing = []
        for each in sorted(answers, key=lambda each: bool(each["kind"] == "quoted")):  # those last: any path fits them
            word = each["returned"] or each["given"]
            own = kept.get(word, [])
            if (at := next((at for at, line in enumerate(own) if fits(line, each)), None)) is not None:
                own.pop(at)
            else:
                missing.append((word, f"{each['status']} {each['path']}, id {word}"))
        return missing, lines

    def shown(found: tuple[Missing, list[str]]) -> str:
        return f"{len(found[0])} missing: {found[0][0][1]}" if found[0] else "each has its line"

    wanted = f"a line of JSON with request_id, path and status for each of {len(answers)} answers"
    found = await lab.time.eventually(
        look, lambda found: not found[0], expected=wanted, shown=shown, within=LOGGED_WITHIN
    )
    if found.ok:
        return replace(found, value=[])
    (word, _), *_ = found.value[0]
    there = [line for line in found.value[1] if word in line]
    known = f"what the log says of it: {there[-1][:200]}" if there else "that id is nowhere in the log"
    return absent(found.expected, found.seen, value=lacking(word, there), evidence=[known])


def lacking(word: str, lines: Iterable[str]) -> list[str]:
    """Which of the keys the JSON lines lack that have an id in any; no key where there is no such line."""
    about = [each for each in json_objects(lines) if word in map(str, each.values())]
    return [key for key in ASKED if about and not any(key in each for each in about)]


def why_other_line(keys: Sequence[str]) -> str:
    """What the lines of an answer that is missing lack, where that is a key; empty where it is something else."""
    named = " and ".join(f"`{key}`" for key in keys)
    return named and (
        f"the line is there, and it lacks {named}: each line has request_id, path and status, under these names, "
        "whatever the answer was"
    )


async def log(lab: Lab, pods: Iterable[Object]) -> list[str]:
    """The last lines of the pods' logs, sidecars' among them."""
    found: list[str] = []
    for pod in pods:
        for container in lasting(pod):
            text = await lab.objects.logs(pod["metadata"]["name"], container["name"], tail=LINES)
            found += text.splitlines()
    return found


def records(lines: Iterable[str]) -> dict[str, list[Object]]:
    """The lines that are JSON objects, by their request_id."""
    found: dict[str, list[Object]] = {}
    for record in json_objects(lines):
        found.setdefault(str(record.get("request_id")), []).append(record)
    return found


def fits(line: Object, answer: Object) -> bool:
    """Is a line about an answer? Of a path with quotes and breaks in it nobody says how it must be written."""
    path = str(line.get("path", "")).partition("?")[0]
    return str(line.get("status")) == str(answer["status"]) and (path == answer["path"] or answer["kind"] == "quoted")
