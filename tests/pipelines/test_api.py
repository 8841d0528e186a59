"""The API beyond what the SDK's client shows: errors, tasks, logs, artifacts, metrics, kfp-kubernetes."""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import urllib.parse
from typing import Any

import pytest
import yaml
from google.protobuf import json_format

from tests.conformance import pipelines
from tests.pipelines.engine import Engine
from tests.pipelines.test_robust import start

NOTHING = "00000000-0000-0000-0000-000000000000"


def document(pipeline: Any) -> dict[str, Any]:
    read: dict[str, Any] = json_format.MessageToDict(pipeline.pipeline_spec)
    return read


@pytest.fixture(scope="module")
def run(engine: Engine) -> str:
    key = start(engine, pipelines.two_steps, text="some text")
    assert engine.ended(key)["state"] == "SUCCEEDED"
    return key


def test_a_task_tells_what_it_read_and_made(engine: Engine, run: str) -> None:
    tasks = engine.tasks(run)
    assert list(tasks) == ["write", "read", "expect"]
    (data,) = tasks["write"]["outputs"]["data"]["artifact_ids"]
    assert tasks["read"]["inputs"]["data"]["artifact_ids"] == [data]
    assert tasks["read"]["output_parameters"] == {"Output": "some text"}
    assert tasks["write"]["input_parameters"] == {"text": "some text"}
    assert [each["state"] for each in tasks["write"]["state_history"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert tasks["write"]["pod_name"] in engine.starts
    about = engine.api(f"artifacts/{data}")
    assert (about["type"], about["metadata"], about["name"]) == ("system.Dataset", {"length": 9}, "data")
    assert engine.ask(f"/apis/v2beta1/artifacts/{data}/content") == (200, "some text")


def test_metrics_and_logs(engine: Engine, run: str) -> None:
    metrics = {each["name"]: each["value"] for each in engine.api(f"runs/{run}/metrics")["metrics"]}
    assert metrics == {"length": 9, "share": 0.25}
    task = engine.tasks(run)["write"]["task_id"]
    assert "KFP Executor" in engine.ask(f"/apis/v2beta1/runs/{run}/tasks/{task}/log")[1]
    for path in (f"tasks/{NOTHING}/log", f"tasks/{task}/log?attempt=7"):
        assert engine.ask(f"/apis/v2beta1/runs/{run}/{path}")[0] == 404


def test_integers_stay_integers_everywhere(engine: Engine) -> None:
    key = start(engine, pipelines.loop_over_outputs)
    assert engine.ended(key)["state"] == "SUCCEEDED"
    facts = engine.tasks(key)["facts"]["output_parameters"]
    assert json.dumps(facts["rows"], sort_keys=True) == '[{"a": 1, "b": 2}, {"a": 3, "b": 4}]'
    assert facts["ratio"] == 0.5


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("runs", {"display_name": "x"}, 400, "either a pipeline_spec or a pipeline_version_reference"),
        ("runs", {"pipeline_spec": {"a": 1}}, 400, "display_name"),
        ("runs", {"display_name": "x", "pipeline_spec": {"a": 1}}, 400, "is no pipeline"),
        ("runs", {"display_name": "x", "pipeline_spec": "text"}, 400, "is no pipeline"),
        ("runs", {"display_name": "x", "pipeline_spec": {"apiVersion": "argoproj.io/v1alpha1"}}, 400, "SDK 2.x"),
        ("runs", {"display_name": "x", "pipeline_version_reference": {"pipeline_id": NOTHING}}, 404, NOTHING),
        ("runs", {"display_name": "x", "experiment_id": NOTHING, "pipeline_spec": {}}, 400, "either"),
        ("experiments", {}, 400, "display_name"),
        ("experiments", {"display_name": "Default"}, 409, "exists"),
        ("pipelines", {}, 400, "name"),
        ("pipelines/create", {"pipeline_version": "text"}, 400, "pipeline_version has to be an object"),
        ("pipelines/create", {"pipeline": ["x"], "pipeline_version": {}}, 400, "pipeline has to be an object"),
        ("runs", {"display_name": "x", "pipeline_version_reference": "x"}, 400, "has to be an object"),
        (f"runs/{NOTHING}:terminate", {}, 404, NOTHING),
        (f"runs/{NOTHING}:frobnicate", {}, 404, NOTHING),
    ],
)
def test_bad_requests(engine: Engine, path: str, body: dict[str, Any], status: int, words: str) -> None:
    seen, answer = engine.ask(f"/apis/v2beta1/{path}", body)
    assert seen == status
    assert set(answer) == {"error", "code", "message", "details"}
    assert words in answer["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"runtime_config": {"parameters": {"a": "two"}}}, "NUMBER_INTEGER"),
        ({"runtime_config": {"parameters": {"a": 2.5}}}, "NUMBER_INTEGER"),
        ({"runtime_config": {"parameters": {"c": 1}}}, "no parameter c; it has: a, b"),
        ({"runtime_config": {"pipeline_root": "s3://x"}}, "pipeline_root"),
        ({"service_account": "ml-pipeline"}, "the server's own"),
    ],
)
def test_bad_runs_of_a_good_pipeline(engine: Engine, arguments: dict[str, Any], words: str) -> None:
    given = {"display_name": "x", "pipeline_spec": document(pipelines.numbers), **arguments}
    status, answer = engine.ask("/apis/v2beta1/runs", given)
    assert status == 400 and words in answer["message"]


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ({}, "either a cron_schedule or a periodic_schedule"),
        ({"cron_schedule": {"cron": "61 * * * *"}}, "61 * * * *"),
        ({"cron_schedule": {"cron": "0 0 3 * * * 2027"}}, "needs six fields, of which the first are the seconds"),
        ({"cron_schedule": {"cron": "0 3 * *"}}, "needs six fields"),
        ({"cron_schedule": {"cron": "0 0 0 * * 7"}}, "'7' is not within 0 and 6"),
        ({"cron_schedule": {"cron": "0 0 0 L * *"}}, "'L' is no number"),
        ({"cron_schedule": {"cron": "R R R * * *"}}, "'R' is no number"),
        ({"cron_schedule": {"cron": "0 0 0 */0 * *"}}, "'*/0' is not within 1 and 31"),
        ({"cron_schedule": {"cron": "0 0 0 5-1 * *"}}, "'5-1' is not within 1 and 31, from less to more"),
        ({"cron_schedule": {"cron": "0 0 , * * *"}}, "',' has no number"),
        ({"cron_schedule": {"cron": "@every hour"}}, "'hour' is no duration, such as 1h30m"),
        ({"cron_schedule": {"cron": "TZ=Asia/Tokyo 0 0 3 * * *"}}, "needs six fields"),
        ({"cron_schedule": {"cron": "@sometimes"}}, "@sometimes"),
        ({"cron_schedule": {"start_time": "2090-12-01T00:00:00Z"}}, "cron '' can't be read: it needs six fields"),
        ({"cron_schedule": {"cron": "0 0 0 30 2 *"}}, "names no time"),
        ({"periodic_schedule": {"interval_second": "0"}}, "interval_second"),
        ({"periodic_schedule": {"interval_second": "\u00b2"}}, "interval_second"),
        ({"periodic_schedule": {"interval_second": "250000000000"}}, "interval_second"),
        ({"periodic_schedule": {"interval_second": "5", "start_time": "tomorrow"}}, "start_time"),
        ({"periodic_schedule": {"interval_second": "5", "start_time": "0001-01-01T00:00:00+01:00"}}, "start_time"),
        ({"periodic_schedule": "daily"}, "either a cron_schedule or a periodic_schedule"),
    ],
)
def test_bad_triggers(engine: Engine, trigger: dict[str, Any], words: str) -> None:
    given = {"display_name": "x", "pipeline_spec": document(pipelines.numbers), "trigger": trigger}
    status, answer = engine.ask("/apis/v2beta1/recurringruns", given)
    assert status == 400 and words in answer["message"]


