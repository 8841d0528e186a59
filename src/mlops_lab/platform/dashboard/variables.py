"""Variables in queries: `$name`, `${name:format}`, and Grafana's own `$__range`, `$__interval` and their kin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from mlops_lab.platform.dashboard.boards import Variable

AUTO = "$__auto"  # the choice of an interval that suits the time range
SCRAPED = 10  # s between two scrapes; see the chart
_NAMED = re.compile(r"\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}|\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]")
_SPECIAL = re.compile(r"([\\^$.*+?()\[\]{}|/])")


def fill(
    text: str, variables: Sequence[Variable], chosen: Mapping[str, Sequence[str]], *, span: int = 3600, step: int = 10
) -> str:
    """A query with its variables filled in, as Grafana does it for Prometheus; other names stay as they are.

    Args:
        chosen: values by variable; nothing chosen means all where the variable allows that.
        span: seconds that are shown.
        step: seconds between two points.
    """
    known = {each.name: each for each in variables}
    rate = max(step + SCRAPED, 4 * SCRAPED)
    own = {
        "__range": f"{span}s", "__range_s": str(span), "__range_ms": str(span * 1000),
        "__interval": f"{step}s", "__interval_ms": str(step * 1000),
        "__rate_interval": f"{rate}s", "__rate_interval_ms": str(rate * 1000),
    }  # fmt: skip

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3] or found[4]
        if name in known:
            filled = _value(known[name], chosen.get(name, ()), found[2] or found[5] or "")
            return own["__interval"] if filled == AUTO else filled
        return own.get(name, found[0])

    return _NAMED.sub(value, text)


def step_for(span: int, least: int = SCRAPED) -> int:
    """Seconds between two points: 240 points at most, and none between two scrapes."""
    return max(least, SCRAPED, -(-span // 240 // SCRAPED) * SCRAPED)


def _value(variable: Variable, chosen: Sequence[str], form: str = "") -> str:
    values = list(chosen) or list(variable.default)
    if not values and variable.every:
        return variable.every if variable.label else f"({variable.every})"
    match form:
        case "raw" | "csv" | "text":
            return ",".join(values)
        case "pipe":
            return "|".join(values)
        case "doublequote":
            return ",".join(f'"{quoted(value)}"' for value in values)
        case "singlequote":
            return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)
        case "json":
            return json.dumps(values)
        case "regex":
            return alternatives([regex(value) for value in values]) if values else ""
    if not values:
        return ""
    if not variable.multi and not variable.every:
        return quoted(values[0])
    return alternatives([quoted_regex(value) for value in values])


def quoted(value: str) -> str:
    """A value as it stands between quotation marks."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def regex(value: str) -> str:
    """A regular expression that matches a value and nothing else."""
    return _SPECIAL.sub(r"\\\1", value)


def quoted_regex(value: str) -> str:
    """The same as it stands between quotation marks."""
    return _SPECIAL.sub(r"\\\\\1", value).replace('"', '\\"')


def alternatives(forms: Sequence[str]) -> str:
    """Regular expressions, any of which may match."""
    return forms[0] if len(forms) == 1 else f"({'|'.join(forms)})"


def kept(variable: Variable, values: Sequence[str]) -> list[str]:
    """Of a label's values those that the variable's regular expression lets through, in its order.

    Raises:
        ValueError: it is no regular expression.
    """
    found = list(values)
    if variable.regex:
        bare = variable.regex
        if bare.startswith("/"):
            bare = bare[1 : max(bare.rindex("/"), 1)]
        try:
            form = re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", bare))
        except re.error as wrong:
            raise ValueError(f"the variable {variable.name}: {bare} is no regular expression: {wrong}") from wrong
        matches = [form.search(value) for value in values]
        found = [match[1] if form.groups and match[1] is not None else match.string for match in matches if match]
    found = list(dict.fromkeys(found))
    if variable.sort:
        number = variable.sort in (3, 4)
        fold = variable.sort in (5, 6)
        found.sort(key=lambda value: _number(value) if number else (0.0, value.lower() if fold else value))
        if variable.sort % 2 == 0:
            found.reverse()
    return found


def _number(value: str) -> tuple[float, str]:
    found = re.search(r"\d+(\.\d+)?", value)
    return (float(found[0]) if found else -1.0, value)
