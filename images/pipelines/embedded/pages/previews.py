"""What can be shown of an artifact without downloading it, by KFP's own types, and else by what its bytes are."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from embedded.api import views
from embedded.pages import charts, render

CLASSIFIED, SLICED = "system.ClassificationMetrics", "system.SlicedClassificationMetrics"
HTML, MARKDOWN = "system.HTML", "system.Markdown"
_READ = 64 << 10  # bytes of a file that are looked at
_LINES, _NAMES = 200, 200
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif",
}  # fmt: skip
_MARKDOWN = MarkdownIt("js-default")  # HTML in it stays text; links lead to web addresses only


def classification(row: sqlite3.Row) -> Markup:
    """The pictures of a ClassificationMetrics artifact, of each slice of one that is sliced."""
    metadata = json.loads(row["metadata"])
    if row["type"] == CLASSIFIED:
        return _pictures(metadata)
    slices = metadata.get("evaluationSlices") if row["type"] == SLICED else None
    drawn = []
    for each in slices if isinstance(slices, list) else []:
        found = _pictures(each.get("sliceClassificationMetrics") or {}) if isinstance(each, dict) else ""
        if found:
            drawn.append(Markup("<h4>{}</h4>{}").format(each.get("slice", ""), found))
    return Markup("").join(drawn)


def _pictures(metadata: dict[str, Any]) -> Markup:
    found = [charts.confusion_matrix(metadata.get("confusionMatrix")), charts.roc(metadata.get("confidenceMetrics"))]
    drawn = Markup("").join(Markup("<figure>{}</figure>").format(each) for each in found if each)
    return Markup('<div class="figures">{}</div>').format(drawn) if drawn else drawn


def small(row: sqlite3.Row) -> Markup:
    """What of an artifact stands in a step's panel."""
    if numbers := views.metrics(row):
        return Markup(render.fragment("_metrics.html", numbers=numbers))
    return classification(row)


def image(path: Path) -> str:
    """The type of an image that browsers show and that can't do anything; empty for anything else."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _IMAGES.items() if start.startswith(magic)), "")


def content(row: sqlite3.Row, path: Path, *, folder: bool) -> Markup:
    """What of an artifact's content stands on its page; empty if it is nothing that can be shown."""
    if folder:
        return _names(path)
    if row["type"] == HTML:
        return Markup(render.fragment("_html.html", row=row))
    if image(path):
        return Markup('<img class="preview" src="/artifacts/{}/image" alt="{}">').format(row["id"], row["name"])
    with path.open("rb") as file:
        read = file.read(_READ)
    whole = path.stat().st_size <= len(read)
    try:
        text = read.decode("utf-8", "strict" if whole else "ignore")
    except UnicodeDecodeError:
        return Markup("")
    if "\0" in text:
        return Markup("")
    if row["type"] == MARKDOWN:
        end = Markup("") if whole else Markup('<p class="dim">Only the beginning.</p>')
        return Markup('<div class="prose">{}</div>{}').format(Markup(_MARKDOWN.render(text)), end)
    return _text(text, whole)


class _Headers(io.FileIO):
    """A file that gives out so many bytes: a tar archive's header may say that the next one is a gigabyte."""

    left = 1 << 20

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on.

        Raises:
            ValueError: that would be too much.
        """
        if size is None or not 0 <= size <= self.left:
            raise ValueError("the archive's headers are too large")
        self.left -= size
        return super().read(size)


def _names(path: Path) -> Markup:
    names: list[tuple[str, int]] = []
    whole = False
    # As a step sent it: never unpacked, and nothing of it is sure to be what its headers say.
    wrong = (tarfile.TarError, EOFError, ValueError, OSError, RecursionError)
    with contextlib.suppress(*wrong), _Headers(path) as file, tarfile.open(fileobj=file, mode="r:") as packed:
        for each in packed:
            if len(names) == _NAMES:
                break
            names.append((each.name, each.size))
        else:
            whole = True
    return Markup(render.fragment("_folder.html", names=names, more=not whole))


def _text(text: str, whole: bool) -> Markup:
    lines = text.splitlines()
    if rows := _table(lines[:_LINES]):
        return Markup(render.fragment("_rows.html", rows=rows, more=not whole or len(lines) > _LINES))
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if whole else text
    lines = text.splitlines()
    more = not whole or len(lines) > _LINES
    return Markup(render.fragment("_text.html", text="\n".join(lines[:_LINES]), more=more))


def _table(lines: list[str]) -> list[list[str]]:
    """The rows of comma-separated values, if that is what the lines are."""
    if len(lines) < 2 or "," not in lines[0]:
        return []
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines))))
    except csv.Error:
        return []
    same = len({len(row) for row in rows[:-1]}) == 1
    return rows if same and 2 <= len(rows[0]) <= 60 and not lines[0].lstrip().startswith(("{", "[")) else []
