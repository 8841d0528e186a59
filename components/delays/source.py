"""Where flights come from: one file a day, `2013-01-05.csv.gz`, in a folder or below an address.

A file has a line for each flight, with the fields of POST /predict and `late` (1 or 0). The image carries the
departures from New York in 2013; another folder or address is named by its path or URL. Every request has a time
limit, and is tried again a few times.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from datetime import date, timedelta
from pathlib import Path

HERE = "/data/flights"  # in the image; DELAYS_DATA names another folder
CONNECT, READ, TRIES = 5, 30, 3  # s, s
LARGEST = 64 << 20  # bytes of one day, unpacked; a day of New York has 60 KB


class NoData(Exception):
    """A day can't be had; the text says which and why."""


def days(first: str, last: str) -> list[date]:
    """All days from the first to the last.

    Raises:
        ValueError: one is not written as YYYY-MM-DD, or they are the wrong way round, or more than ten years apart.
    """
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    if not 0 <= (end - begin).days <= 3660:
        raise ValueError(f"{first} to {last} is no range of days (ten years at most)")
    return [begin + timedelta(number) for number in range((end - begin).days + 1)]


def fetch(source: str, wanted: list[date]) -> dict[date, bytes]:
    """The unpacked file of each day.

    Args:
        source: a folder, an http(s) address below which the files are, or empty for the image's own data.

    Raises:
        NoData: some day can't be had.
    """
    if source.startswith(("http://", "https://")):
        return _from_web(source.rstrip("/"), wanted)
    folder = Path(source or os.environ.get("DELAYS_DATA", HERE))
    missing = [str(day) for day in wanted if not (folder / f"{day}.csv.gz").is_file()]
    if missing:
        raise NoData(f"{folder} has no file for {len(missing)} of {len(wanted)} days, the first is {missing[0]}")
    return {day: _unpack((folder / f"{day}.csv.gz").read_bytes(), str(day)) for day in wanted}


def digest(files: dict[date, bytes]) -> str:
    """SHA-256 of the days and what they hold: the same rows give the same digest wherever they came from."""
    whole = hashlib.sha256()
    for day in sorted(files):
        whole.update(f"{day} {hashlib.sha256(files[day]).hexdigest()}\n".encode())
    return whole.hexdigest()


def _from_web(address: str, wanted: list[date]) -> dict[date, bytes]:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    found = {}
    with requests.Session() as session:
        again = Retry(TRIES, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=again))
        for day in wanted:
            try:
                answer = session.get(f"{address}/{day}.csv.gz", timeout=(CONNECT, READ))
            except requests.RequestException as trouble:
                raise NoData(f"{address} can't be read for {day}: {trouble}") from trouble
            if answer.status_code != 200:
                raise NoData(f"{address}/{day}.csv.gz: HTTP {answer.status_code}")
            found[day] = _unpack(answer.content, str(day))
    return found


def _unpack(packed: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            text = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as trouble:
        raise NoData(f"the file of {name} is damaged: {trouble}") from trouble
    if len(text) > LARGEST:
        raise NoData(f"the file of {name} is larger than {LARGEST >> 20} MB")
    if not text.strip():
        raise NoData(f"the file of {name} is empty: not even a line with the columns' names is in it")
    return text
