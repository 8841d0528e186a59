"""A chart's values: what describes them, what reads them, what guards them, and the table of its README."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.render.charts import Chart, template

Path_ = tuple[str, ...]
_KEY = re.compile(r"^(\s*)([\w.-]+):(\s|$)")
_LONGEST = 140  # characters of a map that may be described as a whole
_HEAD = "| value | default | what |\n|---|---|---|\n"
_SECRET = re.compile(
    r"(password|passwd|passphrase|token|credentials?|secret_?(access_?)?key|access_?key(_?id)?)$", re.IGNORECASE
)
_WHOLE = r"toYaml|toJson|toPrettyJson|tpl|range|join|has|len|toString|merge|dict|include"


@dataclass(frozen=True)
class Row:
    """A described value."""

    path: Path_
    default: Any
    text: str


def rows(chart: Chart) -> list[Row]:
    """The values with a `# -- comment` before them, in the file's order."""
    found: list[Row] = []
    stack: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in chart.values_text.splitlines():
        text = line.strip()
        if text.startswith("# --"):
            comment = [text.removeprefix("# --").strip()]
        elif text.startswith("#"):
            comment = [*comment, text.removeprefix("#").strip()] if comment else []
        elif match := _KEY.match(line):
            indent = len(match.group(1))
            stack = [*(each for each in stack if each[0] < indent), (indent, match.group(2))]
            path = tuple(key for _, key in stack)
            if comment and (value := look_up(chart.values, path)) is not MISSING:
                found.append(Row(path, value, " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def table(chart: Chart) -> str:
    """The README's table of values: edit values.yaml, not this."""
    lines = []
    for row in rows(chart):
        default = json.dumps(row.default, ensure_ascii=False) if row.default is not None else "null"
        cells = (f"`{'.'.join(row.path)}`", f"`{default}`", row.text)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return _HEAD + "\n".join(lines) + "\n"


def with_table(chart: Chart) -> str:
    """The README with its table renewed, or with one added below a heading `Values`."""
    readme = (chart.folder / "README.md").read_text()
    old = re.compile(r"^\| *value *\|.*\n(\|.*\n?)+", re.IGNORECASE | re.MULTILINE)
    if old.search(readme):
        return old.sub(lambda _: table(chart), readme, count=1)
    return f"{readme.rstrip()}\n\n## Values\n\n{table(chart)}"


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value that holds no others by name, with its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif path:
        yield path, value


def covered(chart: Chart) -> dict[Path_, Row]:
    """For each leaf the row that describes it: its own, or that of a small map it is in (resources, say)."""
    known = {row.path: row for row in rows(chart)}
    found = {}
    for leaf, _ in leaves(chart.values):
        for length in range(len(leaf), 0, -1):
            row = known.get(leaf[:length])
            if row and (length == len(leaf) or len(json.dumps(row.default)) <= _LONGEST):
                found[leaf] = row
                break
    return found


def undescribed(chart: Chart) -> list[str]:
    """Values without a comment in values.yaml, or without a description in the schema."""
    described = covered(chart)
    bare = [f"{_dotted(leaf)} has no `# --` comment" for leaf, _ in leaves(chart.values) if leaf not in described]
    for row in dict.fromkeys(row.path for row in described.values()):
        node = schema_at(chart.schema, row)
        if node is None or not node.get("description"):
            bare.append(f"{_dotted(row)} has no description in values.schema.json")
    known = {leaf[:length] for leaf, _ in leaves(chart.values) for length in range(len(leaf) + 1)}
    wholes = {row.path for row in described.values()}
    for path, _ in _properties(chart.schema):
        if path not in known and not any(path[: len(whole)] == whole for whole in wholes):
            bare.append(f"{_dotted(path)} is in values.schema.json and not in values.yaml")
    return bare


def unread(chart: Chart) -> list[str]:
    """Values that no template reads."""
    text = chart.template_text()
    names = {tuple(found.strip(".").split(".")) for found in re.findall(r"\.Values((?:\.\w+)+)", text)}
    for found, keys in re.findall(r'(?:index|get|dig)\s+\$?\.Values((?:\.\w+)*)\s+((?:"[\w.-]+"\s*)+)', text):
        names.add((*(part for part in found.split(".") if part), *re.findall(r'"([^"]+)"', keys)))
    whole = {
        tuple(found.strip(".").split("."))
        for line in text.splitlines()
        if re.search(_WHOLE, line)
        for found in re.findall(r"\.Values((?:\.\w+)+)", line)
    }

    def read(leaf: Path_) -> bool:
        if leaf in names:
            return True
        for length in range(1, len(leaf)):
            if leaf[:length] in whole:
                return True
            if leaf[:length] in names and all(re.search(rf"\.{re.escape(key)}\b", text) for key in leaf[length:]):
                return True
        return False

    described = covered(chart)  # a map with free keys is read as a whole, as it is described
    wanted = dict.fromkeys(described[leaf].path if leaf in described else leaf for leaf, _ in leaves(chart.values))
    return [f"{_dotted(path)} is read by no template" for path in wanted if not read(path)]


def passwords(chart: Chart) -> list[str]:
    """Values that would hold a password: those are made in the cluster, or come from a Secret that is named."""
    everything = [
        chart.values,
        *(yaml.safe_load(file.read_text()) or {} for files in chart.cases().values() for file in files),
    ]
    paths = {path for values in everything for path, _ in leaves(values)} | {
        path for path, _ in _properties(chart.schema)
    }
    return [f"{_dotted(path)} is a value for a password" for path in sorted(paths) if _SECRET.search(path[-1])]


def lax(chart: Chart) -> list[str]:
    """Places of the schema that take keys which are not named, or that fetch something."""
    found = []
    for path, node in [((), chart.schema), *_properties(chart.schema)]:
        kinds = _kinds(node)
        more = node.get("additionalProperties")
        typed = more is False or (isinstance(more, dict) and (more.get("type") or "$ref" in more))
        if ("object" in kinds or "properties" in node) and not typed:
            found.append(f"{_dotted(path)} takes any key")
        if not kinds and not any(word in node for word in ("enum", "const", "anyOf", "oneOf")):
            found.append(f"{_dotted(path)} takes any type")
    if re.search(r'"\$ref":\s*"(?!#)', json.dumps(chart.schema)):
        found.append("the schema points outside itself")
    return found


def not_refused(chart: Chart, scratch: Path) -> list[str]:
    """Unknown keys and wrong types that helm takes; each is tried, all at once (helm names every one it refuses)."""
    objects = [
        path
        for path, node in [((), chart.schema), *_properties(chart.schema)]
        if node.get("additionalProperties") is False and isinstance(look_up(chart.values, path), dict)
    ]
    unknown: dict[str, Any] = {}
    for path in objects:
        _put(unknown, (*path, "surprise"), 1)
    wrong: dict[str, Any] = {}
    typed = []
    for leaf, _ in leaves(chart.values):
        node = schema_at(chart.schema, leaf)
        if node is not None:
            typed.append(leaf)
            _put(wrong, leaf, _of_another_type(_kinds(node)))
    refused = _refused(chart, scratch, unknown)
    missed = [f"an unknown key in {_dotted(path)}" for path in objects if path not in refused]
    refused = _refused(chart, scratch, wrong)
    return missed + [f"a wrong type of {_dotted(leaf)}" for leaf in typed if leaf not in refused]


def pull_secrets(chart: Chart, scratch: Path) -> list[str]:
    """Pods that are made without the Secrets that `imagePullSecrets` names."""
    if "imagePullSecrets" not in chart.values:
        return ["there is no value imagePullSecrets"]
    wanted = [{"name": "mine"}]
    file = scratch / "pull-secrets.yaml"
    file.write_text(yaml.safe_dump({"imagePullSecrets": wanted}))
    return [
        f"{case}: {each.name} has no imagePullSecrets"
        for case, files in chart.cases().items()
        for each in chart.render((*files, file))
        if each.pod is not None and each.pod.get("imagePullSecrets") != wanted
    ]


def repeatable(chart: Chart) -> list[str]:
    """With the Secrets of `ci/secrets.yaml`, which are there already, a chart makes none, and the same every time: who
    renders without a cluster, as Argo CD does, would get another password with each render.
    """
    made = {each.name for _, objects in chart.all() for each in objects if each.kind == "Secret"}
    if not made:
        return []
    files = chart.cases().get("ci/secrets")
    if files is None:
        return ["it makes Secrets, and there is no ci/secrets.yaml that names others"]
    given = yaml.safe_load(files[-1].read_text())
    says = [
        f"ci/secrets.yaml gives no {_dotted(leaf)}"
        for leaf, _ in leaves(chart.values)
        if leaf[-1] == "existingSecret" and not look_up(given, leaf)
    ]
    first, second = (template.__wrapped__(chart.folder, files).stdout for _ in range(2))
    if first != second:
        says.append("with ci/secrets.yaml it renders something else each time")
    for each in chart.render(files):
        if each.kind == "Secret":
            says.append(f"with ci/secrets.yaml it makes the {each.name} all the same")
        says += [f"{each.name} reads {name}, not what is named" for name in _secrets(each.pod) if name in made]
    return says


def _secrets(pod: Any) -> set[str]:
    """The Secrets that a part of a pod refers to, as `Secret NAME`."""
    if isinstance(pod, list):
        return {name for each in pod for name in _secrets(each)}
    if not isinstance(pod, dict):
        return set()
    own = [(pod.get("secretKeyRef") or {}).get("name"), (pod.get("secretRef") or {}).get("name"), pod.get("secretName")]
    return {f"Secret {name}" for name in own if name} | _secrets(list(pod.values()))


def schema_at(schema: Any, path: Path_) -> dict[str, Any] | None:
    """The part of the schema that is about one value."""
    node = schema
    for key in path:
        node = _resolved(schema, node)
        inner = node.get("properties", {}).get(key)
        if inner is None:
            inner = node.get("additionalProperties")
        if not isinstance(inner, dict):
            return None
        node = inner
    return {**_resolved(schema, node), **{key: value for key, value in node.items() if key != "$ref"}}


def look_up(values: Any, path: Path_) -> Any:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return MISSING
        values = values[key]
    return values


MISSING = object()


def _refused(chart: Chart, scratch: Path, values: dict[str, Any]) -> set[Path_]:
    file = scratch / f"refuse-{len(list(scratch.iterdir()))}.yaml"
    file.write_text(yaml.safe_dump(values))
    done = template(chart.folder, (*chart.cases()["defaults"], file), registry="")
    if done.returncode == 0:
        return set()
    newer = re.findall(r"- at '([^']*)'", done.stderr)
    older = re.findall(r"^- ([\w.()-]+): ", done.stderr, re.MULTILINE)
    plain = [[part.replace("~1", "/").replace("~0", "~") for part in found.split("/") if part] for found in newer]
    paths = {tuple(parts) for parts in plain}
    return paths | {tuple(part for part in found.split(".") if part != "(root)") for found in older}


def _of_another_type(kinds: set[str]) -> Any:
    others: dict[str, Any] = {"object": {"wrong": 1}, "string": "wrong", "boolean": True, "array": ["wrong"]}
    return next((value for kind, value in others.items() if kind not in kinds), 1.5)


def _kinds(node: dict[str, Any]) -> set[str]:
    kind = node.get("type")
    return set(kind) if isinstance(kind, list) else {kind} if kind else set()


def _properties(schema: dict[str, Any], node: Any = None, path: Path_ = ()) -> Iterator[tuple[Path_, dict[str, Any]]]:
    node = _resolved(schema, schema if node is None else node)
    for key, inner in node.get("properties", {}).items():
        here = (*path, key)
        yield here, _resolved(schema, inner)
        yield from _properties(schema, inner, here)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _put(values: dict[str, Any], path: Path_, value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value


def _dotted(path: Path_) -> str:
    return ".".join(path) or "the top level"
