"""The chart as it was given: is a release of it, and does it still lie in the workspace?"""

import base64
from pathlib import Path

import yaml

from mlops_lab.cluster.names import REGISTRY_PREFIX
from mlops_lab.tasks.lab import TaskLab

from .releases import Release

_CHART = Path(__file__).parents[1] / "start" / "chart"


def is_in(lab: TaskLab, release: Release) -> bool:
    """Is a release of the given chart, with its templates and, of the first revision, the values in it?

    In what `helm upgrade --reuse-values` writes down, the chart's own values are those that were set before.
    """
    chart = release.get("chart") or {}
    now = {str(each["name"]): base64.b64decode(each["data"]) for each in chart.get("templates") or []}
    given = _files(lab)
    templates = {name: text.encode() for name, text in given.items() if name.startswith("templates/")}
    named, values = (yaml.safe_load(given[name]) for name in ("Chart.yaml", "values.yaml"))
    same = (chart.get("metadata") or {}).get("name") == named["name"] and now == templates
    return same and (release["version"] != 1 or chart.get("values") == values)


def lies_there(lab: TaskLab) -> bool:
    """Are the given files in the workspace as they were? Others may lie beside them."""
    folder = lab.work.folder / "chart"
    try:
        return all((folder / name).read_text(encoding="utf-8") == text for name, text in _files(lab).items())
    except (OSError, UnicodeDecodeError):
        return False


def _files(lab: TaskLab) -> dict[str, str]:
    """The given files by their paths in the chart, with the registry of this cluster in images' names."""
    own = f"{lab.platform.registry}/"
    return {
        file.relative_to(_CHART).as_posix(): file.read_text(encoding="utf-8").replace(f"{REGISTRY_PREFIX}/", own)
        for file in _CHART.rglob("*")
        if file.is_file()
    }
