"""A small page of HTML for a report: a heading, sentences and tables. Everything that comes from data is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:60em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{border-bottom:1px solid #ddd;padding:.25em .8em;text-align:left}.bad{color:#a40000;font-weight:600}"
)


def page(title: str, sentences: Iterable[str], *tables: str) -> str:
    """The whole page."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return (
        f"<!doctype html><html><head>{head}</head><body><h1>{escape(title)}</h1>{said}{''.join(tables)}</body></html>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], bad: Iterable[int] = ()) -> str:
    """A table; the rows with the numbers `bad` stand out."""
    marked = set(bad)
    body = "".join(
        f"<tr{' class=bad' if number in marked else ''}>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>"
        for number, row in enumerate(rows)
    )
    return "<table><tr>" + "".join(f"<th>{escape(each)}</th>" for each in head) + f"</tr>{body}</table>"


def _text(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else escape(str(cell))
