"""The gradebook as the server sends it, and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class Lab(msgspec.Struct):
    """A lab of the class; `possible` are its points, once it was graded."""

    lab: str
    title: str = ""
    possible: int | None = None


class Cell(msgspec.Struct):
    """What a learner has for a lab."""

    points: int
    late: bool = False


class Line(msgspec.Struct):
    """A learner's line."""

    learner: str
    name: str = ""
    labs: dict[str, Cell] = {}


class Book(msgspec.Struct):
    """The gradebook."""

    labs: list[Lab]
    learners: list[Line]

    def rows(self) -> Iterator[list[str]]:
        """A row for each learner: id, name, points for each lab (a star where some came late), and their sum."""
        for each in self.learners:
            cells = [each.labs.get(lab.lab) for lab in self.labs]
            points = ["" if cell is None else f"{cell.points}{'*' if cell.late else ''}" for cell in cells]
            yield [each.learner, each.name, *points, str(sum(cell.points for cell in cells if cell))]
