"""The charting library: plotly.js, from the Python package that its authors publish it in; kept in the cache.

It is not among the packages that `lab` needs, since it is larger than all of them together.
"""

from __future__ import annotations

from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import pypi
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

NAME = "pypi/dashboard"
_LOCK = project() / "images" / "dashboard" / "requirements.lock"


def package(known: Sources) -> Step:
    """The step that installs it; it is the same however images come."""
    return pypi.site(known, NAME, _LOCK, seconds=10)


def library(progress: Progress) -> Path:
    """Where plotly.min.js is; installed the first time (a few seconds, 10 MB).

    Raises:
        LabError: it can't be installed.
    """
    arch = architecture("")
    step = package(sources("build", arch))
    store = Store()
    run_steps([step], Docker({"Architecture": arch}), store, progress)
    found = store.folder(step) / "site" / "plotly" / "package_data" / "plotly.min.js"
    if not found.is_file():
        raise LabError(
            "the package plotly has no plotly.min.js", "delete the cache so that it is made again: lab images prune"
        )
    return found
