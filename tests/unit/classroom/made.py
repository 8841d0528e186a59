"""Results and records of a class that tests make up."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.classroom import chain
from mlops_lab.classroom.chain import Check, Record, Result
from mlops_lab.classroom.signing import PrivateKey

KEY = PrivateKey(bytes(range(32)))
OTHER = PrivateKey(bytes(range(1, 33)))


def result(
    learner: str = "ada", lab: str = "10", verdicts: str = "pp", number: int = 1, at: str = "", seen: str = "nothing"
) -> Result:
    """A result whose checks `a`, `b`, ... passed, failed, were blocked or in error (`p`, `f`, `b`, `e`)."""
    words = {"p": "pass", "f": "fail", "b": "blocked", "e": "error"}
    checks = tuple(
        Check(
            chr(ord("a") + place), words[each], 2, 2 if each == "p" else 0, "all is well", seen if each == "f" else ""
        )
        for place, each in enumerate(verdicts)
    )
    return Result(
        learner=learner, lab=lab, lab_content="0123456789ab", checker="sha256:" + "c" * 64, submission="5" * 64,
        number=number, points=sum(each.earned for each in checks), possible=2 * len(checks), checks=checks, seed=7,
        at=at or f"2026-11-01T10:00:{number:02}+00:00", seconds=12.5,
    )  # fmt: skip


def signed(results: Sequence[Result], key: PrivateKey = KEY) -> list[Record]:
    """Results as a class's records."""
    records: list[Record] = []
    for each in results:
        records.append(chain.sign(each, records[-1] if records else None, key))
    return records


def export(results: Sequence[Result], key: PrivateKey = KEY) -> list[str]:
    """An export's lines."""
    return list(chain.export(signed(results, key), key, "2026-11-02T00:00:00+00:00"))
