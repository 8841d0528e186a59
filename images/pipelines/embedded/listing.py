"""List requests: the filter JSON with its predicates, sort_by, page_size and page_token.

A page token holds where the page before ended, and the filter and order it was made with, so pages neither repeat nor
miss what was there when the first was read.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from embedded import jsons
from embedded.errors import invalid
from embedded.store import Store, moment, stamp

# The SDK sends names or numbers of filter.proto's operations.
_OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
_COMPARE = {
    "EQUALS": "=",
    "NOT_EQUALS": "!=",
    "GREATER_THAN": ">",
    "GREATER_THAN_EQUALS": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_EQUALS": "<=",
}
_VALUES = ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values")
_MOST = 200
_ITEMS = 1000  # of one IN
_PREDICATES = 50
_HEAVY = 4 << 20  # characters of pipelines and parameters on one page


def page(
    store: Store,
    table: str,
    columns: Mapping[str, str],
    query: Mapping[str, str],
    *,
    where: str = "1",
    args: tuple[Any, ...] = (),
    read: str = "*",
    heavy: tuple[str, ...] = (),
) -> tuple[list[sqlite3.Row], int, str]:
    """One page of a table: its rows, the number of all that match, and the next page's token (or "").

    Args:
        columns: the table's column for each key that a filter or an order may name.
        query: the request's query.
        where, args: what holds for the list whatever the filter says.
        read: the columns to read; pipelines are large, and rows may stand in long lists.
        heavy: columns that have to be read though they are large: a page ends before it has too much of them.

    Raises:
        ApiError: a filter, order, size or token that can't be used.
    """
    state = _state(query)
    clauses, values = [f"({where})"], list(args)
    for predicate in _predicates(state["filter"]):
        clause, more = _clause(predicate, columns)
        clauses.append(clause)
        values += more
    total = store.value(f"select count(*) from {table} where {' and '.join(clauses)}", *values)
    column, descending = _order(state["sort"], columns)
    if state["after"] is not None:
        clauses.append(f"({column}, id) {'<' if descending else '>'} (?, ?)")
        values += state["after"]
    size = _size(query.get("page_size", ""))
    way = "desc" if descending else "asc"
    if heavy:
        length = " + ".join(f"length({each})" for each in heavy)
        size = min(size, _few(store, f"select {length} from {table} where {' and '.join(clauses)} "
                              f"order by {column} {way}, id {way} limit ?", *values, size))  # fmt: skip
    rows = store.rows(
        f"select {read} from {table} where {' and '.join(clauses)} order by {column} {way}, id {way} limit ?",
        *values,
        size + 1,
    )
    token = ""
    if len(rows) > size:
        rows = rows[:size]
        last = {**state, "after": [rows[-1][column], rows[-1]["id"]]}
        token = base64.urlsafe_b64encode(json.dumps(last).encode()).decode()
    return rows, int(total or 0), token


def _few(store: Store, sql: str, *args: Any) -> int:
    """How many of the rows, whose sizes the query tells, a page may have; at least one."""
    sizes: list[int] = [row[0] for row in store.rows(sql, *args)]
    return max(1, sum(size <= _HEAVY for size in accumulate(sizes)))


def _state(query: Mapping[str, str]) -> dict[str, Any]:
    given = {"filter": query.get("filter", ""), "sort": query.get("sort_by", ""), "after": None}
    token = query.get("page_token", "")
    if not token:
        return given
    try:
        state = jsons.read(base64.urlsafe_b64decode(token.encode()))
        texts = [state["filter"], state["sort"], state["after"][1]]
        if set(state) != set(given) or len(state["after"]) != 2 or not all(isinstance(each, str) for each in texts):
            raise ValueError
        _plain(state["after"][0])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise invalid("page_token is none that this server gave out") from error
    for key in ("filter", "sort"):
        if given[key] and given[key] != state[key]:
            raise invalid(f"page_token was made with another {'sort_by' if key == 'sort' else key}")
    return dict(state)


def _predicates(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        read = jsons.read(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"filter is no JSON: {error}") from error
    found = (read.get("predicates") or []) if isinstance(read, dict) and read.keys() <= {"predicates"} else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise invalid('filter has to be {"predicates": [...]}')
    if len(found) > _PREDICATES:
        raise invalid(f"filter: at most {_PREDICATES} predicates")
    return [{_snake(key): value for key, value in each.items()} for each in found]


def _clause(predicate: dict[str, Any], columns: Mapping[str, str]) -> tuple[str, list[Any]]:
    key, operation = predicate.get("key"), predicate.get("operation")
    operation = _OPERATIONS.get(operation, "") if isinstance(operation, int) else str(operation)
    if not isinstance(key, str) or key not in columns:
        raise invalid(f"filter: no key {key!r}; there are: {', '.join(sorted(columns))}")
    column = columns[key]
    given = [name for name in _VALUES if predicate.get(name) is not None]
    if len(given) != 1:
        raise invalid(f"filter: the predicate on {key!r} needs one value, such as string_value")
    value = predicate[given[0]]
    if operation == "IN":
        items = value.get("values") if isinstance(value, dict) else value
        if not given[0].endswith("_values") or not isinstance(items, list) or not items:
            raise invalid("filter: IN needs string_values, int_values or long_values")
        if len(items) > _ITEMS:
            raise invalid(f"filter: IN takes at most {_ITEMS} values")
        return f"{column} in ({', '.join('?' * len(items))})", [_value(each, given[0]) for each in items]
    if given[0].endswith("_values"):
        raise invalid(f"filter: {operation} takes one value, not a list")
    if operation == "IS_SUBSTRING":
        return f"instr({column}, ?) > 0", [str(value)]
    if operation not in _COMPARE:
        raise invalid(f"filter: no operation {operation!r}; there are: {', '.join([*_COMPARE, 'IN', 'IS_SUBSTRING'])}")
    return f"{column} {_COMPARE[operation]} ?", [_value(value, given[0])]


def _value(value: Any, kind: str) -> Any:
    try:
        if kind == "timestamp_value":
            return stamp(moment(str(value)))
        return _plain(str(value) if kind.startswith("string") else int(value))
    except (ValueError, TypeError, OverflowError) as error:
        raise invalid(f"filter: {value!r} is no {kind}") from error


def _plain(value: Any) -> str | int:
    """A value that the database can compare with.

    Raises:
        ValueError: it is of another type, or larger than any number there.
    """
    if isinstance(value, str) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63):
        return value
    raise ValueError(f"{value!r:.40} can't be compared with")


def _order(text: str, columns: Mapping[str, str]) -> tuple[str, bool]:
    words = text.split()
    if not words:
        return columns["created_at"], False
    if words[0] not in columns or words[1:] not in ([], ["asc"], ["desc"]):
        raise invalid(f"sort_by {text!r}: it has to be a key ({', '.join(sorted(columns))}), then asc or desc")
    return columns[words[0]], words[1:] == ["desc"]


def _size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        size = -1
    if size < 0:
        raise invalid(f"page_size {text!r} is no number from 0 on")
    return min(size, _MOST) or 20


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
