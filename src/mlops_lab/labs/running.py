"""One run of a lab's checks: which of them, with which listener, and the results after an interruption."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence
from pathlib import Path

from mlops_lab.base.errors import UsageError
from mlops_lab.checks.check import Check
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.run import Environment, run_checks
from mlops_lab.checks.verdicts import Result
from mlops_lab.kube.client import Kube
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.rows import Rows, Unseen

# A waiting check blocks a thread; asyncio's own pool has only a few on a small machine.
_THREADS = 64


def lab_object(
    kube: Kube, exercise: Exercise, namespace: str, workspace: Path, registry: str, mistake: str = ""
) -> Lab:
    """The `lab` that checks get; a new one for each run, as it caches measurements."""
    settings = parts.settings(namespace, about(exercise).needs)
    return Lab.on(kube, namespace, exercise.number, workspace, registry, settings, mistake)


def chosen(checks: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """The named checks and all that they need, in the lab's order; all of them without names.

    Raises:
        UsageError: there is no such check.
    """
    if not names:
        return list(checks)
    known = {item.name: item for item in checks}
    wanted: set[str] = set()

    def add(item: Check) -> None:
        wanted.add(item.name)
        for needed in item.needs:
            add(needed)

    for name in names:
        plain = name.replace("-", "_")
        if plain not in known:
            raise UsageError(f"there is no check {name!r} in this lab", f"it has: {', '.join(known)}")
        add(known[plain])
    return [item for item in checks if item.name in wanted]


class Interrupted(KeyboardInterrupt):
    """The run was interrupted (Ctrl-C, SIGTERM); `results` has what was found, the rest is `waiting`.

    Whoever has no use for the results lets it pass, as any interruption.
    """

    def __init__(self, results: list[Result]) -> None:
        super().__init__("interrupted")
        self.results = results


def run(
    lab: Lab,
    checks: Sequence[Check],
    *,
    listener: Rows | None = None,
    environment: Environment | None = None,
    within: float | None = None,
) -> list[Result]:
    """Run checks from plain code; parameters as `run_checks`.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came first; the checks have put back what they changed.
    """
    heard = listener or Rows(checks, Unseen())

    async def main() -> list[Result]:
        asyncio.get_running_loop().set_default_executor(threads())
        return await run_checks(lab, checks, listener=heard, environment=environment, within=within)

    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        raise Interrupted(heard.results()) from None
    finally:
        lab.close()


def threads() -> concurrent.futures.ThreadPoolExecutor:
    """A thread pool in which every check of a lab can wait at the same time."""
    return concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="check")


def probe(kube: Kube, exercise: Exercise, namespace: str) -> Callable[[], Sequence[str]]:
    """The check of the cluster, and of the parts of the platform that a lab needs, for `run_checks`.

    Args:
        namespace: the lab's.
    """
    from mlops_lab.measure.cluster.environment import problems

    namespaces = parts.namespaces(about(exercise).needs)
    return lambda: problems(kube, namespaces, namespace)
