"""docs/mistakes.md says of each check which works it is held against."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.labs.checker import checks
from mlops_lab.proof.mistakes import page
from mlops_lab.proof.skeleton import make

PAGE = project() / "docs" / "mistakes.md"


def test_the_document_is_what_the_labs_have() -> None:
    """`UPDATE_TABLES=1 pytest tests/unit/test_mistakes_page.py` writes it."""
    made = page(exercises(project() / "labs"))
    if os.environ.get("UPDATE_TABLES"):
        PAGE.write_text(made, "utf-8")
    assert PAGE.read_text("utf-8") == made, "UPDATE_TABLES=1 pytest tests/unit/test_mistakes_page.py writes it"


def test_a_lab_has_its_checks_sentences_and_what_breaks_them(tmp_path: Path) -> None:
    lab = Exercise(make("11-lab", tmp_path / "11-lab"), "11", "lab")
    mistakes = sorted((lab.folder / "wrong").iterdir())
    check, _, name = mistakes[0].name.partition("--")
    text = page([lab])
    assert f"| [11-lab](#11-lab) | {len(checks(lab))} | {len(mistakes)} |" in text
    assert text.index(f"`{check}`: ") < text.index(f"- `{name}`: ")
    (mistakes[0] / "variant.toml").write_text('from = "solution/manifests"\nbecause = "It\\n  waits."\n')
    assert f"- `{name}`: It waits.\n" in page([lab])
