"""Measures a class that is up for that alone: what its learners and its own parts take of memory.

Who is measured are learners that the bench enrols, and what they hand in stays signed: so nothing is done to a class
that has others. The class was made for it and goes afterwards (docs/class-sizing.md has the commands).
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bench_memory
import bench_sizing as names
import yaml
from bench_figures import Figures

from mlops_lab.base.errors import LabError
from mlops_lab.base.waiting import wait_until
from mlops_lab.classroom.operator import names as operator
from mlops_lab.classroom.operator import requests
from mlops_lab.classroom.operator.requests import READY, REFUSED, Lab
from mlops_lab.classroom.roster import namespace
from mlops_lab.classroom.teacher import place as places
from mlops_lab.classroom.teacher.place import NAMESPACE, Place
from mlops_lab.cluster import kueue
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs import images, variants
from mlops_lab.labs.catalog import about, resolve
from mlops_lab.labs.namespaces import seed
from mlops_lab.labs.target import target
from mlops_lab.labs.workspace import manifests
from mlops_lab.measure.pods.containers import readings

LEARNER = "bench-"  # how the ids of all begin who are enrolled here
HOW = "docs/class-sizing.md has the commands for a class to measure"
FEW, MORE = 50, 100  # learners; from 40 on the chart has another profile
COPIES, LAB = 8, "04"  # learners with a lab at work, and which
ENROLLED, BEGUN, GONE, SERVES = 900.0, 900.0, 900.0, 300.0  # s
REST = 60.0  # s before memory is read
MIB = 2**20

Run = Callable[..., object]  # `lab WORDS...`


@dataclass(frozen=True)
class Site:
    """A class that may be measured.

    Attributes:
        lab: runs a command of `lab`.
        folder: for rosters and kits.
    """

    lab: Run
    place: Place
    kube: Kube
    folder: Path


def site(lab: Run, folder: Path) -> Site:
    """The class on the cluster in use.

    Raises:
        SystemExit: there is none, it has learners of its own, or its cluster's memory can't be read; says what to do.
    """
    try:
        place = places.of()
        learners = [each.id for each in place.roster()]
    except LabError as trouble:
        raise SystemExit(f"nothing was measured: {trouble.message}\n  next: {HOW}") from trouble
    if theirs := [each for each in learners if not each.startswith(LEARNER)]:
        raise SystemExit(
            f"nothing was measured: the class has learners of its own, such as {theirs[0]}, and what is measured stays "
            f"in its gradebook\n  next: {HOW}"
        )
    if not place.cluster.is_kind:
        raise SystemExit("nothing was measured: the memory of a cluster that lab up has not made is not known here")
    return Site(lab, place, target(timeout=60).kube, folder)


def shared(found: Site) -> None:
    """Do learners work on the class's cluster?

    Raises:
        SystemExit: they don't.
    """
    if not found.place.told().shared:
        raise SystemExit(f"nothing was measured: learners have no namespaces on this class's cluster\n  next: {HOW}")


def learners(count: int) -> list[str]:
    """The ids of so many learners."""
    return [f"{LEARNER}{number:03}" for number in range(count)]


def enrol(found: Site, ids: Sequence[str]) -> None:
    """Have these be on the roster, and nobody else."""
    file = found.folder / "roster.csv"
    file.write_text("".join(f"{line}\n" for line in ("id", *ids)), "utf-8")
    print(f"class: {len(ids)} learners", flush=True)
    found.lab("class", "up", "--roster", file, within=ENROLLED)


@contextlib.contextmanager
def as_before(found: Site) -> Iterator[None]:
    """Whatever happens in the block, afterwards nobody has a lab or a copy of one, and the roster is what it was."""
    before = [each.id for each in found.place.roster()]
    clear(found)  # of a run that was killed
    try:
        yield
    finally:
        print("class: taking away what was made", flush=True)
        clear(found)
        enrol(found, before)


def clear(found: Site) -> None:
    """Take away all that learners of this bench have asked for, and plain copies."""
    asked = [each for each in _asked(found.kube) if operator.label(each, operator.LEARNER).startswith(LEARNER)]
    for each in asked:
        data = dict.fromkeys(each.get("data") or {})
        if data:
            found.kube.patch("ConfigMap", each["metadata"]["name"], {"data": data}, NAMESPACE)
    for name in _plain(COPIES):
        found.kube.delete("Namespace", name)
    _until_gone(found.kube, lambda name: name.startswith((f"l-{LEARNER}", _PLAIN)))
    for each in asked:
        found.kube.delete("ConfigMap", each["metadata"]["name"], NAMESPACE)


def begin(found: Site, ids: Iterable[str], lab: str, every: float = 1.0) -> None:
    """Have learners begin a lab, all at once, and wait until all are ready.

    Args:
        every: seconds between two looks.

    Raises:
        SystemExit: the operator refuses one.
        LabError: not all are ready in time.
    """
    wanted, key = list(ids), f"lab-{lab}"
    for learner in wanted:
        requests.ask(found.kube, NAMESPACE, learner, {key: Lab()})

    def probe() -> tuple[bool | None, str]:
        items = {operator.label(each, operator.LEARNER): each for each in _asked(found.kube)}
        states = {learner: requests.states(items.get(learner)).get(key) for learner in wanted}
        refused = next((each for each in states.values() if each and each.state == REFUSED), None)
        if refused:
            raise SystemExit(f"lab {lab} can't be begun: {refused.why}\n  next: {HOW}")
        ready = sum(each is not None and each.state == READY for each in states.values())
        return ready == len(wanted) or None, f"{ready} of {len(wanted)} are ready"

    wait_until(
        probe, what=f"namespaces of lab {lab}", within=BEGUN, every=every,
        hint=f"see the operator's log: kubectl -n {NAMESPACE} logs deployment/operator",
    )  # fmt: skip


def own(kube: Kube) -> float:
    """MiB of the class's own parts: server, database, operator, dispatcher, Jobs of graders, and Kueue."""
    spaces = (NAMESPACE, f"{NAMESPACE}-grading", kueue.NAMESPACE)
    pods = [pod for space in spaces for pod in kube.list("Pod", space) if pod["status"].get("phase") == "Running"]
    seen = readings(kube, pods)
    if lacking := {pod["metadata"]["name"] for pod in pods} - {pod for pod, _ in seen}:
        raise SystemExit(f"the kubelet does not tell the memory of {', '.join(sorted(lacking))}; run it again")
    return sum(each.memory for each in seen.values()) / MIB


