"""Kits: a file for each learner, which only its owner may read, with a token that ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.waiting import wait_until
from mlops_lab.classroom import kit as kits
from mlops_lab.classroom.kit import Kit, spelled
from mlops_lab.classroom.operator import accounts, names, requests
from mlops_lab.classroom.roster import Learner, end_of
from mlops_lab.classroom.roster import namespace as namespace_of
from mlops_lab.classroom.teacher.asking import Server, asking, trust
from mlops_lab.classroom.teacher.place import NAMESPACE, Place
from mlops_lab.kube.client import Kube
from mlops_lab.kube.connection import connect

DAYS = 30  # for which a token is good where neither roster nor teacher says an end
_HOURS = 720.0  # that are asked for of a token for the cluster; the chart's value tokenHours says less
_MADE_WITHIN = 90.0  # s that the operator may take for one


@dataclass(frozen=True)
class Written:
    """A kit's file.

    Attributes:
        ends: when the token ends.
        cluster: when the token for the cluster ends; empty where there is none.
        new: it was made now; else the one that was there works still.
        before: until when the token works that was in the file before, if that is later; empty else.
    """

    learner: str
    file: Path
    ends: str
    cluster: str = ""
    new: bool = True
    before: str = ""


class _Token(msgspec.Struct):
    token: str
    ends: datetime


class _Count(msgspec.Struct):
    kits: int


def end_for(learner: Learner, until: date | None, now: datetime) -> datetime:
    """When a learner's token is to end.

    Raises:
        UsageError: that is over, or later than the roster lets the learner take part.
    """
    if until and learner.ends and until > learner.ends:
        raise UsageError(
            f"by the roster {learner.id} takes part until {learner.ends}, so no token is good longer",
            "change `ends` in the roster, then: lab class up --roster roster.csv",
        )
    ends = end_of(until or learner.ends or (now + timedelta(days=DAYS)).date())
    if ends <= now:
        whose = "" if until else f"{learner.id}'s time is over: "
        raise UsageError(f"{whose}{ends.date()} is in the past", "name a later day, in the roster or with --until")
    return ends


def is_over(learner: Learner) -> bool:
    """Is a learner's time over, by the roster?"""
    return learner.ends is not None and end_of(learner.ends) <= datetime.now(UTC)


def write(
    place: Place,
    learners: Sequence[Learner],
    folder: Path,
    until: date | None,
    anew: bool,
    renew: bool,
    done: Callable[[Written], None],
) -> None:
    """Write the files; those that are there and work stay, so what was interrupted goes on.

    Args:
        anew: end all tokens that these learners have, and make others.
        renew: have other tokens for the cluster, which end those before; else those that have not ended stay.
        done: called for each file.

    Raises:
        LabError: the server, the operator or the disk has a problem; what is written is whole.
    """
    now = datetime.now(UTC)
    ends = {each.id: end_for(each, until, now) for each in learners}
    _own(folder)
    told, certificate = place.told(), trust(place)[0]
    with asking(place) as server:
        key = server.text("GET", "key").decode()
        kube = _connected(place) if told.shared else None
        for each in learners:
            file = folder / f"{each.id}.json"
            if anew:
                server.post("kits/revoke", _Count, learner=each.id)
            kit = None if anew else _still(file, each.id, server, told.address, certificate, key, now)
            before = ""
            if kit and until and kit.ends != ends[each.id].isoformat():
                before = kit.ends if datetime.fromisoformat(kit.ends) > ends[each.id] else ""
                kit = None
            new = kit is None
            if kit is None:
                given = server.post("kits", _Token, learner=each.id, ends=ends[each.id])
                kit = Kit(told.address, given.token, each.id, certificate, key, ends[each.id].isoformat())
            config, until_cluster = _of_cluster(kube, each.id, anew or renew, now) if kube else ("", "")
            text = spelled(kit, file.name, config)
            if new or (config and file.read_text("utf-8") != text):
                durable.write(file, text)
            done(Written(each.id, file, kit.ends, until_cluster, new, before))


def extend(place: Place, learner: Learner, until: date) -> int:
    """Let the tokens that a learner has end later; returns how many these are.

    Raises:
        UsageError: the day is over, or later than the roster lets the learner take part.
    """
    ends = end_for(learner, until, datetime.now(UTC))
    with asking(place) as server:
        return server.post("kits/extend", _Count, learner=learner.id, ends=ends).kits


