"""The bank of tasks: each one's form, with several seeds; what its tasks practise is in the curricula."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.exam.curriculum import curricula
from mlops_lab.proof.task_form import complaints
from mlops_lab.proof.task_skeleton import make
from mlops_lab.tasks.task import EXAMS, NODES, Task, bank, named, tasks
from tests.made_up_exams import made_up_task

LINES = curricula(bank())
MISTAKE = 'from = "solution/file"\nbecause = "It is {}."\n'


def lines_of(task: Task) -> set[str]:
    return {line for exam in task.about.exams for line in itertools.chain(*LINES[exam].values())}


def test_curricula_have_the_exams_domains_in_their_order() -> None:
    assert {exam: list(domains) for exam, domains in LINES.items()} == {
        exam: list(domains) for exam, domains in EXAMS.items()
    }


@pytest.mark.parametrize("task", tasks(bank()), ids=lambda task: task.name)
def test_a_task_is_well_formed(task: Task) -> None:
    assert "\n".join(complaints(task, lines_of(task))) == ""


def test_who_breaks_nodes_claims_them() -> None:
    claims = {task.name: task.about.claims for task in tasks(bank()) if task.about.cluster == NODES}
    assert claims
    assert {name for name, own in claims.items() if not own or set(own) - {"worker", "control-plane", "etcd"}} == set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task in which all is well."""
    made = made_up_task(tmp_path, "good", {"cka": "storage"})
    for check, mistake in (("first", "absent"), ("first", "another"), ("second", "less")):
        file = made / f"wrong/{check}--{mistake}/variant.toml"
        file.parent.mkdir(parents=True)
        file.write_text(MISTAKE.format(mistake))
        (file.parent / "answer").write_text(f"{mistake}\n")
    (made / "start/seed.yaml").write_text("kind: Pod\nmetadata: {name: one}\n")
    return made


def said(folder: Path) -> list[str]:
    return complaints(named("good", folder.parent), {"something"})


def test_a_made_up_task_is_well_formed(folder: Path) -> None:
    assert said(folder) == []


BREAKS = {
    "has the line": ("task.toml", 'competencies = ["something"]', 'competencies = ["else"]'),
    "no part of the platform": ("task.toml", "weight", 'needs = ["teleport"]\nweight'),
    "no image is called": ("task.toml", "weight", 'images = ["teleport:1"]\nweight'),
    "every seed draws the same": ("checker/draw.py", "words(random, 1)[0]", '"fast"'),
    "'thing' is undefined": ("checker/draw.py", "thing: str", "other: str"),
    "not with # and the title": ("README.md", "# The good", "# A good"),
    "does not name the namespace": ("README.md", "@{namespace}", "amber"),
    "30 are enough": ("README.md", "# The good", "# The good" + "\n" * 31),
    "of a template is left": ("README.md", "In ", "In @ %@ "),
    "it needs the headings": ("hints.md", "## 3", "### 3"),
    "seed.yaml: while parsing": ("start/seed.yaml", "{name", "{{name"),
    "has no kind or no name": ("start/seed.yaml", "kind: Pod", "like: Pod"),
    "no `because`": ("wrong/second--less/variant.toml", "because", "# because"),
    "there is no solution": ("wrong/second--less/variant.toml", "solution/file", "solution/none"),
    "the same as solution/file": ("wrong/second--less/answer", "less", "@{thing}"),
    "there is no check second": ("checker/__init__.py", "async def second", "async def third"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_wrong_is_said(folder: Path, what: str) -> None:
    file, old, new = BREAKS[what]
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert what in " | ".join(said(folder))


STAYS = {
    "StorageClass other would stay": ("solution/file/class.yaml", "kind: StorageClass\nmetadata: {name: other}\n"),
    "ClusterRole other would stay": ("wrong/second--less/answer.sh", "kubectl create clusterrole other --verb get\n"),
    "Secret one would stay: Namespace spare": (
        "setup/outside.yaml", "kind: Secret\nmetadata: {name: one, namespace: spare}\n",
    ),
    "Namespace [a-z]+-own would stay": ("start/seed.yaml", "kind: Namespace\nmetadata: {name: '@{thing}-own'}\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", STAYS)
def test_what_would_stay_when_the_task_goes_is_said(folder: Path, what: str) -> None:
    file, text = STAYS[what]
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text)
    (one,) = said(folder)
    assert re.search(what, one)


def test_what_goes_with_a_task_is_named_and_in_its_namespaces(folder: Path) -> None:
    """The class is named in outside.txt; the Namespace is in outside.yaml, and so goes all that is in it."""
    (folder / "solution/file/class.yaml").write_text("kind: StorageClass\nmetadata: {name: '@{thing}-class'}\n")
    (folder / "setup/outside.yaml").write_text(
        "kind: Namespace\nmetadata: {name: '@{thing}-own'}\n---\n"
        "kind: Secret\nmetadata: {name: one, namespace: '@{thing}-own'}\n"
    )
    assert said(folder) == []


@pytest.mark.parametrize(
    ("gone", "what"),
    [
        ("README.md", "there is no README.md"),
        ("solution/file", "it has no solution"),
        ("wrong/second--less", "no mistake under wrong/ shows that check second can fail"),
        ("wrong/first--another", "it has 2 mistakes"),
        ("checker/draw.py", "there is no such file"),
    ],
)
def test_what_is_missing_is_said(folder: Path, gone: str, what: str) -> None:
    (folder / gone).rename(folder.parent / "away")
    assert what in " | ".join(said(folder))


def test_a_new_task_is_a_copy_that_says_what_to_write_anew(folder: Path) -> None:
    made = make("resize-a-claim", folder.parent, named("good", folder.parent))
    task = named("resize-a-claim", folder.parent)
    assert task.about.title == "Resize a claim"
    found = complaints(task, {"something"})
    assert sorted(each.partition(": ")[2].partition(" is ")[0] for each in found) == [
        "README.md", "checker/__init__.py", "hints.md", "task.toml",
    ]  # fmt: skip
    for file in ("README.md", "checker/__init__.py", "hints.md", "task.toml"):
        lines = (made / file).read_text().splitlines(keepends=True)
        (made / file).write_text("".join(line for line in lines if "Copied from" not in line))
    assert complaints(task, {"something"}) == []


@pytest.mark.parametrize(("name", "said"), [("good", "is there already"), ("Good_", "is no name for a task")])
def test_a_new_task_has_a_name_of_its_own(folder: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make(name, folder.parent, named("good", folder.parent))
