"""Numbers as people read them, by the units that Grafana names."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SHORT = ("", " K", " Mil", " Bil", " Tri", " Quadr")
_METRIC = ("", "k", "M", "G", "T", "P")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_DURATION = (
    (1e-6, 1e-9, " ns"), (1e-3, 1e-6, " µs"), (1, 1e-3, " ms"), (60, 1, " s"), (3600, 60, " min"),
    (86400, 3600, " hour"), (604800, 86400, " day"), (31536000, 604800, " week"), (math.inf, 31536000, " year"),
)  # fmt: skip
EMPTY = "-"


@dataclass(frozen=True)
class Unit:
    """How a unit is written.

    Args:
        suffix, prefix: what stands around the number.
        factor: what a value is multiplied with first; of times, seconds.
        steps: what a number's thousands are called; empty where it is never scaled.
        base: how many of one step make one of the next.
        time: it is a duration, in the largest unit that gives at least one.
        words: what zero and everything else are called.
    """

    suffix: str = ""
    prefix: str = ""
    factor: float = 1
    steps: tuple[str, ...] = ()
    base: int = 1000
    time: bool = False
    words: tuple[str, str] | None = None


def _rate(what: str) -> Unit:
    return Unit(what, steps=_SHORT)


def _metric(what: str, base: int = 1000) -> Unit:
    return Unit(what, steps=tuple(f" {step}" for step in (_METRIC if base == 1000 else _BINARY)), base=base)


UNITS: dict[str, Unit] = {
    "none": Unit(),
    "string": Unit(),
    "short": Unit(steps=_SHORT),
    "percent": Unit("%"),
    "percentunit": Unit("%", factor=100),
    "ns": Unit(factor=1e-9, time=True),
    "µs": Unit(factor=1e-6, time=True),
    "ms": Unit(factor=1e-3, time=True),
    "s": Unit(time=True),
    "m": Unit(factor=60, time=True),
    "h": Unit(factor=3600, time=True),
    "d": Unit(factor=86400, time=True),
    "bytes": _metric("B", 1024),
    "decbytes": _metric("B"),
    "bits": _metric("b", 1024),
    "decbits": _metric("b"),
    "Bps": _metric("B/s"),
    "binBps": _metric("B/s", 1024),
    "bps": _metric("b/s"),
    "binbps": _metric("b/s", 1024),
    "hertz": _metric("Hz"),
    "cps": _rate(" c/s"),
    "ops": _rate(" ops/s"),
    "reqps": _rate(" req/s"),
    "rps": _rate(" rd/s"),
    "wps": _rate(" wr/s"),
    "iops": _rate(" io/s"),
    "eps": _rate(" evt/s"),
    "mps": _rate(" msg/s"),
    "cpm": _rate(" c/min"),
    "opm": _rate(" ops/min"),
    "reqpm": _rate(" req/min"),
    "rpm": _rate(" rd/min"),
    "wpm": _rate(" wr/min"),
    "currencyEUR": Unit(prefix="€", steps=_SHORT),
    "currencyUSD": Unit(prefix="$", steps=_SHORT),
    "currencyGBP": Unit(prefix="£", steps=_SHORT),
    "bool": Unit(words=("False", "True")),
    "bool_on_off": Unit(words=("Off", "On")),
    "bool_yes_no": Unit(words=("No", "Yes")),
}


def unit(name: str) -> Unit:
    """A unit by the name that a dashboard gives it; one that is not known stands behind the number as it is."""
    if name in UNITS:
        return UNITS[name]
    kind, _, rest = name.partition(":")
    if kind == "prefix":
        return Unit(prefix=rest)
    if kind == "currency":
        return Unit(prefix=rest, steps=_SHORT)
    if kind == "count":
        return _rate(f" {rest}")
    if kind == "si":
        return _metric(rest)
    text = rest if kind == "suffix" else name
    return Unit(f" {text}" if text else "")


def form(value: float | None, name: str = "", decimals: int | None = None) -> str:
    """A value in a unit, such as `1.5 GiB`."""
    if value is None:
        return EMPTY
    it = unit(name)
    if it.words:
        return it.words[int(value != 0)]
    value *= it.factor
    if it.time:
        return _duration(value, decimals)
    step = ""
    if it.steps:
        index = min(int(math.log(abs(value), it.base) + 1e-9), len(it.steps) - 1) if abs(value) >= it.base else 0
        value, step = value / it.base**index, it.steps[index]
    return f"{it.prefix}{digits(value, decimals)}{step}{it.suffix}"


def digits(value: float, decimals: int | None = None) -> str:
    """A number with so many decimals; without a wish with three digits that say something."""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == int(value):
        return str(int(value))
    places = min(9, max(0, 2 - math.floor(math.log10(abs(value)))))
    text = f"{value:.{places}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def axis(name: str, most: float) -> dict[str, str]:
    """What an axis of the page's charts is told, by the unit and the largest value on it."""
    it = unit(name)
    if name == "percentunit":
        return {"tickformat": ".3~%"}
    if name == "s":
        return {"tickformat": "~s", "ticksuffix": "s"}
    suffix = f" {name}" if it.time else it.suffix
    return {"tickformat": "~s" if most >= it.base and it.steps else "~g", "tickprefix": it.prefix, "ticksuffix": suffix}


def _duration(seconds: float, decimals: int | None) -> str:
    size = abs(seconds)
    if size == 0:
        return "0 s"
    scale, name = next((scale, name) for limit, scale, name in _DURATION if size < limit)
    text = digits(seconds / scale, decimals)
    plural = "s" if len(name) > 3 and text != "1" else ""
    return f"{text}{name}{plural}"
