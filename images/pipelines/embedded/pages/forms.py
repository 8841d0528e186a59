"""The form that starts a run, once or again and again: a field for each of the pipeline's parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embedded import jsons, runs
from embedded.api import recurring
from embedded.api import runs as api
from embedded.api.context import context, found
from embedded.api.pipelines import newest_version, version_row
from embedded.errors import ApiError, invalid
from embedded.pages import render
from embedded.pages.runs import experiments
from embedded.store import Store, now

_PREFIX = "p."  # of the names of parameters' fields
_SAID = 200  # characters of a value in a message
_KINDS = {
    "NUMBER_INTEGER": "integer", "NUMBER_DOUBLE": "number", "STRING": "text", "BOOLEAN": "true or false",
    "LIST": "list (JSON)", "STRUCT": "object (JSON)",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A parameter's field.

    Args:
        type: as the pipeline's specification names it; `kind` says it to people.
        value: what stands in the field.
        default: what the run gets if nothing is given; None if there is none.
        choices: the only values that it may have, if the pipeline says so.
    """

    name: str
    type: str
    value: str
    default: str | None
    optional: bool
    description: str
    choices: tuple[str, ...]

    @property
    def required(self) -> bool:
        """Does it have to be given?"""
        return self.default is None and not self.optional

    @property
    def kind(self) -> str:
        """The type in words."""
        return _KINDS.get(self.type, self.type)

    @property
    def input(self) -> str:
        """The name of the field in the form."""
        return _PREFIX + self.name


