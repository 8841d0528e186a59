"""mlops-lab/grader:1, which takes and grades a class's submissions: their packages, and of labs all but solutions.

Learners' own programs run in it, too, in pods that hide what a checker looks for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import flight_delay, pypi, python
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/grader:1"
_FOLDER = project() / "images" / "grader"
_PACKAGE = project() / "src" / "mlops_lab" if (project() / "src").is_dir() else project().parent
# What nothing in the image imports: commands, pages, exams, and an author's own.
_OTHERS = ("cli", "desk", "exam", "learner", "proof")
_OF_A_LAB = ("lab.toml", "start", "checker")
_NO_WHEEL = "kfp-server-api"  # published as source alone; setuptools, which builds it, is one of the project's own
_FLIGHTS = "hidden.json"  # `measure.traffic.flights` reads it from the cache
_LEFT_OUT = ("tests", "__pycache__", ".lock", "proof.json")


def contents() -> dict[str, Path]:
    """What lies in the image beside packages: its place below /app, and the file or folder of this project."""
    parts = {f"src/mlops_lab/{each.name}": each for each in sorted(_PACKAGE.iterdir()) if _belongs(each)}
    return parts | {f"project/{place}": each for place, each in _data()}


def _belongs(part: Path) -> bool:
    return part.name not in (*_OTHERS, "__pycache__", "_project") and (part.is_dir() or part.suffix == ".py")


def _data() -> Iterator[tuple[str, Path]]:
    root = project()
    yield "versions.toml", root / "versions.toml"
    yield "charts/monitoring/dashboards", root / "charts" / "monitoring" / "dashboards"  # what lab 16 is held against
    for lock in sorted((root / "images").glob("*/requirements.lock")):  # some images are named by what is locked
        yield str(lock.relative_to(root)), lock
    for lab in sorted((root / "labs").glob("[0-9][0-9]-*")):
        for name in _OF_A_LAB:
            if (lab / name).exists():
                yield f"labs/{lab.name}/{name}", lab / name


def site(sources: Sources) -> Step:
    """A folder step with `site/`, the packages of the lock; one of them is built from its source on this host."""
    lock = _FOLDER / "requirements.lock"

    def make(work: Work) -> None:
        platform = ("--python-version", "3.11", "--python-platform", pypi.PLATFORMS[work.arch])
        kinds = ("--only-binary", ":all:", "--no-binary", _NO_WHEEL, "--no-build-isolation")
        words = (*pypi.installer(), "--target", str(work.out / "site"), *platform, *kinds)
        work.run([*words, "--no-deps", "--require-hashes", "--link-mode", "copy", "-r", lock])

    return sources.once(
        "pypi/grader", lambda: Step("pypi/grader", make, (lock, _NO_WHEEL), seconds=30, arch=sources.arch)
    )


def lay_flights(flights: Step, made: Path, cache: Path) -> None:
    """The flights that checkers ask about and that no learner sees, in a cache of their own, as a build leaves them.

    Args:
        made: the step's result on this host.
        cache: the folder of the cache.
    """
    store = Store(root=cache)
    place = store.folder(flights)
    place.mkdir(parents=True)
    link(made / _FLIGHTS, place / _FLIGHTS)
    store.use(flights)


def build(sources: Sources) -> Step:
    """The packages, compiled, the programs, labs, and the flights that checkers ask about."""
    packages, start, dockerfile = site(sources), sources.image(python.NAME), _FOLDER / "Dockerfile"
    flights = flight_delay.train(sources)

    def make(work: Work) -> None:
        context, left_out = work.context(), shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(work.result(packages) / "site", context / "site", copy_function=link, ignore=left_out)
        for name, source in contents().items():
            place = context / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, copy_function=link, ignore=left_out)
            else:
                link(source, place)
        lay_flights(flights, work.result(flights), context / "hidden")
        work.image(context, dockerfile.read_text(), "--build-arg", f"PYTHON={start.ref}", "--network", "none")

    return Step(
        "image/grader", make, (dockerfile, str(_LEFT_OUT), *contents().values()),
        needs=(packages, start, flights), image=NAME, seconds=60, arch=sources.arch,
    )  # fmt: skip


IMAGES = (Image(NAME, build, served=True),)
