"""A dashboard of the learner's, read as Grafana reads it: panels, their queries and units, and variables.

What is read is the classic JSON model that Grafana exports and provisions
(https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/), also as the API and
Git Sync wrap it. `platform.dashboard` draws the project's own dashboards, whose form is known; here it is not.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import TimedOut, run
from mlops_lab.platform.dashboard.variables import SCRAPED, alternatives, quoted, quoted_regex, regex

ALL = "$__all"  # what Grafana calls the choice of every value
LARGEST = 4_000_000  # characters of a dashboard
# As in Grafana's template service: $name, [[name:format]], ${name.field:format}.
_NAMED = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}")
_MATCHED_WITHIN = 10  # s
_MATCH = """
import json, re, sys
pattern, values = json.load(sys.stdin)
form = re.compile(pattern)
found = [match for value in values if (match := form.search(value))]
print(json.dumps([match[1] if form.groups and match[1] is not None else match.string for match in found]))
"""


class NotADashboard(ValueError):
    """It can't be read as a dashboard; the message says why, in the learner's words.

    Attributes:
        line: where in the file, from 1; 0 where no line is to blame.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Query:
    """One query of a panel, as it is written; an instant one is asked for one time only."""

    expr: str
    instant: bool


@dataclass(frozen=True)
class Panel:
    """A panel that shows something.

    Attributes:
        kind: its type, such as `stat`.
        units: what its values and its overrides say, such as `percentunit`; none where nothing is said.
        calcs: how a stat or gauge makes one number of a series.
        empty: what is written where there is no value, as standard option or as value mapping.
        transformed: by which transformations what its queries return is changed.
    """

    title: str
    kind: str
    queries: tuple[Query, ...]
    units: tuple[str, ...]
    calcs: tuple[str, ...]
    empty: tuple[str, ...]
    transformed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variable:
    """A variable of the dashboard.

    Attributes:
        kind: its type, such as `query` or `custom`.
        query: for `query` what is asked, for others their text.
        regex: which of the values are kept, and what of them.
        every: what stands for all values; empty where all of them are listed.
        current: what is chosen at first.
    """

    name: str
    kind: str
    query: str = ""
    regex: str = ""
    multi: bool = False
    includes_all: bool = False
    every: str = ""
    current: tuple[str, ...] = ()

    @property
    def label_values(self) -> tuple[str, str] | None:
        """The series and the label of `label_values(series, label)`; None where it asks something else."""
        query = self.query.strip()
        if self.kind != "query" or not query.startswith("label_values(") or not query.endswith(")"):
            return None
        series, comma, label = (part.strip() for part in query[len("label_values(") : -1].rpartition(","))
        if not re.fullmatch(r"\w+", label) or bool(comma) != bool(series):
            return None
        return series or f'{{{label}!=""}}', label

    def kept(self, values: Sequence[str]) -> list[str]:
        """Of the values that Prometheus has, those that the variable's regular expression lets through.

        Raises:
            NotADashboard: it is no regular expression, or one that takes too long.
        """
        if not self.regex:
            return list(values)
        bare = self.regex[1 : self.regex.rindex("/")] if self.regex.startswith("/") else self.regex
        try:
            form = re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", bare))
        except (re.error, RecursionError, OverflowError) as wrong:
            raise NotADashboard(f"variable {self.name}: {self.regex} is no regular expression: {wrong}") from wrong
        # In another process: some expressions take years for thirteen letters, and Python can't interrupt a match.
        command = [sys.executable, "-I", "-c", _MATCH]
        try:
            done = run(command, stdin=json.dumps([form.pattern, list(values)]), within=_MATCHED_WITHIN, check=False)
        except TimedOut as slow:
            raise NotADashboard(
                f"variable {self.name}: {self.regex} is not done with {len(values)} values after {_MATCHED_WITHIN} s; "
                "a repetition within a repetition tries every way to share the letters"
            ) from slow
        if done.code != 0:
            raise LabError(f"the checker's own program ended with {done.code}", "check again", done.stderr[-500:])
        kept: list[str] = json.loads(done.stdout)
        return kept


@dataclass(frozen=True)
class Dashboard:
    """Panels in their order, those of rows too, and variables by name."""

    panels: tuple[Panel, ...]
    variables: Mapping[str, Variable]

    def fill(
        self,
        text: str,
        chosen: Mapping[str, Sequence[str]],
        *,
        span: int,
        options: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """A query as Grafana puts it to Prometheus; a name that it does not know stays as it stands.

        Args:
            chosen: values by variable, `[ALL]` for all; other variables keep what they have.
            span: seconds that the dashboard shows.
            options: what there is to choose, for a variable with All and without a custom all value.
        """
        rate = 4 * SCRAPED
        known = {
            "__range": f"{span}s", "__range_s": str(span), "__range_ms": str(span * 1000),
            "__interval": f"{SCRAPED}s", "__interval_ms": str(SCRAPED * 1000),
            "__rate_interval": f"{rate}s", "__rate_interval_ms": str(rate * 1000),
        }  # fmt: skip

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2] or found[4]
            if name in known:
                return known[name]
            if name not in self.variables:
                return found[0]
            variable = self.variables[name]
            values = list(chosen.get(name, variable.current))
            if ALL in values:
                if variable.every:
                    return variable.every
                values = list((options or {}).get(name, ()))
            return _written(variable, values, found[3] or found[5] or "")

        return _NAMED.sub(value, text)


