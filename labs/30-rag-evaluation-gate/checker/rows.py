"""Words that are all there and don't stand in a row: to a comparison of single words, or of pairs, they are the same.

Each sentence is made of one passage; what is made of two is in plants.py.
"""

from __future__ import annotations

import re

from .plants import Draw, foreign, split
from .rules import squeezed, within, words

BEFORE, AFTER = 4, 4  # words of a sentence on both sides of what is left out


def rearranged(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """A sentence with a number that stands elsewhere in the same passage."""
    found = [
        re.sub(r"\b\d+\b", number, sentence, count=1)
        for text in near
        if not foreign(text)
        for sentence in split(text)
        for number in re.findall(r"\b\d+\b", text)
    ]
    return _nowhere(draw, found, near, line)


def left_out(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """A sentence that goes on behind a word where the same word comes again: each two words in a row stand there."""
    found = []
    for text in near:
        some = text.split()
        known = [squeezed(each) for each in some]
        for one in range(1, len(some)):
            for other in range(one + 2, len(some) - 1):
                if known[one] and known[one] == known[other] and not foreign(text):
                    found.append(" ".join([*some[max(0, one + 1 - BEFORE) : one + 1], *some[other + 1 :][:AFTER]]))
    return _nowhere(draw, found, near, line)


def _nowhere(draw: Draw, found: list[str], near: list[str], line: str) -> str:
    """One that stands in no passage; the line itself if there is none."""
    known = [words(each) for each in near]
    false = [each for each in found if not any(within(words(each), one) for one in known)]
    return draw.choice(false) if false else line


def hedged(draw: Draw, says: str) -> str:
    """What begins with a number, with another one beside it: `23 or 27 kg`."""
    number, rest = says.split(" ", 1)
    return f"{number} or {int(number) + draw.randrange(1, 9)} {rest}"


def longer(draw: Draw, says: str) -> str:
    """A digit more: `723 kg`."""
    return f"{draw.randrange(1, 10)}{says}"


def parted(draw: Draw, text: str) -> str:
    """A sentence with three words more in its midst."""
    some = text.split()
    place = draw.randrange(1, len(some))
    return " ".join([*some[:place], "as a rule", *some[place:]])
