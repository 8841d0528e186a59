"""Lab 14's stage: the crowd's pod, and a pod with the service of start/ that the learner's is compared with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.programs import Conversation, Pod
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import restarts
from mlops_lab.kit.probabilities import near
from mlops_lab.kit.side_by_side import together

from .crowd import Alone, Crowd, Unusual

HERE = Path(__file__).parent
PROGRAM = ("crowd.py", "client.py", "flights.py", "modelling.py")
ANSWER_WITHIN = 10  # s for one answer
SAME = 1e-5
KNOWN = 200  # hidden flights, of which the crowd makes its own
CLIENTS = 16
WARM = 48  # requests before anything is measured
CROWD_WITHIN = 60  # s for one crowd

Address = tuple[str, int]


@dataclass(frozen=True)
class Stage:
    """Who is asked and who asks: the crowd's program, the first service's pod, and the address of the learner's."""

    lab: Lab
    talk: Conversation
    baseline: Pod
    address: Address

    @property
    def baseline_address(self) -> Address:
        """Of the service that the learner began with."""
        return self.baseline.address, 8080

    async def ask(self, do: str, *, within: float = CROWD_WITHIN, **what: Any) -> dict[str, Any]:
        """Have the crowd's program do something; it takes its own `within` itself, and this waits somewhat longer."""
        said = {"do": do, "within": within, "answer_within": ANSWER_WITHIN, **what}
        return await self.talk.ask(said, within=within + 30)

    async def crowd(self, address: Address, requests: int, sizes: Sequence[int], **every: int) -> Crowd:
        """Send a crowd to an address, which asks about v1; `bad_every` and `twin_every` are those of its program."""
        host, port = address
        found = await self.ask(
            "crowd", version="v1", host=host, port=port, clients=CLIENTS, requests=requests, sizes=list(sizes), **every,
        )  # fmt: skip
        return cast(Crowd, found)

    async def alone(self, times: int) -> Alone:
        """Let one client ask both services in turn, so many times each."""
        servers = {"baseline": self.baseline_address, "model": self.address}
        return cast(Alone, await self.ask("alone", servers=servers, times=times))

    async def unusual(self, address: Address, version: str, **more: Any) -> Unusual:
        """Send strange bodies to an address, which should know a version."""
        host, port = address
        return cast(Unusual, await self.ask("unusual", version=version, host=host, port=port, **more))

    async def restarts(self) -> int:
        """How often the containers behind Service model were restarted in all."""
        return restarts(*await self.lab.objects.pods_of("model"))


async def set_up(lab: Lab, stack: contextlib.AsyncExitStack) -> Stage:
    """Start the crowd's pod and the baseline; LabError if they are not what they should be."""
    known = lab.traffic.hidden_rows(KNOWN)
    rows = [dict(row) for row in known.rows]
    files = {name: (HERE / name).read_text() for name in PROGRAM} | {"flights.json": json.dumps(rows)}
    first = {name: (HERE.parent / "start" / name).read_text() for name in ("app.py", "contract.py")}
    ready = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 3}
    waits = ["python3", "-c", "import signal; signal.pause()"]
    serves = ["python3", "-m", "uvicorn", "app:app", "--app-dir", "/checker", "--host", "0.0.0.0", "--port", "8080"]
    crowd, baseline = await together(
        stack.enter_async_context(lab.programs.pod("workbench:1", *waits, files=files)),
        stack.enter_async_context(lab.programs.pod("workbench:1", *serves, files=first, readiness=ready)),
    )
    seed = drawn(lab, "flights").randrange(2**31)
    # As modules of a package, which the folder /checker is.
    program = f"cd / && exec python3 -m checker.crowd {seed}"
    talk = await stack.enter_async_context(crowd.talk("sh", "-c", program))
    if reasons := (await talk.hear(within=60))["reasons"]:
        raise LabError(f"the checker's own model can't be loaded: {reasons}", "make the images again: lab images build")
    stage = Stage(lab, talk, baseline, await service_address(lab, "model"))
    sample = await stage.ask("values", version="v1", rows=rows[:20])
    theirs = await stage.crowd(stage.baseline_address, WARM, [1])
    right = near(sample["probabilities"], known.probabilities("v1")[:20], SAME)
    if not right or theirs["wrong"] or theirs["ended"] < WARM:
        raise LabError(
            "the service to compare with does not answer as the model does", "try again; if it lasts: lab doctor",
            "\n".join(theirs["problems"]),
        )  # fmt: skip
    return stage


async def service_address(lab: Lab, name: str) -> Address:
    """Where a Service answers inside the cluster.

    Raises:
        LabError: it is not there any more.
    """
    if await lab.objects.named("Service", name).now() is None:
        raise LabError(f"Service {name} went away during the check", "apply it again")
    return await lab.traffic.host(name), 80
