"""One pod of the Deployment that does not reach MLflow for a while: it serves what it has, and gets nothing new."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from mlops_lab.checks import Lab
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name, ready
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

LABEL = "mlops-lab/cut-off"
SHUT_WITHIN = 10  # s for the network to keep the policy
# Names are still found: a server that waits for them would not notice for most of a minute.
NAMES = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
POLICY: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "checker-cut-off"},
    "spec": {"podSelector": {"matchLabels": {LABEL: "true"}}, "policyTypes": ["Egress"], "egress": [{"ports": NAMES}]},
}
LOOK = """
import os, socket, urllib.parse
at = urllib.parse.urlsplit(os.environ["MLFLOW_TRACKING_URI"])
try:
    socket.create_connection((at.hostname, at.port or 80), timeout=2).close()
    print("open")
except OSError:
    print("shut")
"""


@contextlib.asynccontextmanager
async def one_cut_off(lab: Lab) -> AsyncIterator[bool]:
    """Cut a pod off while the block runs; False where it can't be done.

    That is so where the network does not keep policies, or the pod has nothing to look with. By their names it is the
    middle one, of two pods the first: who asks the first or the last of three alone asks one that follows.
    """
    pods = sorted((each for each in ready(await owned_pods(lab)) if not leaving(each)), key=name)
    if not pods:
        yield False
        return
    one = pods[(len(pods) - 1) // 2]
    pod, first = name(one), one["spec"]["containers"][0]["name"]
    await lab.objects.patch("Pod", pod, {"metadata": {"labels": {LABEL: "true"}}})
    try:
        async with standing(lab, [POLICY]):
            seen = await lab.time.eventually(
                lambda: lab.objects.run_in(pod, "python3", "-c", LOOK, container=first, within=10),
                lambda printed: printed.lines[-1:] == ["shut"],
                expected="the pod does not reach MLflow",
                shown=lambda printed: " ".join(printed.lines[-1:]),
                within=SHUT_WITHIN,
            )
            yield seen.ok
    finally:
        if await lab.objects.named("Pod", pod).now():
            await lab.objects.patch("Pod", pod, {"metadata": {"labels": {LABEL: None}}})
