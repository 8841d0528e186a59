"""What a proof was made with: which changes make which labs' proofs outdated, and which make none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.proof.content import Content, Contents, content_of
from mlops_lab.proof.imports import Imports, meaning

PROGRAM = project() / "src" / "mlops_lab"
# The model of dashboards, which the engine does without.
(GRAFANA,) = PROGRAM.rglob("grafana.py")
IMPORTS_GRAFANA = f"import mlops_lab.{'.'.join(GRAFANA.relative_to(PROGRAM).with_suffix('').parts)}\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the program, to change."""
    return shutil.copytree(PROGRAM, tmp_path / "mlops_lab", ignore=shutil.ignore_patterns("__pycache__"))


def add(file: Path, text: str = "\nADDED = 1\n") -> None:
    file.write_text(file.read_text() + text)


def outdated(before: dict[str, Content], package: Path) -> dict[str, list[str]]:
    """What has changed, by lab; labs with nothing changed are not in it."""
    return {slug: changed for slug, now in contents(package).items() if (changed := now.changed(before[slug]))}


def contents(package: Path) -> dict[str, Content]:
    made = Contents(package)
    return {each.slug: made.of(each) for each in exercises(project() / "labs")}


@pytest.fixture(scope="module")
def before() -> dict[str, Content]:
    """What a copy that nobody has changed would say, too: where the program lies is in no hash."""
    return contents(PROGRAM)


def test_a_module_that_one_lab_imports_outdates_that_lab_alone(package: Path, before: dict[str, Content]) -> None:
    add(package / GRAFANA.relative_to(PROGRAM))
    assert outdated(before, package) == {"16-business-dashboard": ["checker"]}


def test_what_such_a_module_imports_inside_a_function_counts_too(package: Path, before: dict[str, Content]) -> None:
    add(package / "measure" / "__init__.py", "")
    (package / "measure" / "unheard_of.py").write_text("LIMIT = 1\n")
    assert outdated(before, package) == {}
    add(
        package / GRAFANA.relative_to(PROGRAM),
        "\ndef late():\n    from mlops_lab.measure import unheard_of\n    return unheard_of\n",
    )
    now = contents(package)
    add(package / "measure" / "unheard_of.py")
    assert outdated(now, package) == {"16-business-dashboard": ["checker"]}


@pytest.mark.parametrize("module", ["checks/run.py", "checks/verdicts.py", "proof/gates.py", "kube/client.py"])
def test_the_engine_outdates_every_lab(package: Path, before: dict[str, Content], module: str) -> None:
    add(package / module)
    assert outdated(before, package) == {slug: ["engine"] for slug in before}


def test_how_the_platform_is_brought_outdates_the_lab_that_names_it_alone(
    package: Path, before: dict[str, Content]
) -> None:
    add(package / "platform" / "releases.py")
    assert outdated(before, package) == {"16-business-dashboard": ["checker"]}


def test_what_makes_a_cluster_for_labs_that_break_nodes_outdates_those_alone(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "30-nodes"
    (folder / "checker").mkdir(parents=True)
    (folder / "lab.toml").write_text('title = "a"\nlevel = "E"\nminutes = 1\nsummary = "b"\ncluster = "nodes"\n')
    breaks, other = Exercise(folder, "30", "nodes"), exercises(project() / "labs")[0]
    made = Contents(package)
    before = {each.slug: made.of(each) for each in (breaks, other)}
    add(package / "tasks" / "grounds.py")  # which proof.nodes_stage stands on
    after = Contents(package)
    assert after.of(breaks).changed(before[breaks.slug]) == ["checker"]
    assert after.of(other) == before[other.slug]


@pytest.mark.parametrize("module", ["cli/cluster.py", "images/build.py", "cluster/kind.py", "engine/docker.py"])
def test_what_no_verdict_rests_on_outdates_none(package: Path, before: dict[str, Content], module: str) -> None:
    add(package / module)
    assert outdated(before, package) == {}


def test_comments_docstrings_and_empty_lines_outdate_none(package: Path, before: dict[str, Content]) -> None:
    file = package / "checks" / "run.py"
    text = file.read_text().replace(
        '    """Who wants to know while checks run."""', '    """Whoever\n\n    listens."""'
    )
    assert text != file.read_text()
    file.write_text("# a word\n\n" + text)
    assert outdated(before, package) == {}


@pytest.fixture
def lab(tmp_path: Path) -> Exercise:
    source = next(each for each in exercises(project() / "labs") if each.number == "18")
    folder = shutil.copytree(source.folder, tmp_path / source.slug, ignore=shutil.ignore_patterns("__pycache__"))
    return Exercise(folder, source.number, source.name)


def executable(folder: Path) -> None:
    (folder / "README.md").chmod(0o755)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: add(folder / "README.md", "One more word.\n"),
        lambda folder: add(next(folder.rglob("judge.py")), "# a comment\n"),
        lambda folder: (folder / "hints.md").rename(folder / "hint.md"),
        executable,
    ],
    ids=["text", "comment", "name", "mode"],
)
def test_each_byte_of_a_labs_own_folder_counts(lab: Exercise, change: Callable[[Path], None]) -> None:
    before = content_of(lab)
    change(lab.folder)
    assert content_of(lab).changed(before) == ["folder"]


