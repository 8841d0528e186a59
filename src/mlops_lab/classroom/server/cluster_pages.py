"""The buttons of a learner's page for the class's own cluster."""

from __future__ import annotations

import math

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.server.cluster import Cluster, Stand
from mlops_lab.classroom.server.guard import Page
from mlops_lab.classroom.server.handling import Refused
from mlops_lab.classroom.server.labs_api import cluster_for, grade_in_place
from mlops_lab.classroom.server.service import Service


async def stand(service: Service, learner: str) -> Stand | None:
    """How a learner stands on the class's cluster, for a page that shows it; None where learners have their own."""
    if service.cluster is None:
        return None
    try:
        return await service.cluster.stand(learner)
    except LabError as trouble:
        return Stand(trouble=trouble.message)


class _Own(Page):
    async def cluster(self, learner: str, lab: str = "", *, ends: bool = False) -> Cluster:
        """The class's cluster, for a change."""
        if not self.visitor.may_see(learner):
            raise Refused(404, "there is nothing here", "see your own page")
        found = await cluster_for(self.service, learner, lab, ends=ends)
        if self.request.method == "POST" and (wait := self.service.submitting.take(learner)):
            raise Refused(429, "you ask too often", f"wait {math.ceil(wait)} s", wait)
        return found

    def back(self, learner: str) -> None:
        """To the page where what became of it is seen."""
        self.redirect(f"/learners/{learner}#cluster", status=303)


class OneLab(_Own):
    """/learners/ID/labs/NN/begin, /again, /end and /submit"""

    async def post(self, learner: str, lab: str, what: str) -> None:
        """Ask the operator, or for a grading in place, which is the learner's alone to ask for."""
        cluster = await self.cluster(learner, lab, ends=what == "end")
        if what == "submit":
            if self.visitor.learner != learner or lab not in self.service.settings.klass.in_place:
                raise Refused(404, "there is nothing here", f"hand in your files: lab submit {lab}")
            found = await grade_in_place(self.service, learner, lab)
            self.redirect(f"/submissions/{found.id}", status=303)
            return
        if what == "end":
            await cluster.end(learner, lab)
        else:
            await cluster.begin(learner, lab, anew=what == "again")
        self.back(learner)


class Kubeconfig(_Own):
    """/learners/ID/kubeconfig"""

    async def get(self, learner: str) -> None:
        """The file for kubectl; it is the learner's alone."""
        if self.visitor.learner != learner:
            raise Refused(404, "there is nothing here", "see your own page")
        text = await (await self.cluster(learner)).kubeconfig(learner)
        if not text:
            raise Refused(404, "you have no token for the cluster yet", "ask for one on your page")
        self.set_header("Content-Type", "application/yaml")
        self.set_header("Content-Disposition", 'attachment; filename="class.kubeconfig"')
        self.finish(text)

    async def post(self, learner: str) -> None:
        """Another token; the one before ends."""
        await (await self.cluster(learner)).renew(learner)
        self.back(learner)
