"""One of the members is not ready for a while: who finds it meanwhile, and whom clients get."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mlops_lab.checks import Lab, expect, is_ready
from mlops_lab.kit.pods import is_running
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.probes import Probe, standing_probes
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
MEMBERS = (f"{D.members}-0", f"{D.members}-1")
BEHIND = MEMBERS[D.behind]
_FILE = "/tmp/behind"
_CHANGES_WITHIN = 15.0  # s
_TAKEN_UP = 4.0  # s until the DNS and every node know of it
_REQUESTS = 12


@dataclass(frozen=True)
class Seen:
    """While one member was not ready.

    Attributes:
        found: what its name led to.
        answers: who answered the clients, or why nobody did; each once.
    """

    found: str
    answers: list[str]


async def while_behind(lab: Lab) -> Seen:
    """Make one member not ready, and look.

    Raises:
        Failure: a member is gone, or is not what it was.
    """
    assert isinstance(lab, TaskLab)
    probe = Probe(lab.objects, "trial-caller")
    name = f"dns:{BEHIND}.{D.group}.{lab.namespace}.svc.cluster.local."
    answers: set[str] = set()
    async with standing_probes(lab, probe), _not_ready(lab):
        await lab.time.pause(_TAKEN_UP)
        found = (await probe.tries(name))[name]
        if await lab.objects.named("Service", D.clients).now():
            service = f"http://{await lab.traffic.host(D.clients)}:{D.client_port}/"
            # Each request by a target of its own, so that each is sent.
            targets = [f"{service}?{number}" for number in range(_REQUESTS)]
            answers = {gave or "no answer" for gave in (await probe.tries(*targets)).values()}
        else:
            answers = {f"no Service {D.clients}"}
    return Seen(found, sorted(answers))


@contextlib.asynccontextmanager
async def _not_ready(lab: TaskLab) -> AsyncIterator[None]:
    """One member is not ready while the block runs."""

    async def becomes(ready: bool) -> None:
        word = "ready" if ready else "not ready"
        seen = await lab.objects.named("Pod", BEHIND).until(
            lambda pod: pod is not None and is_ready(pod) is ready, expected=word, shown=_state, within=_CHANGES_WITHIN
        )
        expect(seen).because(
            f"the given members are not ready while there is a file {_FILE}, and ready again without it: the "
            "StatefulSet was to stay as it is"
        )

    try:
        await lab.objects.run_in(BEHIND, "touch", _FILE)
        await becomes(False)
        yield
    finally:
        await lab.objects.run_in(BEHIND, "rm", "-f", _FILE)
        await becomes(True)


def _state(pod: Object | None) -> str:
    return "gone" if pod is None else "ready" if is_ready(pod) else "not ready"


async def members_run(lab: TaskLab) -> dict[str, str]:
    """Each member's address.

    Raises:
        Failure: one is not there or not ready.
    """
    found = {}
    for member in MEMBERS:
        pod = await lab.objects.named("Pod", member).now()
        if pod and is_running(pod) and not is_ready(pod):  # a check that was cut off may have left its file
            await lab.objects.run_in(member, "rm", "-f", _FILE)
        seen = await lab.objects.named("Pod", member).until(
            lambda pod: pod is not None and is_ready(pod), expected="ready", shown=_state, within=20
        )
        must(seen, f"StatefulSet {D.members} was to stay as it is, with both of its members")
        found[member] = str((await lab.objects.named("Pod", member).present())["status"]["podIP"])
    return found
