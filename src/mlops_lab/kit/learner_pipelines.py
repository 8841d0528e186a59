"""A learner's program that compiles a pipeline, and runs of that pipeline which the checker starts itself."""

from __future__ import annotations

from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit.pipeline_runs import Plain, Record, progress, record
from mlops_lab.kit.prerequisites import must

_BAD_REQUEST = 400  # KFP's word for what is wrong with the question


async def compiled(lab: Lab, program: str, package: str, *, within: float) -> dict[str, Any]:
    """Run a program of the workspace in a copy of it, and read the pipeline that it writes.

    Args:
        package: the file that it is to write.
        within: seconds.

    Raises:
        Failure: it does not end well in time, or writes no pipeline.
    """
    with lab.work.copy(without=package) as copy:
        done = await copy.command(program, within=within)
        must(
            done.observed(done.code == 0, f"./{program}: exit code 0 within {within:.0f} s"),
            "it compiles the pipeline; the compiler's message says what is wrong",
        )
        return copy.pipeline(package)


async def started(lab: Lab, spec: Plain, arguments: Plain, *, takes: str, why: str) -> str:
    """Start a run of a compiled pipeline; its id.

    Args:
        takes: what KFP is to take a run with, in words.
        why: the parameters are to be so.

    Raises:
        Failure: KFP does not take it with these arguments.
    """
    try:
        return await lab.platform.pipelines.start(spec, arguments)
    except LabError as trouble:
        if getattr(trouble, "status", 0) != _BAD_REQUEST:
            raise
        expect(absent(f"KFP takes a run with {takes}", trouble.message[-300:])).because(why)
        raise


async def followed(lab: Lab, run_id: str, *, within: float, why: str = "") -> tuple[Observation, Record]:
    """Wait so many seconds for a run's end, and end it then; whether it came to it, with the run, and what it left.

    Args:
        why: it must end in time; without a reason, one that does not is no failure.

    Raises:
        Failure: it did not end in time, and a reason is given why it must.
    """
    try:
        ended = await lab.time.eventually(
            lambda: lab.platform.pipelines.run(run_id), lab.platform.pipelines.over,
            expected="a run ends", shown=progress, within=within,
        )  # fmt: skip
    finally:
        await lab.platform.pipelines.end(run_id)
    if why:
        must(ended, why)
    return ended, await record(lab, run_id)
