"""What a task draws from a seed: its names, numbers and faults. The same seed draws the same, on every machine.

A task's `checker/draw.py` has a frozen dataclass `Drawn` and a function `draw(random) -> Drawn`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.tasks.task import Task

T = TypeVar("T")
# What was drawn, beside the checker of a task that is rendered.
DRAWN = "drawn.json"
_WORDS = (
    "amber", "anchor", "aspen", "atlas", "basil", "beacon", "birch", "bison", "cedar", "cinder", "cobalt", "comet",
    "copper", "coral", "delta", "dune", "eagle", "ember", "falcon", "fern", "flint", "garnet", "glacier", "harbor",
    "hazel", "heron", "indigo", "iris", "ivory", "jade", "juniper", "kestrel", "lagoon", "larch", "lotus", "lunar",
    "maple", "marble", "meadow", "mesa", "nebula", "nimbus", "ocean", "olive", "onyx", "opal", "orbit", "orchid",
    "osprey", "pearl", "pine", "prairie", "quartz", "quill", "raven", "reef", "ridge", "river", "robin", "saffron",
    "sage", "salmon", "shore", "sierra", "slate", "solar", "sparrow", "spruce", "summit", "teal", "thistle", "timber",
    "topaz", "tundra", "valley", "velvet", "walnut", "willow", "zenith", "zephyr",
)  # fmt: skip


def words(random: Random, count: int) -> list[str]:
    """So many plain words, no two the same, that are good for names of objects."""
    return random.sample(_WORDS, count)


def draw(task: Task, seed: int) -> dict[str, Any]:
    """What a task draws from a seed, by name.

    Raises:
        LabError: the task's own draw.py is broken.
    """
    file = task.folder / "checker" / "draw.py"
    name = f"mlops_lab_draw_{task.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise LabError(f"{file}: there is no such file", "the task is incomplete; tell its author")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
        found = module.draw(Random(f"{seed} {task.name}"))
    except Exception as broken:
        raise LabError(f"{file}: {type(broken).__name__}: {broken}", "tell the task's author") from broken
    finally:
        del sys.modules[name]
    if not is_dataclass(found) or isinstance(found, type):
        raise LabError(f"{file}: draw() gives no dataclass", "tell the task's author")
    return asdict(found)


def drawn(kind: type[T], file: str) -> T:
    """What was drawn for the task whose checker asks.

    Args:
        kind: the dataclass `Drawn` of its draw.py.
        file: the asking module's `__file__`.

    Raises:
        LabError: the task is a template that nobody has rendered, or was rendered for another `Drawn`.
    """
    beside = Path(file).with_name(DRAWN)
    try:
        return kind(**json.loads(beside.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LabError(f"{beside.parent}: nothing is drawn yet", "it is rendered first: lab exam render") from None
    except (ValueError, TypeError) as other:
        raise LabError(f"{beside}: {other}", "start the exam again") from other
