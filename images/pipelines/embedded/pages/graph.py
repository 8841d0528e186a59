"""The picture of a run or a pipeline: its tasks as boxes that grandalf lays out in layers, with arrows around them."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import EdgeViewer, route_with_lines
from markupsafe import Markup

from embedded import nesting
from embedded.pages import render

_WIDTH, _HEIGHT, _GAP, _MARGIN = 208, 52, 28, 14
_MOST = 120  # boxes; of a larger run the deepest levels are left out
_LINES = 400  # arrows; with more, finding an order of boxes in which few of them cross takes seconds

_BLANK = {"cached": False, "start_time": "", "end_time": ""}  # what the API leaves out

Point = tuple[float, float]


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
            state = "WAITING" if tasks else "PLAIN"
            boxes.append({"path": name, "display_name": name, "state": state, "kind": "", "task_id": ""})
    arrows: list[tuple[str, str]] = []
    inside: dict[str, set[str]] = defaultdict(set)
    for each in boxes:
        inside[nesting.above(spec, each["path"])].add(each["path"])
    for each in boxes:
        path, above = each["path"], nesting.above(spec, each["path"])
        outer, _, name = path.rpartition("/")
        declared = nesting.tasks(spec, outer)
        _, number = nesting.iteration(name, declared)
        given = declared.get(name, {}).get("taskInfo", {}).get("name") or each["display_name"]
        each["display_name"] = f"iteration {number}" if number else given
        drawn = [f"{above}/{before}".lstrip("/") for before in declared.get(name, {}).get("dependentTasks", [])]
        drawn = [before for before in drawn if before in inside[above]]
        arrows += [(name, path) for name in drawn]
        if above and not drawn:
            arrows.append((above, path))
    return boxes, arrows


def drawing(document: dict[str, Any], tasks: list[dict[str, Any]], *, run: str = "", chosen: str = "") -> Markup:
    """The SVG. Each box has its state as a class and is a link to the task's panel.

    Args:
        document: the pipeline.
        tasks: of the run, as the API describes them; none for a pipeline that is only looked at.
        run: the run's id.
        chosen: the id of the task that is shown beside it.
    """
    boxes, arrows = tree(document, tasks)
    left_out = 0
    while len(boxes) > _MOST and (deepest := max(each["path"].count("/") for each in boxes)):
        kept = [each for each in boxes if each["path"].count("/") < deepest]
        left_out, boxes = left_out + len(boxes) - len(kept), kept
    there = {each["path"] for each in boxes}
    lines = tuple((a, b) for a, b in arrows if a in there and b in there)
    places, ways = _layout(tuple(each["path"] for each in boxes), lines)
    right = [x + _WIDTH / 2 for x, _ in places.values()] + [x for way in ways for x, _ in way]
    width = max(right, default=0) + _MARGIN
    height = max((y for _, y in places.values()), default=0) + _HEIGHT / 2 + _MARGIN
    drawn = [
        {**_BLANK, **each, "x": places[each["path"]][0] - _WIDTH / 2, "y": places[each["path"]][1] - _HEIGHT / 2}
        for each in boxes
    ]
    states = {each["path"]: each["state"] for each in boxes}
    paths = [(_curve(way), states[a]) for (a, _), way in zip(lines, ways, strict=True)]
    return Markup(
        render.fragment(
            "_graph.html", width=width, height=height, boxes=drawn, paths=paths, run=run, chosen=chosen,
            left_out=left_out, size=(_WIDTH, _HEIGHT),
        )
    )  # fmt: skip


@lru_cache(maxsize=64)
def _layout(paths: tuple[str, ...], arrows: tuple[tuple[str, str], ...]) -> tuple[dict[str, Point], list[list[Point]]]:
    """The middle of each box, and the points of each arrow's way; a graph that only changes its states keeps them."""
    if len(arrows) > _LINES or len(paths) > 2 * _MOST:
        return _rows(paths, arrows)
    vertices = {path: Vertex(path) for path in paths}
    for vertex in vertices.values():
        vertex.view = _Box()
    edges = [Edge(vertices[a], vertices[b]) for a, b in arrows]
    for edge in edges:
        edge.view = EdgeViewer()
    ways: dict[tuple[str, str], list[Point]] = {}
    across = 0.0
    for component in Graph(list(vertices.values()), edges).C:
        layout = SugiyamaLayout(component)
        layout.xspace, layout.yspace = _GAP, _GAP * 1.6
        layout.route_edge = route_with_lines
        layout.init_all()
        layout.draw()
        left = min(vertex.view.xy[0] for vertex in component.sV) - _WIDTH / 2 - across - _MARGIN
        top = min(vertex.view.xy[1] for vertex in component.sV) - _HEIGHT / 2 - _MARGIN
        for vertex in component.sV:
            x, y = vertex.view.xy
            vertex.view.xy = (x - left, y - top)
        for edge in component.sE:
            (ax, ay), (bx, by) = edge.v[0].view.xy, edge.v[1].view.xy
            between = [(x - left, y - top) for x, y in edge.view._pts[1:-1]]
            ways[edge.v[0].data, edge.v[1].data] = [(ax, ay + _HEIGHT / 2), *between, (bx, by - _HEIGHT / 2)]
        across = max(vertex.view.xy[0] for vertex in component.sV) + _WIDTH / 2 + _GAP - _MARGIN
    places = {path: vertex.view.xy for path, vertex in vertices.items()}
    return places, [ways[arrow] for arrow in arrows]


def _rows(paths: tuple[str, ...], arrows: tuple[tuple[str, str], ...]) -> tuple[dict[str, Point], list[list[Point]]]:
    """A layout that takes no time: each box in the row below those that it waits for."""
    before: dict[str, list[str]] = {path: [] for path in paths}
    for a, b in arrows:
        before[b].append(a)
    row: dict[str, int] = {}
    filled: dict[int, int] = defaultdict(int)
    places: dict[str, Point] = {}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:  # which no run gets through, but somebody may look at
        order = list(paths)
    for path in order:
        row[path] = max((row.get(each, -1) + 1 for each in before[path]), default=0)
        x = _MARGIN + _WIDTH / 2 + filled[row[path]] * (_WIDTH + _GAP)
        places[path] = (x, _MARGIN + _HEIGHT / 2 + row[path] * (_HEIGHT + 1.6 * _GAP))
        filled[row[path]] += 1
    down = _HEIGHT / 2
    return places, [[(places[a][0], places[a][1] + down), (places[b][0], places[b][1] - down)] for a, b in arrows]


def _curve(way: list[Point]) -> str:
    """A line through points from top to bottom, upright at each."""
    (x, y), drawn = way[0], [f"M{way[0][0]:.0f} {way[0][1]:.0f}"]
    for nx, ny in way[1:]:
        middle = (y + ny) / 2
        drawn.append(f"C{x:.0f} {middle:.0f} {nx:.0f} {middle:.0f} {nx:.0f} {ny:.0f}")
        x, y = nx, ny
    return "".join(drawn)
