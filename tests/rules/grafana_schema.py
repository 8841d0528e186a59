"""A dashboard against the schema that Grafana publishes: the types of grafana-foundation-sdk.

The SDK reads a dashboard without looking at it: a field that it does not know is lost, and a value of the wrong type is
taken. So what it has read is written again, where a lost field is missing; and each value is held against the type that
the SDK declares for it.
"""

from __future__ import annotations

import enum
import json
import types
import typing
import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    # These are of the classic model, which Grafana provisions; the SDK would rather have the next one.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.cog.runtime import Runtime, UnknownDataquery, panelcfg_config
    from grafana_foundation_sdk.models import dashboard as schema

register_default_plugins()
_NUMBERS: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float)}


def faults(raw: dict[str, Any]) -> list[str]:
    """What of a dashboard is not as Grafana has it: where, and why; nothing if it is sound."""
    try:
        read = schema.Dashboard.from_json(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:
        return [f"it can't be read: {wrong!r}"]
    written = json.loads(JSONEncoder().encode(read))
    return [*_lost(raw, written, "dashboard"), *_typed(read, schema.Dashboard, "dashboard"), *_strange(read)]


def _lost(raw: Any, written: Any, at: str) -> Iterator[str]:
    if isinstance(raw, dict) and isinstance(written, dict):
        for name, value in raw.items():
            if name in written:
                yield from _lost(value, written[name], f"{at}.{name}")
            else:
                yield f"{at}.{name} is no field"
    elif isinstance(raw, list) and isinstance(written, list) and len(raw) == len(written):
        for index, (one, other) in enumerate(zip(raw, written, strict=True)):
            yield from _lost(one, other, f"{at}[{index}]")
    elif raw != written:
        yield f"{at} is {raw!r}, which Grafana reads as {written!r}"


def _typed(value: Any, hint: Any, at: str) -> Iterator[str]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return
        found = [list(_typed(value, each, at)) for each in inner if each is not type(None)]
        if all(found):
            # Of several types the one that fits furthest.
            yield from max(found, key=lambda each: max(len(said.partition(" ")[0]) for said in each))
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{at} is {value!r}, not one of {inner}"
    elif origin in (list, dict):
        if not isinstance(value, origin):
            yield f"{at} is {value!r}, not a {origin.__name__}"
            return
        for key, each in enumerate(value) if origin is list else value.items():
            yield from _typed(each, inner[-1], f"{at}[{key}]" if origin is list else f"{at}.{key}")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [each.value for each in hint]:
            yield f"{at} is {value!r}, not one of {[each.value for each in hint]}"
    elif hint in (object, Any) or hint.__module__.endswith("variants"):
        if hasattr(value, "to_json"):
            yield from _typed(value, type(value), at)
    elif isinstance(value, dict) and hasattr(hint, "from_json"):  # the SDK leaves some parts unread
        inside = hint.from_json(value)
        yield from _lost(value, json.loads(JSONEncoder().encode(inside)), at)
        yield from _typed(inside, hint, at)
    elif not isinstance(value, _NUMBERS.get(hint, hint)) or (hint in _NUMBERS and isinstance(value, bool)):
        yield f"{at} is {value!r}, not of the type {hint.__name__}"
    elif hasattr(hint, "to_json"):
        for name, each in typing.get_type_hints(type(value)).items():
            yield from _typed(getattr(value, name), each, f"{at}.{name}")


def _strange(read: schema.Dashboard) -> Iterator[str]:
    """Panels and queries of types that the schema says nothing about, so that nothing of them was looked at."""
    for panel in read.panels or ():
        for each in panel.panels if isinstance(panel, schema.RowPanel) else (panel,):
            if panelcfg_config(each.type_val) is None:
                yield f"{each.title!r} is of the type {each.type_val!r}, which Grafana does not have"
            for asked in (each, *(each.targets or ())):
                source = getattr(asked, "datasource", None)
                if isinstance(asked, UnknownDataquery) or (
                    source and source.type_val not in Runtime().dataquery_variants
                ):
                    yield f"{each.title!r} asks a datasource that Grafana does not have"
