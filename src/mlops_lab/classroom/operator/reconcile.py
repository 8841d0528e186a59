"""One learner's turn: the cluster is made to be as the roster and the learner's requests say.

Nothing is remembered between turns but what the cluster itself holds, so that any turn may be cut off and done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.gradable import closed, table
from mlops_lab.classroom.operator import accounts, names
from mlops_lab.classroom.operator import requests as asked
from mlops_lab.classroom.operator.differences import patch
from mlops_lab.classroom.operator.holding import HELD_WHY, Holding
from mlops_lab.classroom.operator.requests import GOING, MAKING, OVER, READY, REFUSED, TROUBLE, Lab, State
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.classroom.operator.spaces import Foreign, Spaces
from mlops_lab.classroom.roster import Learner, end_of
from mlops_lab.classroom.roster import namespace as namespace_of
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.exact import delete_exactly
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import Exercise, about, exercises

Seeder = Callable[[Exercise, str], State | None]


def takes_part(learner: Learner | None, now: datetime) -> bool:
    """Is somebody on the roster, and not at the end? The last day counts as a whole, in UTC."""
    if learner is None:
        return False
    ends: date | None = learner.ends
    return ends is None or end_of(ends) > now


@dataclass
class Reconciler:
    """All turns of one class.

    Attributes:
        roster: learners by id; None until one could be read, and then nothing is taken away from anybody.
        seed: has a lab's beginning be in a namespace; its state, or None once it is.
        api: addresses and ports of the API server.
        certificate: reads what the API server is trusted by.
    """

    kube: Kube
    settings: Settings
    seen: Seen
    seed: Seeder
    api: Callable[[], Sequence[tuple[str, int]]]
    certificate: Callable[[], str]
    roster: Mapping[str, Learner] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _since: dict[str, float] = field(default_factory=dict)
    _lasted: dict[str, tuple[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spaces = Spaces(self.kube, self.settings, self.seen)
        self._holding = Holding(self.kube, self.settings, self.seen)
        self._labs = {each.number: each for each in exercises()}

    def base(self) -> None:
        """Have the namespace of the accounts be there.

        Raises:
            LabError: the API server does not answer, or refuses; or somebody else has a namespace of that name.
        """
        space, *rest = accounts.place(self.settings)
        there = self.kube.find("Namespace", self.settings.accounts)
        if there is None:
            self.kube.create(space)
        elif names.label(there, names.CLASS) != self.settings.namespace:
            raise Foreign(f"namespace {self.settings.accounts} is not this class's", "delete it, if nobody needs it")
        elif change := patch(there, space):
            self.kube.patch("Namespace", self.settings.accounts, change)
        self._spaces.bring(rest)

    def turn(self, learner: str) -> bool:
        """Make one learner's part of the cluster be as it should.

        Returns:
            False where something has to be tried again.

        Raises:
            LabError: the API server does not answer.
        """
        if self.roster is None:
            return True
        request = self.seen.find("ConfigMap", f"{names.REQUEST}{learner}", self.settings.namespace)
        wanted = asked.read(request) if request else asked.Wanted()
        active = takes_part(self.roster.get(learner), self.now())
        self._account(learner, active)
        states = {key: State(REFUSED, why) for key, why in wanted.broken.items()}
        if request:
            for lab, each in self._in_bounds(learner, wanted.labs, states).items():
                states[f"lab-{lab}"] = self._lab(learner, lab, each, active)
        self._others(learner, wanted, request is not None, active)
        if wanted.kit and active:
            spaces = [s.namespace for s in states.values() if s.state in (READY, MAKING) and s.namespace]
            secret = self.seen.find("Secret", f"{names.KIT}{learner}", self.settings.accounts)
            states["kit"] = accounts.hand_out(
                self.kube, self.settings, learner, wanted.kit, secret, spaces, self.certificate, self.now()
            )
        elif wanted.kit:
            states["kit"] = State(OVER, "the learner's time is over")
        if request:
            self._tell(request, states)
        return all(each.state != TROUBLE for each in states.values())

    def _account(self, learner: str, active: bool) -> None:
        """An account for who takes part; without it, no token of it works any longer."""
        account = accounts.account(self.settings, learner)
        there = self.seen.find("ServiceAccount", account["metadata"]["name"], self.settings.accounts)
        if active:
            self._spaces.bring([account])
            return
        for each in (there, self.seen.find("Secret", f"{names.KIT}{learner}", self.settings.accounts)):
            if each:
                delete_exactly(self.kube, each)

    def _in_bounds(self, learner: str, labs: Mapping[str, Lab], states: dict[str, State]) -> dict[str, Lab]:
        """The labs that a learner may have at a time: those that there are already, then the first ones by number."""
        there = {names.label(each, names.LAB) for each in self.seen.of("Namespace", learner)}
        found: dict[str, Lab] = {}
        for lab, each in sorted(labs.items(), key=lambda item: (item[0] not in there, item[0])):
            if why := self._refused(lab):
                states[f"lab-{lab}"] = State(REFUSED, why)
            elif len(found) >= self.settings.labs_at_once:
                states[f"lab-{lab}"] = State(REFUSED, f"{self.settings.labs_at_once} labs at a time; end one first")
            else:
                found[lab] = each
        return found

    def _refused(self, lab: str) -> str:
        """Why there is no such lab on this cluster; empty where there is."""
        grading = table().get(lab)
        if grading is None or lab not in self._labs or (self.settings.labs and lab not in self.settings.labs):
            return "the class has no such lab"
        if not grading.shared:
            return f"it needs a cluster of your own: {grading.why}"
        needs = parts.needed(about(self._labs[lab]).needs)
        if shut := closed(needs, self.settings.shared_parts):
            return f"it needs {' and '.join(shut)}, which learners do not share on this cluster"
        return ""

    def _lab(self, learner: str, lab: str, wanted: Lab, active: bool) -> State:
        """One lab that is asked for."""
        space = namespace_of(learner, lab)
        key = f"{space} {wanted.round}"
        there = self.seen.find("Namespace", space)
        exercise = self._labs[lab]
        grader = self._holding.by(there, self.now()) if names.annotation(there, names.SEEDED) else None
        if not active:
            self._since.pop(key, None)
            self._lasted.pop(space, None)
            if there and not there["metadata"].get("deletionTimestamp"):
                until = self._spaces.shut(there, self.now())
                if grader:
                    self._holding.hold(there, exercise, grader)
                return State(OVER, f"your time is over; it stays until {until}", space)
            return State(OVER, "your time is over")
        if not names.annotation(there, names.SEEDED):
            self._since.setdefault(key, time.monotonic())
        try:
            needs = about(exercise).needs
            parts.require_installed(self.kube, lab, needs)
            api = self.api() if table()[lab].api else ()
            if not self._spaces.make(learner, lab, table()[lab], needs, wanted, api, looking=bool(grader)):
                return State(GOING, "the one before is going", space)
            if state := self.seed(exercise, space):
                return replace(state, namespace=space)
            if there and grader:
                self._holding.hold(there, exercise, grader)
                return State(READY, HELD_WHY, space, self._took(learner, lab, wanted.round))
            if there:
                self._holding.release(there, exercise)
        except Foreign as foreign:
            return State(REFUSED, foreign.message, space)
        except LabError as trouble:
            return State(TROUBLE, trouble.message, space)
        before = self._since.pop(key, None)
        if before is not None:
            self._lasted[space] = (wanted.round, round(time.monotonic() - before, 2))
        return State(READY, namespace=space, seconds=self._took(learner, lab, wanted.round))

    def _took(self, learner: str, lab: str, number: int) -> float | None:
        """How long it took. What was said of it before is asked only if this program did not see it: what it has just
        written, it hears of a moment later."""
        known = self._lasted.get(namespace_of(learner, lab))
        if known and known[0] == number:
            return known[1]
        request = self.seen.find("ConfigMap", f"{names.REQUEST}{learner}", self.settings.namespace)
        before = asked.states(request).get(f"lab-{lab}")
        return before.seconds if before else None

    def _others(self, learner: str, wanted: asked.Wanted, has_asked: bool, active: bool) -> None:
        """Namespaces that are no longer asked for go; where there is nothing that asks, they stay as they are."""
        for there in self.seen.of("Namespace", learner):
            lab = names.label(there, names.LAB)
            if there["metadata"].get("deletionTimestamp") or f"lab-{lab}" in wanted.broken:
                continue
            if has_asked and lab not in wanted.labs:
                self._spaces.remove(str(there["metadata"]["name"]))
            elif not has_asked and not active:
                self._spaces.shut(there, self.now())

    def _tell(self, request: Object, states: dict[str, State]) -> None:
        """Say what became of it, where that is another thing than before."""
        text = asked.spelled(states)
        if text != (names.annotation(request, names.STATUS) or "{}"):
            change = {"metadata": {"annotations": {names.STATUS: text}}}
            self.kube.patch("ConfigMap", request["metadata"]["name"], change, self.settings.namespace)
