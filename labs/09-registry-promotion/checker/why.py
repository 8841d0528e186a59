"""Why requests were lost while the version changed, from what the Deployment says."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.checks import Lab
from mlops_lab.kit.losses import SEE_EVIDENCE, readiness_path

from .as_found import found


async def why_lost(lab: Lab, statuses: Mapping[int, int]) -> str:
    """What in the Deployment explains it.

    Args:
        statuses: how many answers had which HTTP status; 0 stands for no answer.
    """
    spec = (await lab.once(found)).deployment.get("spec")
    if not spec:
        return "Deployment model was away when the checker looked at it, and without its pods nobody answers"
    path = readiness_path(spec["template"])
    reasons = ["a server that follows the alias changes its model in place, and no pod has to go for it"]
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        reasons.append("strategy Recreate ends all pods before the first new one starts")
    if path not in ("", "/readyz"):  # "": of another kind, such as a program, and serves_production has looked at it
        reasons.append(
            f"the readiness probe asks {path or 'nothing'}: a new pod gets requests before it has a model (503). Only "
            "GET /readyz knows whether there is one"
        )
    elif statuses.get(0):
        reasons.append(SEE_EVIDENCE)
    return "; ".join(reasons)
