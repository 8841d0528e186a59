"""Whatever a learner's run, model or file is, labs 01, 08, 09, 16 and 26 say what is wrong with it.

Anything else that a check raises, or a program of the checker's that ends badly, counts as the checker's own fault.
"""

from __future__ import annotations

import asyncio
import bz2
import functools
import io
import os
import pickle
import runpy
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_lab.base.errors import Failure
from mlops_lab.base.paths import project
from mlops_lab.checks import Check, Lab, Observation
from mlops_lab.measure.services.pipelines import package
from tests.lab_programs import loaded
from tests.made_up import Platform, made_up_lab


class Names:
    """What a lab's checker holds, by name; of a check its function."""

    def __init__(self, number: str) -> None:
        self._checker = loaded(number)

    def __getitem__(self, name: str) -> Any:
        found = getattr(self._checker, name)
        return found.run if isinstance(found, Check) else found


@functools.cache
def lab_globals(number: str) -> Names:
    return Names(number)


def score(lab: str, **replaced: Any) -> dict[str, Any]:
    """What a lab's score.py holds, with some of it replaced."""
    whole = runpy.run_path(str(project() / "labs" / lab / "checker" / "score.py"), run_name="score")
    whole["said"].__globals__.update(replaced)
    return whole


def told(number: str, mlflow: Any = None, folder: Path | None = None, **answers: Any) -> Lab:
    """A lab in which everything that a check asks for once is known already, and MLflow has what it is told to have."""
    lab = made_up_lab(number, folder, platform=Platform(mlflow=mlflow))

    async def once(function: Any) -> Any:
        return answers[function.__name__]

    lab.once = once  # type: ignore[method-assign]
    return lab


def mlflow(**answers: Any) -> Any:
    """MLflow's room; each question has the same answer whatever is asked."""

    def saying(answer: Any) -> Any:
        async def said(*given: Any, **more: Any) -> Any:
            return answer

        return said

    return SimpleNamespace(name="lab", **{name: saying(answer) for name, answer in answers.items()})


def refuses(work: Any) -> None:
    with pytest.raises(Failure):
        asyncio.run(work)


# Lab 01


class Model:
    """A model with one answer for all, or an exception; it has no get_params."""

    def __init__(self, answer: float | Exception) -> None:
        self.answer = answer

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array([[1 - self.answer, self.answer]] * len(rows))


@pytest.mark.parametrize(("answer", "right"), [(0.0, True), (0.3, True), (1 + 1e-12, True), (5.0, False),
                                               (-0.1, False), (float("nan"), False)])  # fmt: skip
def test_what_is_no_probability_is_an_error_of_the_model(answer: float, right: bool) -> None:
    rows = pd.DataFrame({"hour": [1, 2], "late": [0, 1]})
    found = score("01-track-a-training-run")["auc"](Model(answer), None, rows)
    assert ("error" not in found) == right


@pytest.mark.parametrize("signature", [{"columns": ["foo"], "refuses": {}, "answers": 50},
                                       {"columns": [0, 1], "refuses": {}, "error": "there is no column 0"},
                                       {"columns": ["hour"], "refuses": {"rows without the column hour": False}},
                                       {"columns": None}])  # fmt: skip
def test_a_signature_that_refuses_nothing_fails(signature: dict[str, Any]) -> None:
    refuses(lab_globals("01")["refuses_other_rows"](told("01", scored={"signature": signature})))


def test_a_signature_that_refuses_passes() -> None:
    signature = {"columns": ["hour"], "refuses": {"rows without the column hour": True}, "answers": 50}
    asyncio.run(lab_globals("01")["refuses_other_rows"](told("01", scored={"signature": signature})))


def test_a_model_without_parameters_fails_one_check_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame({"hour": [1, 2], "late": [0, 1]})
    whole = score("01-track-a-training-run", flights=lambda days: rows, enforced=lambda *given: {"columns": None})
    loading = SimpleNamespace(load_model=lambda folder: Model(0.3))
    artifacts = SimpleNamespace(download_artifacts=str)
    played = SimpleNamespace(pyfunc=loading, sklearn=loading, artifacts=artifacts)
    monkeypatch.setitem(whole["main"].__globals__, "mlflow", played)
    monkeypatch.setenv("MODEL_URI", "models:/m-1")
    monkeypatch.setenv("DAYS", '{"held_out": ["2013-01-22"]}')
    whole["main"]()
    answer = yaml.safe_load(capsys.readouterr().out.splitlines()[-1])
    assert answer["held_out"] == {"rows": 2, "auc": 0.5}
    refuses(lab_globals("01")["params_are_true"](told("01", scored=answer, newest={"data": {}})))


