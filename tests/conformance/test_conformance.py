"""What any engine behind the KFP API has to do, asked of it by the SDK's client alone."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import pytest
from kfp import compiler

from tests.conformance import pipelines
from tests.conformance.conftest import Backend, states
from tests.conformance.differences import DIFFERENCES


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def package(pipeline: Any, folder: Path) -> str:
    path = folder / "pipeline.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return str(path)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("two_steps", {"text": "other"}),
        ("metadata_alone", {}),
        ("numbers", {}),
        ("folder", {}),
        ("loop", {}),
        ("loop_over_nothing", {}),
        ("loop_over_outputs", {}),
        ("nested_loops", {}),
        ("loop_models", {}),
        ("loop_over_models", {}),
        ("conditions", {"threshold": 0.4, "wanted": "above"}),
        ("conditions", {"threshold": 0.9, "wanted": "same"}),
        ("conditions", {"threshold": 0.9, "word": "small", "wanted": "neither"}),
        ("one_of_models", {"which": "a"}),
        ("one_of_models", {"which": "b"}),
        ("exit_handler", {}),
        ("importing", {}),
        ("nested", {}),
        ("containers", {}),
        ("nested_placeholders", {}),
        ("dollars_kept", {}),
        ("resources", {}),
        ("optional_inputs", {}),
    ],
)
def test_runs(backend: Backend, name: str, arguments: dict[str, Any]) -> None:
    pipeline, difference = getattr(pipelines, name), DIFFERENCES.get(name)
    if difference and backend.real:
        if difference.refused:
            with pytest.raises(kfp_server_api.ApiException, match=difference.refused) as error:
                backend.start(pipeline, arguments)
            assert error.value.status == 500
            return
        run = backend.finish(backend.start(pipeline, arguments))
        failed = {task for task, each in states(run).items() if "FAILED" in each}
        assert run.state == "FAILED" and failed & {difference.failed, f"{difference.failed}-driver"}, failed
        return
    run = backend.finish(backend.start(pipeline, arguments))
    assert run.state == "SUCCEEDED", (run.error, states(run))
    left = {state for each in states(run).values() for state in each} - {"SUCCEEDED", "SKIPPED"}
    assert not left - ({""} if backend.real else set()), "the real backend gives no state to what was left out"
    if name == "conditions":  # a condition on an output that has a name of its own
        assert states(run)["say-4"] == ["SUCCEEDED"]
    if not backend.real:
        warned = " ".join(backend.warnings(run.run_id))
        assert (difference.warned in warned) if difference else "would refuse" not in warned


def test_steps_that_do_not_depend_on_each_other_run_side_by_side(backend: Backend) -> None:
    run = backend.finish(backend.start(pipelines.side_by_side, {"seconds": 30.0 if backend.slow else 2.0}))
    assert run.state == "SUCCEEDED", (run.error, states(run))
    one, two = (task for task in run.run_details.task_details if task.display_name in ("wait", "wait-2"))
    assert max(one.start_time, two.start_time) < min(one.end_time, two.end_time)


def test_the_clients_switch_for_the_cache_reaches_the_outermost_steps_alone(backend: Backend) -> None:
    """On both engines, since the SDK writes it into the pipeline."""

    def run(fresh: bool) -> Any:
        arguments = {"mark": mark, "begun": time.time(), "fresh": fresh}
        made = backend.client.create_run_from_pipeline_func(pipelines.stamped, arguments, enable_caching=False)
        return backend.finish(str(made.run_id))

    mark = unique("mark")
    for fresh in (True, False):
        ended = run(fresh)
        assert ended.state == "SUCCEEDED", (ended.error, states(ended))
    if not backend.real:
        assert any("enable_caching=False switches" in each for each in backend.warnings(ended.run_id))


def test_a_cache_key_of_its_own_stands_for_all_inputs(backend: Backend) -> None:
    """The real backend does not look at it."""
    for mark, fresh in (("first", True), ("second", backend.real)):
        arguments = {"mark": mark, "begun": time.time(), "fresh": fresh}
        ended = backend.finish(str(backend.client.create_run_from_pipeline_func(pipelines.keyed, arguments).run_id))
        assert ended.state == "SUCCEEDED", (ended.error, states(ended))
    if not backend.real:
        assert any("would not look at the cache_key of now" in each for each in backend.warnings(ended.run_id))


def test_a_check_inside_a_pipeline_can_fail(backend: Backend) -> None:
    """Otherwise the ones above would prove nothing."""
    run = backend.finish(backend.start(pipelines.conditions, {"wanted": "another"}))
    assert run.state == "FAILED"
    assert states(run)["expect"] == ["FAILED"]


def test_a_failed_step_fails_the_run_and_stops_what_needs_it_alone(backend: Backend) -> None:
    run = backend.finish(backend.start(pipelines.failing))
    seen = states(run)
    assert (run.state, seen["fail"]) == ("FAILED", ["FAILED"])
    assert "SUCCEEDED" not in seen.get("say-3", [])
    assert (seen["say"], seen["say-2"]) == (["SUCCEEDED"], ["SUCCEEDED"]), "by their tasks' names, whatever is shown"
    failed = next(task for task in run.run_details.task_details if task.display_name == "fail")
    assert failed.start_time and failed.end_time and failed.start_time <= failed.end_time


def test_an_exit_task_runs_after_a_failure(backend: Backend) -> None:
    run = backend.finish(backend.start(pipelines.exit_handler, {"break_it": True}))
    assert run.state == "FAILED"
    assert states(run)["final"] == ["SUCCEEDED"]


def test_a_step_is_tried_again(backend: Backend) -> None:
    run = backend.finish(backend.start(pipelines.retries, {"moment": time.time() + 4}))
    assert run.state == "SUCCEEDED", (run.error, states(run))


def test_a_step_with_the_same_inputs_comes_from_the_cache(backend: Backend) -> None:
    arguments = {"seconds": 4.0, "cached": unique("mark")}

    def took() -> float:
        began = time.monotonic()
        run = backend.finish(backend.start(pipelines.slow, arguments, cache=True))
        assert run.state == "SUCCEEDED", (run.error, states(run))
        return time.monotonic() - began

    first, second = took(), took()
    assert first > 8
    assert second < first - 6


def test_a_run_is_terminated(backend: Backend) -> None:
    client = backend.client
    run = backend.start(pipelines.slow, {"seconds": 600.0})
    end = time.monotonic() + backend.within
    while client.get_run(run).state != "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.2)
    client.terminate_run(run)
    while client.get_run(run).state not in ("CANCELED", "FAILED"):
        assert time.monotonic() < end, client.get_run(run).state
        time.sleep(0.2)


def test_a_failed_run_is_retried_without_what_succeeded(backend: Backend) -> None:
    run = backend.start(pipelines.failing)

    def ended() -> dict[str, Any]:
        return {task.display_name: task for task in backend.finish(run).run_details.task_details}

    before = ended()
    backend.client._run_api.run_service_retry_run(run)
    time.sleep(3 if backend.real else 0.5)
    after = ended()
    assert after["say"].end_time == before["say"].end_time
    assert after["fail"].start_time > before["fail"].start_time


def never_starts(backend: Backend, pipeline: Any, patience: float) -> None:
    """What the real backend does with a step that can't start: the run stays RUNNING; terminated, it is FAILED."""
    run, end = backend.start(pipeline), time.monotonic() + patience
    while time.monotonic() < end:
        assert backend.client.get_run(run).state in ("PENDING", "RUNNING")
        time.sleep(5)
    backend.client.terminate_run(run)
    end = time.monotonic() + backend.within
    while (state := backend.client.get_run(run).state) in ("PENDING", "RUNNING", "CANCELING"):
        assert time.monotonic() < end, state
        time.sleep(1)
    assert state == "FAILED"


