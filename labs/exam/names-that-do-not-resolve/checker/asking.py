"""What the client's own program got, and which names resolve in its pod."""

import re

from mlops_lab.checks import LabError, Observation, holds
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import is_running, leaving, newest, ready
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.service_selectors import beside_the_template
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_RESOLVES_WITHIN = 10.0  # s
_ADDRESS = re.compile(r"\w+://(\[|[\d.]+(:|/|$))")  # a URL whose host is one
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


async def goes_by_a_name(lab: TaskLab, drawn: Drawn) -> Observation:
    """Whether the store's Service is headless, and the client has no address of it, in its URL or its hosts file.

    It selects by labels of the store's template alone, so that it finds pods of the next revision, too.
    """
    service = await lab.objects.named("Service", drawn.store).now() or {"spec": {}}
    store = await lab.objects.deployment(drawn.store).present()
    client = await lab.objects.deployment(drawn.client).present()
    pod = client["spec"]["template"]["spec"]
    urls = [
        each.get("value") or "" for one in pod["containers"] for each in one.get("env") or [] if each["name"] == "URL"
    ]
    said = [
        *(["the Service has a cluster IP, or is gone"] if service["spec"].get("clusterIP") != "None" else []),
        *(f"it selects {each}, which no template says" for each in beside_the_template(service, store)),
        *(f"URL is {url}" for url in urls if _ADDRESS.match(url)),
        *(f"hostAliases for {each['ip']}" for each in pod.get("hostAliases") or []),
    ]
    headless = f"Service {drawn.store} is headless, selects by labels of its pods' template"
    return holds(not said, f"{headless}, and the client asks for a name", "; ".join(said))


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
