"""What a panel writes beside its numbers, in place of them, and where nothing is known; and what hides them."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

# As they are with all signs taken for spaces: "N/A" is "n a", a dash is nothing at all.
NOTHING = {"", "no data", "no value", "n a", "na", "not known", "unknown", "not available", "missing", "nan", "null"}
MUTE = (  # panels that ask nothing, or count values and do not show them
    "alertlist", "annolist", "dashlist", "gettingstarted", "heatmap", "histogram", "news", "text", "welcome",
)  # fmt: skip
EXPRESSION = "__expr__"  # the data source that computes from what other targets returned
HIDDEN = 2  # a variable's `hide`: no reader sees it
UNNAMED = ("", "__auto")  # legends with which Grafana writes the labels itself
OF_A_SERIES = r"(?:\$\{?|\[\[)__(?:field|series|cell|data)"  # for what Grafana writes a text of each series' own
OF_A_LABEL = r"__field\.labels[.\[\"']+(\w+)"
LEADS_BACK = r"__field\.(?:displayName|name)|__series"  # to the name that it would have otherwise
HIDING = "custom.hideFrom"  # the property that takes series out of a panel, or out of its legend
HIDDEN_COLUMN = "custom.hidden"  # the property that takes a column out of a table
OF_VALUES = r"number|Value( #\w+)?"  # what an override means by the column of the values: their type, or its name
AXIS = "custom.axisPlacement"  # the property that puts a time series' axis to a side, or hides it
STACKING = "custom.stacking"  # the property by which a time series stands on another, or is a share of all
TIME = ("Time", "time")  # what an override says that is of no series, but of when they were
LEGENDED = ("timeseries", "piechart")  # panels that name their series in the legend; a pie may do so in its slices, too
REDUCING = ("stat", "gauge", "bargauge", "piechart")  # panels that make one number of each series
TABULAR = ("table", "barchart")  # where they draw a target's table, a label is a column of its own
UNKNOWN = ("null", "nan", "null+nan", "empty")  # what a value mapping of a missing value matches


@dataclass(frozen=True)
class Wording:
    """How a panel writes.

    Attributes:
        unit: of its values, as the defaults say; empty where they say none.
        overriding: units that overrides put in its place.
        empty: what is written where there is no value.
        words: what is written in place of a number, by value mappings.
        moved: what gives it another time than the dashboard's.
        mute: what keeps its values from being seen.
        computed: of its targets, those that Grafana computes from others.
        repeated: for each value of which variable it, or the row that it is in, is drawn; empty for none.
        names: that it gives its series, by legends and display names of its own.
        valued: by which option it writes values alone, without the series' names; empty for none.
        columns: that a table leaves out, by their names, or by their type.
        every_value: whether it shows all values that its queries returned, one beside the other.
        chosen: by which options it shows some of its series alone.
        least: where its axis ends below, by the defaults and by overrides.
    """

    unit: str
    overriding: tuple[str, ...]
    empty: tuple[str, ...]
    words: tuple[str, ...]
    moved: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    repeated: str = ""
    names: tuple[str, ...] = ()
    valued: str = ""
    columns: tuple[str, ...] = ()
    every_value: bool = False
    chosen: tuple[str, ...] = ()
    least: tuple[float, ...] = ()

    def nameless(self, label: str) -> list[str]:
        """What keeps a reader from seeing which series is of which value of a label."""
        found = [each for each in self.names if not _tells(each, label)]
        found = [f"the name {each[:60]!r} for each" for each in found] + ([self.valued] if self.valued else [])
        return found + [f"a hidden column, {each}" for each in self.columns if each in (label, "string")]

    @property
    def claims(self) -> list[str]:
        """What is written where nothing is known, and says something else."""
        return [text for text in self.empty if re.sub(r"[\W_]+", " ", text.lower()).strip() not in NOTHING]


def wordings(text: str) -> dict[str, Wording]:
    """Of each panel by its title, as it is in the text of a dashboard that can be read."""
    found: dict[str, Wording] = {}
    for each, row in _panels(json.loads(text)):
        title = str(each.get("title") or "")
        if title not in found:
            found[title] = replace(_wording(each), repeated=str(each.get("repeat") or row))
    return found


def hidden_variables(text: str) -> frozenset[str]:
    """The names of variables that no reader sees."""
    lists = [_dict(each.get("templating")).get("list") for each in _boards(json.loads(text))]
    return frozenset(str(one.get("name")) for each in lists for one in _dicts(each) if one.get("hide") == HIDDEN)


def _wording(raw: dict[str, Any]) -> Wording:
    config, options = _dict(raw.get("fieldConfig")), _dict(raw.get("options"))
    defaults = _dict(config.get("defaults"))
    overriding = [(each.get("id"), each.get("value")) for each in _inner(config.get("overrides"), "properties")]
    said = [("noValue", defaults.get("noValue")), ("mappings", defaults.get("mappings")), *overriding]
    empty = [str(value) for name, value in said if name == "noValue" and value not in (None, "")]
    words: list[str] = []
    for name, value in said:
        for missing, word in _mapped(value) if name == "mappings" else ():
            (empty if missing else words).append(word)
    moved = tuple(f"{name} {raw[name]}" for name in ("timeFrom", "timeShift") if raw.get(name))
    mute = [f"type {raw['type']}"] if raw.get("type") in MUTE else []
    mute += [f"textMode {options['textMode']}"] if options.get("textMode") in ("name", "none") else []
    bars, legend = raw.get("type") == "bargauge", _dict(options.get("legend"))
    mute += ["valueMode hidden"] if bars and options.get("valueMode") == "hidden" else []
    unseen = legend.get("showLegend") is False or legend.get("displayMode") == "hidden"
    written = [options.get("displayLabels"), None if unseen else legend.get("values")]
    mute += ["a pie without values"] if raw.get("type") == "piechart" and "'value'" not in str(written) else []
    stacked = [_dict(defaults.get("custom")).get("stacking"), *(own for name, own in overriding if name == STACKING)]
    modes = {"timeseries": [_dict(each).get("mode") for each in stacked], "barchart": [options.get("stacking")]}
    mute += ["series stacked to 100 %"] if "percent" in modes.get(str(raw.get("type")), ()) else []
    unseen_axis = _dict(defaults.get("custom")).get("axisPlacement") == "hidden"
    unseen_axis = unseen_axis and all(name != AXIS for name, _ in overriding)
    in_legend = legend.get("calcs") and not unseen
    mute += ["a hidden axis"] if raw.get("type") == "timeseries" and unseen_axis and not in_legend else []
    hiding = [("fieldConfig.defaults", _dict(defaults.get("custom")).get("hideFrom"))]
    seen = [each for each in _dicts(config.get("overrides")) if _dict(each.get("matcher")).get("options") not in TIME]
    units = tuple(
        str(each["value"]) for each in _inner(seen, "properties") if each.get("id") == "unit" and each.get("value")
    )
    hiding += [("an override", each.get("value")) for each in _inner(seen, "properties") if each.get("id") == HIDING]
    mute += [f"{where} that hides series" for where, value in hiding if _dict(value).get("viz")]
    columns = _hidden_columns(defaults, seen) if raw.get("type") == "table" else []
    mute += ["a hidden column of values"] if any(re.fullmatch(OF_VALUES, each) for each in columns) else []
    computed = tuple(
        f"target {each.get('refId')}, of type {each.get('type')}"
        for each in _dicts(raw.get("targets"))
        if not each.get("hide") and (each.get("expression") or EXPRESSION in _dict(each.get("datasource")).values())
    )
    shown = [each for each in _dicts(raw.get("targets")) if each.get("expr") and not each.get("hide")]
    legends = [str(each.get("legendFormat") or "") for each in shown if each.get("format") != "table"]
    named = [str(defaults.get("displayName") or "")]
    shared = [each for each in _dicts(config.get("overrides")) if _of_several(each.get("matcher"), named + legends)]
    given = [str(each.get("value") or "") for each in _inner(shared, "properties") if each.get("id") == "displayName"]
    names = _names(given, named, legends)
    if raw.get("type") in TABULAR and not legends:
        names = []
    valued = "textMode value" if raw.get("type") == "stat" and options.get("textMode") == "value" else ""
    if bars and options.get("namePlacement") == "hidden" and not legend.get("showLegend"):
        valued = "namePlacement hidden"
    in_slices = "'name'" in str(options.get("displayLabels"))
    if (raw.get("type") in LEGENDED or (raw.get("type") == "barchart" and legends)) and not in_slices:
        unlisted = any(_dict(value).get("legend") for _, value in hiding)
        valued = "a hidden legend" if unseen else "series that the legend does not have" if unlisted else valued
    chosen = _chosen(_dict(options.get("reduceOptions")), names) if raw.get("type") in REDUCING else []
    least = [value for name, value in [("min", defaults.get("min")), *overriding] if name == "min"]
    return Wording(
        str(defaults.get("unit") or ""), units, tuple(empty), tuple(words), moved, tuple(mute), computed,
        names=tuple(names), valued=valued, every_value=bool(_dict(options.get("reduceOptions")).get("values")),
        columns=tuple(columns), chosen=tuple(chosen),
        least=tuple(each for each in least if isinstance(each, int | float)),
    )  # fmt: skip


def _hidden_columns(defaults: dict[str, Any], overrides: list[dict[str, Any]]) -> list[str]:
    """The columns that a table leaves out, by the names or the type by which overrides mean them."""
    found = ["number"] if _dict(defaults.get("custom")).get("hidden") is True else []
    for each in overrides:
        if any(one.get("id") == HIDDEN_COLUMN and one.get("value") is True for one in _dicts(each.get("properties"))):
            meant = _dict(each.get("matcher")).get("options")
            meant = meant.get("names") if isinstance(meant, dict) else [meant]
            found += map(str, meant if isinstance(meant, list) else [])
    return found


def _tells(name: str, label: str) -> bool:
    """Whether a name is another one for each value of a label."""
    if re.search(rf"{{{{\s*{label}\s*}}}}", name):
        return True
    named = re.findall(OF_A_LABEL, name)
    return bool(re.search(OF_A_SERIES, name)) and (not named or label in named)


def _names(*given: list[str]) -> list[str]:
    """The names that a reader sees, of those that are given; the first ones stand in place of the others."""
    found: list[str] = []
    for each in given:
        own = [name for name in each if name.strip() not in UNNAMED]
        found += own
        if own and not any(re.search(LEADS_BACK, name) for name in own):
            break
    return found


def _of_several(matcher: Any, names: list[str]) -> bool:
    """Whether an override may be of several series; a pattern with more than what all names have means one of them."""
    kind, options = _dict(matcher).get("id"), _dict(matcher).get("options")
    if kind == "byName" or options in TIME:
        return False
    if kind == "byNames":
        meant = _dict(options).get("names")
        return _dict(options).get("mode") == "exclude" or not isinstance(meant, list) or len(meant) > 1
    if kind == "byRegexp":
        return not re.search(r"[^\W_]", _without(_literal(options), names))
    return True


def _literal(pattern: Any) -> str:
    """A regular expression without its delimiters, classes, counts and names of groups."""
    bare = re.sub(r"^/(.*)/\w*$", r"\1", str(pattern)[:1000])
    return re.sub(r"\\.|\[[^]]*\]|\{[^}]*\}|\(\?<\w+>", "", bare)


def _without(pattern: str, names: list[str]) -> str:
    """What is left of a pattern without the words that all names have, whatever a label says."""
    common = re.findall(r"\w+", re.sub(r"\{\{.*?\}\}|\$\{.*?\}", " ", " ".join(names)[:1000]))
    for each in sorted(dict.fromkeys(common), key=len, reverse=True):
        pattern = pattern.replace(each, "")
    return pattern


def _chosen(reducing: dict[str, Any], names: list[str]) -> list[str]:
    """What leaves out series; a pattern of fields may have what all names have, or the column of a table."""
    fields, most = re.sub(r"Value( #\w+)?", "", _literal(reducing.get("fields") or "")), reducing.get("limit")
    found = [f"Fields {reducing['fields']}"] if re.search(r"[^\W_]", _without(fields, names)) else []
    return found + ([f"Limit {most}"] if reducing.get("values") and most in (1, 2) else [])


def _boards(raw: Any) -> list[dict[str, Any]]:
    """The dashboard, whatever wraps it."""
    found = [raw] if isinstance(raw, dict) else []
    for each in found:
        found += [each[name] for name in ("dashboard", "spec") if isinstance(each.get(name), dict)]
    return found


def _panels(raw: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """All panels that show something, wherever they are; each with what the row that it is in repeats for.

    The panels of a row that is open stand after it, up to the next one; those of one that is closed stand in it.
    """
    left = deque((board, "") for board in _boards(raw))
    while left:
        outer, repeats = left.popleft()
        for each in _dicts(outer.get("panels")):
            if each.get("type") == "row":
                repeats = str(each.get("repeat") or "")
            else:
                yield each, repeats
            left.append((each, repeats))


def _mapped(mappings: Any) -> Iterator[tuple[bool, str]]:
    """Of each value mapping whether it is for a missing value, and what is written then."""
    for each in _dicts(mappings):
        options = _dict(each.get("options"))
        if each.get("type") == "value":
            found = [(str(value).lower(), result) for value, result in options.items()]
        else:
            found = [(str(options.get("match")).lower() if "match" in options else "", options.get("result"))]
        for value, result in found:
            if isinstance(result, dict) and result.get("text") not in (None, ""):
                yield value in UNKNOWN, str(result["text"])


def _inner(value: Any, name: str) -> list[dict[str, Any]]:
    return [each for outer in _dicts(value) for each in _dicts(outer.get(name))]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