def memory(found: Site) -> Iterator[Figures]:
    """What a learner takes who does nothing, and one with a lab at work; as they come."""
    shared(found)
    with as_before(found):
        levels = []
        for count in (FEW, FEW + MORE):
            enrol(found, learners(count))
            found.lab("class", "kit", "--out", found.folder / "kits", within=ENROLLED)  # whoever takes part has one
            levels.append(_level("with so many learners"))
        yield {
            names.IDLE: ((levels[1] - levels[0]) / MORE, "MiB", "at most 20"),
            names.OWN: (own(found.kube), "MiB", "at most 700"),
        }
        objects = solution(LAB)
        plain, walled = _plain_copies(found, objects), _learners_copies(found, objects)
        yield {
            names.PLAIN: (plain / COPIES, "MiB", ""),
            names.BEYOND: ((walled - plain) / COPIES, "MiB", "at most 30"),
        }


def solution(lab: str) -> list[Object]:
    """The objects of a lab's solution; its images are brought."""
    images.bring(list(about(resolve(lab)).images))
    return objects_of(lab)


def objects_of(lab: str) -> list[Object]:
    """The objects of a lab's solution."""
    exercise = resolve(lab)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / exercise.slug
        variants.lay_out(variants.solutions(exercise)[0], work)
        return [each for file in manifests(work) for each in yaml.safe_load_all(file.read_text("utf-8")) if each]


def _plain_copies(found: Site, objects: list[Object]) -> float:
    """MiB of the lab at work, with what it begins with, in namespaces without a class."""
    before = _level("before plain copies of the lab")
    spaces = _plain(COPIES)
    for name in spaces:
        found.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        seed(found.kube, resolve(LAB), name)
    _serve(found.kube, spaces, objects)
    used = _level("with plain copies of the lab") - before
    for name in spaces:
        found.kube.delete("Namespace", name)
    _until_gone(found.kube, lambda name: name.startswith(_PLAIN))
    return used


def _learners_copies(found: Site, objects: list[Object]) -> float:
    """MiB of the lab at work in namespaces of learners."""
    ids = learners(COPIES)
    before = _level("before learners begin the lab")
    begin(found, ids, LAB)
    _serve(found.kube, [namespace(learner, LAB) for learner in ids], objects)
    return _level("with learners at the lab") - before


_PLAIN = "bench-plain-"


def _plain(count: int) -> list[str]:
    return [f"{_PLAIN}{number}" for number in range(count)]


def _level(what: str) -> float:
    """MiB of all the cluster's containers."""
    print(f"class: the memory {what}", flush=True)
    return bench_memory.idle(REST) * 1024


def _serve(kube: Kube, spaces: Sequence[str], objects: list[Object]) -> None:
    """Have the same be at work in each namespace; one after the other, as two cores start few models at a time."""
    for space in spaces:
        wait_until(
            lambda space=space: (kube.find("ServiceAccount", "default", space), "no account yet"),  # type: ignore[misc]
            what=space, within=60, hint="see: lab status",
        )  # fmt: skip
        kube.apply(objects, space)
        ready, seen = kube.wait_all("Deployment", space, lambda each: all(map(_serves, each)) or None, within=SERVES)
        if not ready:
            raise SystemExit(f"{space}: {', '.join(each['metadata']['name'] for each in seen)} did not become ready")


def _serves(deployment: Object) -> bool:
    status = deployment.get("status") or {}
    return bool(status.get("readyReplicas", 0) == deployment["spec"]["replicas"] == status.get("updatedReplicas", 0))


def _asked(kube: Kube) -> list[Object]:
    return kube.list("ConfigMap", NAMESPACE, selector=f"{operator.PART}=learner")


def _until_gone(kube: Kube, whose: Callable[[str], bool]) -> None:
    end = time.monotonic() + GONE
    while left := [each["metadata"]["name"] for each in kube.list("Namespace") if whose(each["metadata"]["name"])]:
        if time.monotonic() > end:
            raise SystemExit(
                f"{len(left)} namespaces do not go, such as {left[0]}: kubectl describe namespace {left[0]}"
            )
        time.sleep(2)