def begin_again(place: Place, learner: Learner, lab: str) -> str:
    """Have a learner's namespace of a lab made anew; returns its name.

    Raises:
        UsageError: learners of this class have clusters of their own.
        LabError: the operator does not make it, and why.
    """
    if not place.told().shared:
        raise UsageError(
            "each learner of this class has an own cluster, which nobody else can reach",
            f"there it is: lab reset {lab}",
        )
    kube, key = _connected(place), f"lab-{lab}"
    wanted = requests.read(_asked(kube, learner.id) or {}).begin(lab)
    requests.ask(kube, NAMESPACE, learner.id, {key: wanted})
    space = namespace_of(learner.id, lab)

    def probe() -> tuple[bool | None, str]:
        state = requests.states(_asked(kube, learner.id)).get(key)
        if state and state.state == requests.REFUSED:
            raise UsageError(f"{learner.id} can't have lab {lab}: {state.why}", "see docs/class-labs.md")
        round_ = names.annotation(kube.find("Namespace", space), names.ROUND)
        if state and state.state == requests.READY and round_ == str(wanted.round):
            return True, ""
        return None, f"{state.state} {state.why}".strip() if state else "the operator has not looked yet"

    wait_until(
        probe, what=space, within=240, every=0.5,
        hint=f"see the operator's log: kubectl -n {NAMESPACE} logs deployment/operator",
    )  # fmt: skip
    return space


def _own(folder: Path) -> None:
    """A folder that nobody else can look into, if it is new.

    Raises:
        LabError: it can't be made.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
    except OSError as trouble:
        raise LabError(f"the folder {folder} can't be made: {trouble.strerror}", "name another one: --out") from trouble


def _still(
    file: Path, learner: str, server: Server, address: str, certificate: str, key: str, now: datetime
) -> Kit | None:
    """The kit in a file, if it is this learner's and works; None otherwise."""
    try:
        kit = kits.read(file)
        if kit is None or datetime.fromisoformat(kit.ends) <= now:
            return None
    except (UsageError, ValueError, TypeError):
        return None
    same = (kit.learner, kit.address, kit.certificate, kit.key) == (learner, address, certificate, key)
    return kit if same and server.knows(kit.token) else None


def _of_cluster(kube: Kube, learner: str, renew: bool, now: datetime) -> tuple[str, str]:
    """The learner's kubeconfig for the class's cluster, and when its token ends.

    Args:
        renew: have a new one though there is one that works, which is no longer good then.

    Raises:
        LabError: the operator makes none.
    """
    before = requests.read(_asked(kube, learner) or {}).kit
    if before and not renew:
        ends = _ends(kube, learner, before)
        text = accounts.kubeconfig(kube, NAMESPACE, learner) if ends else ""
        if text and datetime.fromisoformat(ends) > now:
            return text, ends
    wanted = requests.Kit((before.round if before else 0) + 1, _HOURS)
    requests.ask(kube, NAMESPACE, learner, {"kit": wanted})

    def probe() -> tuple[tuple[str, str] | None, str]:
        if ends := _ends(kube, learner, wanted):
            return (accounts.kubeconfig(kube, NAMESPACE, learner), ends), ""
        state = requests.states(_asked(kube, learner)).get("kit")
        return None, f"{state.state} {state.why}".strip() if state else "the operator has not looked yet"

    return wait_until(
        probe, what=f"{learner}'s token for the cluster", within=_MADE_WITHIN,
        hint=f"see the operator's log (kubectl -n {NAMESPACE} logs deployment/operator), then run this again",
    )  # fmt: skip


def _ends(kube: Kube, learner: str, wanted: requests.Kit) -> str:
    """When the token for the cluster ends that was asked for; empty where it is not made yet."""
    secret = kube.find("Secret", f"{names.KIT}{learner}", f"{NAMESPACE}-accounts")
    ends = names.annotation(secret, names.ENDS)
    return ends if names.annotation(secret, names.ROUND) == str(wanted.round) else ""


def _asked(kube: Kube, learner: str) -> dict[str, object] | None:
    return kube.find("ConfigMap", f"{names.REQUEST}{learner}", NAMESPACE)


def _connected(place: Place) -> Kube:
    file = place.cluster.kubeconfig
    return connect(place.cluster.context, Path(file) if file else None)
