"""mlops-lab/classroom:1, a class's server and its operator: their packages, and as much of this project as they need.

Of the labs only what is said about them is in it (lab.toml): no solution, no checker.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/classroom:1"
_FOLDER = project() / "images" / "classroom"
_PACKAGE = project() / "src" / "mlops_lab" if (project() / "src").is_dir() else project().parent
_TEACHERS = ("teacher", "__pycache__")  # what runs on the teacher's machine
# What the class's programs import of this project, and the styles of their pages.
_PARTS = (
    *(f"classroom/{each.name}" for each in sorted((_PACKAGE / "classroom").iterdir()) if each.name not in _TEACHERS),
    *("__init__.py", "base", "kube", "desk/page/static/desk.css"),
    *("cluster/__init__.py", "cluster/names.py"),
    *("labs/__init__.py", "labs/catalog.py", "labs/description.py"),
)
_STYLES = ("page.css", "icon.svg")
_LEFT_OUT = ("tests", "bin", "__pycache__", ".lock")


def contents() -> dict[str, Path]:
    """What lies in the image beside packages: its place in /app, and the file or folder of this project."""
    root = project()
    styles = (root / "images" / "pipelines" / "embedded" / "pages" / "static" / each for each in _STYLES)
    labs = sorted((root / "labs").glob("[0-9][0-9]-*/lab.toml"))
    return {
        **{f"src/mlops_lab/{each}": _PACKAGE / each for each in _PARTS},
        **{str(each.relative_to(root)): each for each in (*styles, *labs, root / "versions.toml")},
    }


def lay(folder: Path) -> None:
    """Put the contents into a folder, as they lie in /app."""
    for name, source in contents().items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, copy_function=link, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            link(source, place)


def build(sources: Sources) -> Step:
    """The packages, compiled, and the programs."""
    site = pypi.site(sources, "pypi/classroom", _FOLDER / "requirements.lock", seconds=20)
    start, dockerfile = sources.image(python.NAME), _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(site) / "site", context / "site", copy_function=link, ignore=left_out)
        lay(context)
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/classroom", make, (dockerfile, str(_LEFT_OUT), *contents().values()),
        needs=(site, start), image=NAME, seconds=40, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, served=True),)