@pytest.mark.parametrize(("profile", "rows"), [('{"num_rows": 7}', 7), ('{"num_rows": 1e999}', 0), ("[]", 0)])
def test_the_rows_that_a_profile_tells(profile: str, rows: int) -> None:
    assert lab_globals("01")["size"]({"profile": profile}) == rows


# Lab 08

PARAMETERS = "first_day last_day held_out_days seed"


@pytest.mark.parametrize("root", ["null", "[1]", "{inputDefinitions: null}", "{inputDefinitions: {parameters: null}}",
                                  f"{{inputDefinitions: {{parameters: {PARAMETERS}}}}}",
                                  "{inputDefinitions: {parameters: {7: 1}}}"])  # fmt: skip
def test_a_package_of_another_form_fails(root: str) -> None:
    refuses(lab_globals("08")["compiles"](told("08", compiled=package(f"pipelineInfo: {{}}\nroot: {root}"))))


def test_a_package_with_the_parameters_passes() -> None:
    parameters = dict.fromkeys([*PARAMETERS.split(), 7], 1)
    spec = {"pipelineInfo": {}, "root": {"inputDefinitions": {"parameters": parameters}}}
    for each in (spec, {"pipeline_spec": spec, "platform_spec": {}}):
        asyncio.run(lab_globals("08")["compiles"](told("08", compiled=each)))


COLUMNS = "month,day,weekday,hour,carrier,origin,dest,distance,late\n"
FLIGHTS = "1,2,3,4,UA,EWR,SFO,100.0,1\n1,3,3,4,UA,EWR,SFO,100.0,0\n"
REST = ",2,3,4,UA,EWR,SFO,100.0,1\n"


def compared(content: Any) -> Any:
    whole = score("08-first-pipeline", content=content)
    whole["compared"].__globals__["flights"] = lambda days: whole["read"](io.StringIO(COLUMNS + FLIGHTS))
    return whole["compared"]("7", ["a day"], ["a day"])


@pytest.mark.parametrize("text", [COLUMNS + FLIGHTS + COLUMNS + FLIGHTS, f"{COLUMNS}March{REST}", f"{COLUMNS}{REST}",
                                  f"{COLUMNS}inf{REST}", f"{COLUMNS}{'9' * 30}{REST}", "", "month\n1",
                                  "\0"])  # fmt: skip
def test_a_data_set_of_another_form_is_said(text: str) -> None:
    assert "error" in compared(lambda artifact: text.encode())


@pytest.mark.parametrize(("text", "missing"), [(COLUMNS + FLIGHTS, 0), (COLUMNS, 2), (f"{COLUMNS}1{REST}", 1)])
def test_a_data_set_is_compared(text: str, missing: int) -> None:
    found = compared(lambda artifact: text.encode())
    assert "error" not in found and found["missing"] == missing


def answering(status: int) -> Any:
    def urlopen(url: str, timeout: float) -> Any:
        raise urllib.error.HTTPError(url, status, "", {}, None)  # type: ignore[arg-type]

    return SimpleNamespace(request=SimpleNamespace(urlopen=urlopen), error=urllib.error)


