"""A chart's README (but for its table of values): commands that work as they stand, and names of values that exist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.render.charts import Chart
from tests.render.values import MISSING, look_up

_NAMELESS = ("kubectl create namespace ", "kubectl label namespace ")


def readme(chart: Chart) -> list[str]:
    """Headings that come twice, commands that end in another namespace or in none, and values that are not there.

    A chart whose NetworkPolicies ask for labels of namespaces says how the namespace gets them.
    """
    text = (chart.folder / "README.md").read_text()
    says = [
        f"the heading {heading} comes {times} times"
        for heading, times in Counter(re.findall(r"^#+ .*$", text, re.MULTILINE)).items()
        if times > 1
    ]
    found = list(commands(text))
    for command in found:
        if not command.startswith(_NAMELESS) and "--namespace " not in command:
            says.append(f"no --namespace: {command}")
        if re.match(r"helm (install|upgrade) ", command) and "--create-namespace" not in command:
            says.append(f"no --create-namespace: {command}")
    clients = (chart.values.get("network") or {}).get("clients") or {}
    for key, value in clients.items():
        if not any(re.match(rf"kubectl label namespace \S+ {re.escape(f'{key}={value}')}$", each) for each in found):
            says.append(f"no command gives the namespace the label {key}={value}")
    return says + misnamed(chart, text)


def misnamed(chart: Chart, text: str) -> list[str]:
    """Values that a text names and the chart does not have."""
    names = re.findall(r"(?:`|--set |,)([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?![\w/])", text)
    return [
        f"there is no value {name}"
        for name in dict.fromkeys(names)
        if name.partition(".")[0] in chart.values and look_up(chart.values, tuple(name.split("."))) is MISSING
    ]


def commands(text: str) -> Iterator[str]:
    """Calls of helm and kubectl, in blocks and in sentences."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if match := re.match(r"\$ ((?:helm|kubectl) [^#]*)", line):
                yield re.sub(r"\s+", " ", match[1]).strip()
    yield from re.findall(r"`((?:helm|kubectl) [a-z-]+ [^`]+)`", text)
