"""What a table shows: the answers of Prometheus as frames with columns, and Grafana's transformations of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_lab.platform.dashboard.fields import field as options_of

TIME = "Time"
Cell = float | str | None


@dataclass(frozen=True)
class Frame:
    """Columns, and rows of as many cells.

    Args:
        ref: the query that it comes from.
        kinds: of each column `time` (seconds), `number` or `string`.
    """

    ref: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: list[list[Cell]] = field(default_factory=list)

    def only(self, wanted: Sequence[int]) -> Frame:
        """The same with these columns alone, in this order."""
        rows = [[row[index] for index in wanted] for row in self.rows]
        return Frame(
            self.ref, tuple(self.columns[index] for index in wanted), tuple(self.kinds[index] for index in wanted), rows
        )


def frames(series: Sequence[Mapping[str, Any]], forms: Mapping[str, str]) -> list[Frame]:
    """One frame for each query that asked for a table, one for each series of the others.

    Args:
        series: with `ref`, `name`, `labels` and `points`.
        forms: by query what it asked for, such as `table`.
    """
    found: list[Frame] = []
    for ref, form in forms.items():
        own = [each for each in series if each["ref"] == ref]
        if form != "table":
            found += [
                Frame(ref, (TIME, each["name"]), ("time", "number"), [list(point) for point in each["points"]])
                for each in own
            ]
        elif own:
            labels = list(dict.fromkeys(label for each in own for label in sorted(each["labels"])))
            value = f"Value #{ref}" if len(forms) > 1 else "Value"
            rows: list[list[Cell]] = [
                [at, *(each["labels"].get(label, "") for label in labels), number]
                for each in own
                for at, number in each["points"]
            ]
            kinds = ("time", *("string" for _ in labels), "number")
            found.append(Frame(ref, (TIME, *labels, value), kinds, rows))
    return found


def merged(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """All frames in one: rows that agree in the columns that all have become one, if nothing stands in the way."""
    del options
    if len(found) < 2:
        return found
    columns = list(dict.fromkeys(name for frame in found for name in frame.columns))
    kinds = {name: kind for frame in found for name, kind in zip(frame.columns, frame.kinds, strict=True)}
    shared = [name for name in columns if all(name in frame.columns for frame in found)]
    rows: list[dict[str, Cell]] = []
    for frame in found:
        for cells in frame.rows:
            new = dict(zip(frame.columns, cells, strict=True))
            fits = (row for row in rows if _agree(row, new, shared))
            place = next(fits, None) if shared else None
            if place is None:
                rows.append(new)
            else:
                place.update(new)
    return [
        Frame(
            found[0].ref, tuple(columns), tuple(kinds[name] for name in columns),
            [[row.get(name) for name in columns] for row in rows],
        )
    ]  # fmt: skip


def _agree(row: Mapping[str, Cell], new: Mapping[str, Cell], shared: Sequence[str]) -> bool:
    same = all(row.get(name) == new[name] for name in shared)
    return same and all(name in shared or name not in row for name in new)


def organized(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """Columns left out, put in order and renamed."""
    out, inside = options.get("excludeByName") or {}, options.get("includeByName") or {}
    order, names = options.get("indexByName") or {}, options.get("renameByName") or {}
    new = []
    for frame in found:
        kept = [
            index
            for index, name in enumerate(frame.columns)
            if not out.get(name) and (not any(inside.values()) or inside.get(name))
        ]
        last = len(frame.columns)
        places = [(order.get(frame.columns[index], last + index), index) for index in kept]
        frame = frame.only([index for _, index in sorted(places)])
        renamed = tuple(names.get(name) or name for name in frame.columns)
        new.append(Frame(frame.ref, renamed, frame.kinds, frame.rows))
    return new


def filtered(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """Columns by name or pattern."""
    include = options.get("include") or {}
    names, pattern = include.get("names"), str(include.get("pattern") or "").strip("/")

    def wanted(name: str) -> bool:
        return name in (names or ()) or bool(pattern and re.search(pattern, name))

    if names is None and not pattern:
        return found
    return [frame.only([index for index, name in enumerate(frame.columns) if wanted(name)]) for frame in found]


def ordered(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """Rows in the order of columns; `sort` has them, the first one counts most."""
    for frame in found:
        for each in reversed(options.get("sort") or ()):
            if each.get("field") in frame.columns:
                _sort(frame.rows, frame.columns.index(each["field"]), bool(each.get("desc")))
    return found


def _sort(rows: list[list[Cell]], column: int, desc: bool) -> None:
    """Numbers before texts, and before both what has no value."""

    def place(row: list[Cell]) -> tuple[int, float, str]:
        cell = row[column]
        return (2, 0, cell) if isinstance(cell, str) else (0, 0, "") if cell is None else (1, cell, "")

    rows.sort(key=place, reverse=desc)


def limited(found: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """The first rows."""
    most = int(options.get("limitField") or 10)
    return [Frame(frame.ref, frame.columns, frame.kinds, frame.rows[:most]) for frame in found]


TRANSFORMATIONS: dict[str, Callable[[list[Frame], Mapping[str, Any]], list[Frame]]] = {
    "merge": merged,
    "organize": organized,
    "filterFieldsByName": filtered,
    "sortBy": ordered,
    "limit": limited,
}


def tables(panel: Mapping[str, Any], found: list[Frame]) -> list[dict[str, Any]]:
    """A table panel's frames as the page draws them: columns with a name and a kind, cells with a text."""
    for each in panel.get("transformations") or ():
        if not each.get("disabled") and each["id"] in TRANSFORMATIONS:
            found = TRANSFORMATIONS[each["id"]](found, each.get("options") or {})
    options = panel.get("options") or {}
    by = [{"field": each.get("displayName"), "desc": each.get("desc")} for each in options.get("sortBy") or ()]
    return [_drawn(panel, frame) for frame in ordered(found, {"sort": by})]


def _drawn(panel: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    columns = []
    for name, kind in zip(frame.columns, frame.kinds, strict=True):
        settings = options_of(panel, name, frame.ref, kind)
        columns.append((name, kind, settings))
    shown = [index for index, (_, _, settings) in enumerate(columns) if not settings.custom.get("hidden")]
    heads = [
        {
            "name": str(settings.raw.get("displayName") or name),
            "kind": kind,
            "fill": (settings.custom.get("cellOptions") or {}).get("type", "auto"),
        }
        for name, kind, settings in (columns[index] for index in shown)
    ]
    rows = []
    for row in frame.rows:
        cells: list[dict[str, Any]] = []
        for index in shown:
            _, kind, settings = columns[index]
            value = row[index]
            if kind == "number" and not isinstance(value, str):
                cells.append({"text": "" if value is None else settings.text(value), "colour": settings.colour(value)})
            else:
                cells.append({"at": value} if kind == "time" else {"text": "" if value is None else str(value)})
        rows.append(cells)
    return {"ref": frame.ref, "columns": heads, "rows": rows}
