"""What an image holds: things that must not be in it, layers that must stay the same, and what it runs."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.checks import Observation
from mlops_lab.measure.images.builds import Build
from mlops_lab.measure.images.layers import Content

from .planting import TEXT, TITLE

MB = 1e6
MODULES = tuple(f"{name}/__init__.py" for name in ("numpy", "fastapi", "uvicorn", "flight_delay"))


def made_image(build: Build, expected: str) -> Observation:
    """Whether a build made an image, and the builder's last lines."""
    how = f"{build.how or 'built'} after {build.seconds:.0f} s"
    return Observation(bool(build.image), expected, how, build.seconds, build.lines[-12:])


def as_given(content: Content) -> Observation:
    """Whether each file with the server's title is the server as it was given, but for those that Python compiled."""
    texts = {(hit.layer.digest, hit.path) for hit in content.hits if hit.needle == TEXT and hit.layer}
    changed = [
        f"/{hit.path}, from {hit.layer.made_by[:100]}"
        for hit in content.hits
        if hit.needle == TITLE
        and hit.layer
        and not hit.path.endswith(".pyc")
        and (hit.layer.digest, hit.path) not in texts
    ]
    return Observation(
        not changed, "service/app.py is as it was given", f"changed: {len(changed)} files" if changed else "it is",
        len(changed), tuple(changed[:4]), timed=False,
    )  # fmt: skip


def nothing_of(content: Content, names: Sequence[str]) -> Observation:
    """Whether the image holds nothing of what bears these names, and where if it does."""
    hits = [hit for hit in content.hits if hit.needle in names]
    kinds = sorted({hit.needle for hit in hits})
    return Observation(
        not hits,
        f"nothing of {', '.join(names)} in the image",
        f"found: {', '.join(kinds)}" if hits else f"nothing, in {len(content.layers)} layers",
        len(hits),
        tuple(dict.fromkeys(map(str, hits)))[:6],
        timed=False,
    )


def largest(content: Content) -> tuple[str, ...]:
    """The largest layers, a line each."""
    most = sorted(content.layers, key=lambda layer: -layer.size)[:4]
    return tuple(f"{layer.size / MB:.0f} MB: {layer.made_by[:120] or 'no instruction is known'}" for layer in most)


def ran_anew(build: Build) -> bool:
    """Whether a build carried out a RUN, and did not take each from its cache."""
    return any(step.upper().startswith("RUN") for step in build.ran)


def moved_layers(content: Content, again: Build) -> tuple[str, ...]:
    """The instructions whose layers hold packages and are others in a second build.

    None where that carried out no RUN anew: then nothing can have been installed, and what was installed before has
    only been copied together with the source.
    """
    if not ran_anew(again):
        return ()
    holds = [layer for layer in content.layers if any(path.endswith(MODULES) for path in layer.files)]
    return tuple(f"another layer: {each.made_by[:140]}" for each in holds if each.digest not in again.digests)


def command(content: Content) -> str:
    """What the image runs, as its configuration has it."""
    config = content.config.get("config") or {}
    return " ".join(map(str, [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]))[:200]
