"""Lab {number}: say in a line what is measured."""

from mlops_lab.checks import Lab, check, expect
from mlops_lab.kit import jobs


@check(points=2, domains=("ckad/design-and-build",))
async def the_job_completes(lab: Lab) -> None:
    """Job `score` completes within 60 s."""
    seen = await jobs.ended(lab, "score", within=60)
    expect(seen).because("a Job has completed when its pod has ended with exit code 0; look at its events and its log")
