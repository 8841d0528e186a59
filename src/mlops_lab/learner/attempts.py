"""Attempts as a teacher may collect them: one JSON object a line, by the schema `mlops-lab/attempt/1`.

docs/records.md says it in words; `lab records --schema` prints it as JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from mlops_lab.learner.records import Records

SCHEMA: Literal["mlops-lab/attempt/1"] = "mlops-lab/attempt/1"


def means(text: str) -> Any:
    """What a field of a record says, for its JSON Schema."""
    return msgspec.Meta(description=text)


class CheckRecord(msgspec.Struct, frozen=True):
    """One check of an attempt."""

    check: Annotated[str, means("the check's name")]
    verdict: Annotated[
        Literal["pass", "fail", "blocked", "waiting", "error"],
        means("error: the environment has a problem; this costs no points"),
    ]
    points: Annotated[int, means("points for a pass")]
    earned: Annotated[int, means("points earned")]
    seconds: Annotated[float, means("how long it took")]
    domains: Annotated[list[str], means("exam domains, such as cka/troubleshooting")]
    expected: Annotated[str, means("of a failure: what was expected")]
    seen: Annotated[str, means("what was seen")]


class Attempt(msgspec.Struct, frozen=True):
    """One `lab check` (or a whole round of `lab watch`)."""

    schema: Annotated[Literal["mlops-lab/attempt/1"], means("this schema")]
    learner: Annotated[str, means("the value of --learner, or empty")]
    lab: Annotated[str, means("the lab's number")]
    attempt: Annotated[int, means("1 for the first attempt at this lab, and so on")]
    at: Annotated[str, means("when it ended, in UTC, as ISO 8601")]
    whole: Annotated[bool, means("all of the lab's checks were run; only then the lab can be passed")]
    passed: Annotated[bool, means("whole, and every check passed")]
    points: Annotated[int, means("points earned")]
    possible: Annotated[int, means("points of the checks that were run")]
    seconds: Annotated[float, means("the sum of all checks' seconds; checks run in parallel, so it took less")]
    hints: Annotated[int, means("hints taken for this lab when the record was printed")]
    revealed: Annotated[bool, means("its solution was shown before the first pass")]
    checks: Annotated[list[CheckRecord], means("in the report's order")]


def attempts(records: Records, learner: str = "", lab: str = "") -> Iterator[Attempt]:
    """All attempts, oldest first.

    Args:
        learner: what to write as the learner's name.
        lab: only those at the lab of this number.
    """
    rows = records.attempts(lab)
    stand = records.progress()  # read last: all labs of these attempts are in it, whatever was added meanwhile
    numbers: dict[str, int] = {}
    for row in rows:
        number = numbers[row.lab] = numbers.get(row.lab, 0) + 1
        checks = [_check(each) for each in row.results]
        yield Attempt(
            SCHEMA, learner, row.lab, number, row.at, row.whole, row.passed, row.points, row.possible,
            round(sum(each.seconds for each in checks), 3), stand[row.lab].hints, stand[row.lab].revealed, checks,
        )  # fmt: skip


def line(attempt: Attempt) -> str:
    """One line of JSON."""
    return msgspec.json.encode(attempt).decode()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a line."""
    return msgspec.json.schema(Attempt)


def _check(result: dict[str, Any]) -> CheckRecord:
    earned = result["points"] if result["verdict"] == "pass" else 0
    return CheckRecord(
        result["check"], result["verdict"], result["points"], earned, result["seconds"], list(result["domains"]),
        result["expected"], result["seen"],
    )  # fmt: skip
