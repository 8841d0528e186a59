"""The picture of a run: its tasks as an SVG, laid out in layers by grandalf."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout

_WIDTH, _HEIGHT, _GAP, _MARGIN = 190, 44, 26, 12


class _Box:
    """What the layout needs to know of a vertex: its size; it sets xy, the middle."""

    def __init__(self) -> None:
        self.w, self.h = _WIDTH, _HEIGHT
        self.xy = (0.0, 0.0)


def tree(document: dict[str, Any], tasks: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The boxes and the arrows between them: what has run, and at the top level also what has not.

    Args:
        document: the run's pipeline.
        tasks: as the API describes them.
    """
    boxes = [dict(each, path=each["path"]) for each in tasks]
    known = {each["path"] for each in boxes}
    spec = document["pipeline_spec"]
    for name in spec["root"]["dag"]["tasks"]:
        if name not in known:
            boxes.append({"path": name, "display_name": name, "state": "WAITING", "kind": "", "task_id": ""})
    arrows: list[tuple[str, str]] = []
    inside: dict[str, list[str]] = defaultdict(list)
    for each in boxes:
        inside[_above(each["path"])].append(each["path"])
    for each in boxes:
        path, above = each["path"], _above(each["path"])
        before = _dag(spec, above).get(path.rpartition("/")[2], {}).get("dependentTasks", [])
        drawn = [f"{above}/{name}".lstrip("/") for name in before]
        drawn = [name for name in drawn if name in inside[above]]
        arrows += [(name, path) for name in drawn]
        if above and not drawn:
            arrows.append((above, path))
    return boxes, arrows


def _above(path: str) -> str:
    above, _, name = path.rpartition("/")
    loop, iteration, _ = name.rpartition("-iteration-")
    return f"{above}/{loop}".lstrip("/") if iteration else above


def _dag(spec: dict[str, Any], path: str) -> dict[str, Any]:
    """The tasks of the (nested) pipeline that a path leads to."""
    dag = spec["root"].get("dag", {})
    for part in filter(None, path.split("/")):
        name = part.rpartition("-iteration-")[0] or part
        reference = dag.get("tasks", {}).get(name, {}).get("componentRef", {}).get("name", "")
        dag = spec.get("components", {}).get(reference, {}).get("dag", {})
    found: dict[str, Any] = dag.get("tasks", {})
    return found


def svg(boxes: list[dict[str, Any]], arrows: list[tuple[str, str]]) -> str:
    """The drawing. Each box is a link to #task-ID and has its state as a class."""
    vertices = {each["path"]: Vertex(each) for each in boxes}
    for vertex in vertices.values():
        vertex.view = _Box()
    edges = [Edge(vertices[a], vertices[b]) for a, b in arrows]
    across = 0.0
    for component in Graph(list(vertices.values()), edges).C:
        layout = SugiyamaLayout(component)
        layout.xspace, layout.yspace = _GAP, _GAP * 1.4
        layout.init_all()
        layout.draw()
        left = min(vertex.view.xy[0] for vertex in component.sV) - _WIDTH / 2
        top = min(vertex.view.xy[1] for vertex in component.sV) - _HEIGHT / 2
        for vertex in component.sV:
            x, y = vertex.view.xy
            vertex.view.xy = (x - left + across + _MARGIN, y - top + _MARGIN)
        across = max(vertex.view.xy[0] for vertex in component.sV) + _WIDTH / 2 + _GAP - _MARGIN
    places = {path: vertex.view.xy for path, vertex in vertices.items()}
    width = max((x for x, _ in places.values()), default=0) + _WIDTH / 2 + _MARGIN
    height = max((y for _, y in places.values()), default=0) + _HEIGHT / 2 + _MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="the run\'s tasks">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>',
    ]
    for a, b in arrows:
        (ax, ay), (bx, by) = places[a], places[b]
        ay, by = ay + _HEIGHT / 2, by - _HEIGHT / 2
        middle = (ay + by) / 2
        drawn.append(
            f'<path class="arrow" d="M{ax:.0f} {ay:.0f}C{ax:.0f} {middle:.0f} {bx:.0f} {middle:.0f} {bx:.0f} {by:.0f}" '
            'marker-end="url(#head)"/>'
        )
    drawn += [_box(each, *places[each["path"]]) for each in boxes]
    return "".join([*drawn, "</svg>"])


def _box(each: dict[str, Any], x: float, y: float) -> str:
    name, state = each["display_name"], each["state"]
    shown = name if len(name) <= 24 else name[:23] + "…"
    told = f"{state.lower()}{' (cached)' if each.get('cached') else ''}"
    return (
        f'<a href="#task-{escape(each["task_id"])}"><g class="box {escape(state)} {escape(each["kind"])}" '
        f'transform="translate({x - _WIDTH / 2:.0f} {y - _HEIGHT / 2:.0f})">'
        f"<title>{escape(each['path'])}: {escape(told)}</title>"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="6"/><text x="12" y="19">{escape(shown)}</text>'
        f'<text class="state" x="12" y="35">{escape(told)}</text></g></a>'
    )
