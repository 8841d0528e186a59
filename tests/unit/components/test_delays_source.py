"""Days of flights come from a folder or an address, whole or with the reason why not."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from delays import rows, source

THREE = source.days("2013-03-01", "2013-03-03")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web(days: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(days)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_folder_and_an_address_give_the_same(days: Path, web: str) -> None:
    assert source.digest(source.fetch(str(days), THREE)) == source.digest(source.fetch(web + "/", THREE))


def test_the_digest_changes_with_a_row_and_with_a_day(days: Path) -> None:
    files = source.fetch(str(days), THREE)
    first = source.digest(files)
    assert source.digest(dict(reversed(files.items()))) == first
    assert source.digest({**files, THREE[0]: files[THREE[0]] + b"\n"}) != first
    assert source.digest({THREE[0]: files[THREE[0]]}) != first


def test_a_missing_day_is_named(days: Path, web: str) -> None:
    year = [date(2012, 1, 1)]
    with pytest.raises(source.NoData, match="2012-01-01"):
        source.fetch(str(days), year)
    with pytest.raises(source.NoData, match="HTTP 404"):
        source.fetch(web, year)


def test_an_address_where_nothing_listens_ends_soon() -> None:
    with pytest.raises(source.NoData, match="can't be read"):
        source.fetch("http://127.0.0.1:9", THREE[:1])


PACKED = gzip.compress(bytes(range(256)) * 4)


@pytest.mark.parametrize(
    "content",
    [b"not gzip", PACKED[:20], PACKED[:10] + b"\xff" + PACKED[11:], PACKED[:-5] + b"\0" + PACKED[-4:]],
    ids=["other", "cut", "a bad byte", "a bad sum"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "2013-03-01.csv.gz").write_bytes(content)
    with pytest.raises(source.NoData, match="2013-03-01 is damaged"):
        source.fetch(str(tmp_path), THREE[:1])


@pytest.mark.parametrize("text", [b"", b"\n"])
def test_an_empty_day_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "2013-03-01.csv.gz").write_bytes(gzip.compress(text))
    with pytest.raises(source.NoData, match="2013-03-01 is empty"):
        source.fetch(str(tmp_path), THREE[:1])


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGEST", 1000)
    (tmp_path / "2013-03-01.csv.gz").write_bytes(gzip.compress(b"x" * 1001))
    with pytest.raises(source.NoData, match="larger"):
        source.fetch(str(tmp_path), THREE[:1])


@pytest.mark.parametrize(
    "span", [("2013-03-02", "2013-03-01"), ("2013-02-30", "2013-03-01"), ("1900-01-01", "2013-01-01")]
)
def test_a_range_that_is_none_is_refused(span: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"range|day"):
        source.days(*span)


def test_days_with_other_columns_are_not_joined(days: Path) -> None:
    files = source.fetch(str(days), THREE)
    with pytest.raises(ValueError, match="other columns"):
        rows.join({**files, THREE[2]: b"a,b\n1,2\n"})
