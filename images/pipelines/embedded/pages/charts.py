"""Pictures of KFP's classification metrics, as SVG: a confusion matrix and a ROC curve. page.css gives the colours."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from markupsafe import Markup

from embedded.pages.render import number

_MOST = 20  # categories of a matrix that can still be read
_SIDE = 240.0  # of the ROC's square


def confusion_matrix(matrix: Any) -> Markup:
    """`confusionMatrix` of an artifact's metadata: rows are what was true, columns what was predicted.

    A cell is as dark as its share of the row. What is not as the SDK writes it draws nothing.
    """
    try:
        names = [str(each["displayName"]) for each in matrix["annotationSpecs"]]
        rows = [[float(value) for value in each["row"]] for each in matrix["rows"]]
    except (TypeError, KeyError, ValueError):
        return Markup("")
    if not 0 < len(names) <= _MOST or len(rows) != len(names) or any(len(row) != len(names) for row in rows):
        return Markup("")
    cell = max(34, min(64, 320 // len(names)))
    left, top, side = 8 * min(14, max(map(len, names))) + 30, 44, cell * len(names)
    drawn = [_text(left + side / 2, 14, "predicted", "axis"), _turned(12, top + side / 2, "true")]
    for j, name in enumerate(names):
        middle = (j + 0.5) * cell
        drawn.append(_text(left + middle, top - 8, _short(name, cell // 7), "label", name))
        drawn.append(_text(left - 8, top + middle + 4, _short(name, 14), "label end", name))
    for i, row in enumerate(rows):
        whole = sum(abs(value) for value in row) or 1.0
        for j, value in enumerate(row):
            share = min(1.0, max(0.0, value / whole))
            x, y = left + j * cell, top + i * cell
            told = f"true {names[i]}, predicted {names[j]}: {number(value)} ({share:.0%} of the row)"
            drawn.append(
                Markup(
                    '<g><title>{}</title><rect class="cell" x="{}" y="{}" width="{}" height="{}"/><rect class="heat" '
                    'x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}"/>{}</g>'
                ).format(
                    *(told, x, y, cell - 2, cell - 2, x, y, cell - 2, cell - 2, 0.9 * share),
                    _text(x + cell / 2 - 1, y + cell / 2 + 4, number(value), "count on" if share > 0.55 else "count"),
                )
            )
    return _svg(left + side + 8, top + side + 8, "confusion matrix", drawn)


def roc(points: Any) -> Markup:
    """`confidenceMetrics` of an artifact's metadata: the curve, the diagonal of guessing, and the area below."""
    try:
        seen = sorted(
            (float(each["falsePositiveRate"]), float(each["recall"]), each.get("confidenceThreshold"))
            for each in points
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return Markup("")
    if not seen or any(not 0 <= value <= 1 for x, y, _ in seen for value in (x, y)):
        return Markup("")
    area = sum((bx - ax) * (ay + by) / 2 for (ax, ay, _), (bx, by, _) in pairwise(seen))
    whole = seen[0][0] == 0 and seen[-1][0] == 1  # else the area is of a part only
    left, top = 60.0, 12.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * _SIDE, top + (1 - y) * _SIDE

    drawn = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        (x, _), (_, y) = place(tick, 0), place(0, tick)
        for ends in ((x, top, x, top + _SIDE), (left, y, left + _SIDE, y)):
            drawn.append(Markup('<path class="grid" d="M{:.0f} {:.0f}L{:.0f} {:.0f}"/>').format(*ends))
        drawn += [_text(x, top + _SIDE + 16, f"{tick:g}", "label"), _text(left - 6, y + 4, f"{tick:g}", "label end")]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(x, y) for x, y, _ in seen))
    (ax, ay), (bx, by) = place(0, 0), place(1, 1)
    drawn.append(Markup('<path class="guess" d="M{:.0f} {:.0f}L{:.0f} {:.0f}"/>').format(ax, ay, bx, by))
    drawn.append(Markup('<polyline class="curve" points="{}"/>').format(line))
    for x, y, threshold in seen if len(seen) <= 60 else ():
        told = f"false positive rate {x:.3g}, true positive rate {y:.3g}, threshold {threshold}"
        drawn.append(
            Markup('<circle class="point" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}</title></circle>').format(
                *place(x, y), told
            )
        )
    if whole:
        drawn.append(_text(left + _SIDE - 8, top + _SIDE - 12, f"AUC {area:.3f}", "count end"))
    drawn += [
        _text(left + _SIDE / 2, top + _SIDE + 34, "false positive rate", "axis"),
        _turned(12, top + _SIDE / 2, "true positive rate"),
    ]
    return _svg(left + _SIDE + 12, top + _SIDE + 42, "ROC curve", drawn)


def _svg(width: float, height: float, name: str, drawn: list[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" width="{:.0f}" height="{:.0f}" role="img" aria-label="{}">'
        "{}</svg>"
    ).format(width, height, width, height, name, Markup("").join(drawn))


def _text(x: float, y: float, text: str, kind: str, title: str = "") -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}{}</text>').format(kind, x, y, told, text)


def _turned(x: float, y: float, text: str) -> Markup:
    return Markup('<text class="axis" transform="translate({:.0f} {:.0f}) rotate(-90)">{}</text>').format(x, y, text)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(1, most - 1)] + "…"
