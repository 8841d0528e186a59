"""Terminals of the desk where zsh is the user's shell."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlops_lab.base.paths import state
from mlops_lab.desk import terminals
from tests.desk.made_up import Served
from tests.desk.test_terminal import Typist


def test_zsh_is_taken_where_it_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "zsh"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("SHELL", str(own))
    monkeypatch.delenv("ZDOTDIR", raising=False)
    words, added = terminals.shell()
    assert words == [str(own), "-i"]
    assert added["ZDOTDIR"] == str(state() / "zsh") and Path(added["MLOPS_LAB_ZSHRC"]).is_file()
    own.unlink()
    words, added = terminals.shell()
    assert Path(words[0]).name == "bash" and added == {}


@pytest.fixture
def typist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Typist:
    zsh = shutil.which("zsh")
    assert zsh, "this test needs zsh: apt-get install zsh"
    monkeypatch.setenv("SHELL", zsh)
    monkeypatch.delenv("ZDOTDIR", raising=False)
    (tmp_path / ".zshrc").write_text(
        "alias mine='echo yes'\nexport PATH=/elsewhere:$PATH KUBECONFIG=/other\n"
        "PROMPT='%~ > '\nunset zle_bracketed_paste\nunsetopt prompt_sp\n"
    )
    desk: Served = request.getfixturevalue("at_desk")
    desk.begin()
    return Typist(desk)


@pytest.mark.long  # it needs zsh
def test_the_work_at_hand_counts_after_the_users_own_settings(tmp_path: Path, typist: Typist) -> None:
    folder = tmp_path / "work" / "04-deploy"
    assert typist.said("pwd").strip() == str(folder)
    assert typist.said("mine").strip() == "yes"
    assert typist.said("echo $KUBECONFIG").strip() == str(folder / ".lab" / "kubeconfig")
    assert Path(typist.said("whence -p kubectl").strip()).parent.joinpath("python").exists()
    assert typist.said("whence k").strip() == "kubectl"
    assert typist.said("echo $ZDOTDIR").strip() == str(tmp_path)
    assert typist.said("env | grep -cE 'LAB_DESK|MLOPS_LAB_Z'").strip() == "0"


@pytest.mark.long  # it needs zsh
def test_k_is_completed(typist: Typist) -> None:
    typist.said("true")
    typist.type("k rollo\t")
    typist.until("k rollout")
    typist.type("\x15lab rese\t")
    typist.until("lab reset")
