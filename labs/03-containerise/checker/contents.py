"""What an image holds: things that must not be in it, layers that must stay the same, and what it runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlops_lab.checks import Observation
from mlops_lab.measure.images.builds import Build
from mlops_lab.measure.images.layers import Content

MB = 1e6
MODULE = "numpy/__init__.py"
# Programs, and what one of them is told later in the same instruction.
INSTALLS = ((re.compile(r"\bpip3?\b"), re.compile(r"\b(?:install|sync|wheel)\b")),
            (re.compile(r"\buv\b"), re.compile(r"\b(?:install|sync)\b")))  # fmt: skip


def made_image(build: Build, expected: str) -> Observation:
    """Whether a build made an image, and the builder's last lines."""
    how = f"{build.how or 'built'} after {build.seconds:.0f} s"
    return Observation(bool(build.image), expected, how, build.seconds, build.lines[-12:])


def installs(step: str) -> bool:
    """Does an instruction install packages? The source itself may be one, without what it needs."""
    anew = any((tool := program.search(step)) and word.search(step, tool.end()) for program, word in INSTALLS)
    return anew and "--no-deps" not in step


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
    )


def largest(content: Content) -> tuple[str, ...]:
    """The largest layers, a line each."""
    most = sorted(content.layers, key=lambda layer: -layer.size)[:4]
    return tuple(f"{layer.size / MB:.0f} MB: {layer.made_by[:120] or 'no instruction is known'}" for layer in most)


def moved_layers(content: Content, digests: Sequence[str]) -> tuple[str, ...]:
    """The instructions whose layers hold packages and are not among the digests of another build."""
    holds = [layer for layer in content.layers if any(path.endswith(MODULE) for path in layer.files)]
    return tuple(f"another layer: {each.made_by[:140]}" for each in holds if each.digest not in digests)


def command(content: Content) -> str:
    """What the image runs, as its configuration has it."""
    config = content.config.get("config") or {}
    return " ".join(map(str, [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]))[:200]
