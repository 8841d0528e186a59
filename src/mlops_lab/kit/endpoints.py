"""Who answers for a Service: the program behind it says its pod's name at a path, such as GET /pod."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import gone_meanwhile, leaving, ready
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.restore import insist
from mlops_lab.kube.objects import alive

# Requests at once for each pod: of two pods one is left out by chance in 1 of 2,000 looks, and then looked for again.
_ASKED = 6
_SHOWN = 3
_ANSWERS_WITHIN = 3.0  # s


def enough(pods: int) -> int:
    """Requests after which it is believed that nobody answers but so many pods, each of which does.

    Of the answers of one to three pods these leave out another's by chance in 1 of a million looks at most:
    `(pods / (pods + 1)) ** (12 * (pods + 1))`, where a request goes to each of them as often.
    """
    return 12 * (pods + 1)


async def answered_by(
    lab: Lab,
    service: str,
    deployment: str,
    *,
    port: int = 80,
    path: str = "/pod",
    without: Collection[str] = (),
    within: float,
) -> Observation:
    """Wait until each pod of a Deployment answers for a Service, and nobody else does.

    Args:
        path: where a pod says its name.
        without: pods of the Deployment's that are not to answer.
        within: seconds.

    Raises:
        Failure: there is no such Service, or it does not have that port.
    """

    async def look() -> tuple[set[str], Counter[str]]:
        own = {name_of(pod) for pod in await owned_pods(lab, deployment) if not leaving(pod)} - set(without)
        at_once, said = _ASKED * (len(own) or 1), Counter[str]()
        for _ in range(1 + math.ceil(enough(len(own)) / at_once)):
            asks = [lab.traffic.get(service, path, port=port, within=_ANSWERS_WITHIN) for _ in range(at_once)]
            answers = await asyncio.gather(*asks)
            said.update(each.text.strip() if each.status == 200 else each.shown for each in answers)
            if set(said) != own:
                break
        return own, said

    def shown(seen: tuple[set[str], Counter[str]]) -> str:
        own, said = seen
        words = [f"{len(own & set(said))} of {len(own)} pods answer"]
        words += [f"{count} times {who[:160]!r}" for who, count in said.most_common() if who not in own][:_SHOWN]
        return "; ".join(words)

    but = f" but {', '.join(without)}" if without else ""
    return await lab.time.eventually(
        look,
        lambda seen: bool(seen[0]) and set(seen[1]) == seen[0],
        expected=f"each pod of Deployment {deployment}{but} answers for Service {service}, and nobody else",
        shown=shown,
        within=within,
    )


async def leaves_when_not_ready(
    lab: Lab, service: str, deployment: str, pod: str, *, file: str, port: int = 80, path: str = "/pod", within: float
) -> Observation:
    """Take away the file that a pod is ready with: does it get no requests then? The file is there again afterwards.

    Args:
        pod: one of the Deployment's, by name.
        port, path, within: as for `answered_by`.
    """
    try:
        try:
            await lab.objects.run_in(pod, "rm", "-f", file)
        except LabError as trouble:
            if not await gone_meanwhile(lab, pod, trouble):
                raise
            return absent(f"Pod {pod} runs during the check", "it was deleted meanwhile")
        return await answered_by(lab, service, deployment, port=port, path=path, without=[pod], within=within)
    finally:
        await insist(lambda: _touched(lab, pod, file))


async def _touched(lab: Lab, pod: str, file: str) -> None:
    """The file is there again, if the pod is; in one that ends nothing can be run any more."""
    now = await lab.objects.named("Pod", pod).now()
    if now and alive([now]):
        await lab.objects.run_in(pod, "touch", file)


async def some_pod(lab: Lab, deployment: str) -> str:
    """The name of a ready pod of a Deployment's, for a trial with it.

    Raises:
        Failure: it has none any more.
    """
    pods = [pod for pod in ready(await owned_pods(lab, deployment)) if not leaving(pod)]
    if not pods:
        expect(absent(f"a ready pod of Deployment {deployment}", "there is none any more")).because(
            "what is checked must stay until the check ends"
        )
    return min(map(name_of, pods))
