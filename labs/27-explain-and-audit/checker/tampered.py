"""Copies of trails: whole ones, and such as somebody has been at. Of a bank that never was: nobody can look them up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mlops_lab.kube.client import Object

from .service import NOTHING, digest

ENDS = ("", "", " ", "\t", "\r")  # of a line: JSON's own white space, which its digest is of, too
APART = "\u2028\u2029\x85"  # between words; lines to some programs, and no \n
NAMES = ("Jörg Üblacker", "Siân O'Doherty", "Łucja Wrona", "Ana Peña", "Noor van Dijk")
KINDS = ("decision", "decision", "decision", "model", "approval", "erasure", "night shift")


@dataclass(frozen=True)
class Case:
    """What POST /audits is asked about, and what is true of it.

    Attributes:
        line: the first whose `previous` is wrong; None if none is.
    """

    what: str
    lines: Sequence[bytes]
    head: Object
    whole: bool
    line: int | None = None

    @property
    def body(self) -> Object:
        """Of the request."""
        return {"trail": "".join(each.decode() + "\n" for each in self.lines), "head": self.head}


def head_of(lines: Sequence[bytes]) -> Object:
    """The head of a trail of these lines."""
    return {"lines": len(lines), "sha256": digest(lines[-1])}


def linked(lines: Sequence[bytes], before: str = NOTHING) -> list[bytes]:
    """The same lines, each naming the one before; what else they say and how they are written stays."""
    done: list[bytes] = []
    for line in lines:
        text, named = line.decode(), json.loads(line)["previous"]
        done.append(text.replace(named, before).encode())
        before = digest(done[-1])
    return done


def another_bank(draw: Random) -> list[bytes]:
    """A whole trail as another program writes it: fields in any order, spaces in places, letters as they are.

    There are also signs that end a line for some programs, and are none: only `\\n` does.
    """
    lines = []
    for number in range(draw.randrange(12, 20)):
        fields = {
            "event": draw.choice(KINDS),
            "at": f"2026-02-{number + 1:02}T{draw.randrange(24):02}:{draw.randrange(60):02}:07Z",
            "by": draw.choice(NAMES),
            "decision": f"{draw.getrandbits(64):016x}",
            "sum": draw.randrange(1000, 9000) + 0.5,
            "note": f"seen{draw.choice(APART)}and signed",
            "previous": digest(str(number).encode()),
        }
        names = draw.sample(list(fields), len(fields))
        separators = draw.choice(((",", ":"), (", ", ": "), (" ,", " :")))
        text = json.dumps({name: fields[name] for name in names}, ensure_ascii=False, separators=separators)
        lines.append((text + draw.choice(ENDS)).encode())
    return linked(lines)


def whole_ones(draw: Random, lines: Sequence[bytes]) -> list[Case]:
    """What must not be found fault with."""
    early = draw.randrange(2, len(lines) - 2)
    return [
        Case("a whole trail of another bank", lines, head_of(lines), True),
        Case(f"the same with the head that it had at line {early}", lines, head_of(lines[:early]), True),
        Case("its first line alone", lines[:1], head_of(lines[:1]), True),
    ]


def bad_ones(draw: Random, lines: Sequence[bytes]) -> list[Case]:
    """What must be found; k and m are line numbers, with lines on both sides of each."""
    count, head = len(lines), head_of(lines)
    k, m = sorted(draw.sample(range(3, count - 2), 2))
    other = lines[k - 1].replace(b"2026-02", b"2026-01")
    reworded = [*lines[: k - 1], other, *linked(lines[k:], digest(other))]
    spaced = lines[k - 1].replace(b"{", b"{ ", 1)
    half = lines[k - 1].decode()[: len(lines[k - 1]) // 2].encode()
    swapped, far = list(lines), list(lines)
    swapped[k - 1 : k + 1] = [lines[k], lines[k - 1]]
    far[k - 1], far[m] = lines[m], lines[k - 1]
    extra = linked([lines[m - 1]], digest(lines[k - 1]))
    lost = draw.randrange(2, 4)
    changed_last = lines[-1].replace(b"2026-02", b"2026-01")
    return [
        Case(f"line {k} of {count} changed", _with(lines, k, other), head, False, k + 1),
        Case(f"line {k} written with one more space", _with(lines, k, spaced), head, False, k + 1),
        Case(f"line {k} changed, behind the head's", _with(lines, k, other), head_of(lines[: k - 1]), False, k + 1),
        Case("the first line changed", _with(lines, 1, lines[0].replace(b"2026-02", b"2026-01")), head, False, 2),
        Case("the last line changed", [*lines[:-1], changed_last], head, False),
        Case(f"line {k} left out", _with(lines, k), head, False, k),
        Case("the first line left out", lines[1:], head, False, 1),
        Case("the last line left out", lines[:-1], head, False),
        Case(f"the last {lost} lines left out", lines[:-lost], head, False),
        Case(f"lines {k} and {k + 1} in another order", swapped, head, False, k),
        Case(f"lines {k} and {m + 1} in each other's place", far, head, False, k),
        Case(f"line {k} twice", _with(lines, k, lines[k - 1], lines[k - 1]), head, False, k + 1),
        Case(f"a line slipped in after line {k}", [*lines[:k], *extra, *lines[k:]], head, False, k + 2),
        Case(f"line {k} changed, and all lines after it written anew to fit", reworded, head, False),
        Case(f"a number in place of line {k}", _with(lines, k, b"7"), head, False, k),
        Case(f"half of line {k}", _with(lines, k, half), head, False, k),
        Case(f"an empty line after line {k}", [*lines[:k], b"", *lines[k:]], head, False, k + 1),
        Case(f"line {k} without previous", _with(lines, k, b'{"event": "decision"}'), head, False, k),
        Case(f"line {k} with previous null", _with(lines, k, b'{"previous": null}'), head, False, k),
        Case("a head that stands for more lines", lines, head | {"lines": count + 1}, False),
        Case("a head of no lines, with the last line's digest", lines, head | {"lines": 0}, False),
        Case(f"a head that has line {k}'s digest for line {m}", lines, head_of(lines[:k]) | {"lines": m}, False),
        Case("a head of another trail", lines, head | {"sha256": digest(b"another")}, False),
    ]


def _with(lines: Sequence[bytes], number: int, *instead: bytes) -> list[bytes]:
    """With other lines in place of one; none leaves it out."""
    return [*lines[: number - 1], *instead, *lines[number:]]
