"""The add-ons of the cluster that a lab needs: are they installed?

`lab up --addon NAME` brings them; in a cluster of the user's they are the user's own. An exam brings what its tasks
need and takes it away again, so a lab whose add-on came with an exam says what is missing when that has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable

# By name: its IngressClass, and its namespace in a cluster of `lab up`, as `cluster.traefik` has them. That module is
# not imported: it brings along what builds images, which a pod that grades has none of.
ADDONS = {"traefik": ("traefik", "mlops-lab-ingress")}


def missing(kube: Kube, wanted: Sequence[str]) -> list[str]:
    """Those that the cluster does not have."""
    known = {name: ADDONS[name][0] for name in wanted}
    return [
        name for name in known if kube.find("IngressClass", known[name], api_version="networking.k8s.io/v1") is None
    ]


def require_installed(kube: Kube, number: str, wanted: Sequence[str]) -> None:
    """Check that the add-ons that a lab needs are installed.

    Raises:
        LabError: one is not; says how to install it.
    """
    if lacking := missing(kube, wanted):
        raise LabError(f"lab {number} needs {' and '.join(lacking)}, which this cluster does not have", _how(lacking))


def problems(kube: Kube, wanted: Sequence[str], lab: str) -> list[str]:
    """What is wrong with the add-ons that a lab needs; those that `lab` has brought have pods that must be well.

    Args:
        lab: the lab's namespace.
    """
    from mlops_lab.measure.cluster import environment

    try:
        if lacking := missing(kube, wanted):
            return [f"{name} is not installed; {_how([name])}" for name in lacking]
        own = [ADDONS[name][1] for name in wanted if kube.find("Namespace", ADDONS[name][1])]
    except Unreachable as down:
        return [f"{down.message}; {down.hint}"]
    return environment.problems(kube, own, lab) if own else []


def _how(names: Sequence[str]) -> str:
    options = " ".join(f"--addon {name}" for name in names)
    return f"install it: lab up {options} (in a cluster of your own: docs/platform.md)"