@pytest.mark.parametrize(
    "query",
    [
        "page_size=-1",
        "page_size=x",
        "sort_by=colour",
        "sort_by=name%20up",
        "page_token=xyz",
        "filter=[]",
        'filter={"a":1}',
    ],
)
def test_bad_list_requests(engine: Engine, query: str) -> None:
    status, answer = engine.ask(f"/apis/v2beta1/runs?{query}")
    assert (status, answer["code"]) == (400, 3)


@pytest.mark.parametrize("filter_", ["{}", '{"predicates":[]}', '{"predicates":null}'])
def test_a_filter_without_a_predicate_is_none(engine: Engine, filter_: str) -> None:
    whole = engine.api("experiments")
    assert engine.api(f"experiments?filter={urllib.parse.quote(filter_)}") == whole and whole["total_size"]


GOOD = {"filter": "", "sort": "", "after": ["x", "y"]}


@pytest.mark.parametrize(
    "state",
    [
        {**GOOD, "filter": 5}, {**GOOD, "sort": 5}, {**GOOD, "after": [["x"], "y"]}, {**GOOD, "after": ["x", {}]},
        {**GOOD, "after": [1 << 63, "y"]}, {**GOOD, "after": "xy"[:1]}, {**GOOD, "after": None}, [], {"filter": ""},
    ],
)  # fmt: skip
def test_bad_page_tokens(engine: Engine, state: Any) -> None:
    token = base64.urlsafe_b64encode(json.dumps(state).encode()).decode()
    status, answer = engine.ask(f"/apis/v2beta1/runs?page_token={token}")
    assert (status, answer["code"]) == (400, 3) and "page_token" in answer["message"]


