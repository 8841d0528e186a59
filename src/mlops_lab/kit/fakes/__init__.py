"""A fake service: called by the learner's programs by its name, while the checker sets its answers and reads what came.

It runs in a pod of the checker's, outside of the lab's namespace; there is only a Service of its name. So a learner's
program can call it, and can't see or change what it is told to answer.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.programs import Conversation
from mlops_lab.kit.fakes import server
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

IMAGE = "flight-delay:v1"
_SAID_WITHIN = 20.0  # s
_REACHED_WITHIN, _PROBED_WITHIN = 30.0, 3.0  # s until the nodes know the Service, and for one answer
_PROGRAM = ("python3", "/checker/server.py")
_SOURCE = Path(server.__file__).read_text()
_LABEL = "mlops-lab/checker"
_READY = {"tcpSocket": {"port": server.PORT}, "periodSeconds": 1}


@dataclass(frozen=True)
class Reply:
    """What a request is answered with.

    Attributes:
        body: a text as it is; anything else as JSON, None as nothing.
        after: seconds that the answer takes.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0

    def plain(self) -> Object:
        """As the server takes it."""
        body, headers = self.body, dict(self.headers)
        if body is not None and not isinstance(body, str):
            body, headers = json.dumps(body), {"Content-Type": "application/json"} | headers
        return {"status": self.status, "body": body or "", "headers": headers, "after": self.after}


@dataclass(frozen=True)
class Request:
    """A request that came.

    Attributes:
        path: with its query.
        headers: by name in small letters.
        body: its first 64 KiB.
        status: of the answer; 404 where none was set.
        ago: seconds before it was asked for.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    status: int
    ago: float

    @property
    def fields_if_any(self) -> Object:
        """The members of the JSON object that the body is; none if it is anything else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Fake:
    """A fake service that stands."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def reply(self, route: str, *replies: Reply) -> None:
        """Set what a route is answered with from now on: the replies in turn, and then the last one always.

        Args:
            route: method and path without query, such as `POST /alerts`; `*` for all that have none of their own.

        Raises:
            LabError: the fake does not hear it.
        """
        await self._say({"route": route, "replies": [each.plain() for each in replies]})

    async def requests(self) -> list[Request]:
        """All that came since it stands, or since `forget`, in their order; of more than 1,000 the last ones.

        Raises:
            LabError: the fake does not answer.
        """
        return [Request(**each) for each in (await self._say({"requests": True}))["requests"]]

    async def forget(self) -> None:
        """Forget the requests that came so far."""
        await self._say({"forget": True})

    async def _say(self, what: Mapping[str, Any]) -> Object:
        return await self._conversation.ask(what, within=_SAID_WITHIN)


@contextlib.asynccontextmanager
async def fake_service(
    lab: Lab, name: str, replies: Mapping[str, Reply | Sequence[Reply]], *, port: int = 80
) -> AsyncIterator[Fake]:
    """A fake behind a Service of that name in the lab's namespace, while the block runs; it begins once that answers.

    Args:
        replies: by route, one or several; see `Fake.reply`. What has none is answered with 404.
        port: of the Service.

    Raises:
        LabError: the pod does not become ready, or is not reached through the Service; or there is a Service of that
            name, which is not the checker's.
    """
    there = await lab.objects.named("Service", name).now()
    if there is not None and (there["metadata"].get("labels") or {}).get(_LABEL) != "fake":
        raise LabError(
            f"there is a Service named {name}, and the checker plays that one", f"kubectl delete service {name}"
        )
    async with (
        lab.programs.pod(IMAGE, *_PROGRAM, files={"server.py": _SOURCE}, readiness=_READY) as pod,
        pod.talk(*_PROGRAM, "control") as conversation,
    ):
        fake = Fake(conversation)
        for route, reply in replies.items():
            await fake.reply(route, *([reply] if isinstance(reply, Reply) else reply))
        async with standing(lab, objects(name, pod.address, port)):
            await _reached(lab, name, port)
            yield fake


async def _reached(lab: Lab, name: str, port: int) -> None:
    """Wait until requests to the Service come to the fake: the nodes learn of it a moment after it was made."""
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(name, server.PROBE, port=port, within=_PROBED_WITHIN),
        lambda answer: answer.status == server.PROBE_STATUS,
        within=_REACHED_WITHIN,
    )
    if answer.status != server.PROBE_STATUS:
        raise LabError(
            f"the checker's service {name} is not reached after {_REACHED_WITHIN:g} s: {answer.shown}",
            "see how the nodes are: lab status",
        )


def objects(name: str, address: str, port: int) -> Sequence[Object]:
    """A Service without a selector, and the address that it leads to."""
    labels = {_LABEL: "fake"}
    return [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
            "spec": {"ports": [{"port": port, "targetPort": server.PORT}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {**labels, "kubernetes.io/service-name": name}},
            "addressType": "IPv6" if ":" in address else "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "", "port": server.PORT, "protocol": "TCP"}],
        },
    ]  # fmt: skip
