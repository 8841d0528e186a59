"""docs/clouds.md: what three clouds call each part; every lab and every part of the platform is in the table."""

from __future__ import annotations

import re
from collections.abc import Collection

import pytest

from mlops_lab.base.paths import project
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import exercises

TEXT = (project() / "docs" / "clouds.md").read_text()
CLOUDS = ["SageMaker AI", "Vertex AI (Agent Platform)", "Azure Machine Learning"]


def table(text: str, *head: str) -> list[list[str]]:
    """The cells of the rows of the table that begins so."""
    _, _, after = text.partition(f"| {' | '.join([*head, *CLOUDS])} |\n")
    rows = after.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def wrong(text: str, labs: Collection[str], platform: Collection[str]) -> list[str]:
    """What is wrong with the tables, and what to do about it."""
    rows = table(text, "what it is", "here")
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row[1])]
    lacking = [*(f"lab {name}" for name in labs if name not in named),
               *(f"the platform's part {name}" for name in platform if name not in named)]  # fmt: skip
    return [
        *(f"{each} is in no row of docs/clouds.md: add its name to the column `here` of a row, or add a row that says "
          "what SageMaker AI, Vertex AI and Azure Machine Learning call what it is about" for each in lacking),
        *(f"docs/clouds.md names `{name}`, which is neither a lab nor a part of the platform"
          for name in named if name not in {*labs, *platform}),
        *(f"docs/clouds.md: the row {row[0]!r} has an empty cell" for row in rows if len(row) != 5 or not all(row)),
        *(f"docs/clouds.md: the row {row[0]!r} has an empty cell" for row in table(text, "what it is")
          if len(row) != 4 or not all(row)),
    ]  # fmt: skip


def test_each_lab_and_each_part_of_the_platform_has_its_names_in_the_clouds() -> None:
    assert "\n".join(wrong(TEXT, [each.slug for each in exercises(project() / "labs")], parts.names())) == ""
    assert len(table(TEXT, "what it is")) >= 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (TEXT.replace("`24-nodes`", "nodes"), "lab 24-nodes is in no row of docs/clouds.md: add its name"),
        (TEXT.replace("`logging`", "logs"), "the platform's part logging is in no row"),
        (TEXT.replace("`24-nodes`", "`24-nodes`, `31-more`"), "names `31-more`, which is neither a lab nor a part"),
        (TEXT.replace("| batch endpoints |", "| |"), "the row 'answers for a whole file' has an empty cell"),
        (TEXT.replace("| Log Analytics |", "|"), "the row 'logs, searched across services' has an empty cell"),
    ],
    ids=["a lab", "a part", "another name", "no name", "no cell"],
)
def test_what_is_wrong_with_the_table_is_said(changed: str, said: str) -> None:
    assert changed != TEXT
    (only,) = wrong(changed, [each.slug for each in exercises(project() / "labs")], parts.names())
    assert said in only