def fields(document: dict[str, Any], values: Mapping[str, Any]) -> list[Field]:
    """The fields of a pipeline's form.

    Args:
        values: what the parameters are to have instead of their defaults.
    """
    declared = document["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    made = []
    for name, spec in sorted(declared.items()):  # in the specification they have no order
        type_ = spec.get("parameterType", "")
        default = _shown(spec["defaultValue"], type_) if "defaultValue" in spec else None
        made.append(
            Field(
                name, type_,
                value=_shown(values[name], type_) if name in values else default or "",
                default=default, optional=bool(spec.get("isOptional")), description=spec.get("description", ""),
                choices=tuple(str(each) for each in spec.get("literals", ())),
            )
        )  # fmt: skip
    return made


def _shown(value: Any, type_: str) -> str:
    if type_ == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        value = int(value)
    return render.written(value)  # all of it: the form sends it back


def values(document: dict[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a form gives.

    Raises:
        ApiError: a field can't be read as its parameter's type.
    """
    given: dict[str, Any] = {}
    for field in fields(document, {}):
        text = str(form.get(field.input, "")).replace("\r\n", "\n")
        if not text and (field.type != "STRING" or field.default is None or (field.optional and not field.default)):
            continue  # not given: the default stands, or it is refused as missing
        try:
            given[field.name] = text if field.type == "STRING" else _READ.get(field.type, str)(text.strip())
        except (ValueError, RecursionError) as error:
            said = repr(text if len(text) <= _SAID else f"{text[:_SAID]} ...")
            raise invalid(f"the parameter {field.name} is of type {field.kind}; {said} is not") from error
    return given


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)  # JSON has no such number
    return value


_READ: dict[str, Any] = {
    "NUMBER_INTEGER": int, "NUMBER_DOUBLE": _number, "BOOLEAN": _boolean, "LIST": jsons.read, "STRUCT": jsons.read,
}  # fmt: skip


async def new(request: Request) -> Response:
    """GET the form; without ?version or ?clone the choice of a pipeline."""
    return _form(request, request.query_params, again=request.url.path.startswith("/recurring"))


def _form(request: Request, given: Mapping[str, Any], *, again: bool, error: str = "") -> Response:
    store = context(request).store
    source = _source(store, given)
    if source is None:
        return render.page(request, "choose.html", again=again, pipelines=_choices(store), given=given)
    filled = {key[len(_PREFIX) :]: str(value) for key, value in given.items() if key.startswith(_PREFIX)}
    shown = fields(source["document"], filled if filled else source["parameters"])
    name = f"{source['name']} {now()[:16].replace('T', ' ')}"
    return render.page(
        request, "form.html", 400 if error else 200, again=again, error=error, fields=shown, source=source,
        experiments=experiments(store), given={"name": name, **source["given"], **given},
    )  # fmt: skip


def _source(store: Store, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is to be run: a version, the newest of a pipeline, or what another run ran."""
    if key := given.get("clone"):
        row = runs.get(store, key)
        version = store.row("select * from versions where id = ?", row["version"])
        return {
            "document": json.loads(row["spec"]),
            "parameters": json.loads(row["parameters"]),
            "name": f"Clone of {row['name']}"[:230],
            "version": version,
            "clone": row,
            "given": {
                "name": f"Clone of {row['name']}"[:256],
                "experiment": row["experiment"],
                "description": row["description"],
            },
        }
    version = None
    if key := given.get("version"):
        version = found(store, "versions", "pipeline version", key)
    elif key := given.get("pipeline"):
        version = newest_version(store, key)
    if version is None:
        return None
    name = store.value("select display from pipelines where id = ?", version["pipeline"])
    return {
        "document": json.loads(version["spec"]), "parameters": {}, "name": name, "version": version, "clone": None,
        "given": {},
    }  # fmt: skip


def _choices(store: Store) -> list[tuple[str, list[Any]]]:
    rows = store.rows(
        "select versions.id, versions.display, versions.created, pipelines.display as of from versions "
        "join pipelines on pipelines.id = versions.pipeline order by pipelines.display, versions.created desc limit 500"
    )
    made: dict[str, list[Any]] = {}
    for row in rows:
        made.setdefault(row["of"], []).append(row)
    return list(made.items())


async def start(request: Request) -> Response:
    """POST the form."""
    server, form = context(request), await render.form(request)
    again = request.url.path.startswith("/recurring")
    source = _source(server.store, form)
    if source is None:
        raise invalid("the form names no pipeline")
    try:
        given = {
            "display_name": form.get("name", ""),
            "description": form.get("description", ""),
            "experiment_id": form.get("experiment", ""),
            "runtime_config": {"parameters": values(source["document"], form)},
        }
        if source["version"]:
            version = version_row(server.store, source["version"]["pipeline"], source["version"]["id"])
            given["pipeline_version_reference"] = {
                "pipeline_id": version["pipeline"],
                "pipeline_version_id": version["id"],
            }
        else:
            given["pipeline_spec"] = source["document"]
        if source["clone"]:
            given["service_account"] = source["clone"]["account"]
        if again:
            row = await recurring.add(server, {**given, **_schedule(form)})
            return render.goto(f"/recurring/{row['id']}", "created")
        row = await api.start(server, given)
    except ApiError as error:
        return _form(request, form, again=again, error=error.message)
    return render.goto(f"/runs/{row['id']}", "started")


def _schedule(form: Mapping[str, str]) -> dict[str, Any]:
    if form.get("trigger") == "cron":
        trigger: dict[str, Any] = {"cron_schedule": {"cron": form.get("cron", "").strip()}}
    else:
        seconds = form.get("every", "").strip()
        unit = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}.get(form.get("unit", ""), 0)
        if not seconds.isdecimal() or len(seconds) > 9 or not unit or not int(seconds):
            raise invalid(f"{seconds!r} {form.get('unit', '')} is no interval: a whole number from 1 on, and a unit")
        trigger = {"periodic_schedule": {"interval_second": str(int(seconds) * unit)}}
    return {
        "trigger": trigger, "max_concurrency": form.get("concurrency", "1"), "no_catchup": form.get("catchup") != "yes",
    }  # fmt: skip


ROUTES = [
    Route("/runs/new", new, methods=["GET"]),
    Route("/runs/new", start, methods=["POST"]),
    Route("/recurring/new", new, methods=["GET"]),
    Route("/recurring/new", start, methods=["POST"]),
]
