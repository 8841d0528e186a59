"""How each lab can be graded in a class: a table that stands beside the labs, by their numbers.

It is not in lab.toml yet: a lab's proof holds for all that is in its folder.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

_TABLE = Path(__file__).with_name("gradable.toml")


class Grading(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"grading": "class"}):
    """A lab in a class.

    Attributes:
        grading: `files` are put to work in a sandbox; `cluster` is looked at in place, on the shared cluster only;
            `own` can be done on a cluster of one's own only, and no class grades it.
        why: the reason, as it stands in the documents.
        pods: the level of Pod Security of its namespace.
        limits: which defaults and quotas its namespace gets from the class: `all`, `memory` without CPU, or `none`
            where the lab has its own.
        api: do its pods ask the API server?
        without: what its README shows that does not work on a shared cluster; empty where all does.
    """

    grading: Literal["files", "cluster", "own"]
    why: Annotated[str, msgspec.Meta(min_length=1)]
    pods: Literal["restricted", "baseline"] = "restricted"
    limits: Literal["all", "memory", "none"] = "all"
    api: bool = False
    without: str = ""

    @property
    def shared(self) -> bool:
        """Can it be worked on in a namespace of a shared cluster?"""
        return self.grading != "own"

    @property
    def in_place(self) -> bool:
        """Is it graded by what is in the learner's namespace, since there are no files?"""
        return self.grading == "cluster"

    def graded(self, *, shared: bool) -> bool:
        """Does a class grade it, whose learners share its cluster or don't?"""
        return self.grading == "files" or (shared and self.in_place)


def closed(needed: Iterable[str], usable: Collection[str]) -> list[str]:
    """Of the parts of the platform that a lab needs those that may not be used; `monitoring` always may."""
    return [each for each in needed if each != "monitoring" and each not in usable]


def is_in_place(lab: str) -> bool:
    """`Grading.in_place` of a lab, also of one that no class knows."""
    known = table().get(lab)
    return known is not None and known.in_place


@functools.cache
def table() -> Mapping[str, Grading]:
    """Every lab's by its number."""
    return msgspec.convert(tomllib.loads(_TABLE.read_text("utf-8")), dict[str, Grading])