def test_an_image_that_is_missing_fails_with_the_reason(backend: Backend) -> None:
    if backend.real:
        never_starts(backend, pipelines.missing_image, 120)
        return
    ended = backend.finish(backend.start(pipelines.missing_image))
    assert ended.state == "FAILED"
    assert "no-such-image" in (ended.error.message if ended.error else "")


@pytest.mark.long  # a cluster's autoscaler gets five minutes to make room
def test_a_request_that_is_too_large_fails_with_the_reason(backend: Backend) -> None:
    if backend.real:
        never_starts(backend, pipelines.too_large, 400)
        return
    ended = backend.finish(backend.start(pipelines.too_large), within=backend.within + 400)
    assert ended.state == "FAILED"
    assert "cpu" in (ended.error.message if ended.error else "")


def test_pipelines_and_versions(backend: Backend, tmp_path: Path) -> None:
    client = backend.client
    name, file = unique("pipeline"), package(pipelines.two_steps, tmp_path)
    made = client.upload_pipeline(file, pipeline_name=name, description="words")
    assert (made.display_name, made.description) == (name, "words")
    assert client.get_pipeline_id(name) == made.pipeline_id
    assert client.get_pipeline(made.pipeline_id).display_name == name
    second = client.upload_pipeline_version(file, f"{name}-v2", pipeline_id=made.pipeline_id)
    versions = client.list_pipeline_versions(made.pipeline_id, sort_by="created_at desc").pipeline_versions
    newest = [each.pipeline_version_id for each in versions if each.created_at == versions[0].created_at]
    assert second.pipeline_version_id in newest, "the real backend keeps whole seconds"
    assert len(versions) == 2
    kept = client.get_pipeline_version(made.pipeline_id, second.pipeline_version_id)
    assert kept.pipeline_spec["pipelineInfo"]["name"] == "two-steps"

    experiment = client.create_experiment(unique("experiment"))
    run = client.run_pipeline(
        experiment.experiment_id, unique("run"), pipeline_id=made.pipeline_id, version_id=second.pipeline_version_id,
        params={"text": "of a version"},
    )  # fmt: skip
    ended = backend.finish(run.run_id)
    assert ended.state == "SUCCEEDED", ended.error
    assert ended.pipeline_version_reference.pipeline_version_id == second.pipeline_version_id
    assert ended.runtime_config.parameters == {"text": "of a version"}

    for version in versions:
        client.delete_pipeline_version(made.pipeline_id, version.pipeline_version_id)
    client.delete_pipeline(made.pipeline_id)
    with pytest.raises(kfp_server_api.ApiException) as error:
        client.get_pipeline(made.pipeline_id)
    assert error.value.status == 404


