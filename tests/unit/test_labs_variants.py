"""Variants: overlays, names after checks, and how one is put to work."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import NotApplied, Variant, lay_out, put_to_work, solutions, texts, wrongs


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    folder = tmp_path / "10-scale"
    files = {
        "solution/manifests/model.yaml": "image: localhost:5001/flight-delay:v1\n",
        "solution/manifests/hpa.yaml": "max: 4\n",
        "solution/manifests/deploy": "#!/bin/sh\n",
        "solution/kustomize/kustomization.yaml": "resources: []\n",
        "wrong/scales_out--no-hpa/variant.toml": 'from = "solution/manifests"\nwithout = ["hpa.yaml"]\nbecause = "b"\n',
        "wrong/scales_out--too-few/variant.toml": 'from = "solution/manifests"\n',
        "wrong/scales_out--too-few/hpa.yaml": "max: 1\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "solution/manifests/deploy").chmod(0o755)
    return Exercise(folder, "10", "scale")


def laid(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_variants_are_found_by_name(exercise: Exercise) -> None:
    assert [each.name for each in solutions(exercise)] == ["kustomize", "manifests"]
    found = wrongs(exercise)
    assert [(each.name, each.check) for each in found] == [
        ("scales_out--no-hpa", "scales_out"),
        ("scales_out--too-few", "scales_out"),
    ]
    assert found[0].because == "b"


def test_a_mistake_is_laid_over_its_solution(exercise: Exercise, tmp_path: Path) -> None:
    no_hpa, too_few = wrongs(exercise)
    lay_out(no_hpa, tmp_path / "a", "registry.example")
    assert set(laid(tmp_path / "a")) == {"model.yaml", "deploy"}
    assert laid(tmp_path / "a")["model.yaml"] == "image: registry.example/flight-delay:v1\n"
    assert (tmp_path / "a/deploy").stat().st_mode & stat.S_IXUSR
    lay_out(too_few, tmp_path / "b")
    assert laid(tmp_path / "b")["hpa.yaml"] == "max: 1\n"
    assert set(laid(tmp_path / "b")) == {"model.yaml", "deploy", "hpa.yaml"}


def test_a_mistake_may_be_laid_over_a_solution_that_is_laid_over_start(exercise: Exercise, tmp_path: Path) -> None:
    for name, text in {
        "start/model.yaml": "replicas: 1\n",
        "start/run": "#!/bin/sh\n",
        "start/seed.yaml": "kind: Quota\n",
        "solution/over/variant.toml": 'from = "start"\nwithout = ["run"]\n'
        '[[change]]\nfile = "model.yaml"\nold = "1"\nnew = "2"\n',
        "solution/over/pdb.yaml": "kind: PodDisruptionBudget\n",
        "wrong/scales_out--three/variant.toml": 'from = "solution/over"\n'
        '[[change]]\nfile = "model.yaml"\nold = "2"\nnew = "3"\n',
        "wrong/scales_out--begun/variant.toml": 'from = "start"\n',
    }.items():
        (exercise.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (exercise.folder / name).write_text(text)
    over = next(each for each in solutions(exercise) if each.name == "over")
    assert texts(over) == {"model.yaml": "replicas: 2\n", "pdb.yaml": "kind: PodDisruptionBudget\n"}
    mistakes = {each.name: each for each in wrongs(exercise)}
    assert texts(mistakes["scales_out--three"])["model.yaml"] == "replicas: 3\n"
    assert set(texts(mistakes["scales_out--three"])) == {"model.yaml", "pdb.yaml"}
    assert set(texts(mistakes["scales_out--begun"])) == {"model.yaml", "run"}


def test_two_solutions_over_each_other_are_the_authors_fault(exercise: Exercise) -> None:
    (exercise.folder / "solution/kustomize/variant.toml").write_text('from = "solution/manifests"\n')
    (exercise.folder / "solution/manifests/variant.toml").write_text('from = "solution/kustomize"\n')
    with pytest.raises(LabError, match="is laid over another"):
        solutions(exercise)


def test_a_variant_needs_an_empty_workspace(exercise: Exercise, tmp_path: Path) -> None:
    (tmp_path / "w/.lab").mkdir(parents=True)
    lay_out(solutions(exercise)[0], tmp_path / "w")
    with pytest.raises(LabError, match="is not empty"):
        lay_out(solutions(exercise)[0], tmp_path / "w")


@pytest.mark.parametrize(
    ("name", "toml", "said"),
    [
        ("no-check-named", "", "must be CHECK--mistake"),
        ("a--b", 'from = "solution/none"\n', "there is no solution 'solution/none'"),
        ("a--b", 'form = "x"\n', "unknown field `form`"),
        ("a--b", "because = 3\n", r"Expected `str`, got `int` - at `\$.because`"),
        ("a--b", "because = \n", "Invalid value"),
        ("a--b", '[[change]]\nfile = "hpa.yaml"\nold = ""\nnew = "x"\n', r"length >= 1 - at `\$.change\[0\].old`"),
        ("a--b", '[[change]]\nfile = "hpa.yaml"\nold = "a"\nnew = "b"\n', "there is nothing to change"),
        ("a--b", 'from = "wrong/scales_out--no-hpa"\n', "there is no solution 'wrong/"),
        ("a--b", 'from = "solution/"\n', "there is no solution"),
    ],
)
def test_a_broken_variant_is_the_authors_fault(exercise: Exercise, name: str, toml: str, said: str) -> None:
    folder = exercise.folder / "wrong" / name
    folder.mkdir()
    (folder / "variant.toml").write_text(toml)
    with pytest.raises(LabError, match=said):
        wrongs(exercise)


def test_leaving_out_a_file_that_is_not_there_is_an_error(exercise: Exercise, tmp_path: Path) -> None:
    (exercise.folder / "wrong/scales_out--no-hpa/variant.toml").write_text(
        'from = "solution/manifests"\nwithout = ["hap.yaml"]\n'
    )
    with pytest.raises(LabError, match=r"no file hap.yaml"):
        lay_out(wrongs(exercise)[0], tmp_path / "w")


CHANGE = """from = "solution/manifests"
because = "one replica more"
images = ["tensorflow:1"]
[[change]]
file = "hpa.yaml"
old = "max: 4"
new = "max: 5"
[[change]]
file = "model.yaml"
old = "image: localhost:5001/flight-delay:v1"
new = "image: localhost:5001/flight-delay:v2"
"""


def changing(exercise: Exercise, toml: str) -> Variant:
    folder = exercise.folder / "wrong/scales_out--changed"
    folder.mkdir()
    (folder / "variant.toml").write_text(toml)
    return next(each for each in wrongs(exercise) if each.folder == folder)


def test_a_mistake_changes_pieces_of_its_solution(exercise: Exercise, tmp_path: Path) -> None:
    mistake = changing(exercise, CHANGE)
    assert (mistake.because, mistake.images) == ("one replica more", ("tensorflow:1",))
    lay_out(mistake, tmp_path / "w", "registry.example")
    assert laid(tmp_path / "w") == {
        "hpa.yaml": "max: 5\n",
        "model.yaml": "image: registry.example/flight-delay:v2\n",
        "deploy": "#!/bin/sh\n",
    }
    assert (exercise.folder / "solution/manifests/hpa.yaml").read_text() == "max: 4\n"
    assert texts(mistake)["hpa.yaml"] == "max: 5\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "hpa.yaml"', 'file = "hap.yaml"', "its base has no file hap.yaml"),
        ('old = "max: 4"', 'old = "max: 3"', "is 0 times in hpa.yaml"),
        (
            'old = "image: localhost',
            'old = "1"\nnew = "2"\n[[change]]\nfile = "model.yaml"\nold = "localhost',
            "is 2 times",
        ),
    ],
)
def test_a_change_must_fit_its_solution(exercise: Exercise, tmp_path: Path, old: str, new: str, said: str) -> None:
    mistake = changing(exercise, CHANGE.replace(old, new))
    with pytest.raises(LabError, match=said):
        lay_out(mistake, tmp_path / "w")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that writes down how it was called, and fails with what a file `refuse` says, if that lies there."""
    program = tmp_path / "bin/kubectl"
    program.parent.mkdir()
    calls = tmp_path / "calls"
    program.write_text(
        f'#!/bin/sh\necho "$PWD $KUBECONFIG $*" >> {calls}\n[ -e refuse ] && {{ cat refuse >&2; exit 1; }}; exit 0\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


def test_a_kustomization_is_applied_as_one_and_manifests_by_name(tmp_path: Path, kubectl: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    (work / "b.yaml").touch()
    (work / "a.yml").touch()
    (work / "deploy").touch()
    put_to_work(work)
    (work / "kustomization.yaml").touch()
    put_to_work(work)
    config = f"{work} {work}/.lab/kubeconfig"
    assert kubectl.read_text() == f"{config} apply -f a.yml -f b.yaml\n{config} apply -k .\n"


def test_a_program_is_not_applied(tmp_path: Path, kubectl: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    (work / "pipeline.py").touch()
    put_to_work(work)
    assert not kubectl.exists()


def test_what_the_cluster_refuses_is_said_with_its_reason(tmp_path: Path, kubectl: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    with pytest.raises(LabError, match="is empty"):
        put_to_work(work)
    (work / "a.yaml").touch()
    (work / "refuse").write_text("Error from server (Forbidden): no quota")
    with pytest.raises(NotApplied, match="exit code 1") as caught:
        put_to_work(work)
    assert "no quota" in caught.value.detail


@pytest.mark.parametrize(
    "said",
    [
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?",
        "Unable to connect to the server: net/http: TLS handshake timeout",
        'error: error validating "a.yaml": failed to download openapi: Get "https://127.0.0.1:6443": dial tcp: refused',
        'error when creating "a.yaml": Post "https://127.0.0.1:6443/api/v1/namespaces/a/pods": EOF',
        'error when patching "a.yaml": Patch "https://127.0.0.1:6443/x": read tcp 127.0.0.1: connection reset by peer',
        'Error from server: error when creating "a.yaml": etcdserver: request timed out',
        "error: You must be logged in to the server (Unauthorized)",
    ],
)
def test_a_cluster_that_is_away_has_refused_nothing(tmp_path: Path, kubectl: Path, said: str) -> None:
    work = tmp_path / "w"
    work.mkdir()
    (work / "a.yaml").touch()
    (work / "refuse").write_text(said)
    with pytest.raises(LabError, match="exit code 1") as caught:
        put_to_work(work)
    assert not isinstance(caught.value, NotApplied) and "lab status" in caught.value.hint
