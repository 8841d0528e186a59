"""Each component as a function, and the retraining loop as the SDK's local runner runs it, in processes."""

import importlib
import inspect
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from delays import registry
from delays.rows import read
from kfp import compiler, dsl, local

from components.base import IMAGE
from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.monitor.component import monitor
from components.prepare.component import prepare
from components.register.component import register
from components.retrain import retrain
from components.train.component import train
from components.validate.component import validate
from tests.unit.components.conftest import FIRST, ROOT, invented, lay_out

ALL = sorted(path.parent.name for path in (ROOT / "components").glob("*/component.py"))
OLD, NEW = ("2013-03-01", "2013-03-30"), ("2013-03-31", "2013-04-29")
MODEL = "flight-delay"


class Bench:
    """Makes artifacts in a folder."""

    def __init__(self, folder: Path, tracking: str) -> None:
        self.folder, self.tracking, self.number = folder, tracking, 0

    def artifact(self, kind: type[dsl.Artifact]) -> Any:
        self.number += 1
        path = self.folder / str(self.number)
        return kind(name=f"{kind.__name__}-{self.number}", uri=str(path), metadata={})

    def prepare(self, source: Path, span: tuple[str, str], held_out: int = 7) -> tuple[Any, Any, str]:
        rows, last = self.artifact(dsl.Dataset), self.artifact(dsl.Dataset)
        done = prepare.python_func(*span, rows, last, held_out, str(source))
        return rows, last, done

    def train(self, rows: Any, **extra: Any) -> tuple[Any, Any]:
        model, metrics = self.artifact(dsl.Model), self.artifact(dsl.Metrics)
        train.python_func(rows, model, metrics, self.tracking, pipeline_run="run-1", **extra)
        return model, metrics

    def evaluate(self, model: Any, held_out: Any) -> tuple[bool, str]:
        outputs = [self.artifact(kind) for kind in (dsl.Metrics, dsl.ClassificationMetrics, dsl.HTML)]
        better = evaluate.python_func(model, held_out, *outputs, MODEL, self.tracking)
        assert isinstance(better, bool), "the executor takes nothing else for one"
        assert "auc" in outputs[0].metadata
        assert outputs[1].metadata["confidenceMetrics"]
        assert "<table>" in Path(outputs[2].path).read_text()
        why = registry.connect(self.tracking).get_run(model.metadata["run_id"]).data.tags[registry.WHY]
        return better, why

    def validate(self, rows: Any) -> int:
        outputs = self.artifact(dsl.Metrics), self.artifact(dsl.HTML)
        fit: int = validate.python_func(rows, *outputs, MODEL, self.tracking)
        return fit

    def in_service(self, source: Path, span: tuple[str, str]) -> str:
        """Train on some days and bring the model into service."""
        rows, _, _ = self.prepare(source, span)
        model, _ = self.train(rows, trees=10)
        version: str = register.python_func(model, MODEL, self.tracking, "run-1")
        deploy.python_func(version, MODEL, self.tracking)
        return version


@pytest.fixture
def bench(tmp_path: Path, tracking: str) -> Bench:
    return Bench(tmp_path, tracking)


def test_there_are_seven_and_each_has_a_readme() -> None:
    assert ALL == ["deploy", "evaluate", "monitor", "prepare", "register", "train", "validate"]
    for name in ALL:
        text = (ROOT / "components" / name / "README.md").read_text()
        component = getattr(importlib.import_module(f"components.{name}.component"), name)
        for parameter in inspect.signature(component.python_func).parameters:
            assert f"`{parameter}`" in text, (name, parameter)


