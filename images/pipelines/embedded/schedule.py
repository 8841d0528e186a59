"""Recurring runs: when the next one is due, and making those that are.

A run and the time of the one after it are kept in one transaction, so a server that is killed makes none twice.
As in KFP, the first is due one interval after start_time (or after the recurring run was made), or when cron says so
next, strictly after it; a start_time that is past is caught up with. Times are UTC.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
import traceback
from typing import Any

from croniter import CroniterError

from embedded import cron, differences, runs
from embedded.errors import ApiError, invalid, missing
from embedded.store import Store, moment, now, stamp

NEVER = ""
_LONGEST = 100 * 366 * 86400  # seconds


def check(trigger: Any) -> dict[str, Any]:
    """A trigger in the API's form, once it is known to be right.

    Raises:
        ApiError: it is not; the message quotes the part.
    """
    kinds = [kind for kind in ("cron_schedule", "periodic_schedule") if isinstance(trigger, dict) and trigger.get(kind)]
    if len(kinds) != 1 or not isinstance(trigger[kinds[0]], dict):
        raise invalid("trigger needs either a cron_schedule or a periodic_schedule")
    schedule = trigger[kinds[0]]
    for edge in ("start_time", "end_time"):
        if schedule.get(edge):
            try:
                stamp(moment(schedule[edge]))
            except (ValueError, TypeError, OverflowError) as error:
                raise invalid(f"{edge} {schedule[edge]!r} is no RFC 3339 time") from error
    if kinds[0] == "periodic_schedule":
        text = str(schedule.get("interval_second", ""))
        if not text.isdecimal() or len(text) > 10 or not 1 <= int(text) <= _LONGEST:
            raise invalid(f"interval_second {text[:20]!r} is no number of seconds from 1 to {_LONGEST}")
    else:
        text = str(schedule.get("cron", ""))
        try:
            _next_of(text, _now())
        except (CroniterError, OverflowError) as error:
            raise invalid(f"cron {text[:200]!r} names no time: {error}") from error
    return {kinds[0]: schedule}


def first(trigger: dict[str, Any]) -> str:
    """When a trigger that is new fires first; that may be past."""
    ((_, schedule),) = trigger.items()
    return following(trigger, moment(schedule["start_time"]) if schedule.get("start_time") else _now())


def following(trigger: dict[str, Any], after: datetime.datetime) -> str:
    """When the trigger fires next after a moment; NEVER when it does not any more."""
    ((kind, schedule),) = trigger.items()
    begin = moment(schedule["start_time"]) if schedule.get("start_time") else after
    after = max(after, begin)
    try:
        if kind == "periodic_schedule":
            step = datetime.timedelta(seconds=int(schedule["interval_second"]))
            due = begin + step * ((after - begin) // step + 1)
        else:
            due = _next_of(schedule["cron"], after)
    except (CroniterError, OverflowError):  # such as the 30th of February, or after the year 9999
        return NEVER
    if schedule.get("end_time") and due > moment(schedule["end_time"]):
        return NEVER
    return stamp(due)


def disable_older(store: Store) -> None:
    """Disable what an older server made with five cron fields, which began with the minutes there: once in the life of
    a database. For a server that does not serve yet. Enabled again, they come when five fields say so now."""
    with store.write() as db:
        if not db.execute("insert or ignore into kv values ('cron', 'seconds first')").rowcount:
            return
        for row in store.rows("select id, trigger from recurring where status = 'ENABLED'"):
            if why := _five_fields(json.loads(row["trigger"])):
                text = f"disabled: the server was upgraded. {why}"
                store.update("recurring", row["id"], status="DISABLED", description=text[:2000], next=NEVER)


def start_due(store: Store) -> None:
    """Make the runs that are due now. What can't be made disables its own recurring run, and stops nothing else."""
    for row in store.rows("select * from recurring where status = 'ENABLED' and next != '' and next <= ?", now()):
        try:
            _start(store, row)
        except sqlite3.OperationalError:  # such as a full volume, which is not this one's fault
            raise
        except Exception as error:
            why = error.message if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, ApiError):
                traceback.print_exc()
            store.update("recurring", row["id"], status="DISABLED", description=f"disabled: {why}"[:2000])


def _start(store: Store, row: sqlite3.Row) -> None:
    trigger, scheduled = json.loads(row["trigger"]), row["next"]
    with store.write():
        marks = ", ".join("?" * len(runs.ACTIVE))
        active = f"select count(*) from runs where recurring = ? and state in ({marks})"
        if store.value(active, row["id"], *runs.ACTIVE) >= row["concurrency"]:
            return
        due = following(trigger, moment(scheduled))
        if due and due <= now() and not row["catchup"]:
            # What was missed while the server or the recurring run stood still is one run, the latest, not many.
            scheduled = _latest(trigger, due)
            due = following(trigger, moment(scheduled))
        number = row["started"] + 1
        store.update("recurring", row["id"], next=due, started=number)
        version, spec = _pipeline(store, row)
        run = runs.make(
            store, name=f"{row['name']} {number}", document=json.loads(spec),
            parameters=json.loads(row["parameters"]), experiment=row["experiment"], pipeline=row["pipeline"],
            version=version, account=row["account"], recurring=row["id"], scheduled=scheduled,
        )  # fmt: skip
        if why := _five_fields(trigger):
            runs.warn(store, run["id"], [why])


def _five_fields(trigger: dict[str, Any]) -> str:
    """What to know about a trigger whose cron has five fields; empty for others."""
    text = str(trigger.get("cron_schedule", {}).get("cron", ""))
    if len(text.split()) != 5:
        return ""
    return (
        f"cron {text!r} has five fields, the first of which are the seconds, here as on {differences.BACKEND}: if they "
        f"are to be the minutes, make a recurring run with six fields, '0 {text}', in place of this one"
    )


def _latest(trigger: dict[str, Any], due: str) -> str:
    """The last time that is past, of those from `due` on."""
    ((kind, schedule),) = trigger.items()
    begin, end = moment(due), _now()
    if schedule.get("end_time"):
        end = min(end, moment(schedule["end_time"]))
    if kind == "periodic_schedule":
        step = datetime.timedelta(seconds=int(schedule["interval_second"]))
        return stamp(begin + step * ((end - begin) // step))
    return stamp(cron.latest(schedule["cron"], begin, end))


def _pipeline(store: Store, row: sqlite3.Row) -> tuple[str, str]:
    """The version to run and its specification: the newest one where a pipeline alone was named, as in KFP."""
    if row["version"] or not row["pipeline"]:
        return row["version"], row["spec"]
    newest = "select id, spec from versions where pipeline = ? order by created desc, rowid desc limit 1"
    found = store.row(newest, row["pipeline"])
    if found is None:
        raise missing("a version of pipeline", row["pipeline"])
    return found["id"], found["spec"]


def _next_of(text: str, after: datetime.datetime) -> datetime.datetime:
    try:
        return cron.following(text, after)
    except CroniterError:
        raise
    except ValueError as error:
        raise invalid(f"cron {text[:200]!r} can't be read: {error}") from error


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
