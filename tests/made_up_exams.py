"""A bank of made-up tasks, and a stage without a cluster on which they stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.exam import handing_in
from mlops_lab.exam.clock import Now
from mlops_lab.exam.sheet import Sheet
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Sitting, Store, workspace
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable
from mlops_lab.labs.rows import Rows
from mlops_lab.labs.workspace import fill
from mlops_lab.tasks.clusters import Kind
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.standing import outside
from mlops_lab.tasks.task import EXAMS, MAIN, Description, Task, tasks

CHECKS = '''
from mlops_lab.checks import check
from mlops_lab.tasks.drawing import drawn
from .draw import Drawn

D = drawn(Drawn, __file__)

@check(points=2)
async def first(lab) -> None:
    """The first thing is done."""

@check(points=1, needs=first)
async def second(lab) -> None:
    """The second thing is done."""
'''
DRAW = """
from dataclasses import dataclass
from mlops_lab.tasks.drawing import words

@dataclass(frozen=True)
class Drawn:
    thing: str

def draw(random):
    return Drawn(words(random, 1)[0])
"""
MINUTES = 24  # of an exam with one task for each domain
HINTS = "".join(f"## {tier}\n\nHint {tier}.\n\n" for tier in (1, 2, 3))


def descriptions(count: int, seed: int = 5) -> list[Task]:
    """Tasks of all exams, without folders: enough to choose from."""
    random, found = Random(seed), []
    for number in range(count):
        weight = random.randint(2, 8)
        exams = {exam: random.choices(list(own), list(own.values()))[0] for exam, own in EXAMS.items()}
        claims = [random.choice(["worker", "control-plane"])] if random.random() < 0.15 else []
        minutes = min(max(weight + random.randint(1, 2), 3), 12)
        about = Description(f"Task {number}", exams, weight, minutes, ["something"], claims=claims)  # type: ignore[arg-type]
        found.append(Task(Path(f"task-{number:02}"), about))
    return found


def made_up_task(root: Path, name: str, domains: dict[str, str], weight: int = 5, minutes: int = 6) -> Path:
    """Write a task's folder; who solves it writes the word that was drawn into a file `answer`."""
    folder = root / name
    exams = ", ".join(f"{exam} = {json.dumps(domain)}" for exam, domain in domains.items())
    for file, text in {
        "task.toml": f'title = "The {name}"\nexams = {{ {exams} }}\nweight = {weight}\nminutes = {minutes}\n'
        'competencies = ["something"]\n',
        "README.md": f"# The {name}\n\nIn Namespace `@{{namespace}}` make StorageClass `@{{thing}}-class`.\n",
        "hints.md": HINTS,
        "start/notes.txt": "what there is: @{thing}\n",
        "setup/outside.txt": "StorageClass/@{thing}-class\n",
        "solution/file/answer": "@{thing}\n",
        "checker/__init__.py": CHECKS,
        "checker/draw.py": DRAW,
    }.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return folder