def test_what_python_leaves_and_the_proof_itself_do_not_count(lab: Exercise) -> None:
    before = content_of(lab)
    (lab.folder / "__pycache__").mkdir()
    (lab.folder / "__pycache__" / "judge.pyc").write_bytes(b"x")
    (lab.folder / "proof.json").write_text("{}\n")
    assert content_of(lab) == before


def test_a_checker_may_be_a_package(lab: Exercise) -> None:
    before = content_of(lab)
    (lab.folder / "checker").mkdir(exist_ok=True)
    (lab.folder / "checker" / "scenario.py").write_text(IMPORTS_GRAFANA)
    assert content_of(lab).changed(before) == ["folder", "checker"]


def test_a_program_of_the_learners_is_no_checker(lab: Exercise) -> None:
    before = content_of(lab)
    (lab.folder / "start" / "more.py").write_text(IMPORTS_GRAFANA)
    assert content_of(lab).changed(before) == ["folder"]


def test_charts_and_images_that_a_lab_stands_on_count(lab: Exercise, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("charts/monitoring", "charts/mlflow", "images/components", "images/tensorflow", "images/load"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("1")
    toml = (lab.folder / "lab.toml").read_text()
    assert 'images = ["components:1"]' in toml and "monitoring" not in toml
    for needs, wanted in (
        ('["cluster"]', ["images/components", "images/load"]),
        ('["cluster", "monitoring"]', ["charts/monitoring", "images/components", "images/load"]),
    ):
        (lab.folder / "lab.toml").write_text(toml.replace('needs = ["cluster"]', f"needs = {needs}"))
        before, seen = Contents(root=root).of(lab), []
        for file in sorted(root.rglob("file")):
            file.write_text(file.read_text() + "1")
            now = Contents(root=root).of(lab)
            if now.changed(before):
                assert now.changed(before) == ["platform"]
                seen.append(str(file.parent.relative_to(root)))
            before = now
        assert seen == wanted


def test_a_broken_description_is_left_to_the_form(lab: Exercise) -> None:
    (lab.folder / "lab.toml").write_text("title =")
    assert content_of(lab).platform


def test_a_broken_checker_is_left_to_who_runs_it(lab: Exercise) -> None:
    before, file = content_of(lab), lab.folder / "checker" / "__init__.py"
    file.write_text(file.read_text() + "\nthis is no program\n")
    assert content_of(lab).changed(before)[0] == "folder"
    assert meaning("a program that is none\n") == "a program that is none\n"


def test_the_whole_key_changes_with_each_part() -> None:
    plain = Content("a", "b", "c", "d")
    others = [Content("x", "b", "c", "d"), Content("a", "x", "c", "d"), Content("a", "b", "x", "d")]
    assert len({each.key for each in [plain, *others, Content("a", "b", "c", "x")]}) == 5
    assert plain.changed(None) == ["folder", "checker", "platform", "engine"]
    assert Content("x", "b", "c", "y").changed(plain) == ["folder", "engine"]


def test_imports_of_every_kind_are_seen_and_those_for_types_are_not(tmp_path: Path) -> None:
    package = tmp_path / "own"
    for name in ("", "a", "b", "c", "d", "e", "f"):
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").touch()
    (package / "f" / "deep.py").write_text("from . import near\nfrom ..e import nothing\n")
    (package / "f" / "near.py").touch()
    program = tmp_path / "program.py"
    program.write_text(
        "import os, own.a\nfrom own import b\nfrom typing import TYPE_CHECKING\nfrom .beside import x\n"
        "if TYPE_CHECKING:\n    from own import c\nelse:\n    import own.d\n"
        "def late():\n    from own.f.deep import thing\n"
    )
    imports = Imports(package)
    named = imports.of(program)
    assert named == {"own", "own.a", "own.b", "own.d", "own.f.deep"}
    assert imports.behind(named) == named | {"own.f", "own.f.near", "own.e"}
    assert imports.behind(named, ["own.f"]) == {"own", "own.a", "own.b", "own.d"}
    assert imports.file("os") is None and imports.file("own.nothing") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 1\n", "# why\n\nx = 1  # so\n", True),
        ('def f():\n    """One."""\n    return 1\n', 'def f():\n    """Two\n    lines."""\n\n    return 1\n', True),
        ('class A:\n    "é"; x = 1\n', 'class A:\n    "o"; x = 1\n', True),
        ("x = '# no comment'\n", "x = '# another'\n", False),
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n', False),
        ('x = f"{1:#x}"\n', 'x = f"{1:x}"\n', False),
        ("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n", False),
        ('"""Doc."""\nx = "text"\n', '"""Doc."""\nx = "other"\n', False),
        ('x = 1\n"not first"\n', 'x = 1\n"another"\n', False),
    ],
)
def test_what_a_program_means(one: str, other: str, same: bool) -> None:
    assert (meaning(one) == meaning(other)) is same
