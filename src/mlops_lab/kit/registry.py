"""The lab's registered model: the version that the alias `production` means, and a version's tags."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

PRODUCTION = "production"


async def in_production(lab: Lab) -> Object:
    """The version that the alias means; empty for none."""
    return await lab.platform.mlflow.by_alias(PRODUCTION) or {}


def tags(version: Object) -> dict[str, str]:
    """A version's tags; a tag without a value has an empty one."""
    return {each["key"]: str(each.get("value", "")) for each in version.get("tags") or []}