@pytest.mark.parametrize(
    "predicate",
    [
        {"operation": "EQUALS", "key": "name", "int_value": 1 << 63},
        {"operation": "EQUALS", "key": "name", "int_value": -(1 << 63) - 1},
        {"operation": "IN", "key": "name", "string_values": {"values": ["x"] * 40_000}},
        {"operation": "IN", "key": "name", "int_values": {"values": [1 << 63]}},
        {"operation": ["EQUALS"], "key": "name", "string_value": "x"},
        {"operation": "EQUALS", "key": ["name"], "string_value": "x"},
        {"operation": "EQUALS", "key": "created_at", "timestamp_value": "0001-01-01T00:00:00+23:00"},
        {"operation": "EQUALS", "key": "name", "string_value": "\ud800"},
    ],
)
def test_bad_filters(engine: Engine, predicate: dict[str, Any]) -> None:
    text = json.dumps({"predicates": [predicate]})
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=40)
    connection.request("GET", f"/apis/v2beta1/runs?filter={urllib.parse.quote(text)}")
    assert connection.getresponse().status == 400


def test_half_a_character_is_refused(engine: Engine) -> None:
    parameters = {"parameters": {"text": "\ud83d"}}
    given = {"display_name": "x", "pipeline_spec": document(pipelines.two_steps), "runtime_config": parameters}
    status, answer = engine.ask("/apis/v2beta1/runs", given)
    assert (status, answer["code"]) == (400, 3)
    parameters["parameters"]["text"] = "\U0001f600"
    key = engine.api("runs", given)["run_id"]
    assert engine.api(f"runs/{key}")["runtime_config"]["parameters"]["text"] == "\U0001f600"
    engine.api(f"runs/{key}:terminate", {})


@pytest.mark.parametrize("token", ["task.x.\u00b2.y", "task.x.0.\u00e4", "task.x." + "9" * 5000 + ".y"])
def test_a_token_that_nobody_made(engine: Engine, token: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=40)
    connection.request(
        "POST", "/internal/attempt/start", headers={"Authorization": f"Bearer {token}".encode("latin-1")}
    )
    assert connection.getresponse().status == 401


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", ["x", "numbers", "table"])
def test_a_number_that_is_not_finite_is_refused(engine: Engine, number: str, place: str) -> None:
    spec = document(pipelines.numbers)
    spec["root"]["inputDefinitions"]["parameters"] = {
        name: {"parameterType": kind, "isOptional": True}
        for name, kind in (("x", "NUMBER_DOUBLE"), ("numbers", "LIST"), ("table", "STRUCT"))
    }
    value = {"x": number, "numbers": f"[1, {number}]", "table": f'{{"a": [{number}]}}'}[place]
    given = {"display_name": "x", "pipeline_spec": spec, "runtime_config": {"parameters": {place: "HERE"}}}
    body = json.dumps(given).replace('"HERE"', value).encode()
    status, answer = engine.ask("/apis/v2beta1/runs", body)
    assert (status, answer["code"]) == (400, 3) and number in answer["message"]
    assert engine.api("runs")["runs"] is not None


