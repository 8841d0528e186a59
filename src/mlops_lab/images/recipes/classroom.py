"""mlops-lab/classroom:1, a class's server and its operator: their packages, and as much of this project as they need.

Of the labs only what is said about them is in it (lab.toml), and what they begin with on a cluster (start/seed.yaml):
no solution, no mistake, no checker.
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
# What the class's programs import of this project, and the styles of their pages. Packages of which they need little
# are named module by module, so that a change elsewhere makes no other image; a test holds it against what is imported.
_PARTS = (
    *("classroom/lti", "classroom/operator", "classroom/server", "classroom/__init__.py"),
    *(f"classroom/{each}.py" for each in ("analysis", "audit", "chain", "gradable", "in_place", "kit", "packing")),
    *("classroom/api_server.py", "classroom/gradable.toml", "classroom/roster.py", "classroom/signing.py"),
    *("__init__.py", "base", "kube", "desk/page/static/desk.css"),
    *(f"cluster/{each}.py" for each in ("__init__", "kubectl", "names", "own", "port_forward", "record")),
    *(f"engine/{each}.py" for each in ("__init__", "docker", "host")),
    *(f"images/{each}.py" for each in ("__init__", "sources", "steps", "store", "work")),
    *("images/recipes/__init__.py", "images/recipes/components.py", "images/recipes/debian.py"),
    *("images/recipes/flight_delay.py", "images/recipes/golang.py", "images/recipes/kfp_python.py"),
    *("images/recipes/kubernetes.py", "images/recipes/mlflow.py", "images/recipes/monitoring.py"),
    *("images/recipes/pipelines.py", "images/recipes/postgres.py", "images/recipes/pypi.py"),
    *("images/recipes/python.py", "images/recipes/serving.py", "images/recipes/victoria_logs.py"),
    *(f"labs/{each}.py" for each in ("__init__", "catalog", "description", "namespaces", "parts", "registry")),
    *("measure/__init__.py", "measure/pods/__init__.py", "measure/pods/evidence.py", "measure/services/__init__.py"),
    *(f"measure/services/{each}.py" for each in ("pipelines", "port_forwards", "rest", "tracking")),
    *("platform/__init__.py", "platform/releases.py"),
)
# What is said about a lab, and what the operator puts into a namespace before a learner begins.
_OF_A_LAB = ("lab.toml", "start/seed.yaml")
_STYLES = ("page.css", "icon.svg")
# An image of the platform that is named by what is locked; that its name is there needs no more of it.
_LOCKS = ("images/mlflow/requirements.lock",)
_LEFT_OUT = ("tests", "bin", "__pycache__", ".lock")


def contents() -> dict[str, Path]:
    """What lies in the image beside packages: its place in /app, and the file or folder of this project."""
    root = project()
    styles = (root / "images" / "pipelines" / "embedded" / "pages" / "static" / each for each in _STYLES)
    labs = sorted(each for name in _OF_A_LAB for each in (root / "labs").glob(f"[0-9][0-9]-*/{name}"))
    return {
        **{f"src/mlops_lab/{each}": _PACKAGE / each for each in _PARTS},
        **{str(each.relative_to(root)): each for each in (*styles, *labs)},
        **{name: root / name for name in (*_LOCKS, "versions.toml")},
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
