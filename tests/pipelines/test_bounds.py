"""What nobody gets from the engine: its time and memory, its volume, Secrets of others, artifacts of other runs."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
import http.client
import json
import os
import stat
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.engine import Engine
from tests.pipelines.test_api import document, kubernetes
from tests.pipelines.test_pages import copied, page, peak
from tests.pipelines.test_robust import running, start

MIB = 1 << 20


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_server_that_is_told_to_end_ends_cleanly(make: Make) -> None:
    engine = make()
    engine.stop()
    said = engine.said()
    assert "Traceback" not in said and "Error" not in said, said
    assert not (engine.data / "database" / "pipelines.db-wal").exists(), "the database was not closed"


def test_what_the_server_keeps_is_readable_by_its_own_user_only(make: Make) -> None:
    engine = make()
    engine.data.chmod(0o777)  # as the volume is on a kind cluster
    run = start(engine, pipelines.two_steps)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    files = sorted(engine.data.rglob("pipelines.db*"))
    assert {file.name for file in files} == {"pipelines.db", "pipelines.db-shm", "pipelines.db-wal"}
    assert {mode(file) for file in files} == {0o600}
    assert {mode(folder) for folder in {file.parent for file in files}} == {0o700}
    assert {name: mode(engine.data / name) for name in ("artifacts", "logs", "parts")} == dict.fromkeys(
        ("artifacts", "logs", "parts"), 0o700
    )


def test_the_database_of_an_older_server_is_taken_over_and_closed_to_others(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.two_steps)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    engine.kill()
    for file in (engine.data / "database").iterdir():  # as it was: beside the artifacts, open to all
        file.chmod(0o644)
        file.rename(engine.data / file.name)
    for folder in ("artifacts", "logs"):
        (engine.data / folder).chmod(0o755)
    engine.start()
    assert engine.api(f"runs/{run}")["state"] == "SUCCEEDED"
    assert {mode(file) for file in (engine.data / "database").iterdir()} == {0o600}
    assert {mode(engine.data / folder) for folder in ("database", "artifacts", "logs")} == {0o700}
    kept = engine.data / "pipelines.db"  # where the server before it looks, should it come back
    assert kept.is_symlink() and kept.samefile(engine.data / "database" / "pipelines.db")
    engine.kill()
    engine.start()
    assert engine.api(f"runs/{run}")["state"] == "SUCCEEDED"


# The size of requests


FILE = b'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n'


def chunked(engine: Engine, path: str, body: bytes, kind: str) -> tuple[int, Any]:
    """Answer to a body which does not say beforehand how large it is."""
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=40)
    chunks = (body[begin : begin + MIB] for begin in range(0, len(body), MIB))
    connection.request("POST", path, chunks, {"Content-Type": kind}, encode_chunked=True)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("path", ["runs", "recurringruns", "experiments", "pipelines", "pipelines/upload"])
def test_a_request_that_is_too_large_is_refused(engine: Engine, path: str) -> None:
    form, begin = "application/json", b""
    if path.endswith("upload"):
        form, begin = "multipart/form-data; boundary=x", FILE
    body = begin + b" " * (5 * MIB)
    for status, answer in (
        engine.ask(f"/apis/v2beta1/{path}", body, kind=form),
        chunked(engine, f"/apis/v2beta1/{path}", body, form),
    ):
        assert (status, answer["code"]) == (413, 8)
        assert answer["message"] == "the request is larger than 4 MiB, which is the most for this address"
    assert engine.ask("/healthz")[0] == 200


def test_a_request_within_the_limit_is_taken(engine: Engine) -> None:
    name = "x" * 100
    body = json.dumps({"display_name": name, "unknown": " " * (3 * MIB)}).encode()
    assert engine.ask("/apis/v2beta1/experiments", body)[1]["display_name"] == name


def test_a_document_that_is_nested_too_deeply_is_refused_in_words(engine: Engine) -> None:
    status, answer = engine.ask("/apis/v2beta1/runs", b"[" * 100_000)
    assert (status, answer["code"]) == (400, 3) and "no JSON that can be read" in answer["message"]


@pytest.mark.parametrize("many", ["[" + "{}," * 250_000 + "{}]", "[" + "[1,1]," * 130_000 + "1]"])
def test_many_small_values_are_refused_before_they_take_memory(engine: Engine, many: str) -> None:
    before = peak(engine)
    status, answer = engine.ask("/apis/v2beta1/experiments", f'{{"display_name": "x", "unknown": {many}}}'.encode())
    assert status == 400 and "it has more than 250,000 values" in answer["message"]
    assert peak(engine) - before < 16 * MIB


def test_a_long_text_is_one_value(engine: Engine) -> None:
    text = '[{,"\\' * 300_000  # quotes and backslashes too
    body = json.dumps({"display_name": "of a long text", "unknown": text}).encode()
    assert len(body) < 4 * MIB and engine.ask("/apis/v2beta1/experiments", body)[0] == 200


@pipelines.component
def make_many(number: int) -> list:
    return [0] * number


@dsl.pipeline(name="many")
def many(number: int):
    make_many(number=number)


def test_a_step_may_not_report_any_number_of_values(engine: Engine) -> None:
    ended = engine.ended(start(engine, many, number=300_000))
    assert ended["state"] == "FAILED"
    assert "its results can't be kept" in ended["error"]["message"]
    assert "more than 250,000 values" in ended["error"]["message"]


@pipelines.component
def make_large(result: int, artifact: int, data: dsl.Output[dsl.Dataset]) -> str:
    with open(data.path, "w") as file:  # noqa: PTH123
        file.write("x" * artifact)
    return "x" * result


@pipelines.component
def elsewhere(data: dsl.Output[dsl.Dataset]):
    data.uri = data.uri + "-x#1&2[3]?%41"
    with open(data.path, "w") as file:  # noqa: PTH123
        file.write("found")


@dsl.pipeline(name="odd-keys")
def odd_keys():
    pipelines.read(data=elsewhere().output)


def test_an_artifacts_uri_may_have_any_characters(engine: Engine) -> None:
    run = start(engine, odd_keys)
    assert engine.ended(run)["state"] == "SUCCEEDED", engine.api(f"runs/{run}").get("error")
    assert engine.tasks(run)["read"]["output_parameters"] == {"Output": "found"}
    (made,) = engine.api(f"runs/{run}/artifacts")["artifacts"]
    assert made["uri"].endswith("-x#1&2[3]?%41")
    assert engine.ask(f"/apis/v2beta1/artifacts/{made['artifact_id']}/content") == (200, "found")


@dsl.pipeline(name="large")
def large(result: int, artifact: int):
    make_large(result=result, artifact=artifact)


def test_a_step_may_store_a_large_artifact_but_report_no_large_result(engine: Engine) -> None:
    run = start(engine, large, result=MIB, artifact=40 * MIB)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    ended = engine.ended(start(engine, large, result=5 * MIB, artifact=1))
    assert ended["state"] == "FAILED"
    assert "its results can't be kept: the request is larger than 4 MiB" in ended["error"]["message"]


def test_a_large_log_is_sent_without_being_read_whole(engine: Engine) -> None:
    run = start(engine, pipelines.two_steps)
    assert engine.process and engine.ended(run)["state"] == "SUCCEEDED"
    task = engine.tasks(run)["read"]["task_id"]
    ((attempt,),) = engine.sql("select id from attempts where task = ?", task)
    (engine.data / "logs" / f"{attempt}.log").write_text("begin\n" + "x" * (64 * MIB) + "\nend")
    before = peak(engine)
    status, text = engine.ask(f"/apis/v2beta1/runs/{run}/tasks/{task}/log")
    assert status == 200 and text.startswith("begin\n") and text.endswith("\nend") and len(text) > 64 * MIB
    shown = page(engine, f"/runs/{run}/tasks/{task}/log").text
    assert "Only the end." in shown and shown.rstrip().endswith("end</pre>") and len(shown) < MIB
    assert peak(engine) - before < 16 * MIB
    for number, status in (("\u00b2", 400), ("-1", 400), ("9" * 5000, 404), ("0", 200)):
        path = f"/apis/v2beta1/runs/{run}/tasks/{task}/log?attempt={urllib.parse.quote(number)}"
        assert engine.ask(path)[0] == status, number


def test_a_list_of_large_pipelines_takes_several_pages(make: Make) -> None:
    engine = make()
    assert engine.process
    spec = document(pipelines.two_steps)
    spec["root"]["inputDefinitions"]["parameters"]["text"]["description"] = "x" * (5 * MIB // 2)
    key = engine.api("pipelines", {"display_name": "large"})["pipeline_id"]
    for number in range(2):
        engine.api(f"pipelines/{key}/versions", {"display_name": f"v{number}", "pipeline_spec": spec})
    run = engine.api("runs", {"display_name": "r", "pipeline_version_reference": {"pipeline_id": key}})["run_id"]
    engine.api(f"runs/{run}:terminate", {})
    engine.ended(run)
    copied(engine.data / "database" / "pipelines.db", run, 30)
    before, seen, token = peak(engine), [], ""
    while True:
        answer = engine.api(f"pipelines/{key}/versions?page_size=100&page_token={token}")
        assert len(answer["pipeline_versions"]) == 1 and answer["total_size"] == 2
        seen += [each["display_name"] for each in answer["pipeline_versions"]]
        if not (token := answer.get("next_page_token", "")):
            break
    assert seen == ["v0", "v1"]
    assert len(engine.api("runs?page_size=200")["runs"]) == 31
    assert peak(engine) - before < 32 * MIB  # of 77


# Many tasks


def of_many(tasks: int) -> dict[str, Any]:
    """A pipeline of that many steps, each after the three before it."""
    names = [f"step-{number}" for number in range(tasks)]
    made = document(pipelines.resources)
    one = made["root"]["dag"]["tasks"]["environment"]
    made["root"]["dag"]["tasks"] = {
        name: {**one, "taskInfo": {"name": name}, "dependentTasks": names[max(0, number - 3) : number]}
        for number, name in enumerate(names)
    }
    return made


def used(engine: Engine) -> float:
    """Seconds of CPU that the server has used."""
    assert engine.process
    numbers = Path(f"/proc/{engine.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def test_the_time_to_make_runs_grows_with_their_tasks_and_no_faster(make: Make) -> None:
    engine = make(max_runs=0)  # they are made and wait
    past = "2020-01-01T00:00:00Z"
    always = {"periodic_schedule": {"interval_second": "3600", "start_time": past}}
    took: dict[int, float] = {}
    for tasks in (100, 500, 4000):  # the first warms up
        before, spec = used(engine), of_many(tasks)
        engine.api("runs", {"display_name": "once", "pipeline_spec": spec})
        again = {"display_name": "again", "pipeline_spec": spec, "trigger": always}
        key = engine.api("recurringruns", again)["recurring_run_id"]
        engine.until(lambda key=key: engine.sql("select id from runs where recurring = ?", key), 300)
        took[tasks] = used(engine) - before
    assert took[4000] < 24 * took[500], took  # 8 times as many; the square of that is 64


# Volumes and Secrets


def environment(**config: Any) -> dict[str, Any]:
    return {"display_name": "k", "pipeline_spec": kubernetes(config)}


def from_constant(name: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": name}}


VARIABLE = [{"secretKey": "k", "envVar": "A"}]
OWN = "task environment: the claim data-ml-pipeline-0 is the platform's own, no run may mount it"
CLOSED = "task environment: the Secret platforms is not open to runs: whoever made it has to label it pipelines.mlops"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"pvcMount": [{"constant": "data-ml-pipeline-0", "mountPath": "/x"}]}, OWN),
        ({"pvcMount": [{"pvcNameParameter": from_constant("data-ml-pipeline-0"), "mountPath": "/x"}]}, OWN),
        ({"pvcMount": [{"constant": "data-mysql-0", "mountPath": "/x"}]}, "the claim data-mysql-0 is the platform's"),
        ({"secretAsEnv": [{"secretName": "platforms", "keyToEnv": VARIABLE}]}, CLOSED),
        ({"secretAsVolume": [{"secretName": "platforms", "mountPath": "/x", "optional": True}]}, CLOSED),
        ({"secretAsVolume": [{"secretNameParameter": from_constant("platforms"), "mountPath": "/x"}]}, CLOSED),
        ({"secretAsEnv": [5]}, "task environment: the setting secretAsEnv has to be a list of objects"),
    ],
)
def test_what_no_run_may_mount_is_refused_when_it_is_made(engine: Engine, config: dict[str, Any], words: str) -> None:
    once, again = environment(**config), {"trigger": {"periodic_schedule": {"interval_second": "3600"}}}
    for path, given in (("runs", once), ("recurringruns", {**once, **again})):
        status, answer = engine.ask(f"/apis/v2beta1/{path}", given)
        assert status == 400 and words in answer["message"]


def test_the_servers_own_volume_is_refused_in_a_package_too(engine: Engine) -> None:
    config = {"pvcMount": [{"constant": "data-ml-pipeline-0", "mountPath": "/x"}]}
    given = {"pipeline_version": {"display_name": "v", "pipeline_spec": kubernetes(config)}}
    status, answer = engine.ask("/apis/v2beta1/pipelines/create", given)
    assert status == 400 and OWN in answer["message"]


@pytest.mark.parametrize(
    ("key", "entry", "name", "words"),
    [
        ("secretAsEnv", {"keyToEnv": VARIABLE}, "platforms", "the Secret platforms is not open to runs"),
        ("secretAsVolume", {"mountPath": "/x"}, "platforms", "the Secret platforms is not open to runs"),
        ("secretAsVolume", {"mountPath": "/x"}, "missing", "there is no Secret missing"),
        ("pvcMount", {"mountPath": "/x"}, "data-ml-pipeline-0", "the claim data-ml-pipeline-0 is the platform's own"),
    ],
)
def test_a_name_that_comes_while_the_run_goes_is_looked_at_before_the_pod(
    engine: Engine, key: str, entry: dict[str, Any], name: str, words: str
) -> None:
    parameter = {"pvcMount": "pvcNameParameter"}.get(key, "secretNameParameter")
    config = {key: [{**entry, parameter: {"componentInputParameter": "text"}}]}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-write": config}}}}}
    spec = {"pipeline_spec": document(pipelines.two_steps), "platform_spec": platform}
    given = {"display_name": "k", "pipeline_spec": spec, "runtime_config": {"parameters": {"text": name}}}
    run = engine.api("runs", given)["run_id"]
    ended = engine.ended(run)
    assert ended["state"] == "FAILED"
    assert f"task write failed: its pod was refused: {words}" in ended["error"]["message"]
    assert not [pod for pod in engine.starts if pod.startswith(f"run-{run[:8]}") and "-driver-" not in pod]


def test_an_optional_secret_that_is_not_there_can_not_come_later(make: Make) -> None:
    engine = make()  # nothing in its cache
    config = {
        "secretAsEnv": [{"secretName": "missing", "optional": True, "keyToEnv": VARIABLE}],
        "secretAsVolume": [{"secretName": "missing", "optional": True, "mountPath": "/x"}],
    }
    run = engine.api("runs", environment(**config))["run_id"]
    assert engine.ended(run)["state"] == "SUCCEEDED"
    pod = (engine.pod(engine.tasks(run)["environment"]["pod_name"]) / "manifest.json").read_text()
    assert "missing" not in pod and "secretKeyRef" not in pod
    mounted = {each["mountPath"]: each["name"] for each in json.loads(pod)["spec"]["containers"][0]["volumeMounts"]}
    assert {"name": mounted["/x"], "emptyDir": {}} in json.loads(pod)["spec"]["volumes"]


def test_settings_that_can_not_be_read_fail_their_own_run_alone(make: Make) -> None:
    engine = make()
    broken = engine.api("runs", environment(secretAsEnv=[{"keyToEnv": VARIABLE}]))["run_id"]
    other = start(engine, pipelines.two_steps)
    assert engine.ended(other)["state"] == "SUCCEEDED"
    assert "its settings can't be read" in engine.ended(broken)["error"]["message"]


# Artifacts


def token(engine: Engine, pod: str) -> str:
    """What a step's launcher shows; the step itself can read it too."""
    variables = json.loads((engine.pod(pod) / "manifest.json").read_text())["spec"]["containers"][0]["env"]
    (launch,) = [each["value"].replace("$$", "$") for each in variables if each["name"] == "LAUNCH"]
    return str(json.loads(launch)["token"])


