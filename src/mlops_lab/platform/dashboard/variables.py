"""Variables in queries: `$name`, `${name}`, and Grafana's own `$__range`, `$__interval` and `$__rate_interval`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlops_lab.platform.dashboard.boards import Variable

SCRAPED = 10  # s between two scrapes; see the chart
_NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SPECIAL = re.compile(r"([\\^$.*+?()\[\]{}|/])")


def fill(
    text: str, variables: Sequence[Variable], chosen: Mapping[str, Sequence[str]], *, span: int = 3600, step: int = 10
) -> str:
    """A query with its variables filled in, as Grafana does it for Prometheus.

    Args:
        chosen: values by variable; nothing chosen means all where the variable allows that.
        span: seconds that are shown.
        step: seconds between two points.

    Raises:
        KeyError: the text names a variable that there is not.
    """
    known = {each.name: _value(each, chosen.get(each.name, ())) for each in variables}
    rate = max(step + SCRAPED, 4 * SCRAPED)
    own = {"__range": f"{span}s", "__range_s": str(span), "__interval": f"{step}s", "__rate_interval": f"{rate}s"}
    return _NAMED.sub(lambda found: {**known, **own}[found.group(1) or found.group(2)], text)


def step_for(span: int) -> int:
    """Seconds between two points: 240 points at most, and none between two scrapes."""
    return max(SCRAPED, -(-span // 240 // SCRAPED) * SCRAPED)


def _value(variable: Variable, chosen: Sequence[str]) -> str:
    values = list(chosen) or list(variable.default)
    if not variable.label:
        return values[0] if values else ""
    if not values:
        return variable.every
    if not variable.multi:
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
