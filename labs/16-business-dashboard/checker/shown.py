"""What a panel shows: its queries, put to Prometheus as Grafana does it, and compared with the truth."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, absent, expect
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.services.grafana import ALL, Dashboard, NotADashboard, Panel
from mlops_lab.platform.dashboard.prometheus import NoPrometheus, QueryRefused, Series

from .truth import Values, Wanted
from .world import ANSWERED, SPAN, World

TARGET = ("__name__", "app", "instance", "job", "namespace", "node")  # labels that tell a reader nothing here


def plain(title: str) -> str:
    """A title as it is compared."""
    return " ".join(title.lower().split())


def panel_of(board: Dashboard, wanted: Wanted) -> Panel:
    """The panel of the dashboard that has the title."""
    return next(panel for panel in board.panels if plain(panel.title) == plain(wanted.title))


def asks(board: Dashboard, name: str) -> bool:
    """Does a variable ask Prometheus what it offers?"""
    return board.variables[name].label_values is not None


@dataclass(frozen=True)
class Shown:
    """What a panel's queries returned at one moment, or why they returned nothing."""

    queries: tuple[str, ...]
    series: tuple[Series, ...] = ()
    error: str = ""

    @property
    def found(self) -> list[tuple[Mapping[str, str], float]]:
        """Labels and number of each series that has one; NaN is none."""
        return [(each.labels, value) for each in self.series if (value := each.points[-1][1]) is not None]

    def same(self, other: Shown) -> bool:
        """Whether a reader would see the same numbers."""
        mine, others = (sorted(value for _, value in shown.found) for shown in (self, other))
        return len(mine) == len(others) and all(
            math.isclose(one, two, rel_tol=1e-6, abs_tol=1e-12) for one, two in zip(mine, others, strict=True)
        )

    def by(self, label: str) -> Values:
        """The numbers by a label's value."""
        return {labels.get(label, ""): value for labels, value in self.found}

    @property
    def sent(self) -> tuple[str, ...]:
        """The queries as Grafana would send them, for evidence."""
        return tuple(f"as sent: {' '.join(query.split())[:400]}" for query in self.queries)

    def __str__(self) -> str:
        if self.error or not self.found:
            return self.error or ("NaN, as 0 divided by 0 is" if self.series else "no data")
        lines = [
            f"{' '.join(text for name, text in labels.items() if name not in TARGET)} {value:.5g}".strip()
            for labels, value in self.found
        ]
        return ", ".join(lines[:6]) + (f" and {len(lines) - 6} more series" if len(lines) > 6 else "")


async def choices(
    lab: Lab,
    board: Dashboard,
    name: str,
    namespace: str,
    airlines: Sequence[str] = (ALL,),
    options: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """What a variable offers while a namespace and airlines are chosen.

    Args:
        options: what those before it offer.
    """
    variable = board.variables[name]
    series, label = variable.label_values or ("", "")
    filled = board.fill(series, {"namespace": [namespace], "airline": airlines}, span=SPAN, options=options)
    try:
        return await lab.time.in_thread(variable.kept, await lab.platform.prometheus.values(filled, label))
    except (QueryRefused, NoPrometheus, NotADashboard) as refused:
        seen = refused.message if isinstance(refused, QueryRefused) else str(refused)
        if isinstance(refused, NoPrometheus):
            seen = await _no_answer(lab, refused)
        query = f"as sent: label_values({filled}, {label})"
        expect(absent(f"variable {name}: a question that Prometheus takes", seen, evidence=[query])).because(
            'label_values takes a metric with or without a selector, such as flights_answered_total{namespace="x"}, '
            "and the name of a label"
        )
        raise


async def left_out(lab: Lab, board: Dashboard, airlines: Sequence[str]) -> list[str]:
    """Which of these airlines All leaves out, by the variable's custom all value."""
    every = board.variables["airline"].every
    if not every:
        return []
    with contextlib.suppress(QueryRefused):  # it is written for other quotes
        matching = f'{ANSWERED}{{namespace="{SYSTEM_NAMESPACE}", airline=~"{every}"}}'
        return sorted({*airlines} - {*await lab.platform.prometheus.values(matching, "airline")})
    return []


async def ask(
    lab: Lab,
    board: Dashboard,
    wanted: Wanted,
    airlines: Sequence[str],
    world: World | None = None,
    *,
    namespace: str = SYSTEM_NAMESPACE,
    span: int = SPAN,
) -> Shown:
    """What a panel shows at the world's end (now, without a world) while these airlines are chosen."""
    chosen = {"namespace": [namespace], "airline": airlines}
    options: dict[str, Sequence[str]] = {}
    for name, each in board.variables.items():
        if ALL in chosen.get(name, each.current) and not each.every and asks(board, name):
            options[name] = await choices(lab, board, name, namespace, airlines, options)
    queries = tuple(
        board.fill(query.expr, chosen, span=span, options=options) for query in panel_of(board, wanted).queries
    )
    found: list[Series] = []
    for query in queries:
        try:
            found += await lab.platform.prometheus.query(query, float(world.at) if world else None)
        except QueryRefused as refused:
            return Shown(queries, error=refused.message)
        except NoPrometheus as silence:
            return Shown(queries, error=await _no_answer(lab, silence))
    return Shown(queries, tuple(found))


async def _no_answer(lab: Lab, silence: NoPrometheus) -> str:
    """Put the blame on a query that got no answer in time, if Prometheus answers another one; else raises LabError."""
    if silence.transient:
        raise silence
    await lab.platform.prometheus.query("vector(1)")
    return f"no answer within {lab.platform.prometheus.limit:g} s"
