"""Pull images on the kind cluster's nodes that no pod of a release runs: those of pods that come later, with a run.

helm waits for a release's own pods only. So a system would count as ready although nothing that it starts can begin.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import ended, start
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine.docker import CLIENT_ENV, Docker
from mlops_lab.images.sources import full

_BARRED = ("NoSchedule", "NoExecute")


def on_nodes(
    kubectl: Kubectl, docker: Docker, images: Sequence[str], within: float, stopped: Callable[[], str]
) -> None:
    """Have images on each node that takes pods; one that is there by its name, imported, say, is not asked for.

    Args:
        within: seconds for all of them.
        stopped: why to end early; asked every second.

    Raises:
        LabError: one can't be pulled, or not in time.
    """
    finish = time.monotonic() + within
    failed: list[Exception] = []

    def why() -> str:
        return stopped() or ("it fails on another node" if failed else "")

    def bring(node: str) -> None:
        words = ("ctr", "--namespace", "k8s.io", "images", "ls", "-q")
        try:
            there = docker.run("exec", node, *words, check=False).stdout.split()
            for image in images:
                if full(image) not in there:
                    _pull(node, image, finish, why)
        except LabError as error:
            failed.append(error)

    if images:
        nodes = taking(kubectl)
        with ThreadPoolExecutor(max(1, len(nodes))) as pool:
            list(pool.map(bring, nodes))
    if failed:
        raise failed[0]  # the others end for its sake


def taking(kubectl: Kubectl) -> list[str]:
    """The nodes that pods without tolerations can be on."""
    return [
        item["metadata"]["name"]
        for item in kubectl.get("nodes")
        if not any(taint["effect"] in _BARRED for taint in item.get("spec", {}).get("taints") or [])
    ]


def _pull(node: str, image: str, finish: float, stopped: Callable[[], str]) -> None:
    reason = ""
    with tempfile.TemporaryFile() as said:
        words = ["docker", "exec", node, "crictl", "pull", full(image)]
        with ended(start(words, stdout=said, stderr=subprocess.STDOUT, env=CLIENT_ENV)) as child:
            while not reason:
                try:
                    child.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    reason = stopped() or ("not in time" if time.monotonic() > finish else "")
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if reason or child.returncode:
        lines = text.splitlines()
        raise LabError(
            f"{image} can't be pulled on {node}" + (f": {reason}" if reason else ""),
            "check the network, then try again", "\n".join(lines[-4:]),
        )  # fmt: skip
