"""The sheet of scores as a page: one file that needs no other, to read and to print."""

from __future__ import annotations

from pathlib import Path

import jinja2

from mlops_lab.exam.clock import spelled
from mlops_lab.exam.sheet import ENOUGH, Sheet

_TEMPLATE = Path(__file__).with_name("sheet.html")


def page(sheet: Sheet) -> str:
    """The whole page as text."""
    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(sheet=sheet, spelled=spelled, enough=ENOUGH)