def read(text: str) -> Dashboard:
    """The dashboard in a file.

    Raises:
        NotADashboard: the text is no JSON, or not that of a dashboard.
    """
    if len(text) > LARGEST:
        raise NotADashboard(f"more than {LARGEST} characters; Grafana's own dashboards have some thousands")
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as wrong:
        raise NotADashboard(f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}", wrong.lineno) from wrong
    except RecursionError as wrong:
        raise NotADashboard("it is nested too deep to be read") from wrong
    except ValueError as wrong:  # a number of thousands of digits
        raise NotADashboard(str(wrong)) from wrong
    for wrapper in ("dashboard", "spec"):
        if isinstance(raw, dict) and "panels" not in raw and isinstance(raw.get(wrapper), dict):
            raw = raw[wrapper]
    if not isinstance(raw, dict):
        raise NotADashboard(f"JSON, but a {type(raw).__name__}: a dashboard is an object, {{...}}")
    if not isinstance(raw.get("panels"), list):
        raise NotADashboard(f"JSON without a list `panels`; its fields: {', '.join(map(str, raw)) or 'none'}")
    panels = [_panel(each) for each in _flat(raw["panels"])]
    variables = [_variable(each) for each in _dicts(_dict(raw.get("templating")).get("list"))]
    return Dashboard(tuple(panels), {each.name: each for each in variables})


def _flat(panels: Any) -> list[dict[str, Any]]:
    """Panels without rows, but with those that a collapsed row holds."""
    found = []
    for panel in _dicts(panels):
        found += _dicts(panel.get("panels")) if panel.get("type") == "row" else [panel]
    return found


def _panel(raw: dict[str, Any]) -> Panel:
    config, options = _dict(raw.get("fieldConfig")), _dict(raw.get("options"))
    defaults = _dict(config.get("defaults"))
    overrides = [
        each.get("value")
        for override in _dicts(config.get("overrides"))
        for each in _dicts(override.get("properties"))
        if each.get("id") == "unit"
    ]
    mapped = [
        _dict(_dict(each.get("options")).get("result")).get("text")
        for each in _dicts(defaults.get("mappings"))
        if each.get("type") == "special" and "n" in str(_dict(each.get("options")).get("match"))  # null, nan, null+nan
    ]
    calcs = _dict(options.get("reduceOptions")).get("calcs")
    return Panel(
        str(raw.get("title") or ""),
        str(raw.get("type") or ""),
        tuple(
            Query(each["expr"], bool(each.get("instant")) and not each.get("range"))
            for each in _dicts(raw.get("targets"))
            if isinstance(each.get("expr"), str) and each["expr"].strip() and not each.get("hide")
        ),
        tuple(str(each) for each in (defaults.get("unit"), *overrides) if each),
        tuple(str(each) for each in calcs) if isinstance(calcs, list) else (),
        tuple(str(each) for each in (defaults.get("noValue"), *mapped) if each not in (None, "")),
        tuple(str(each.get("id")) for each in _dicts(raw.get("transformations")) if not each.get("disabled")),
    )


def _variable(raw: dict[str, Any]) -> Variable:
    query = raw.get("query")
    query = query.get("query") if isinstance(query, dict) else query
    kind, current = str(raw.get("type") or ""), _dict(raw.get("current")).get("value")
    if current in (None, "", []):
        options = [each for each in re.split(r"(?<!\\),", str(query or "")) if each]
        first = options[0].replace("\\,", ",").rpartition(" : ")[2].strip() if options else ""  # as Grafana chooses
        current = query if kind in ("textbox", "constant") else first if kind in ("custom", "interval") else ""
    return Variable(
        str(raw.get("name") or ""),
        kind,
        str(query or raw.get("definition") or ""),
        str(raw.get("regex") or ""),
        bool(raw.get("multi")),
        bool(raw.get("includeAll")),
        str(raw.get("allValue") or ""),
        tuple(str(each) for each in (current if isinstance(current, list) else [current])),
    )


def _written(variable: Variable, values: list[str], form: str) -> str:
    """Chosen values in a query, in a format such as `pipe`; without one as Grafana writes them for Prometheus."""
    if form in ("raw", "csv", "text"):
        return ",".join(values)
    if form == "pipe":
        return "|".join(values)
    if form == "doublequote":
        return ",".join(f'"{value}"' for value in values)
    if form == "regex":
        return alternatives([regex(value) for value in values])
    if not variable.multi and not variable.includes_all:
        return quoted("".join(values))
    return alternatives([quoted_regex(value) for value in values])


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
