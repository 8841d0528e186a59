"""promtool, built by its recipe where it is missing; nothing is skipped for the lack of it."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import sources
from mlops_lab.images.recipes import monitoring
from mlops_lab.images.store import Store

RULES = project() / "charts" / "monitoring" / "rules"


@functools.cache
def program() -> Path:
    """Where it is. The build takes minutes the first time; a cluster's images bring it almost whole."""
    step = monitoring.promtool(sources("build", architecture("")))
    run_steps([step], Docker({}), Store(), Progress())
    return Store().folder(step) / "promtool"


def promtool(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`promtool WORDS`, with standard output and error in one."""
    return subprocess.run(
        [program(), *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
