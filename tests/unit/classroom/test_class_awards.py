"""Certificates: who gets one, for what, and that anybody can prove it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mlops_lab.classroom.teacher import place
from mlops_lab.classroom.teacher.place import Told
from tests.unit.classroom.conftest import Run
from tests.unit.classroom.made import KEY, OTHER, export, result
from tests.unit.classroom.teaching import GRADES, InMemory, Served


@pytest.fixture
def graded(served: Served, tmp_path: Path) -> Served:
    """Ada has passed two labs, Bob has failed one and Old none."""
    served.records = [f"{line.rstrip()}\n" for line in export([
        result("ada", "04"), result("bob", "04", "pf"), result("ada", "10"),
    ])]  # fmt: skip
    (tmp_path / "class.pem").write_text(KEY.public.pem)
    return served


def test_who_has_passed_gets_a_page_that_anybody_can_prove(graded: Served, teach: Run, tmp_path: Path) -> None:
    code, out, err = teach("certificate")
    assert code == 0 and out == "certificates/ada.html  Ada: lab 04, 10\n"
    assert "bob has not passed lab any" in err and "old has not passed" in err
    file = tmp_path / "certificates" / "ada.html"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and "Ada" in file.read_text()
    code, out, _ = teach("verify", str(file), "--key", "class.pem")
    assert code == 0 and "a certificate of Autumn for Ada" in out and "04 Deploy (4 of 4 points)" in out
    file.write_text(file.read_text().replace("Ada", "Eve"))
    assert teach("verify", str(file), "--key", "class.pem")[0] == 1


def test_who_has_come_by_a_learning_platform_gets_one_too(
    graded: Served, teach: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [{"learner": f"{name}-k3vq7x2", "name": name.title(), "email": "", "gone": name == "gone", "labs": {}}
            for name in ("eve", "gone")]  # fmt: skip
    monkeypatch.setitem(GRADES, "learners", [*GRADES["learners"], *more])
    graded.records = [f"{line.rstrip()}\n" for line in export([
        result("ada", "04"), result("eve-k3vq7x2", "04"), result("gone-k3vq7x2", "04"),
    ])]  # fmt: skip
    _, out, _ = teach("certificate")
    assert out == "certificates/ada.html  Ada: lab 04\ncertificates/eve-k3vq7x2.html  Eve: lab 04\n"
    assert teach("certificate", "eve-k3vq7x2", "--out", "c")[1] == "c/eve-k3vq7x2.html  Eve: lab 04\n"
    code, _, err = teach("certificate", "gone-k3vq7x2")
    assert code == 2 and "no learner 'gone-k3vq7x2'" in err


def test_for_the_labs_that_are_named_and_no_others(graded: Served, teach: Run, tmp_path: Path) -> None:
    assert teach("certificate", "ada", "--labs", "10", "--out", "c")[1] == "c/ada.html  Ada: lab 10\n"
    code, _, err = teach("certificate", "bob", "--labs", "04", "--out", "c")
    assert code == 2 and "bob has not passed lab 04" in err and not (tmp_path / "c" / "bob.html").exists()
    code, _, err = teach("certificate", "ada", "--labs", "05")
    assert code == 2 and "the class has no lab 05" in err and "04, 10" in err


def test_records_that_are_not_whole_make_no_certificate(graded: Served, teach: Run, tmp_path: Path) -> None:
    graded.records[0] = graded.records[0].replace('"points":4', '"points":3')
    code, _, err = teach("certificate")
    assert code == 3 and "not as they were signed" in err and not (tmp_path / "certificates").exists()


def test_the_key_is_that_of_the_teachers_own_secret(graded: Served, kubectl: InMemory, teach: Run) -> None:
    kubectl.secret("mine", key_pem=OTHER.pem, teacher="teacher-" + "t" * 24)
    place.at().tell(Told(values={"server": {"existingSecret": "mine"}}))
    code, _, err = teach("certificate")
    assert code == 3 and "not as they were signed" in err
