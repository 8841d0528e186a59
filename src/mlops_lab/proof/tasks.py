"""The proof of a task, as that of a lab but smaller, and with names, numbers and faults drawn anew for each step.

Who has done nothing gets nothing; each solution gets full marks, and when the task goes nothing is left; each mistake
fails exactly its check.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.checks.verdicts import Result
from mlops_lab.kube.client import Object
from mlops_lab.labs import images, parts
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.checker import checks as checks_of
from mlops_lab.labs.variants import Variant, forget, lay_out, solutions, wrongs
from mlops_lab.labs.workspace import put_kubeconfig
from mlops_lab.proof import leftovers, page, proofs, turns
from mlops_lab.proof.content import KEPT, content_of
from mlops_lab.proof.ledger import Done
from mlops_lab.proof.verify import Step, perform
from mlops_lab.proof.verify import steps as lab_steps
from mlops_lab.tasks import running, standing
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered, render
from mlops_lab.tasks.script import answer
from mlops_lab.tasks.task import Task

# Where a step's draw begins; each step has a seed of its own.
SEED = 1000
# Namespaces, volumes and what else other tasks and labs make beside this one.
_OTHERS = re.compile(r"(namespaces|persistentvolumes)/")
_WORD = re.compile(r"[a-z]{4,}")
_LONG = 6  # letters


def prove(
    task: Task,
    place: Place,
    *,
    only: Sequence[str] = (),
    of: Sequence[str] = (),
    seed: int = SEED,
    tell: Callable[[Step, Done | None], None] = lambda step, done: None,
) -> list[Done]:
    """Prove a task on a cluster, step by step.

    Args:
        only: kinds of steps: `start`, `solutions`, `wrong`; none means all.
        of: variants, such as `wrong/CHECK--mistake`; none means all.
        seed: with which the first step draws; each step after it the next one.
        tell: called when a step begins (None) and ends.

    Raises:
        LabError: the task can't be rendered or read.
        UsageError: it has no such variant.
    """
    stage = TaskStage(task, place, seed)
    try:
        wanted = [step for step in lab_steps(stage.rendered, only=only, of=of) if _proves(step)]
        its_checks, content = checks_of(stage.rendered), content_of(stage.rendered)
        found = []
        for step in wanted:
            tell(step, None)
            done = perform(step, its_checks, stage)
            found.append(done)
            tell(step, done)
        if not only and not of and seed == SEED:
            steps = {done.step: done.plain() for done in found}
            if proofs.keep(kept_of(task), steps, content, {proofs.WHOLE: list(steps)}):
                page.write()
        return found
    finally:
        stage.clear()


def kept_of(task: Task) -> Exercise:
    """What a task's proof is kept beside, for `proof.proofs`: its own folder."""
    return Exercise(task.folder, task.name, task.name)


def holds(task: Task) -> bool:
    """Is the task as it was when all of it was proved last?

    Raises:
        LabError: it can't be rendered, or its proof can't be made sense of.
    """
    return proofs.WHOLE in proofs.proofs(kept_of(task)) and fresh([task])[0].fresh


def fresh(tasks: Sequence[Task]) -> list[turns.Turn]:
    """How fresh the proofs of tasks are; those that are to be renewed first, as labs by turns.

    Raises:
        LabError: one can't be rendered, or its proof can't be made sense of.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
        drawn = [_rendered(task, Path(folder), SEED, 0) for task in tasks]
        for task, it in zip(tasks, drawn, strict=True):
            if (kept := task.folder / KEPT).is_file():
                shutil.copy(kept, it.folder)
        return turns.turns(drawn, proofs.WHOLE)


def work(place: Place, rendered: Rendered, variant: Variant, workspace: Path) -> None:
    """Do what a variant of a task that stands does, as a candidate would.

    Args:
        workspace: of the task; what is in it goes.

    Raises:
        LabError: kubectl refuses, or the answer's script failed; with its output.
    """
    images.bring(variant.images)
    for path in workspace.iterdir():  # the candidate's own shell may stand in the folder itself
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    lay_out(variant, workspace, place.registry)
    put_kubeconfig(workspace, place.kube, rendered.namespace)
    answer(place, workspace)


def _rendered(task: Task, folder: Path, seed: int, turn: int) -> Rendered:
    """What a step stands on: two namespaces in turn, and a seed of its own."""
    side = "ab"[turn % 2]
    return render(task, seed + turn, f"prove-{side}-{task.name}", folder / side / task.name)


def _proves(step: Step) -> bool:
    """A task's solution is done once, with the reset after it; its form has a test of its own."""
    once = "solutions" not in step.kinds or "reset" in step.kinds
    return once and step.name not in ("form", "outage")