@pytest.mark.parametrize("name", ALL)
def test_each_is_small_installs_nothing_and_runs_in_the_projects_image(name: str, tmp_path: Path) -> None:
    component = getattr(importlib.import_module(f"components.{name}.component"), name)
    assert len(inspect.signature(component.python_func).parameters) <= 8
    compiler.Compiler().compile(component, str(tmp_path / "c.yaml"))
    text = (tmp_path / "c.yaml").read_text()
    container = yaml.safe_load(text)["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
    assert container["image"] == IMAGE
    assert "pip install" not in text
    module = (ROOT / "components" / name / "component.py").read_text()
    outside = [line for line in module.splitlines() if line.startswith(("import ", "from "))]
    known = ("from typing import NamedTuple", "from kfp import dsl", "from components.base import IMAGE")
    assert all(line in known for line in outside), "what the image alone has is imported inside the function"


def test_prepare_splits_by_time_and_records_the_digest(bench: Bench, days: Path) -> None:
    rows, held_out, digest = bench.prepare(days, OLD)
    ours, last = pd.read_csv(rows.path), pd.read_csv(held_out.path)
    assert rows.metadata["rows"] == len(ours)
    assert ours["date"].max() < last["date"].min() == "2013-03-24"
    assert rows.metadata["days"] == "2013-03-01 to 2013-03-23"
    assert len({rows.metadata["sha256"], held_out.metadata["sha256"], digest}) == 3
    assert bench.prepare(days, OLD)[2] == digest
    with pytest.raises(ValueError, match="can't be held out"):
        bench.prepare(days, OLD, held_out=30)


def test_days_that_are_not_held_out_are_a_file_with_no_rows(bench: Bench, days: Path) -> None:
    rows, held_out, _ = bench.prepare(days, OLD, held_out=0)
    none = read(held_out.path)
    assert none.empty
    assert list(none.columns) == list(read(rows.path).columns)
    assert (held_out.metadata["rows"], held_out.metadata["days"]) == (0, "no days")
    with pytest.raises(ValueError, match="0 rows are too few"):
        bench.validate(held_out)


def test_validate_refuses_with_every_reason(bench: Bench, tmp_path: Path, spring: pd.DataFrame, days: Path) -> None:
    bad = spring.copy()
    bad.loc[5, "hour"] = 30
    bad.loc[6, "carrier"] = "?"
    lay_out(tmp_path / "bad", bad)
    rows, _, _ = bench.prepare(tmp_path / "bad", OLD)
    with pytest.raises(ValueError, match=r"hour: 1 values outside 0 to 23\n- carrier: 1 values are not codes"):
        bench.validate(rows)
    assert bench.validate(bench.prepare(days, OLD)[0]) > 9000


def test_labels_are_judged_against_the_model_in_service(bench: Bench, days: Path, tmp_path: Path) -> None:
    bench.in_service(days, OLD)
    inverted = invented(FIRST + timedelta(30), 30, seed=2)
    lay_out(tmp_path / "inverted", inverted.assign(late=1 - inverted["late"]))
    with pytest.raises(ValueError, match="inverted"):
        bench.validate(bench.prepare(tmp_path / "inverted", NEW)[0])


def test_train_is_deterministic_and_logs_what_it_made(bench: Bench, days: Path) -> None:
    rows, _, _ = bench.prepare(days, OLD)
    first, metrics = bench.train(rows, trees=5)
    second, _ = bench.train(rows, trees=5)
    import joblib

    one, two = (joblib.load(Path(model.path) / "bundle" / "model.joblib")["forest"] for model in (first, second))
    probe = [[6.0, 3, 20, 0.2, 0.2, 0.2, 700, 50, 10, 0, 10]]
    assert one.predict_proba(probe).tolist() == two.predict_proba(probe).tolist()
    assert metrics.metadata["auc_out_of_bag"] > 0.6
    run = mlflow.MlflowClient(bench.tracking).get_run(first.metadata["run_id"])
    assert run.data.params["trees"] == "5"
    assert run.data.tags["data.sha256"] == rows.metadata["sha256"]
    assert run.inputs.dataset_inputs[0].dataset.digest == rows.metadata["sha256"][:32]
    loaded = mlflow.pyfunc.load_model(f"models:/{first.metadata['model_id']}")
    assert [column.name for column in loaded.metadata.signature.inputs][:4] == ["month", "day", "weekday", "hour"]
    frame = pd.read_csv(rows.path).head(3)
    assert len(loaded.predict(frame.drop(columns=["late", "date"]))) == 3


def test_the_first_model_is_judged_against_chance_then_registered_with_its_lineage(bench: Bench, days: Path) -> None:
    rows, held_out, _ = bench.prepare(days, OLD)
    model, _ = bench.train(rows)
    better, why = bench.evaluate(model, held_out)
    assert better, why
    version = register.python_func(model, MODEL, bench.tracking, "run-1")
    assert register.python_func(model, MODEL, bench.tracking, "run-1") == version == "1"
    client = registry.connect(bench.tracking)
    kept = registry.by_alias(client, MODEL, registry.CANDIDATE)
    assert kept
    assert kept.tags["data.sha256"] == rows.metadata["sha256"]
    assert kept.tags["pipeline.run"] == "run-1"
    assert kept.tags["why"] == why
    run = client.get_run(kept.run_id)
    assert run.inputs.dataset_inputs[0].dataset.digest == kept.tags["data.sha256"][:32]
    assert run.data.metrics["held_out_auc"] > 0.6


def test_an_old_model_is_no_better_and_a_new_one_is(bench: Bench, days: Path) -> None:
    bench.in_service(days, OLD)
    old, _, _ = bench.prepare(days, OLD)
    new, held_out, _ = bench.prepare(days, NEW)
    better, why = bench.evaluate(bench.train(old, trees=10)[0], held_out)
    assert not better
    assert "not surely more" in why
    better, why = bench.evaluate(bench.train(new)[0], held_out)
    assert better, why


def test_deploy_moves_the_alias_and_goes_back(bench: Bench, days: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, _ = bench.prepare(days, OLD)
    versions = [
        register.python_func(bench.train(rows, trees=2, seed=seed)[0], MODEL, bench.tracking) for seed in (1, 2)
    ]
    client = registry.connect(bench.tracking)

    def production() -> str:
        found = registry.by_alias(client, MODEL, registry.PRODUCTION)
        return str(found.version) if found else ""

    with pytest.raises(Exception, match="not all answers"):
        deploy.python_func(versions[0], MODEL, bench.tracking, url="http://127.0.0.1:9", within=1)
    assert production() == "", "there was none before"
    assert deploy.python_func(versions[0], MODEL, bench.tracking) == ""
    assert deploy.python_func(versions[1], MODEL, bench.tracking) == versions[0]
    with pytest.raises(Exception, match="not all answers"):
        deploy.python_func(versions[0], MODEL, bench.tracking, url="http://127.0.0.1:9", within=1)
    assert production() == versions[1]
    with pytest.raises(Exception, match="99"):
        deploy.python_func("99", MODEL, bench.tracking)
    assert production() == versions[1]


def test_monitor_names_what_shifted(bench: Bench, days: Path, tmp_path: Path) -> None:
    bench.in_service(days, OLD)
    lay_out(tmp_path / "warm", invented(FIRST + timedelta(30), 30, warmer=15))

    def seen(source: Path, span: tuple[str, str]) -> tuple[str, dict[str, Any], str]:
        rows, _, _ = bench.prepare(source, span, held_out=0)
        metrics, report = bench.artifact(dsl.Metrics), bench.artifact(dsl.HTML)
        found = monitor.python_func(rows, metrics, report, MODEL, bench.tracking)
        return found, metrics.metadata, Path(report.path).read_text()

    drifted, metrics, page = seen(days, OLD)
    assert drifted == "", page
    assert metrics["psi"] < 0.1
    drifted, metrics, page = seen(tmp_path / "warm", NEW)
    assert drifted == "temp"
    assert metrics["psi"] == metrics["psi_temp"] > 0.2
    assert "Drifted: temp" in page
    drifted, metrics, page = seen(days, NEW)
    assert drifted == "error", "the same flights, another concept: only the error tells"
    assert metrics["error_changes"] >= 1
    assert "changed at" in page


def test_monitor_needs_a_model_in_service(bench: Bench, days: Path) -> None:
    rows, _, _ = bench.prepare(days, OLD)
    with pytest.raises(ValueError, match="nothing to compare with"):
        monitor.python_func(rows, bench.artifact(dsl.Metrics), bench.artifact(dsl.HTML), MODEL, bench.tracking)


@pytest.mark.long  # each of its eight steps is a program of its own
def test_the_loop_runs_in_the_local_runner(bench: Bench, days: Path, tmp_path: Path) -> None:
    warnings.simplefilter("ignore")
    assert bench.in_service(days, OLD) == "1"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "outputs"), raise_on_error=True)
    client = registry.connect(bench.tracking)
    for _ in range(2):  # the second time the same flights make the same model, which is no better than itself
        retrain(first_day=NEW[0], last_day=NEW[1], source=str(days), tracking_uri=bench.tracking)
        found = registry.by_alias(client, MODEL, registry.PRODUCTION)
        assert found and str(found.version) == "2"
        trained = client.get_run(found.run_id).data.tags
        assert found.tags["pipeline.run"] == trained["pipeline.run"] != ""
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 2


