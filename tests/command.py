"""The `lab` command in this process."""

from __future__ import annotations

import pytest

from mlops_lab.cli.main import main


def lab(*words: str) -> int:
    """Run it; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)
