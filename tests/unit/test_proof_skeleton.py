"""New labs: each shape is well formed once it is filled, and one like another says what is to be written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, about, exercises, resolve
from mlops_lab.labs.checker import checks
from mlops_lab.labs.variants import solutions, texts, wrongs
from mlops_lab.proof.form import complaints
from mlops_lab.proof.skeleton import make, make_like, shapes
from tests.new_labs import filled


@pytest.mark.parametrize("shape", shapes())
def test_a_shape_is_well_formed_once_it_is_filled(shape: str, tmp_path: Path) -> None:
    lab = Exercise(make("30-batch-scoring", tmp_path, shape), "30", "batch-scoring")
    its = checks(lab)
    assert about(lab).title == "Batch scoring"
    assert (lab.folder / "README.md").read_text().startswith("# 30 Batch scoring\n")
    assert [text for path in lab.folder.rglob("*") if path.is_file() and "{" in (text := path.name)] == []
    assert "Lab 30" in (lab.folder / "checker/__init__.py").read_text()
    # One mistake shows the check failing; the others are for the author to write.
    whole = texts(next(way for way in solutions(lab) if way.name == "manifests"))
    assert [texts(each) == whole for each in wrongs(lab)].count(False) == 1
    assert len(complaints(lab, its)) == 10  # six texts to write, and four mistakes in which nothing is wrong
    filled(lab.folder)
    assert complaints(lab, its) == []


def test_there_are_shapes_for_what_serves_and_for_what_ends() -> None:
    assert shapes() == ["deployment", "job"]


@pytest.mark.parametrize("model", ["10", "16"])
def test_like_another_lab(model: str, tmp_path: Path) -> None:
    other = resolve(model, project() / "labs")
    lab = Exercise(make_like("queue-workers", tmp_path, other), "01", "queue-workers")
    assert lab.folder.name == "01-queue-workers"
    assert about(lab).title == "Queue workers"
    assert (about(lab).needs, about(lab).quiet) == (about(other).needs, about(other).quiet)
    assert (lab.folder / "README.md").read_text().startswith("# 01 Queue workers\n\n<!-- Copied from lab ")
    assert [each.name for each in checks(lab)] == [each.name for each in checks(other)]
    said = complaints(lab, checks(lab))
    places = {line.split(" is another lab's")[0] for line in said}
    assert {"README.md", "hints.md", "lab.toml"} < places
    assert {f"wrong/{each.name}/variant.toml" for each in wrongs(lab)} < places
    filled(lab.folder)
    assert complaints(lab, checks(lab)) == []
    names = {str(path.relative_to(other.folder)) for path in other.folder.rglob("*") if path.is_file()}
    copied = {str(path.relative_to(lab.folder)) for path in lab.folder.rglob("*") if path.is_file()}
    own = {name for name in names if "__pycache__" not in name and name != "proof.json"}
    assert {name for name in copied if "__pycache__" not in name} == own


def test_commands_and_names_get_the_new_number_and_programs_stay_executable(tmp_path: Path) -> None:
    model = Exercise(make("10-scale", tmp_path), "10", "scale")
    (model.folder / "start/storm").write_text("#!/bin/sh\nlab check 10; sleep 10; echo lab-10 Lab 10 label 10\n")
    (model.folder / "start/storm").chmod(0o755)
    (model.folder / "start/bytes").write_bytes(b"\xff\xfe10")
    (model.folder / "proof.json").write_text("{}")
    folder = make_like("20-more", tmp_path, model)
    assert (folder / "start/storm").read_text() == "#!/bin/sh\nlab check 20; sleep 10; echo lab-20 Lab 20 label 10\n"
    assert (folder / "start/storm").stat().st_mode & 0o100
    assert (folder / "start/bytes").read_bytes() == b"\xff\xfe10"
    assert not (folder / "proof.json").exists()


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    model = Exercise(make("10-scale", tmp_path), "10", "scale")
    with pytest.raises(UsageError, match="10-scale is there already"):
        make_like("10-more", tmp_path, model)
    assert [each.slug for each in exercises(tmp_path)] == ["10-scale"]
