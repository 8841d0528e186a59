"""Lab {number}: say in a line what is measured."""

from mlops_lab.checks import Lab, at_least, check, expect


@check(points=2, domains=("ckad/deployment",))
async def two_pods_are_ready(lab: Lab) -> None:
    """Deployment `model` gets two ready pods within 60 s."""
    seen = await lab.objects.deployment("model").becomes(ready_replicas=at_least(2), within=60)
    expect(seen).because("a Deployment runs as many pods as spec.replicas says; look at its events for what stops them")