def test_experiments(client: kfp.Client) -> None:
    name = unique("experiment")
    made = client.create_experiment(name, description="words")
    assert client.create_experiment(name).experiment_id == made.experiment_id
    assert client.get_experiment(experiment_name=name).description == "words"
    client.archive_experiment(made.experiment_id)
    assert client.get_experiment(experiment_id=made.experiment_id).storage_state == "ARCHIVED"
    client.unarchive_experiment(made.experiment_id)
    assert client.get_experiment(experiment_id=made.experiment_id).storage_state == "AVAILABLE"
    client.delete_experiment(made.experiment_id)
    with pytest.raises(ValueError, match="No experiment is found"):
        client.get_experiment(experiment_name=name)


def test_lists_are_filtered_sorted_and_paged(backend: Backend, tmp_path: Path) -> None:
    client = backend.client
    experiment = client.create_experiment(unique("lists")).experiment_id
    file = package(pipelines.optional_inputs, tmp_path)
    made = [client.run_pipeline(experiment, f"run {number}", pipeline_package_path=file) for number in range(5)]
    for each in made:
        assert backend.finish(each.run_id).state == "SUCCEEDED"

    names, token = [], ""
    while True:
        page = client.list_runs(token, 2, "display_name desc", experiment)
        names += [run.display_name for run in page.runs]
        token = page.next_page_token or ""
        if not token:
            break
    assert names == [f"run {number}" for number in (4, 3, 2, 1, 0)]

    def found(**predicate: Any) -> list[str]:
        filter_text = json.dumps({"predicates": [predicate]})
        found = client.list_runs(experiment_id=experiment, sort_by="created_at", filter=filter_text).runs or []
        assert [run.created_at for run in found] == sorted(run.created_at for run in found)
        return sorted(run.display_name for run in found)  # the real backend keeps whole seconds: ties in any order

    assert found(operation="EQUALS", key="display_name", stringValue="run 3") == ["run 3"]
    assert found(operation=9, key="display_name", stringValue="n 2") == ["run 2"]
    assert found(operation="IN", key="display_name", stringValues={"values": ["run 1", "run 4"]}) == ["run 1", "run 4"]
    assert found(operation="EQUALS", key="state", stringValue="FAILED") == []
    client.archive_run(made[0].run_id)
    assert found(operation="EQUALS", key="storage_state", stringValue="AVAILABLE") == [f"run {n}" for n in range(1, 5)]
    client.unarchive_run(made[0].run_id)
    client.delete_run(made[1].run_id)
    assert len(client.list_runs(experiment_id=experiment).runs) == 4
    for bad in ("no json", json.dumps({"predicates": [{"operation": "EQUALS", "key": "colour", "stringValue": "x"}]})):
        with pytest.raises(kfp_server_api.ApiException) as error:
            client.list_runs(experiment_id=experiment, filter=bad)
        assert error.value.status == 400