def _kept_volumes(volumes: Sequence[Object], namespace: str) -> list[str]:
    """Those of a namespace's claims that nobody deletes, by the claim: a volume's own name is another one each time."""
    kept = []
    for each in volumes:
        claim, phase = each["spec"].get("claimRef") or {}, (each.get("status") or {}).get("phase")
        retained = each["spec"].get("persistentVolumeReclaimPolicy") == "Retain" or phase == "Failed"
        if claim.get("namespace") == namespace and retained and phase != "Bound":
            kept.append(f"persistentvolumes of claim {claim.get('name')}, {phase}")
    return [f"{what}: {kept.count(what)}" for what in dict.fromkeys(sorted(kept))]


class TaskStage:
    """A stage (`proof.stage.Stage`) on which every fresh start draws anew.

    Args:
        seed: of the first draw.
    """

    def __init__(self, task: Task, place: Place, seed: int) -> None:
        self._task, self._place, self._seed = task, place, seed
        self._folder = cache() / "prove" / task.name
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="leaving")
        self._leaving: Future[None] | None = None
        self._turn = 0
        self._between: list[str] = []
        self.rendered = self._render()

    def _render(self) -> Rendered:
        self._workspace = self._folder / f"workspace-{self._turn % 2}"
        return _rendered(self._task, self._folder, self._seed, self._turn)

    def fresh(self) -> None:
        self._wait_for_leaving()
        before, workspace = self.rendered, self._workspace
        self._turn += 1
        self.rendered = self._render()
        if standing.outside(before.folder) or self._place.breakable:  # what both make there may have the same name
            standing.remove(self._place, before, workspace)
        else:
            self._leaving = self._beside.submit(standing.remove, self._place, before, workspace)
        self.reset()

    def reset(self) -> None:
        standing.remove(self._place, self.rendered, self._workspace)
        forget(self._workspace)
        # Where the set-up may break the API server, what is left of work before is seen now, or never.
        self._between = self._there() if self._place.breakable else []
        standing.begin(self._place, self.rendered, self._workspace)

    def work(self, variant: Variant) -> None:
        drawn_now = solutions(self.rendered) if variant.kind == "solution" else wrongs(self.rendered)
        variant = next((each for each in drawn_now if each.name == variant.name), variant)
        work(self._place, self.rendered, variant, self._workspace)

    def checked(self, mistake: str = "") -> list[Result]:
        return running.check(self._place, self.rendered, checks_of(self.rendered), self._workspace, mistake=mistake)

    def objects(self) -> list[str]:
        return self._between if self._place.breakable else self._there()

    def _there(self) -> list[str]:
        kube, namespace = self._place.kube, self.rendered.namespace
        around = [name for name in leftovers.around(kube, namespace) if not _OTHERS.match(name) and self._is_ours(name)]
        own = [
            f"{kind.lower()}s/{name}" for kind, name in standing.outside(self.rendered.folder)
            if _OTHERS.match(f"{kind.lower()}s/") and kube.find(kind, name)
        ]  # fmt: skip
        own += _kept_volumes(kube.list("PersistentVolume"), namespace)
        return leftovers.inside(kube, namespace) + around + own + parts.traces(kube, namespace, self._task.about.needs)

    def _is_ours(self, name: str) -> bool:
        """Does a name outside of the namespace bear what was drawn? Labs, exams and other proofs make others meanwhile;
        a task draws all names of its own there. On a cluster of its own nobody else makes any.
        """
        if self._place.breakable:
            return True
        drawn = {word for value in self.rendered.drawn.values() for word in _WORD.findall(str(value))}
        own = name.partition("/")[2]
        # A short word may be a part of others: `list` of `listenersets`.
        within = any(word in own for word in drawn if len(word) >= _LONG)
        return within or self.rendered.namespace in own or not drawn.isdisjoint(_WORD.findall(own))

    def checked_in_outage(self, *, begun: bool) -> list[Result]:
        raise LabError("a task has no step with an outage", "lab verify has one")

    def healthy(self, within: float) -> list[str]:
        return list(running.environment(self._place, self.rendered)())

    def clear(self) -> None:
        try:
            self._wait_for_leaving()
        finally:
            standing.remove(self._place, self.rendered, self._workspace)
            forget(self._workspace)
            with contextlib.suppress(OSError):
                shutil.rmtree(self._folder)

    def _wait_for_leaving(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving:
            leaving.result()
