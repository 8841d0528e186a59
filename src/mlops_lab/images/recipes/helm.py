"""helm, which installs the platform's charts: the one on PATH where it will do, else built from its Go module.

It is compiled with Kubernetes' own libraries, so where the node image was built it costs seconds. Versions 3.14 to 4.x
will do: older ones can't label a release, and a later major version is not known.
"""

from __future__ import annotations

import functools
import re
import shutil
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.base.processes import run
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

NAME = "go/helm"
_MODULE = "helm.sh/helm/v3"
_OLDEST, _BELOW = (3, 14), (5,)


def program(sources: Sources) -> Step:
    """A folder step with `helm`."""
    folder = project() / "images" / "node"
    # Without these `helm template` believes that it stands before a cluster of years ago.
    major, minor = str(pin("kubernetes.version")).removeprefix("v").split(".")[:2]
    where = (f"{_MODULE}/pkg/chartutil", f"{_MODULE}/pkg/lint/rules")
    stamps = [f"-X {package}.k8sVersionMajor={major} -X {package}.k8sVersionMinor={minor}" for package in where]
    stamps.append(f"-X {_MODULE}/internal/version.version={golang.required(folder, _MODULE)}")
    return golang.programs(
        sources, NAME, folder, (f"{_MODULE}/cmd/helm",), ldflags=" ".join(stamps), seconds=25,
        after=(kubernetes.programs(sources),), for_host=True,
    )  # fmt: skip


@functools.cache
def on_path() -> Path | None:
    """The helm on PATH, if its version will do."""
    found = shutil.which("helm")
    if found and acceptable(run([found, "version", "--short"], within=20, check=False).stdout):
        return Path(found)
    return None


def acceptable(answer: str) -> bool:
    """Will the helm do that answers `helm version --short` with this?"""
    number = re.search(r"v(\d+)\.(\d+)", answer)
    return number is not None and _OLDEST <= (int(number[1]), int(number[2])) < _BELOW


def path(store: Store) -> Path | None:
    """Where the program is: on PATH, or built before; None where it has yet to be built."""
    if found := on_path():
        return found
    built = store.current(NAME)
    return built / "helm" if built else None