def test_recurring_runs(backend: Backend, tmp_path: Path) -> None:
    client = backend.client
    experiment = client.create_experiment(unique("recurring")).experiment_id
    file = package(pipelines.optional_inputs, tmp_path)
    each_second = client.create_recurring_run(
        experiment, "often", interval_second=1, pipeline_package_path=file, max_concurrency=1, no_catchup=True
    )
    never = client.create_recurring_run(
        experiment, "later", cron_expression="0 0 9 1 1 *", pipeline_package_path=file, enabled=False
    )
    assert client.get_recurring_run(never.recurring_run_id).status == "DISABLED"
    end = time.monotonic() + backend.within
    while len(client.list_runs(experiment_id=experiment).runs or []) < 2:
        assert time.monotonic() < end
        time.sleep(0.3)
    client.disable_recurring_run(each_second.recurring_run_id)
    runs = client.list_runs(experiment_id=experiment, page_size=50).runs
    assert {run.recurring_run_id for run in runs} == {each_second.recurring_run_id}
    client.enable_recurring_run(never.recurring_run_id)
    assert len(client.list_recurring_runs(experiment_id=experiment).recurring_runs) == 2
    for job in (each_second, never):
        client.delete_recurring_run(job.recurring_run_id)
    assert not client.list_recurring_runs(experiment_id=experiment).recurring_runs
    with pytest.raises(kfp_server_api.ApiException) as error:
        client.create_recurring_run(experiment, "bad", cron_expression="every day", pipeline_package_path=file)
    assert error.value.status == 400


def test_what_is_not_there_or_not_right_is_said_so(client: kfp.Client, tmp_path: Path) -> None:
    nothing = str(uuid.uuid4())
    for ask in (client.get_run, client.get_pipeline, client.terminate_run, client.delete_experiment):
        with pytest.raises(kfp_server_api.ApiException) as error:
            ask(nothing)
        assert error.value.status == 404
        told = json.loads(error.value.body)
        assert told["code"] == 5 and nothing in told["message"] and isinstance(told["details"], list)
    file = tmp_path / "no.yaml"
    file.write_text("kind: ConfigMap\n")
    with pytest.raises(kfp_server_api.ApiException) as error:
        client._upload_api.upload_pipeline(str(file), name=unique("bad"))
    assert error.value.status in (400, 500)


def test_is_healthy(client: kfp.Client) -> None:
    assert client.get_kfp_healthz().multi_user is False
