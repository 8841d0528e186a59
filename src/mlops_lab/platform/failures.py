"""What is said about a part that was not installed: what happened, in whose words, what is there now, what to do."""

from __future__ import annotations

import re

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.record import Cluster
from mlops_lab.platform.helm import Late
from mlops_lab.platform.installed import Installed
from mlops_lab.platform.plan import Wanted

_OWNED = re.compile(r"CustomResourceDefinition .* exists and cannot be imported", re.S)  # helm's words


def explained(failed: LabError, wanted: Wanted, was: Installed | None, cluster: Cluster, seen: str) -> LabError:
    """The error about a part that helm did not install.

    Args:
        was: what was there before.
        seen: what the cluster said meanwhile.
    """
    release = wanted.release
    late = isinstance(failed, Late)
    if late:
        why = f"did not become ready within {release.within:g} s"
    elif failed.message == "helm failed":
        why = "can't be installed"
    else:
        why = f"is not installed: {failed.message}"
    after = "the previous release is back in place" if was else "its objects were removed again"
    hint = f"see above what was not ready, then try again: {release.again}"
    if not cluster.is_kind and _OWNED.search(failed.detail):
        hint = (
            "others have definitions of the same names there (see above): use another cluster, or the engine that needs"
            f" none of them: lab up --engine {release.engine}"
        )
    elif release.published:
        hint = f"see above what was not ready; or use the engine that needs no pull: lab up --engine {release.engine}"
    elif "ImagePull" in seen:
        hint = (
            "run the same command again" if cluster.is_kind
            else f"push the project's images there: lab images push {cluster.registry}"
        )  # fmt: skip
    words = (seen, failed.detail) if late or failed.message != "helm failed" else (failed.detail, seen)
    return LabError(f"{release.part} {why}; {after}", hint, "\n".join(part for part in words if part))
