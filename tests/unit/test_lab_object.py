"""The `lab` object, as far as it needs no cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import lab as lab_module
from mlops_lab.checks.lab import Lab


def lab_at(workspace: Path) -> Lab:
    return Lab(cast(Any, None), "lab-12", "12", workspace, "localhost:5001")


def test_a_program_of_the_learners_is_known_to_run_until_its_last_change_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_module, "_HEARD_AFTER", 0.1)
    program = tmp_path / "deploy"
    program.write_text("#!/bin/sh\nsleep 0.3\necho $1\n")
    program.chmod(0o755)

    async def story() -> None:
        lab = lab_at(tmp_path)
        assert not lab.runs_program
        running = asyncio.create_task(lab.command("deploy", "v2", within=10))
        await asyncio.sleep(0.1)
        assert lab.runs_program
        done = await running
        assert (done.code, done.output) == (0, "v2\n")
        assert lab.runs_program
        await asyncio.sleep(0.2)
        assert not lab.runs_program

    asyncio.run(story())


def test_a_program_that_cannot_be_started_runs_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_module, "_HEARD_AFTER", 0.0)

    async def story() -> None:
        lab = lab_at(tmp_path)
        with pytest.raises(Failure, match="deploy"):
            await lab.command("deploy", within=10)
        await asyncio.sleep(0.05)
        assert not lab.runs_program

    asyncio.run(story())
