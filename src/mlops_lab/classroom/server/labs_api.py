"""What a learner asks of the class's own cluster: labs there, and a token for it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tornado.web import stream_request_body

from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.operator.requests import READY, State
from mlops_lab.classroom.roster import namespace as namespace_of
from mlops_lab.classroom.server import people, queue
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.classroom.server.handling import OfLearner, Refused
from mlops_lab.classroom.server.queue import Submission
from mlops_lab.classroom.server.schema import WAITING
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.sessions import now


async def cluster_for(service: Service, learner: str, lab: str = "", *, ends: bool = False) -> Cluster:
    """The class's cluster, for a learner who wants a lab there, or a token.

    Args:
        ends: what was begun is given back, also of a lab that the class has no more.

    Raises:
        Refused: learners have clusters of their own, or this lab needs one, or the learner is none of the roster.
    """
    if service.cluster is None:
        raise Refused(
            404, "each learner of this class has an own cluster", f"bring it up: lab up; then lab start {lab or 'NN'}"
        )
    known = lab in service.settings.klass.shared or (ends and lab in (await service.cluster.stand(learner)).labs)
    if lab and not known:
        grading = table().get(lab)
        if grading is not None and not grading.shared:
            what = f"lab {lab} can't be done on the class's cluster: {grading.why}"
            raise Refused(409, what, f"do it on a cluster of your own: lab up, then lab start {lab}")
        there = ", ".join(service.settings.klass.shared)
        raise Refused(404, f"this class has no lab {lab[:20]!r}", f"its labs are {there}")
    if await service.run(people.is_guest, learner):
        raise Refused(409, "the class's cluster is for who is on its roster", "ask the class's teacher to add you")
    return service.cluster


async def grade_in_place(service: Service, learner: str, lab: str) -> Submission:
    """Have a learner's namespace graded as it is, once its turn has come.

    Raises:
        Refused: there is nothing to grade.
        Full: the learner has too many that wait.
    """
    found = await (await cluster_for(service, learner, lab)).begun(learner, lab)
    if found is None:
        raise Refused(409, f"you have not begun lab {lab}: there is nothing to grade", "begin it on your page")
    round_, state = found
    if state.state != READY:
        what = f"lab {lab} is not there to be graded: {state.why or state.state}"
        raise Refused(409, what, "see on your page how it stands")
    asked = await service.run(queue.ask, learner, lab, namespace_of(learner, lab), round_, now())
    if asked.state == WAITING:
        service.moved(learner, lab)
    return asked


class _OfCluster(OfLearner):
    async def cluster(self, lab: str = "", *, ends: bool = False) -> Cluster:
        """The cluster, for a change of which there are only so many."""
        found = await cluster_for(self.service, self.known.learner, lab, ends=ends)
        if self.request.method != "GET" and (wait := self.service.submitting.take(self.known.learner)):
            raise Refused(429, "you ask too often", f"wait {math.ceil(wait)} s", wait)
        return found


@stream_request_body
class Labs(_OfCluster):
    """GET /api/v1/labs"""

    async def get(self) -> None:
        """Labs that can be done on the class's cluster, and what became of those that were begun."""
        stand = await (await self.cluster()).stand(self.known.learner)
        titles = stand.titles(self.service.settings.klass.shared)
        labs = [{"lab": lab, "title": title, **_plain(stand.labs.get(lab))} for lab, title in titles.items()]
        self.give({"labs": labs, "token": _plain(stand.token)})


@stream_request_body
class OneLab(_OfCluster):
    """PUT and DELETE /api/v1/labs/NN"""

    async def put(self, lab: str) -> None:
        """Begin; one that was begun already stays as it is."""
        state = await (await self.cluster(lab)).begin(self.known.learner, lab)
        self.give({"lab": lab, **_plain(state)}, 202)

    async def delete(self, lab: str) -> None:
        """Give it back, with all that is in it."""
        await (await self.cluster(lab, ends=True)).end(self.known.learner, lab)
        self.give({"lab": lab, **_plain(None)}, 202)


@stream_request_body
class LabAgain(_OfCluster):
    """POST /api/v1/labs/NN/again"""

    async def post(self, lab: str) -> None:
        """Begin anew: what is there is deleted."""
        state = await (await self.cluster(lab)).begin(self.known.learner, lab, anew=True)
        self.give({"lab": lab, **_plain(state)}, 202)


@stream_request_body
class Kubeconfig(_OfCluster):
    """GET and POST /api/v1/kubeconfig"""

    async def get(self) -> None:
        """The kubeconfig, once there is one."""
        cluster = await self.cluster()
        stand = await cluster.stand(self.known.learner)
        text = await cluster.kubeconfig(self.known.learner) if stand.has_token else ""
        self.give({**_plain(stand.token), "kubeconfig": text})

    async def post(self) -> None:
        """Another token; the one before ends."""
        self.give(_plain(await (await self.cluster()).renew(self.known.learner)), 202)


def _plain(state: State | None) -> dict[str, Any]:
    return asdict(state or State(""))