@pytest.mark.parametrize("status", [400, 404])
def test_a_data_set_that_was_never_written_is_said(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_ENDPOINT", "http://kfp")
    content = score("08-first-pipeline", urllib=answering(status))["content"]
    assert "nothing is there" in compared(content)["error"]


def test_pipelines_that_do_not_answer_are_not_the_learners_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_ENDPOINT", "http://kfp")
    with pytest.raises(OSError, match="503"):
        score("08-first-pipeline", urllib=answering(503))["scored"]("model", "rows")


def scored(model: bytes) -> Any:
    def content(artifact: str) -> bytes:
        return model if artifact == "model" else (COLUMNS + FLIGHTS).encode()

    return score("08-first-pipeline", content=content)["scored"]("model", "rows")


@pytest.mark.parametrize("model", [b"", b"text", b"BZh91AY spoilt", b"\x1f\x8b\x08 spoilt",
                                   bz2.compress(b"x" * 99)[:20], pickle.dumps({1: 2}),
                                   pickle.dumps(Model(FileNotFoundError("rows.csv")))])  # fmt: skip
def test_a_model_that_cannot_be_used_is_said(model: bytes) -> None:
    assert "error" in scored(model)


def test_a_model_is_scored() -> None:
    assert scored(pickle.dumps(Model(0.3))) == {"auc": 0.5}


@pytest.mark.parametrize(("number", "right"), [(0.75, True), (10**400, False), (float("nan"), False), (True, False),
                                               ("0.75", False)])  # fmt: skip
def test_a_logged_number_of_any_form(number: Any, right: bool) -> None:
    whole = lab_globals("08")
    made = {"m": {"type": "system.Metrics", "metadata": {"auc": number}}}
    steps = {"evaluate": {"outputs": {"metrics": {"artifact_ids": ["m"]}}}}
    run = whole["Run"]({}, Observation(True, "", ""), steps, made)
    data = {"held_out": {"score": {"auc": 0.75}}, "rows": {"score": {"auc": 1.0}}}
    check = whole["metric_is_true"](told("08", first=run, first_content=data))
    asyncio.run(check) if right else refuses(check)


def in_folder(number: str, folder: Path) -> Lab:
    return told(number, folder=folder)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_has_the_packages_name_is_removed_first(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "pipeline.yaml"
    {"folder": place.mkdir, "file": place.touch, "link": lambda: place.symlink_to(tmp_path)}[kind]()
    (tmp_path / "pipeline.py").write_text("#!/bin/sh\n[ -e pipeline.yaml ] || echo 'pipelineInfo: {}' >pipeline.yaml\n")
    (tmp_path / "pipeline.py").chmod(0o755)
    lab = in_folder("08", tmp_path)
    lab.platform = Platform(pipelines=mlflow(ask={}))  # type: ignore[assignment]
    assert asyncio.run(lab_globals("08")["compiled"](lab)) == {"pipelineInfo": {}}


# Lab 09


def test_a_run_without_a_data_set_is_not_the_labs_own() -> None:
    runs = [{"info": {"run_name": name, "run_id": name}, "inputs": {"dataset_inputs": [{"dataset": {"digest": "d"}}]}}
            for name in ("january", "february", "march")]  # fmt: skip
    runs.append({"info": {"run_name": "april", "run_id": "x"}})
    refuses(lab_globals("09")["scored"](told("09", mlflow(runs=runs))))


def test_requests_lost_without_a_deployment_have_a_reason() -> None:
    found = lab_globals("09")["Found"]({}, set(), {}, "1")
    assert "away" in asyncio.run(lab_globals("09")["why_lost"](told("09", found=found), {}))


# Lab 16


@pytest.mark.parametrize("kind", ["nothing", "folder", "closed"])
def test_a_dashboard_that_cannot_be_read_fails(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "folder":
        (tmp_path / "dashboard.json").mkdir()
    if kind == "closed":  # as for a link into a folder of somebody else's
        monkeypatch.setattr(Path, "is_file", closed)
    refuses(lab_globals("16")["dashboard"](in_folder("16", tmp_path)))


def closed(path: Path) -> bool:
    raise PermissionError(13, os.strerror(13), str(path))


def test_a_folder_with_the_dashboards_name_is_removed_before_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "dashboard.json").mkdir()
    (tmp_path / "build").write_text("#!/bin/sh\necho '{\"panels\": []}' >dashboard.json\n")
    (tmp_path / "build").chmod(0o755)
    assert asyncio.run(lab_globals("16")["dashboard"](in_folder("16", tmp_path))).panels == ()


# Lab 26


def having(*tags: dict[str, str]) -> Lab:
    version: dict[str, Any] = {"version": "2"} | ({"tags": list(tags)} if tags else {})
    return told("26", mlflow(versions=[version]))


def days(text: str) -> dict[str, str]:
    return {"key": "data.days", "value": text}


@pytest.mark.parametrize("lab", [told("26", mlflow(versions=[])), having(),
                                 having({"key": "other"}), having(days("2013-02-01")),
                                 having(days("2013-02-01 2013-02-02 2013-02-03"))])  # fmt: skip
def test_a_version_without_its_days_fails(lab: Lab) -> None:
    refuses(lab_globals("26")["days_of"](lab, "2"))
    assert not asyncio.run(lab_globals("26")["lineage"](lab, "2", "a run", "2013-07-11")).ok


def test_a_version_has_its_days() -> None:
    found = asyncio.run(lab_globals("26")["days_of"](having(days("2013-02-01 to 2013-02-14")), "2"))
    assert found == ("2013-02-01", "2013-02-14")
    lab = having(days("2013-06-14 to 2013-07-04"), {"key": "pipeline.run", "value": "a run"})
    for today, right in (("2013-07-11", True), ("2013-07-12", True), ("2013-07-13", False), ("2013-07-09", False)):
        assert asyncio.run(lab_globals("26")["lineage"](lab, "2", "a run", today)).ok == right