@pipelines.component
def slow_read(data: dsl.Input[dsl.Dataset], seconds: float) -> str:
    import time

    text = open(data.path).read()  # noqa: PTH123, SIM115
    print("waiting", text, flush=True)
    time.sleep(seconds)
    return text


@dsl.pipeline(name="slow-reader")
def slow_reader(uri: str, seconds: float):
    there = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=False)
    slow_read(data=there.output, seconds=seconds)


def test_a_step_reads_its_inputs_imported_ones_too_and_nothing_else(engine: Engine) -> None:
    found: dict[str, str] = {}
    for text in ("for all", "for nobody"):
        made = start(engine, pipelines.two_steps, text=text)
        assert engine.ended(made)["state"] == "SUCCEEDED"
        (found[text],) = [each["uri"] for each in engine.api(f"runs/{made}/artifacts")["artifacts"]
                          if each["name"] == "data"]  # fmt: skip
    run = start(engine, slow_reader, uri=found["for all"], seconds=600.0)
    pod = running(engine, run, "slow-read")
    assert "waiting for all" in (engine.pod(pod) / "log").read_text()
    own, other = (uri.partition("/minio/")[2] for uri in found.values())
    shown = token(engine, pod)
    assert engine.ask(f"/internal/artifact/{own}", token=shown) == (200, "for all")
    status, answer = engine.ask(f"/internal/artifact/{other}", token=shown)
    assert (status, answer["code"]) == (403, 7) and "is no input of this task" in answer["message"]
    engine.api(f"runs/{run}:terminate", {})
    engine.ended(run)
