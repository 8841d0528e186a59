"""Cron as KFP reads it, by version 1 of robfig/cron: six fields, of which the first are the seconds, or five, without
the day of the week; or @hourly and the like, or @every with a duration. Other libraries take more, such as L and R.

All times are UTC.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

from croniter import croniter

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Of each field the least and the greatest number, and the names of numbers.
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 59, {}), (0, 23, {}), (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)  # fmt: skip
_DAY, _WEEKDAY = 3, 5  # of the fields
_WORDS = {
    "@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}  # fmt: skip
_EVERY = "@every "
_UNITS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_SECOND = datetime.timedelta(seconds=1)


def following(cron: str, after: datetime.datetime) -> datetime.datetime:
    """When it says so next, strictly after a moment.

    Raises:
        CroniterError: never.
        OverflowError: not before the year 10000.
        ValueError: it can't be read.
    """
    if step := _every(cron):
        return after.replace(microsecond=0) + step
    due: datetime.datetime = _times(cron, after).get_next(datetime.datetime)
    return due


def latest(cron: str, due: datetime.datetime, end: datetime.datetime) -> datetime.datetime:
    """The last time before another, of those from `due` on, which is one."""
    if step := _every(cron):
        return due + step * ((end - due) // step)
    last: datetime.datetime = _times(cron, end).get_prev(datetime.datetime)
    return max(due, last)


def _every(cron: str) -> datetime.timedelta | None:
    """The time from each to the next, in whole seconds and at least one; None for another kind."""
    if not cron.startswith(_EVERY):
        return None
    text = cron.removeprefix(_EVERY)
    if text not in ("0", "+0", "-0") and not re.fullmatch(f"[-+]?({_PART})+", text):
        raise ValueError(f"{text!r} is no duration, such as 1h30m")
    seconds = sum(Decimal(number) * Decimal(_UNITS[unit]) for number, unit in re.findall(_PART, text))
    return max(_SECOND, datetime.timedelta(seconds=int(seconds))) if not text.startswith("-") else _SECOND


def _times(cron: str, beside: datetime.datetime) -> croniter:
    fields, both = _days(cron)
    # Its fields are of the zone of the moment that it begins at.
    start = beside.astimezone(datetime.UTC)
    return croniter(" ".join(fields), start, second_at_beginning=True, day_or=not both)


def _days(cron: str) -> tuple[list[str], bool]:
    """Six fields of numbers or *, and whether both days have to be right, that of the month and that of the week. If
    both are limited, one is enough; a field is not limited if there is a * in it, also as in */2."""
    if cron.startswith("@") and cron not in _WORDS:
        raise ValueError(f"there are {', '.join(_WORDS)} and @every, as in @every 1h30m")
    texts = _WORDS.get(cron, cron).split()
    if len(texts) not in (5, 6):
        raise ValueError("it needs six fields, of which the first are the seconds")
    read = [_field(text, *form) for text, form in zip([*texts, "*"], _FIELDS, strict=False)]
    whole = [len(numbers) == most - least + 1 for (numbers, _), (least, most, _) in zip(read, _FIELDS, strict=True)]
    both = read[_DAY][1] or read[_WEEKDAY][1]
    if not both and (whole[_DAY] or whole[_WEEKDAY]):  # each day is one of these
        whole[_DAY] = whole[_WEEKDAY] = True
    fields = [
        "*" if all_ else ",".join(map(str, sorted(numbers))) for (numbers, _), all_ in zip(read, whole, strict=True)
    ]
    return fields, both


def _field(text: str, least: int, most: int, names: dict[str, int]) -> tuple[set[int], bool]:
    """The numbers that a field stands for, and whether there is a * in it."""
    numbers: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        range_, slash, step = part.partition("/")
        low, dash, high = range_.partition("-")
        if low in ("*", "?"):
            first, last, star = least, most, True
        else:
            first = _number(low, names)
            last = _number(high, names) if dash else most if slash else first
        by = _number(step, {}) if slash else 1
        if not least <= first <= last <= most or not by:
            raise ValueError(f"{part!r} is not within {least} and {most}, from less to more")
        numbers.update(range(first, last + 1, by))
    if not numbers:
        raise ValueError(f"{text!r} has no number in it")
    return numbers, star


def _number(text: str, names: dict[str, int]) -> int:
    if (number := names.get(text.lower())) is not None:
        return number
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number" + (f" and none of {', '.join(names)}" if names else ""))
    return int(text)