def test_a_pipeline_with_a_number_that_is_not_finite_is_refused(engine: Engine) -> None:
    spec = document(pipelines.numbers)
    spec["root"]["inputDefinitions"]["parameters"]["a"]["defaultValue"] = float("nan")
    for text in (yaml.safe_dump(spec), yaml.safe_dump({**document(pipelines.numbers)}) + "---\nplatforms: {a: .inf}\n"):
        body = f'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n{text}\r\n--x--\r\n'
        status, answer = engine.ask(
            "/apis/v2beta1/pipelines/upload", body.encode(), kind="multipart/form-data; boundary=x"
        )
        assert status == 400 and "not finite" in answer["message"]


@pytest.mark.parametrize(("kept", "shown"), [('{"text": NaN}', "NaN"), (json.dumps({"text": "a\ud83d"}), "a?")])
def test_what_an_older_server_kept_stops_no_list(engine: Engine, run: str, kept: str, shown: str) -> None:
    (old,) = engine.sql("select parameters from runs where id = ?", run)[0]
    for text, value in ((kept, shown), (old, "some text")):
        with sqlite3.connect(engine.data / "database" / "pipelines.db", timeout=20) as db:
            db.execute("update runs set parameters = ? where id = ?", (text, run))
        listed = engine.api("runs?page_size=200&sort_by=created_at%20desc")["runs"]
        (found,) = [each for each in listed if each["run_id"] == run]
        assert found["runtime_config"]["parameters"] == {"text": value}


def test_an_unknown_address_is_said_in_the_same_form(engine: Engine) -> None:
    status, answer = engine.ask("/apis/v2beta1/nothing")
    assert (status, answer["code"]) == (404, 5)


def kubernetes(config: dict[str, Any], **pipeline: Any) -> dict[str, Any]:
    spec = document(pipelines.resources)
    kubernetes = {"deploymentSpec": {"executors": {"exec-environment": config}}, **pipeline}
    return {"pipeline_spec": spec, "platform_spec": {"platforms": {"kubernetes": kubernetes}}}


