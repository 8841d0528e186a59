"""What the client's own program got, and which names resolve in its pod."""

from mlops_lab.checks import LabError, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import is_running, leaving, newest, ready
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_RESOLVES_WITHIN = 10.0  # s
_LOOK = 'for name in "$@"; do timeout 3 getent hosts "$name" > /dev/null || echo "$name"; done'


async def client_is_answered_by(lab: TaskLab, drawn: Drawn, *, within: float) -> Observation:
    """Wait until the last that the client's newest pod says is that the store's one ready pod has answered."""

    async def look() -> tuple[str, str]:
        stores = [name_of(pod) for pod in ready(await owned_pods(lab, drawn.store)) if not leaving(pod)]
        pod = await _client(lab, drawn)
        said = await last_lines(lab, pod, 1) if pod else []
        return stores[0] if len(stores) == 1 else "", said[0] if said else ""

    return await lab.time.eventually(
        look,
        lambda seen: bool(seen[0]) and seen[1] == f"answered by {seen[0]}",
        expected=f"the client is answered by the one pod of Deployment {drawn.store}",
        shown=lambda seen: f"the client's last line: {seen[1] or 'nothing'}; the store's pod: {seen[0] or 'not one'}",
        within=within,
    )


async def unresolved(lab: TaskLab, drawn: Drawn, names: list[str]) -> Observation:
    """Whether all of these names resolve in the client's pod."""
    expected = f"{', '.join(names)} resolve in the client's pod"

    async def look() -> list[str]:
        pod = await _client(lab, drawn)
        if pod is None:
            return names
        try:
            return (await lab.objects.run_in(name_of(pod), "sh", "-c", _LOOK, "look", *names)).lines
        except LabError as gone:
            if gone.transient or await lab.objects.named("Pod", name_of(pod)).now():
                raise
            return names

    return await lab.time.eventually(
        look, lambda left: not left, expected=expected,
        shown=lambda left: f"without an address: {', '.join(left)}" if left else "all have addresses",
        within=_RESOLVES_WITHIN,
    )  # fmt: skip


async def _client(lab: TaskLab, drawn: Drawn) -> Object | None:
    """The client's newest pod that runs; None if it has none."""
    return newest(pod for pod in await owned_pods(lab, drawn.client) if is_running(pod) and not leaving(pod))
