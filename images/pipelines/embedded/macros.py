"""What stands in a run's parameters for its id and its times, such as [[RunUUID]] and [[ScheduledTime.2006-01-02]],
filled in as KFP's API server does it: what it does not know stays as it is. All times are UTC, in whole seconds."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from embedded.store import moment

_MACRO = re.compile(r"\[\[(?:(RunUUID)|(Scheduled|Current)Time(?:\.(.*?))?)\]\]")
_STRFTIME = re.compile(r"\{\{\$\.(scheduled|current)Time\.strftime\('(.*?)'\)\}\}")
# How Go writes layouts of times: by the parts of one moment, the 2nd of January 2006, 15:04:05.
_LAYOUT = {
    "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "MST": "UTC", "2006": "%Y", "002": "%j",
    "01": "%m", "02": "%d", "03": "%I", "04": "%M", "05": "%S", "06": "%y", "15": "%H", "PM": "%p", "_2": "%e",
    "Z07:00": "Z", "Z0700": "Z", "-07:00": "+00:00", "-0700": "+0000", "-07": "+00",
    "1": "%-m", "2": "%-d", "3": "%-I", "4": "%-M", "5": "%-S",
}  # fmt: skip
_PART = re.compile("|".join(re.escape(part) for part in _LAYOUT))
_STANDARD = "20060102150405"


def filled(parameters: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's parameters with what stands in its texts filled in.

    Args:
        run: its row; of it `id`, `created` and `scheduled`.
    """
    times = {"current": moment(run["created"]), "scheduled": moment(run["scheduled"])}

    def macro(found: re.Match[str]) -> str:
        return str(run["id"]) if found[1] else _formatted(times[found[2].lower()], found[3] or _STANDARD)

    def fill(text: str) -> str:
        return _STRFTIME.sub(lambda found: _strftime(times[found[1]], found[2]), _MACRO.sub(macro, text))

    return {name: fill(value) if isinstance(value, str) else value for name, value in parameters.items()}


def _formatted(at: datetime.datetime, layout: str) -> str:
    return _PART.sub(lambda part: at.strftime(_LAYOUT[part[0]]), layout)


def _strftime(at: datetime.datetime, form: str) -> str:
    known = form.replace("%s", str(int(at.timestamp())))
    return re.sub("%[A-Za-z%]", lambda part: at.strftime(part[0]), known)
