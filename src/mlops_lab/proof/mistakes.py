"""docs/mistakes.md: what each check of the labs is held against, made of the labs' own files and of nothing else.

A check's sentence is its docstring; a work that breaks it is a folder below `wrong/`, with its own sentence.
Whether `lab verify` has seen them fail is not in it: `page` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlops_lab.checks.check import Check
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.checker import checks
from mlops_lab.labs.variants import Variant, wrongs

_HEAD = """\
# What each check is held against

For authors and teachers, and for learners only afterwards: it says what goes wrong, and so how it is done right. Each
work breaks the sentence of a check, be it a typical mistake or a cheat. It is kept in the lab, below `wrong/`. `lab
verify` puts it to work on a cluster, where it must fail exactly this check; [proofs](proofs.md) says when it last did.
A gap that somebody finds becomes a line here with the change that mends it.

| lab | checks | works that break them |
|---|---|---|
"""


def page(labs: Sequence[Exercise]) -> str:
    """The page's text."""
    known = [(each, checks(each), wrongs(each)) for each in labs]
    rows = [
        f"| [{each.slug}](#{each.slug}) | {len(its_checks)} | {len(mistakes)} |\n"
        for each, its_checks, mistakes in known
    ]
    in_all = f"| all | {sum(len(each) for _, each, _ in known)} | {sum(len(each) for _, _, each in known)} |\n"
    return _HEAD + "".join(rows) + in_all + "".join(text for each in known for text in _section(*each))


def _section(exercise: Exercise, its_checks: Sequence[Check], mistakes: Sequence[Variant]) -> Iterator[str]:
    yield f"\n## {exercise.slug}\n\n{about(exercise).summary}\n"
    for its in its_checks:
        mine = [each for each in mistakes if each.check == its.name]
        yield f"\n`{its.name}`: {_line(its.text)}\n\n"
        yield "".join(f"- `{each.name.partition('--')[2]}`: {_line(each.because)}\n" for each in mine)


def _line(text: str) -> str:
    return " ".join(text.split())
