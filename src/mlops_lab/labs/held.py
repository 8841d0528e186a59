"""One command at a time at work on a learner's lab on one cluster; different labs don't wait for each other."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from mlops_lab.base.locking import alone, at_once
from mlops_lab.base.paths import state
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.target import Target


def held(target: Target, exercise: Exercise, say: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
    """Hold a learner's lab alone; `say` is told who has it while this waits."""
    return alone(_lock(target, exercise), f"lab {exercise.number}", say)


def held_now(target: Target, exercise: Exercise) -> contextlib.AbstractContextManager[str]:
    """Hold it if it is free: gives an empty text then, else who has it."""
    return at_once(_lock(target, exercise))


def _lock(target: Target, exercise: Exercise) -> Path:
    cluster = hashlib.sha256(target.kube.context.encode()).hexdigest()[:12]  # a context's name may be no file's
    return state() / "locks" / f"{exercise.namespace}-{cluster}.lock"
