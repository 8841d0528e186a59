"""The parts of the platform that a lab needs: are they installed, how are they reached, and what is left there.

What a lab makes in MLflow or in Kubeflow Pipelines has the name of the lab's namespace (`lab-08`, `lab-08-...`), so
that a reset finds it and labs don't mix. The names are the same for all learners, so each learner needs a cluster.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.measure.services.pipelines import Pipelines
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.measure.services.tracking import Tracking
from mlops_lab.platform.releases import RELEASES

# The ConfigMap in a lab's namespace that says where the platform is; pods take it as environment.
SETTINGS = "platform"
_PARTS = {release.part: release for release in RELEASES}
_NOT_FOUND = 404


def names() -> list[str]:
    """The parts that there are."""
    return list(_PARTS)


def needed(needs: Sequence[str]) -> list[str]:
    """Of what a lab needs, the parts of the platform, in the order of their installation."""
    return [part for part in _PARTS if part in needs]


def namespaces(needs: Sequence[str]) -> list[str]:
    """The namespaces of the parts that a lab needs."""
    return [_PARTS[part].namespace for part in needed(needs)]


def require_installed(kube: Kube, number: str, needs: Sequence[str]) -> None:
    """Check that the parts that a lab needs are installed.

    Raises:
        LabError: one is not; says how to install them.
    """
    if missing := [part for part in needed(needs) if kube.find("Namespace", _PARTS[part].namespace) is None]:
        raise LabError(
            f"lab {number} needs {' and '.join(missing)}, which this cluster does not have",
            f"install it: lab up --with {','.join(missing)}",
        )


def settings(namespace: str, needs: Sequence[str]) -> dict[str, str]:
    """The variables by which programs of a lab find the platform, as its clients name them."""
    found = {"LAB_NAMESPACE": namespace}
    for part in needed(needs):
        for page in _PARTS[part].pages:
            url = f"http://{page.service}.{_PARTS[part].namespace}:{page.port}"
            if page.name == "mlflow":
                found |= {"MLFLOW_TRACKING_URI": url, "MLFLOW_EXPERIMENT_NAME": namespace, "MODEL_NAME": namespace}
            elif page.name == "pipelines":
                found |= {"KFP_ENDPOINT": url, "KFP_EXPERIMENT": namespace}
            else:
                found[f"{page.name.upper()}_URL"] = url
    return found


def traces(kube: Kube, namespace: str, needs: Sequence[str]) -> list[str]:
    """What has the namespace's name in the parts that the lab needs, in words, sorted."""
    with _looking(kube, needs) as (tracking, pipelines):
        found = [f"mlflow {name}" for name in tracking.names() if owned(name, namespace)] if tracking else []
        if pipelines:
            found += [f"{kind}/{name}" for kind, _, name in pipelines.names() if owned(name, namespace)]
    return sorted(found)


def remove(kube: Kube, namespace: str, needs: Sequence[str]) -> None:
    """Remove what has the namespace's name; running runs are terminated first.

    Raises:
        LabError: a part does not answer.
    """
    with _looking(kube, needs) as (tracking, pipelines):
        remove_from(tracking, pipelines, namespace)


def remove_from(tracking: Tracking | None, pipelines: Pipelines | None, namespace: str) -> None:
    """Remove what has the namespace's name in these two, where they are there; raises as `remove`."""
    for kind, number, name in pipelines.names() if pipelines else []:
        if pipelines and owned(name, namespace):
            try:
                pipelines.remove(kind, number)
            except RefusedRequest as refused:
                if refused.status != _NOT_FOUND:
                    raise
    for each in tracking.names() if tracking else []:
        if tracking and owned(each, namespace):
            tracking.remove(*each.split(" ", 1))


def owned(name: str, namespace: str) -> bool:
    """Is this name the namespace's, or does it begin with that and a hyphen?"""
    return re.search(rf"(^|[ /]){re.escape(namespace)}($|[-/._ ])", name) is not None


@contextlib.contextmanager
def _looking(kube: Kube, needs: Sequence[str]) -> Iterator[tuple[Tracking | None, Pipelines | None]]:
    parts = [part for part in needed(needs) if kube.find("Namespace", _PARTS[part].namespace)]
    forwards = PortForwards(kube)
    try:
        yield Tracking(forwards) if "tracking" in parts else None, Pipelines(forwards) if "pipelines" in parts else None
    finally:
        forwards.close()