def test_kubernetes_settings_reach_the_pod(engine: Engine) -> None:
    config = {
        "secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "FROM_SECRET"}]}],
        "configMapAsVolume": [{"configMapName": "c", "mountPath": "/c"}],
        "pvcMount": [{"constant": "claim", "mountPath": "/claim", "subPath": "here"}],
        "nodeSelector": {"labels": {"disk": "fast"}},
        "tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": "30"}],
        "podMetadata": {"labels": {"team": "a", "app.kubernetes.io/managed-by": "me"}, "annotations": {"note": "b"}},
        "imagePullPolicy": "Always",
        "activeDeadlineSeconds": "600",
        "emptyDirMounts": [{"volumeName": "room", "mountPath": "/room", "sizeLimit": "1Gi"}],
        "enabledSharedMemory": {"volumeName": "shm", "size": "64Mi"},
        "fieldPathAsEnv": [{"name": "NODE", "fieldPath": "spec.nodeName"}],
    }
    key = engine.api("runs", {"display_name": "k", "pipeline_spec": kubernetes(config)})["run_id"]
    assert engine.ended(key)["state"] == "SUCCEEDED"
    pod = json.loads((engine.pod(engine.tasks(key)["environment"]["pod_name"]) / "manifest.json").read_text())
    spec, (main,) = pod["spec"], pod["spec"]["containers"]
    assert {"key": "k", "name": "s", "optional": False} in [
        each["valueFrom"]["secretKeyRef"] for each in main["env"] if "secretKeyRef" in each.get("valueFrom", {})
    ]
    mounts = {each["mountPath"]: each for each in main["volumeMounts"]}
    assert {"/c", "/claim", "/room", "/dev/shm", "/minio", "/tmp", "/launcher"} == set(mounts)
    assert mounts["/claim"]["subPath"] == "here"
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 30}]
    assert (spec["activeDeadlineSeconds"], main["imagePullPolicy"]) == (600, "Always")
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mlops-lab-pipelines"
    assert pod["metadata"]["annotations"] == {"note": "b"}
    assert main["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}
    assert main["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}


@pytest.mark.parametrize(
    ("config", "pipeline", "words"),
    [
        ({"podAffinity": [{"topologyKey": "x"}]}, {}, "task environment: the setting podAffinity is not supported"),
        ({"securityContext": {"runAsUser": "0"}}, {}, "securityContext"),
        ({}, {"pipelineConfig": {"workspace": {"size": "1Gi"}}}, "the pipeline setting workspace is not supported"),
        ({}, {"pipelineConfig": {"activeDeadlineSeconds": "9"}}, "the pipeline setting activeDeadlineSeconds is not"),
    ],
)
def test_kubernetes_settings_that_are_not_honoured_are_refused_by_name(
    engine: Engine, config: dict[str, Any], pipeline: dict[str, Any], words: str
) -> None:
    given = {"display_name": "k", "pipeline_spec": kubernetes(config, **pipeline)}
    status, answer = engine.ask("/apis/v2beta1/runs", given)
    assert status == 400 and words in answer["message"]


def test_a_step_comes_from_the_cache_of_its_own_pipeline_with_its_own_claims_alone(engine: Engine) -> None:
    def cached(name: str, claim: str) -> bool:
        given = kubernetes({"pvcMount": [{"constant": claim, "mountPath": "/claim"}]})
        given["pipeline_spec"]["pipelineInfo"]["name"] = name
        run = engine.api("runs", {"display_name": "k", "pipeline_spec": given})["run_id"]
        assert engine.ended(run)["state"] == "SUCCEEDED"
        return bool(engine.tasks(run)["environment"]["cached"])

    seen = [cached(name, claim) for name, claim in (("one", "a"), ("other", "a"), ("one", "b"), ("one", "a"))]
    assert seen == [False, False, False, True]


def test_a_run_stays_in_the_archive_of_its_experiment(engine: Engine) -> None:
    experiment = engine.api("experiments", {"display_name": "put away"})["experiment_id"]
    given = {"display_name": "k", "pipeline_spec": document(pipelines.optional_inputs), "experiment_id": experiment}
    run = engine.api("runs", given)["run_id"]
    engine.api(f"runs/{run}:archive", {})
    engine.api(f"experiments/{experiment}:archive", {})
    status, answer = engine.ask(f"/apis/v2beta1/runs/{run}:unarchive", {})
    assert status == 400 and "is archived: unarchive it first" in answer["message"]
    assert engine.ask("/apis/v2beta1/runs", given)[0] == 400
    engine.api(f"experiments/{experiment}:unarchive", {})
    engine.api(f"runs/{run}:unarchive", {})
    assert engine.api(f"runs/{run}")["storage_state"] == "AVAILABLE"


def test_a_setting_may_come_from_a_parameter(engine: Engine) -> None:
    named = {"componentInputParameter": "text"}
    entry = {"secretNameParameter": named, "keyToEnv": [{"secretKey": "k", "envVar": "COLOUR"}]}
    platform = {
        "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-write": {"secretAsEnv": [entry]}}}}}
    }
    spec = {"pipeline_spec": document(pipelines.two_steps), "platform_spec": platform}
    parameters = {"parameters": {"text": "given"}}
    key = engine.api("runs", {"display_name": "k", "pipeline_spec": spec, "runtime_config": parameters})["run_id"]
    assert engine.ended(key)["state"] == "SUCCEEDED"
    pod = json.loads((engine.pod(engine.tasks(key)["write"]["pod_name"]) / "manifest.json").read_text())
    (colour,) = [each for each in pod["spec"]["containers"][0]["env"] if each["name"] == "COLOUR"]
    assert colour["valueFrom"]["secretKeyRef"]["name"] == "given"
