"""The pages' templates, all values of which are text and never HTML."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlops_lab.classroom.server import views

PAGE = Path(__file__).parent / "page"


def _moment(when: datetime | str | None) -> str:
    """A time as people read it; pages turn it into their own reader's."""
    if when is None:
        return ""
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return when.strftime("%Y-%m-%d %H:%M UTC")


def _iso(when: datetime | str | None) -> str:
    return when.isoformat(timespec="seconds") if isinstance(when, datetime) else when or ""


_environment = Environment(
    loader=FileSystemLoader(PAGE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False,
)  # fmt: skip
_environment.filters |= {"moment": _moment, "iso": _iso, "lasts": views.spelled}
_environment.globals |= {"cell_class": views.cell_class}


def render(template: str, **values: Any) -> str:
    """A page."""
    return _environment.get_template(template).render(**values)


def prepare() -> None:
    """Read all templates, before somebody waits for a page."""
    for name in _environment.list_templates():
        _environment.get_template(name)
