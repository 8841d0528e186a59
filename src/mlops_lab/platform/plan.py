"""What the parts of an installation are made from: values, images, what shows a change, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from mlops_lab.cluster.record import Cluster
from mlops_lab.images.catalog import CATALOG, served_as
from mlops_lab.images.steps import Step
from mlops_lab.platform.choice import Choice
from mlops_lab.platform.releases import Release


@dataclass(frozen=True)
class Wanted:
    """A release with all that it is to be made from, and what takes its place if it does not become ready.

    Args:
        files: values files of the user's own, which win over the profile's.
    """

    release: Release
    profile: str
    values: dict[str, str]
    images: str
    fingerprint: str
    instead: Wanted | None = None
    files: tuple[Path, ...] = ()


def stages(wanted: list[Wanted]) -> Iterator[list[Wanted]]:
    """Groups of releases, in order; the releases of a group can be installed in parallel."""
    done: set[str] = set()
    names_of = {each.release.part for each in wanted}
    rest = list(wanted)
    while rest:
        stage = [each for each in rest if done.issuperset(names_of.intersection(each.release.needs))]
        assert stage, "parts need each other in a circle"
        yield stage
        done.update(each.release.part for each in stage)
        rest = [each for each in rest if each not in stage]


def fingerprint(release: Release, profile: str, values: dict[str, str], images: str, files: Sequence[Path] = ()) -> str:
    """Sixteen hex digits that change with the chart, the profile, the values passed on, or an image's content."""
    digest = hashlib.sha256(f"{profile}\0{sorted(values.items())}\0{images}".encode())
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    for path in sorted(release.folder.rglob("*")):
        if path.is_file() and path.name != "README.md":
            digest.update(f"\0{path.relative_to(release.folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def planned(release: Release, made: Choice, cluster: Cluster, steps: dict[str, Step], parts: Collection[str]) -> Wanted:
    """What a part is made from, as it was chosen."""
    real = release.by(made.profile)
    if not made.counterpart:
        return made_from(real, made.profile, cluster, steps, parts)
    engine = release.running(made.profile)
    assert engine
    instead = made_from(release.by(made.counterpart), made.counterpart, cluster, steps, parts)
    real = replace(real, within=engine.patience)
    return replace(made_from(real, made.profile, cluster, steps, parts), instead=instead)


def made_from(
    release: Release,
    profile: str,
    cluster: Cluster,
    steps: dict[str, Step],
    parts: Collection[str] = (),
    files: Sequence[Path] = (),
) -> Wanted:
    """A release with its values; some depend on which other parts there will be.

    Args:
        files: values files of the user's own.
    """
    values = {"registry": cluster.registry}
    if engine := release.running(profile):
        values |= {key: value for part, more in engine.beside.items() if part in parts for key, value in more.items()}
    if not cluster.is_kind:
        # Published images too come from where the user has put them: its nodes may reach nothing else.
        defaults = yaml.safe_load((release.folder / "values.yaml").read_text()).get("images") or {}
        values |= {
            f"images.{key}": f"{cluster.registry}/{served_as(name)}"
            for key, name in defaults.items()
            if name in CATALOG
        }
    content = "\0".join(f"{name}={steps[name].key if name in steps else ''}" for name in release.images)
    images = hashlib.sha256(content.encode()).hexdigest()[:16]
    made = fingerprint(release, profile, values, images, files)
    return Wanted(release, profile, values, images, made, files=tuple(files))
