"""The form gate: right for every lab of the project, and shown to complain about each thing that it looks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.labs.checker import checks
from mlops_lab.proof.form import complaints
from mlops_lab.proof.skeleton import make
from tests.new_labs import filled

LABS = exercises(project() / "labs")
LONG = (
    "spec.replicas is two here, since one pod alone leaves nobody who answers while it is being replaced, says the lab "
    * 2
)


@pytest.mark.parametrize("exercise", LABS, ids=[each.slug for each in LABS])
def test_every_lab_is_well_formed(exercise: Exercise) -> None:
    assert complaints(exercise, checks(exercise)) == []


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return Exercise(filled(make("30-scale", tmp_path)), "30", "scale")


def test_a_skeleton_is_well_formed_once_it_is_filled(exercise: Exercise) -> None:
    assert complaints(exercise, checks(exercise)) == []


def test_a_skeleton_that_nobody_has_filled_is_refused(tmp_path: Path) -> None:
    new = Exercise(make("30-scale", tmp_path), "30", "scale")
    mistakes = [f"wrong/two_pods_are_ready--mistake-{number}" for number in (2, 3, 4, 5)]
    found = complaints(new, checks(new))
    assert [line.partition(" is ")[0] for line in found] == [
        *mistakes, "README.md", "lab.toml", *[f"{mistake}/variant.toml" for mistake in mistakes]
    ]  # fmt: skip
    assert "is the same as solution/manifests: put what differs into its folder" in found[0]
    assert "README.md is as lab new made it: write it anew, and delete the line 'Copied from shape'" in found


def append(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def whole_solution(folder: Path) -> None:
    (folder / "start/model.yaml").write_text((folder / "solution/manifests/model.yaml").read_text())


def twice(folder: Path) -> None:
    (folder / "solution/again").mkdir()
    (folder / "solution/again/model.yaml").write_text((folder / "solution/manifests/model.yaml").read_text())


def misfit(folder: Path) -> None:
    (folder / "solution/misfit").mkdir()
    (folder / "solution/misfit/variant.toml").write_text('from = "start"\nwithout = ["nothing.yaml"]\n')


def told(*names: str) -> Callable[[Path], None]:
    """A long text in a solution and elsewhere, broken into lines in another way."""

    def change(folder: Path) -> None:
        append("solution/manifests/model.yaml", "".join(f"# {LONG}\n"))(folder)
        for name in names:
            append(name, LONG.replace(" ", "\n   "))(folder)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "README.md").unlink(), "there is no README.md"),
        (append("README.md", "[here](docs/nothing.md)"), "README.md: there is no docs/nothing.md"),
        (append("README.md", "[here](http://kubernetes.io/docs)"), "http://kubernetes.io/docs is no https address"),
        (append("hints.md", "[here](https://localhost)"), "hints.md: https://localhost is no https address"),
        (replace("lab.toml", '"cluster"', '"cluster", "trackin"'), "no part of the platform is called 'trackin'"),
        (append("lab.toml", 'images = ["bench:1"]\n'), "no image is called 'bench:1'"),
        (
            append("wrong/two_pods_are_ready--mistake-2/variant.toml", 'images = ["bench:1"]\n'),
            "wrong/two_pods_are_ready--mistake-2: no image is called 'bench:1'",
        ),
        (
            append("wrong/two_pods_are_ready--mistake-2/variant.toml", 'without = ["nothing.yaml"]\n'),
            "its base has no file nothing.yaml",
        ),
        (
            replace("wrong/two_pods_are_ready--mistake-2/variant.toml", "solution/manifests", "solution/nosuch"),
            "variant.toml: there is no solution 'solution/nosuch'",
        ),
        (
            lambda folder: (folder / "wrong/two_pods_are_ready--mistake-2").rename(folder / "wrong/few"),
            "wrong/few: its name must be CHECK--mistake",
        ),
        (
            misfit,
            "solution/misfit/variant.toml: its base has no file nothing.yaml",
        ),
        (replace("README.md", "# 30 ", "# 10 "), "README.md begins with '# 10 Scale'; its first line is # 30 and"),
        (replace("README.md", "# 30 ", "# "), "README.md begins with '# Scale'"),
        (
            lambda folder: (folder / "wrong/two_pods_are_ready--mistake-2/notes.txt").unlink(),
            "wrong/two_pods_are_ready--mistake-2 is the same as solution/manifests",
        ),
        (
            append("wrong/two_pods_are_ready--one-replica/variant.toml", "# Copied from shape job: write.\n"),
            "wrong/two_pods_are_ready--one-replica/variant.toml is as lab new made it",
        ),
        (append("hints.md", "<!-- Copied from lab 10-scale: write -->\n"), "hints.md is another lab's: write it anew"),
        (append("checker/__init__.py", "# Copied from lab 10-scale: write.\n"), "checker/__init__.py is another"),
        (append("lab.toml", '[start_earns]\ntwo_pods = "so"\n'), "[start_earns] names two_pods, which is no check"),
        (
            append("lab.toml", '[start_earns]\ntwo_pods_are_ready = "so"\n'),
            "applying start/ earns 2 of 2 points; it may earn a quarter at most",
        ),
        (append("lab.toml", '[start_earns]\ntwo_pods_are_ready = ""\n'), "field start_earns"),
        (replace("lab.toml", '"B"', '"X"'), "field level"),
        (told("hints.md"), "hints.md shares 120 characters or more with solution/manifests/model.yaml"),
        (told("README.md"), "README.md shares 120 characters or more with solution/manifests/model.yaml"),
        (whole_solution, "start/ holds all of solution/manifests"),
        (twice, "solution/manifests is the same as solution/again"),
        (
            lambda folder: (folder / "wrong/two_pods_are_ready--mistake-2").rename(folder / "wrong/three_pods--few"),
            "wrong/three_pods--few: there is no check three_pods",
        ),
    ],
)  # fmt: skip
def test_what_it_complains_about(exercise: Exercise, change: Callable[[Path], None], said: str) -> None:
    change(exercise.folder)
    found = complaints(exercise, checks(exercise))
    assert len(found) == 1, found
    assert said in found[0]


def test_what_the_learner_began_with_is_no_secret(exercise: Exercise) -> None:
    told("hints.md", "start/model.yaml")(exercise.folder)
    assert complaints(exercise, checks(exercise)) == []


def test_what_a_solution_changes_in_another_is_a_secret_too(exercise: Exercise) -> None:
    folder = exercise.folder / "solution" / "changed"
    folder.mkdir()
    whole = (exercise.folder / "solution/manifests/model.yaml").read_text()
    change = {"file": "model.yaml", "old": whole, "new": f"{whole}# {LONG}\n"}
    fields = "\n".join(f"{name} = {json.dumps(text)}" for name, text in change.items())
    (folder / "variant.toml").write_text(f'from = "solution/manifests"\n[[change]]\n{fields}\n')
    assert complaints(exercise, checks(exercise)) == []
    append("hints.md", LONG)(exercise.folder)
    (found,) = complaints(exercise, checks(exercise))
    assert "hints.md shares 120 characters or more with solution/changed/model.yaml" in found


def test_links_to_files_to_headings_and_in_code_are_fine(exercise: Exercise) -> None:
    append("README.md", "[a](start/model.yaml#x) [b](#top) [c](https://kubernetes.io/docs/#a)\n```\n[d](no)\n```\n")(
        exercise.folder
    )
    assert complaints(exercise, checks(exercise)) == []
