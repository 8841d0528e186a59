"""Recurring runs: when the next one is due, and making those that are.

A run and the time of the one after it are kept in one transaction, so a server that is killed makes none twice.
Times are UTC. Cron has seconds as its first field, as in KFP (five fields begin at minutes, and @hourly works).
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from typing import Any

from croniter import CroniterError, croniter

from embedded import runs
from embedded.errors import ApiError, invalid
from embedded.store import Store, moment, now, stamp

NEVER = ""


def check(trigger: Any) -> dict[str, Any]:
    """A trigger in the API's form, once it is known to be right.

    Raises:
        ApiError: it is not; the message quotes the part.
    """
    kinds = [kind for kind in ("cron_schedule", "periodic_schedule") if isinstance(trigger, dict) and trigger.get(kind)]
    if len(kinds) != 1:
        raise invalid("trigger needs either a cron_schedule or a periodic_schedule")
    schedule = trigger[kinds[0]]
    for edge in ("start_time", "end_time"):
        if schedule.get(edge):
            try:
                moment(schedule[edge])
            except (ValueError, TypeError) as error:
                raise invalid(f"{edge} {schedule[edge]!r} is no RFC 3339 time") from error
    if kinds[0] == "periodic_schedule":
        text = str(schedule.get("interval_second", ""))
        if not text.isdigit() or int(text) < 1:
            raise invalid(f"interval_second {text!r} is no number of seconds from 1 on")
    else:
        try:
            _next_of(str(schedule.get("cron", "")), datetime.datetime.now(datetime.UTC))
        except (CroniterError, ValueError, TypeError, KeyError) as error:
            raise invalid(f"cron {schedule.get('cron')!r} can't be read: {error}") from error
    return {kinds[0]: schedule}


def following(trigger: dict[str, Any], after: datetime.datetime) -> str:
    """When the trigger fires next after a moment; NEVER when it does not any more."""
    ((kind, schedule),) = trigger.items()
    begin = moment(schedule["start_time"]) if schedule.get("start_time") else None
    if kind == "periodic_schedule":
        step = datetime.timedelta(seconds=int(schedule["interval_second"]))
        if begin is None:
            due = after + step
        else:  # at the start, then in whole steps from it
            due = begin if after < begin else begin + step * ((after - begin) // step + 1)
    else:
        base = max(after, begin - datetime.timedelta(seconds=1)) if begin else after
        try:
            due = _next_of(schedule["cron"], base)
        except CroniterError:  # such as the 30th of February
            return NEVER
    if schedule.get("end_time") and due > moment(schedule["end_time"]):
        return NEVER
    return stamp(due)


def start_due(store: Store) -> bool:
    """Make the runs that are due now; was there any?"""
    made = False
    for row in store.rows("select * from recurring where status = 'ENABLED' and next != '' and next <= ?", now()):
        made = _start(store, row) or made
    return made


def _start(store: Store, row: sqlite3.Row) -> bool:
    trigger, scheduled = json.loads(row["trigger"]), row["next"]
    with store.write():
        marks = ", ".join("?" * len(runs.ACTIVE))
        active = f"select count(*) from runs where recurring = ? and state in ({marks})"
        if store.value(active, row["id"], *runs.ACTIVE) >= row["concurrency"]:
            return False
        # Without catching up, what was missed while the server or the recurring run stood still is one run, not many.
        after = moment(scheduled) if row["catchup"] else max(moment(scheduled), datetime.datetime.now(datetime.UTC))
        number = row["started"] + 1
        store.update("recurring", row["id"], next=following(trigger, after), started=number)
        try:
            runs.make(
                store, name=f"{row['name']} {number}", document=json.loads(row["spec"]),
                parameters=json.loads(row["parameters"]), experiment=row["experiment"], pipeline=row["pipeline"],
                version=row["version"], account=row["account"], recurring=row["id"], scheduled=scheduled,
            )  # fmt: skip
        except ApiError as error:  # it was right when it was made, so this is a newer server's stricter check
            store.update("recurring", row["id"], status="DISABLED", description=f"disabled: {error.message}")
            return False
    return True


def _next_of(cron: str, after: datetime.datetime) -> datetime.datetime:
    due: datetime.datetime = croniter(cron, after, second_at_beginning=True).get_next(datetime.datetime)
    return due.astimezone(datetime.UTC)
