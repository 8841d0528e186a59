"""`lab.toml`: what it may say, and where in the file it goes wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mlops_lab.base.errors import UsageError


class Description(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The fields of a lab.toml.

    Attributes:
        level: B beginner, I intermediate, E exam practice, S senior.
        minutes: how long a learner needs, roughly.
        needs: the parts of the platform that must be installed.
        addons: of the cluster, such as `traefik`.
        images: what the lab's programs run in, in addition to images that every cluster has; such as `workbench:1`.
        cluster: what it stands on: `main`, the cluster of `lab up`, or `nodes`, the second one, which it may break.
        quiet: its measurements need the whole machine, so it is never verified in parallel with another lab.
        start_earns: checks that pass when what the learner begins with is applied unchanged, and why each may.
    """

    title: Annotated[str, msgspec.Meta(min_length=1)]
    level: Literal["B", "I", "E", "S"]
    minutes: Annotated[int, msgspec.Meta(ge=1)]
    summary: Annotated[str, msgspec.Meta(min_length=1)]
    needs: list[str] = []
    addons: list[Literal["traefik"]] = []
    images: list[str] = []
    cluster: Literal["main", "nodes"] = "main"
    quiet: bool = False
    start_earns: dict[str, Annotated[str, msgspec.Meta(min_length=1)]] = {}


def describe(file: Path) -> Description:
    """Read a lab.toml.

    Raises:
        UsageError: it is not there, is not TOML, or has a wrong, unknown or missing field; says file, line and field.
    """
    try:
        text = file.read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), Description)
    except FileNotFoundError:
        raise UsageError(f"{file}: there is no such file", "a lab folder needs one; see lab new") from None
    except UnicodeDecodeError as bytes_:
        raise UsageError(f"{file}: it is not UTF-8 ({bytes_.reason})", "save it as UTF-8") from bytes_
    except tomllib.TOMLDecodeError as wrong:
        message, line = _split(str(wrong), text)
        raise UsageError(f"{file}:{line}: {message}", "correct that line of TOML") from wrong
    except msgspec.ValidationError as wrong:
        message = str(wrong)
        named = re.search(r"`\$\.(\w+)", message) or re.search(r"field `(\w+)`", message)
        name = named.group(1) if named else "?"
        message = re.sub(r" - at `\$.*`$", "", message)
        raise UsageError(
            f"{file}:{_line_of(name, text)}: field {name}: {message}",
            "a lab.toml has title, level (B, I, E or S), minutes, summary, needs, addons, images, cluster, quiet, "
            "start_earns",
        ) from wrong


def _split(message: str, text: str) -> tuple[str, int]:
    """tomllib's message without its position, and the line."""
    place = re.search(r" \(at line (\d+), column \d+\)$", message)
    if place:
        return message[: place.start()], int(place.group(1))
    return message.removesuffix(" (at end of document)"), max(1, len(text.splitlines()))


def _line_of(name: str, text: str) -> int:
    """The line that sets a field; 1 for a field that is missing."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*\[?{re.escape(name)}\b", line):
            return number
    return 1