def test_monitor_runs_in_the_local_runner(bench: Bench, days: Path, tmp_path: Path) -> None:
    warnings.simplefilter("ignore")
    bench.in_service(days, OLD)

    @dsl.pipeline
    def look(source: str, tracking_uri: str) -> str:
        data = prepare(first_day=NEW[0], last_day=NEW[1], held_out_days=0, source=source)
        seen = monitor(rows=data.outputs["rows"], model_name=MODEL, tracking_uri=tracking_uri)
        return seen.outputs["Output"]  # type: ignore[no-any-return]

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "outputs"), raise_on_error=True)
    assert look(source=str(days), tracking_uri=bench.tracking).output == "error"


def test_the_compiled_loop(tmp_path: Path) -> None:
    compiler.Compiler().compile(retrain, str(tmp_path / "retrain.yaml"))
    text = (tmp_path / "retrain.yaml").read_text()
    ir = yaml.safe_load(text)
    executors = ir["deploymentSpec"]["executors"]
    assert {each["container"]["image"] for each in executors.values()} == {IMAGE}
    assert "pip install" not in text
    tasks = ir["root"]["dag"]["tasks"]
    assert set(tasks) == {"prepare", "validate", "validate-2", "train", "evaluate", "condition-1"}
    assert {"validate", "validate-2"} <= set(tasks["train"]["dependentTasks"])
    assert tasks["condition-1"]["triggerPolicy"]["condition"].endswith("== true")
    assert tasks["train"]["cachingOptions"] == {"enableCache": True}
    assert not any(tasks[name].get("cachingOptions", {}).get("enableCache") for name in ("prepare", "evaluate"))