def made_up_bank(root: Path, exam: str = "cka", each: int = 2) -> None:
    """A bank that fills an exam of 45 minutes: two tasks for each domain; or one of 24 minutes, with one for each."""
    for domain, share in EXAMS[exam].items():
        for number in range(each):
            made_up_task(root, f"{domain}-{number}", {exam: domain}, max(share // 5, 2), max(share // 5, 3))


class MadeUpStage:
    """A stage on which the first check passes if the file `answer` has the word, and the second if `more` is there.

    Attributes:
        standing: namespaces, and what is there outside of them.
        down: why the cluster does not answer.
        errors: how often each check, by task and name, ends in an error.
        ended: the tasks whose clusters and add-ons were taken away; at last `all of its own` if some were lost,
            and `all add-ons` where these go, too.
        still: a restart of the engine has stopped the nodes of the exam's own cluster.
        ill: what is wrong with the first cluster, although it answers; so long its checks end in errors.
    """

    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self.objects: set[tuple[str, str]] = set()
        self.down = ""
        self.id = "one"
        self.errors: dict[str, int] = {}
        self.refuses: set[str] = set()
        self.checked: list[str] = []
        self.ended: list[str] = []
        self.still = False
        self.ill = ""

    def trouble(self) -> str:
        return self.down

    def identity(self) -> str:
        self._answers()
        return self.id

    def taken(self, kind: str, name: str) -> bool:
        return (kind, name) in self.objects or (kind == "Namespace" and name in self.namespaces)

    def installed(self, tasks: Sequence[Task]) -> None:
        self._answers()

    def make(self, tasks: Sequence[Task]) -> None: ...

    def begin(self, rendered: Rendered, workspace: Path) -> None:
        self._answers()
        if rendered.name in self.refuses:
            raise LabError(f"{rendered.name} is refused", "try again")
        fill(workspace, rendered.folder / "start")
        self.namespaces.add(rendered.namespace)

    def there(self, rendered: Rendered) -> bool:
        self._answers()
        return rendered.namespace in self.namespaces

    def remove(self, rendered: Rendered, workspace: Path, *, stood: bool) -> None:
        self._answers()
        if rendered.name in self.refuses:
            raise LabError(f"{rendered.name} does not go", "try again")
        self.namespaces.discard(rendered.namespace)
        self.objects -= set(outside(rendered.folder))

    def goes(self, task: Task) -> bool:
        return task.about.cluster != MAIN

    def end(self, tasks: Sequence[Task], *, lost: bool = False, addons: bool = False) -> None:
        self.ended += [task.name for task in tasks] + (["all of its own"] if lost else [])
        self.ended += ["all add-ons"] if addons else []

    def check(
        self, rendered: Rendered, checks: Sequence[Check], workspace: Path, listener: Rows | None = None
    ) -> list[Result]:
        self.checked.append(rendered.name)
        word = json.loads((rendered.folder / "checker/drawn.json").read_text())["thing"]
        answer = workspace / "answer"
        done = {
            "first": answer.is_file() and answer.read_text().strip() == word,
            "second": (workspace / "more").is_file(),
        }
        found: list[Result] = []
        for item in checks:
            left = self.errors.get(f"{rendered.name}/{item.name}", 0)
            goes = self.goes(rendered.task)
            if left or self.down or (self.still and goes) or (self.ill and not goes):
                self.errors[f"{rendered.name}/{item.name}"] = max(left - 1, 0)
                found.append(_result(item, Verdict.ERROR, why="a node is not Ready"))
            elif done[item.name]:
                found.append(_result(item, Verdict.PASS))
            else:
                found.append(_result(item, Verdict.FAIL, expected=word, seen="<nothing>", why="it must be there"))
        return found

    def wake(self, tasks: Sequence[Task]) -> None:
        self.still = self.still and not any(self.goes(task) for task in tasks)

    def problems(self, rendered: Rendered) -> str:
        return "" if self.goes(rendered.task) else self.ill

    def broken(self, task: Task) -> str:
        return ""

    def _answers(self) -> None:
        if self.down:
            raise LabError(self.down, "see: lab status")


class Silent(Kube):
    """A connection to an API server that does not answer."""

    def __init__(self, message: str = "Namespace list: the API server does not answer") -> None:
        self.message = message

    def get(self, *_: Any, **__: Any) -> Any:
        raise Unreachable(self.message, "see: lab status")

    def list(self, *_: Any, **__: Any) -> Any:
        raise Unreachable(self.message, "see: lab status")

    def version(self) -> str:
        raise Unreachable(self.message, "see: lab status")


def broken_kind() -> Kind:
    """A kind of cluster that is an exam's own, and does not answer."""

    def find() -> Place:
        return Place(Silent(), "localhost:5001", breakable=True)

    return Kind(find, find, own=True)


class MadeUpTime:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.wall, self.since, self.boot = 1_000_000.0, 500.0, "boot"

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.wall, self.since = self.wall + seconds, self.since + seconds

    def __call__(self) -> Now:
        return Now(self.wall, self.boot, self.since)


class Table:
    """A candidate with exams on a made-up stage."""

    def __init__(self, bank: list[Task]) -> None:
        self.bank, self.stage, self.time, self.said = bank, MadeUpStage(), MadeUpTime(), list[str]()

    @property
    def exams(self) -> Exams:
        """As each command makes it anew."""
        return Exams(self.stage, Store(), self.said.append, self.time)

    def start(self, **more: Any) -> Sitting:
        return self.exams.start("cka", self.bank, **{"minutes": MINUTES, "seed": 3, **more})

    def solve(self, sitting: Sitting, *numbers: int, more: bool = True) -> None:
        for seat in sitting.seats:
            if seat.number in numbers or not numbers:
                folder = self.exams.store.rendered(sitting, seat).folder
                word = json.loads((folder / "checker/drawn.json").read_text())["thing"]
                (workspace(seat) / "answer").write_text(word)
                if more:
                    (workspace(seat) / "more").touch()

    def describe(self, sitting: Sitting, number: int, line: str) -> None:
        """Add a line to the task.toml of a task that is drawn."""
        file = self.exams.store.rendered(sitting, sitting.seat(number)).folder / "task.toml"
        file.write_text(f"{file.read_text()}{line}\n")

    def hand_in(self, **more: Any) -> Sheet:
        shown: list[Sheet] = []
        handing_in.hand_in(self.exams, shown.append, **more)
        return shown[0]


def small_bank(root: Path) -> list[Task]:
    """A bank with one task of each domain, made in a folder."""
    made_up_bank(root, each=1)
    return tasks(root)


def table_in(folder: Path, bank: list[Task], monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table whose state and whose files are kept in a folder, while a test runs."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(folder / "home"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(folder / "work"))
    return Table(bank)


def _result(item: Check, verdict: Verdict, **more: Any) -> Result:
    return Result(item.name, item.title, verdict, item.points, item.domains, **more)
