"""The learner's folder: filled once, never overwritten, kept aside on reset; and its YAML read early."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.kube.client import Kube
from mlops_lab.labs.keeping import NotEmptied, keep
from mlops_lab.labs.workspace import fill, manifests, parse_manifests, put_kubeconfig


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "start"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.yaml").write_text("image: localhost:5001/flight-delay:v1\n")
    (folder / "sub" / "deploy").write_text("#!/bin/sh\n")
    (folder / "sub" / "deploy").chmod(0o755)
    (folder / "logo.bin").write_bytes(b"\xff\xfe localhost:5001/x")
    (folder / "seed.yaml").write_text("kind: ConfigMap\n")
    return folder


def test_start_files_are_copied_with_their_modes_but_not_the_seed(tmp_path: Path, source: Path) -> None:
    done = fill(tmp_path / "work", source)
    assert done.written == ["logo.bin", "model.yaml", "sub/deploy"]
    assert done.kept == []
    assert (tmp_path / "work/sub/deploy").stat().st_mode & 0o111
    assert not (tmp_path / "work/seed.yaml").exists()


def test_an_edited_file_is_never_overwritten_and_a_deleted_one_comes_back(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    fill(work, source)
    (work / "model.yaml").write_text("mine\n")
    (work / "own.yaml").write_text("mine too\n")
    (work / "sub/deploy").unlink()
    done = fill(work, source)
    assert (done.written, done.kept) == (["sub/deploy"], ["model.yaml"])
    assert (work / "model.yaml").read_text() == "mine\n"
    assert (work / "own.yaml").read_text() == "mine too\n"


def test_a_folder_in_the_place_of_a_file_is_kept(tmp_path: Path, source: Path) -> None:
    (tmp_path / "work/model.yaml").mkdir(parents=True)
    assert fill(tmp_path / "work", source).kept == ["model.yaml"]


def test_image_names_get_the_clusters_registry_and_bytes_stay(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    fill(work, source, "registry.example/team/")
    assert (work / "model.yaml").read_text() == "image: registry.example/team/flight-delay:v1\n"
    assert (work / "logo.bin").read_bytes() == b"\xff\xfe localhost:5001/x"
    assert fill(work, source, "registry.example/team/").kept == []


def test_a_workspace_that_cannot_be_written_is_the_environments_fault(tmp_path: Path, source: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(LabError, match="can't be written") as caught:
        fill(tmp_path / "work", source)
    assert "MLOPS_LAB_WORKSPACE" in caught.value.hint


def test_a_reset_copies_everything_and_empties_the_same_folder(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "10-lab"
    fill(work, source)
    (work / ".lab").mkdir()
    (work / ".lab/kubeconfig").write_text("a key")
    before = work.stat().st_ino
    kept = keep(work)
    assert kept is not None
    assert kept.name.startswith("10-lab.2")
    assert (kept / "model.yaml").read_text() == "image: localhost:5001/flight-delay:v1\n"
    assert not (kept / ".lab").exists(), "the key to the cluster is of no use in a copy"
    assert list(work.iterdir()) == []
    assert work.stat().st_ino == before
    fill(work, source)
    again = keep(work)
    assert again is not None
    assert again != kept
    assert not list(tmp_path.glob(".*.part"))


def test_a_reset_takes_pipes_away_and_keeps_the_rest(tmp_path: Path, source: Path) -> None:
    os.mkfifo(source / "sub/pipe")
    kept = keep(source)
    assert kept is not None and (kept / "sub/deploy").exists() and not (kept / "sub/pipe").exists()
    assert list(source.iterdir()) == []


def test_yaml_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/model.yaml").symlink_to("../bad.yaml")
    (tmp_path / "work/own.yaml").write_text("a: 1")
    os.mkfifo(tmp_path / "work/pipe.yaml")
    assert [path.name for path in manifests(tmp_path / "work")] == ["own.yaml"]
    parse_manifests(tmp_path / "work")


def test_a_reset_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    assert keep(tmp_path / "none") is None
    (tmp_path / "w/.lab").mkdir(parents=True)
    assert keep(tmp_path / "w") is None


def test_folders_without_a_file_of_the_learners_go_and_are_not_called_a_copy(tmp_path: Path) -> None:
    """As they are when an exam is stopped again, since something of it did not go the first time."""
    (tmp_path / "exam/01-storage-class/.lab").mkdir(parents=True)
    (tmp_path / "exam/01-storage-class/.lab/kubeconfig").write_text("a key")
    (tmp_path / "exam/02-empty").mkdir()
    assert keep(tmp_path / "exam") is None
    assert list(tmp_path.iterdir()) == [tmp_path / "exam"] and list((tmp_path / "exam").iterdir()) == []
    (tmp_path / "exam/02").mkdir()
    (tmp_path / "exam/02/link").symlink_to(tmp_path)
    kept = keep(tmp_path / "exam")
    assert kept is not None and (kept / "02/link").is_symlink()


def test_a_copy_that_fails_leaves_the_folder_as_it_was(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", full)
    with pytest.raises(LabError, match="No space left"):
        keep(source)
    assert (source / "model.yaml").exists()


def test_what_cannot_be_removed_is_said_apart_from_the_copy_and_the_rest_goes(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def refused(path: Path, *given: Any, **more: Any) -> None:
        if Path(path) == source / "sub" and not more.get("ignore_errors"):
            raise PermissionError(13, "Permission denied", "deploy")
        if Path(path) != source / "sub":
            remove(path, *given, **more)

    monkeypatch.setattr("shutil.rmtree", refused)
    with pytest.raises(NotEmptied, match=r"not all of it can be removed: .*Permission denied") as caught:
        keep(source)
    assert (caught.value.kept / "sub/deploy").exists() and str(caught.value.kept) in caught.value.message
    assert f"sudo rm -rf {source / 'sub'}" in caught.value.hint
    assert [path.name for path in source.iterdir()] == ["sub"]


def test_the_key_to_the_cluster_is_not_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_lab.kube.kubeconfig.for_namespace", lambda kube, namespace: "a key")
    file = put_kubeconfig(tmp_path, cast(Kube, None), "lab-10")
    (tmp_path / "model.yaml").write_text("mine")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    listed = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard"]
    assert subprocess.run(listed, check=True, capture_output=True, text=True).stdout == "model.yaml\n"
    assert (file.read_text(), file.stat().st_mode & 0o077) == ("a key", 0)


def test_a_kubeconfig_that_cannot_be_written_is_the_environments_fault(tmp_path: Path) -> None:
    (tmp_path / ".lab").write_text("a file")
    with pytest.raises(LabError, match=r"workspace .* can't be written"):
        put_kubeconfig(tmp_path, cast(Kube, None), "lab-10")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [1, 2\nc: 3\n", 3), ("a: 1\n\tb: 2\n", 2), ("a: b: c\n", 1), ("ok: 1\n---\nx: 'open\n", 4)],
)
def test_yaml_that_does_not_parse_is_named_by_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "good.yaml").write_text("a: 1\n---\nb: 2\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/bad.yml").write_text(text)
    with pytest.raises(UsageError, match=rf"sub/bad.yml:{line}: this is not valid YAML"):
        parse_manifests(tmp_path)


def test_bytes_that_are_no_text_are_named_too(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(UsageError, match=r"bad.yaml:1: this YAML cannot be read"):
        parse_manifests(tmp_path)


def test_a_file_that_is_closed_to_us_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed.yaml").write_text("a: 1\n")

    def refused(*given: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(UsageError, match=r"closed.yaml can't be read: Permission denied"):
        parse_manifests(tmp_path)
    monkeypatch.setattr(Path, "is_file", refused)
    assert list(manifests(tmp_path)) == []


def test_of_a_virtual_environment_nothing_is_read_and_a_folder_that_goes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("venv/pyvenv.cfg", "venv/lib/template.yaml", "a/own.yaml", "b/c/other.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{{ if }}: [" if "template" in name else "a: 1\n")
    scandir = os.scandir

    def seen(path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(path).name == "b":  # not what rmtree looks at
            shutil.rmtree(tmp_path / "b/c")
        return scandir(path)

    parse_manifests(tmp_path)
    monkeypatch.setattr(os, "scandir", seen)
    assert [path.name for path in manifests(tmp_path)] == ["own.yaml"]


def test_chart_templates_and_hidden_folders_are_not_read(tmp_path: Path) -> None:
    for folder in ("chart/templates", ".lab"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.yaml").write_text("{{ if }}: [")
    (tmp_path / "chart/values.yaml").write_text("a: 1\n")
    assert [path.name for path in manifests(tmp_path)] == ["values.yaml"]
    parse_manifests(tmp_path)
