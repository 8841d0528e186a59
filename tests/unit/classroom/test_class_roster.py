"""The roster of a class: from a spreadsheet or by hand, and what is wrong in it by its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.roster import Learner, namespace, read


def roster(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "roster.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize(
    ("content", "learners"),
    [
        ("id\nada\n", [Learner("ada", "ada")]),
        ("id,name,email,ends\nada,Ada Lovelace,ada@example.org,2026-12-31\nb-2,,,\n",
         [Learner("ada", "Ada Lovelace", "ada@example.org", date(2026, 12, 31)), Learner("b-2", "b-2")]),
        ("\ufeffID;Name\r\nada;\"Lovelace; Ada, Countess\"\r\n\r\n;\r\n", [Learner("ada", "Lovelace; Ada, Countess")]),
        ("name, id\n Zoë , zoe \nX", None),
        ("email,id\n,a\n,0-2-4-6-8-a\n", [Learner("a", "a"), Learner("0-2-4-6-8-a", "0-2-4-6-8-a")]),
    ],
)  # fmt: skip
def test_what_a_roster_says(content: str, learners: list[Learner] | None, tmp_path: Path) -> None:
    if learners is None:
        with pytest.raises(UsageError, match=r"roster.csv:3: there is no id"):
            read(roster(tmp_path, content))
    else:
        assert read(roster(tmp_path, content)) == learners


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ":1: no column is named id"),
        ("ada,Ada\n", ":1: no column is named id"),
        ("id,grade\nada,1\n", ":1: there is no column 'grade'"),
        ("id,id\nada,1\n", ":1: two columns are named id"),
        ("id\n", "has no learner"),
        ("id\nAda\n", ":2: 'Ada' is no id"),
        ("id\na--\n", ":2: 'a--' is no id"),
        ("id\n-a\n", "is no id"),
        ("id\na.b\n", "is no id"),
        ("id\na\u0308\n", "is no id"),
        ("id\n123456789012345678901\n", "is no id"),
        ("id\nada\n\nada\n", ":4: 'ada' stands in line 2 too"),
        ("id,name\nada,Ada,more\n", ":2: there are more values than columns"),
        ("id,name\nada,\"A\nB\"\n", "the name is no text of one line"),
        ("id,name\nada,\"A\tB\"\n", "the name is no text of one line"),
        (f"id,name\nada,{'x' * 201}\n", "the name is no text of one line"),
        ("id,email\nada,nobody\n", ":2: 'nobody' is no e-mail address"),
        ("id,ends\nada,31.12.2026\n", ":2: '31.12.2026' is no date"),
        ("id,ends\nada,2026-02-30\n", "is no date"),
        ("id,name\nada,\"open\n", "this is no CSV"),
        (b"id,name\nada,A\nbob,\xff\n", ":3: this is no UTF-8 text"),
        (b"id\n" + b"a" * (2 << 20), "larger than 1 MiB"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(content: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(roster(tmp_path, content))
    assert said in refused.value.message
    assert refused.value.hint


def test_no_roster(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="can't be read"):
        read(tmp_path)


def test_every_id_makes_a_name_that_kubernetes_takes() -> None:
    longest = namespace("a" * 20, "24")
    assert longest == "l-aaaaaaaaaaaaaaaaaaaa-lab-24"
    assert len(longest) <= 63
