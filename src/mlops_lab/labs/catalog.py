"""The catalog: which labs there are, and what each is about.

`lab list` may take 0.15 s, so this module imports neither the Kubernetes client nor what validates a lab.toml:
descriptions are cached, by the file's time and size.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import cache, project
from mlops_lab.base.state_files import cached, write

_FOLDER = re.compile(r"(\d\d)-([a-z0-9]+(?:-[a-z0-9]+)*)")


@dataclass(frozen=True)
class Exercise:
    """A lab's folder, by its number and name."""

    folder: Path
    number: str
    name: str

    @property
    def slug(self) -> str:
        """The folder's own name, such as `10-autoscale-on-cpu`."""
        return self.folder.name

    @property
    def namespace(self) -> str:
        """The namespace of the learner's work."""
        return f"lab-{self.number}"


LEVELS = {"B": "beginner", "I": "intermediate", "E": "exam", "S": "senior"}


@dataclass(frozen=True)
class About:
    """What a lab.toml says; `labs.description` has the meaning of the fields."""

    title: str
    level: str
    minutes: int
    summary: str
    needs: tuple[str, ...]
    images: tuple[str, ...] = ()
    quiet: bool = False
    cluster: str = "main"
    addons: tuple[str, ...] = ()


def labs_folder() -> Path:
    """The folder of all labs; `MLOPS_LAB_LABS` names another one, for authors of labs."""
    return Path(os.environ.get("MLOPS_LAB_LABS") or project() / "labs")


def exercises(root: Path | None = None) -> list[Exercise]:
    """Every lab, by number.

    Raises:
        UsageError: two labs have the same number.
    """
    root = root or labs_folder()
    found: dict[str, Exercise] = {}
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        match = _FOLDER.fullmatch(folder.name)
        if match and folder.is_dir():
            number, name = match.groups()
            if number in found:
                raise UsageError(
                    f"two labs have the number {number}: {found[number].slug} and {folder.name}", "rename one of them"
                )
            found[number] = Exercise(folder, number, name)
    return list(found.values())


def resolve(text: str, root: Path | None = None) -> Exercise:
    """The lab that a number (`4`, `04`), a name or a folder's name means.

    Raises:
        UsageError: there is none; the hint has the nearest names.
    """
    known = exercises(root)
    wanted = text.strip().rstrip("/").lower()
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted
    for exercise in known:
        if wanted in (exercise.number, exercise.name, exercise.slug):
            return exercise
    raise UsageError(f"there is no lab {text!r}", _nearest(wanted, known))


def _nearest(wanted: str, known: list[Exercise]) -> str:
    import difflib

    slugs = {name: each.slug for each in known for name in (each.name, each.slug, each.number)}
    near = list(dict.fromkeys(slugs[name] for name in difflib.get_close_matches(wanted, slugs, n=4, cutoff=0.5)))
    near = near or [each.slug for each in known if wanted in each.slug][:4]
    return f"did you mean {' or '.join(near)}?" if near else "see which labs there are: lab list"


def about(exercise: Exercise) -> About:
    """What a lab's lab.toml says.

    Raises:
        UsageError: the file is broken; says file, line and field.
    """
    return abouts([exercise])[0]


def abouts(of: list[Exercise]) -> list[About]:
    """What several labs' lab.toml say, in order; raises as `about`."""
    kept = _kept()
    found: list[About] = []
    fresh: dict[str, Any] = {}
    for exercise in of:
        file = exercise.folder / "lab.toml"
        key = _key(file)
        entry: Any = kept.get(key)
        if not _fits(entry):  # there is none, or another version kept it
            from mlops_lab.labs.description import describe

            it = describe(file)
            entry = [it.title, it.level, it.minutes, it.summary, it.needs, it.images, it.quiet, it.cluster, it.addons]
            fresh[key] = entry
        title, level, minutes, summary, needs, images, quiet, cluster, addons = entry
        rest = (tuple(needs), tuple(images), quiet, cluster, tuple(addons))
        found.append(About(title, level, minutes, summary, *rest))
    if fresh:
        _keep({**kept, **fresh})
    return found


def _key(file: Path) -> str:
    try:
        stat = file.stat()
    except OSError:
        return f"{file}|absent"
    return f"{file}|{stat.st_mtime_ns}|{stat.st_size}"


def _kept() -> dict[str, Any]:
    return cached(cache() / "catalog.json", dict) or {}


def _fits(entry: Any) -> bool:
    shape = [str, str, int, str, list, list, bool, str, list]
    return isinstance(entry, list) and [type(each) for each in entry] == shape


def _keep(entries: dict[str, Any]) -> None:
    """Write the whole cache or nothing; without it everything works, but slower."""
    # Only files that have not changed since, so that the cache does not grow with every edit.
    current = {key: entry for key, entry in entries.items() if _key(Path(key.split("|")[0])) == key}
    with contextlib.suppress(LabError):
        write(cache() / "catalog.json", json.dumps(current))
