"""What a CronJob's schedule means, so that two ways to write the same are the same."""

from __future__ import annotations

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Each field's least and greatest value, and the names of its values from the least on.
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_OF_DAYS = (2, 4)  # the fields of days: of the month, and of the week
_SHORT = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip


def meaning(schedule: str) -> tuple[frozenset[int], ...] | None:
    """The values of each field; None where it is no schedule of five fields.

    Where neither the day of the month nor that of the week is a star, it is due on the days of either; one more value
    says so.
    """
    fields = _SHORT.get(schedule.strip(), schedule).lower().split()
    if len(fields) != len(_FIELDS):
        return None
    try:
        found = [_values(text, *field) for text, field in zip(fields, _FIELDS, strict=True)]
    except ValueError:
        return None
    if any(_has_star(fields[place]) for place in _OF_DAYS):
        return tuple(found)
    every = {place: _values("*", *_FIELDS[place]) for place in _OF_DAYS}
    if any(found[place] == every[place] for place in _OF_DAYS):  # due every day
        return tuple(every.get(place, values) for place, values in enumerate(found))
    return (*found, frozenset(_OF_DAYS))


def _has_star(text: str) -> bool:
    """Is a field one that leaves the other one of the two to say on which days?"""
    parts = (each.partition("/") for each in text.split(","))
    return any(span in ("*", "?") and step in ("", "1") for span, _, step in parts)


def _values(text: str, least: int, most: int, names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = least, most
        else:
            begin = _value(first, least, names)
            end = _value(last, least, names) if dash else most if step else begin
        found |= set(range(begin, end + 1, int(step or "1")))
    return frozenset(found)


def _value(text: str, least: int, names: tuple[str, ...]) -> int:
    return names.index(text) + least if text in names else int(text)
