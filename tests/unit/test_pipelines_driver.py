"""Parts of the embedded engine that need no server: conditions, manifests, kfp-kubernetes, and the SDK underneath."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import kfp
import pytest
from embedded import ir, manifests
from embedded.driver.conditions import ConditionError, holds
from embedded.errors import ApiError
from embedded.kubernetes_settings import refusals, resolved
from embedded.settings import Settings

# What the driver replaces or calls of the SDK's local orchestrator, by the hash of its source. If this changes with a
# new SDK, read what is new in it and in embedded/driver (corrections.py above all), and see the conformance suite pass.
PINNED = {
    "kfp.local.task_dispatcher:run_single_task_implementation": "352b81d11542f64a",
    "kfp.local.orchestrator.enhanced_dag_orchestrator:run_enhanced_dag": "c8e5f043ba58cc0e",
    "kfp.local.orchestrator.enhanced_dag_orchestrator:execute_task": "652a78d0084c9a8f",
    "kfp.local.orchestrator.enhanced_dag_orchestrator:_run_parallel_for_task": "b2dc90f855cbfae9",
    "kfp.local.orchestrator.enhanced_dag_orchestrator:ParallelExecutor": "3920fabfc5d876b1",
    "kfp.local.orchestrator.task_executor:execute_single_task": "ee78ffed032b5fdd",
    "kfp.local.orchestrator.task_spec_utils:create_parameter_loop_iteration_task_spec": "5dc1f5e907c04f37",
    "kfp.local.orchestrator.task_spec_utils:create_artifact_loop_iteration_task_spec": "c3a9426208592622",
    "kfp.local.orchestrator.task_spec_utils:build_nested_dag_arguments": "dc03d68f143ee57a",
    "kfp.local.orchestrator.task_spec_utils:get_artifact_iterator_items": "26c940c63b9511de",
    "kfp.local.orchestrator.orchestrator_utils:OrchestratorUtils": "69c93ee6e941b03b",
    "kfp.local.io:IOStore": "8bcb44de0788f577",
    "kfp.local.cache:LocalCache": "71c0aa9657f39da5",
    "kfp.local.cache:get_local_cache": "b5123fd04b32fe1c",
    "kfp.local.cache:_is_remote_uri": "a4b90c8e4f97e5d2",
    "kfp.local.executor_input_utils:construct_executor_input": "33b56e3a8175aeaf",
    "kfp.local.executor_input_utils:executor_input_to_dict": "b0628358dc1d1bda",
    "kfp.local.executor_output_utils:get_outputs_for_task": "bd2fcbbc0b0beea8",
    "kfp.local.executor_output_utils:pb2_value_to_python": "45243fe0ef9219d2",
    "kfp.local.placeholder_utils:resolve_io_placeholders": "3a36ba4917dcc088",
    "kfp.local.placeholder_utils:resolve_individual_placeholder": "0343396358516e83",
    "kfp.local.placeholder_utils:resolve_struct_placeholders": "1d33932d052d7003",
    "kfp.local.placeholder_utils:get_provided_inputs": "ee7ac850a3ad47ab",
    "kfp.local.placeholder_utils:flatten_list": "58c86d1bee158588",
    "kfp.local.placeholder_utils:recursively_resolve_json_dict_placeholders": "7e139dd5a589032f",
}


def source_hash(name: str) -> str:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return hashlib.sha256(inspect.getsource(found).encode()).hexdigest()[:16]


def test_the_sdk_is_the_one_that_the_driver_was_written_for() -> None:
    lock = Path(manifests.__file__).parents[1] / "requirements.lock"
    assert f"kfp=={kfp.__version__} " in lock.read_text(), "steps and drivers need the SDK that users have"
    assert {name: source_hash(name) for name in PINNED} == PINNED


def test_all_that_the_image_imports_is_compiled() -> None:
    """Its root is read-only, so a server or a driver would compile its modules at each start."""
    first, _, last = (Path(manifests.__file__).parents[1] / "Dockerfile").read_text().rpartition("\nFROM ")
    copied = [line.split() for line in last.splitlines() if line.startswith("COPY")]
    assert [words[2:] for words in copied] == [["/app/site"] * 2, ["/app/embedded"] * 2]
    assert all(words[1] == "--from=compiled" and f"unchecked-hash {words[2]}\n" in first for words in copied)


VALUES = {"pipelinechannel--n": 3, "pipelinechannel--word": "it's && true", "pipelinechannel--right": True}


def condition(text: str) -> str:
    return text.replace("$", "inputs.parameter_values['pipelinechannel--").replace("#", "']")


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("$n# == 3", True),
        ("$n# != 3", False),
        ("int($n#) >= 4", False),
        ("double($n#) < 3.5", True),
        ("-1 < $n#", True),
        ("$word# == 'it'", False),
        ("'true && false' != $word#", True),
        ("$right# == true", True),
        ("!($right# == true)", False),
        ("!($n# > 3) && $right# == true", True),
        ("$n# > 3 || $right# == false", False),
    ],
)
def test_conditions(text: str, met: bool) -> None:
    assert holds(condition(text), VALUES) is met


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$other# == 1", "pipelinechannel--other"),
        ("$n# < 'a'", "can't be worked out"),
        ("$n# ==", "can't be worked out"),
        ("__import__('os').getcwd() == '/'", "not supported"),
        ("[x for x in ()] == 1", "not supported"),
        ("$n#.__class__ == 1", "not supported"),
        ("open('/etc/passwd')", "not supported"),
    ],
)
def test_conditions_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ConditionError, match=words):
        holds(condition(text), VALUES)


WANTED = {
    "image": "a:1", "command": ["run", "it"], "env": {"A": "b"}, "resources": {}, "kubernetes": {},
    "root": "minio://mlpipeline/x", "inputs": [], "outputs": [], "parameters": [], "output_file": "/minio/x/o.json",
}  # fmt: skip
ATTEMPT = {"id": "attempt", "task": "task", "pod": "run-1", "wanted": json.dumps(WANTED)}


@pytest.mark.parametrize("kind", ["driver", "task"])
def test_pods_meet_restricted_pod_security(kind: str) -> None:
    settings = Settings()
    pod = (
        manifests.driver(settings, "run", 1, "token")
        if kind == "driver"
        else manifests.task(settings, "run", "", ATTEMPT, "token")
    )
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["restartPolicy"] == "Never"
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
    assert spec["automountServiceAccountToken"] is (kind == "task"), "a driver has nothing to ask of the cluster"


def test_a_pods_name_is_the_same_each_time_and_fits() -> None:
    path = "a-very-long-pipeline-name-indeed/for-loop-1-iteration-0/A Task_of.some length that goes on and on"
    name = manifests.pod_name("0123456789", path, 0, 1)
    assert name == manifests.pod_name("0123456789", path, 0, 1)
    assert len(name) <= 63 and name.startswith("run-01234567-a-task-of-some")
    assert name != manifests.pod_name("0123456789", path.replace("iteration-0", "iteration-1"), 0, 1)
    assert len(manifests.pod_name("0123456789", path, 20, 12345)) <= 63
    assert manifests.driver_name("0123456789", 1) != manifests.pod_name("0123456789", "driver", 0, 1)


def test_no_two_steps_of_a_run_have_one_pods_name() -> None:
    """Those that did, by their hashes."""
    nested = "for-loop-2-iteration-{}/for-loop-4-iteration-{}/score"
    for one, other in (
        (nested.format(6, 37), nested.format(7, 21)),
        ("for-loop-1-iteration-669/process", "for-loop-1-iteration-980/process"),
    ):
        assert manifests.pod_name("0123456789", one, 0, 0) != manifests.pod_name("0123456789", other, 0, 0)
    loops = [nested.format(outer, inner) for outer in range(100) for inner in range(200)]
    assert len({manifests.pod_name("0123456789", path, 0, 0) for path in loops}) == len(loops)
    other_run = manifests.pod_name("01234567-9", loops[0], 0, 0)
    assert other_run != manifests.pod_name("0123456789", loops[0], 0, 0), "a name has only the run's beginning in it"


@pytest.mark.parametrize(
    ("asked", "requests", "limits"),
    [
        ({}, {"cpu": "100m", "memory": "128Mi"}, {"cpu": "1", "memory": "1Gi"}),
        ({"requests": {"memory": "2G"}}, {"memory": "2G", "cpu": "100m"}, {"memory": "2G", "cpu": "1"}),
        ({"limits": {"cpu": "50m"}}, {"cpu": "50m", "memory": "128Mi"}, {"cpu": "50m", "memory": "1Gi"}),
        ({"limits": {"nvidia.com/gpu": "1"}}, {"cpu": "100m", "memory": "128Mi"},
         {"nvidia.com/gpu": "1", "cpu": "1", "memory": "1Gi"}),
    ],
)  # fmt: skip
def test_default_resources_never_contradict_what_was_asked_for(
    asked: dict[str, dict[str, str]], requests: dict[str, str], limits: dict[str, str]
) -> None:
    assert manifests.resources(Settings(), asked) == {"requests": requests, "limits": limits}


def test_kubernetes_fills_in_nothing() -> None:
    attempt = {**ATTEMPT, "wanted": json.dumps({**WANTED, "command": ["sh", "$(A) $$"], "env": {"A": "$(B)"}})}
    (main,) = manifests.task(Settings(), "run", "", attempt, "token")["spec"]["containers"]
    assert main["command"][2:] == ["sh", "$$(A) $$$$"]
    assert {"name": "A", "value": "$$(B)"} in main["env"]


def test_a_step_may_mount_its_own_over_tmp_and_call_volumes_as_it_likes() -> None:
    settings = {
        "pvcMount": [{"constant": "scratch", "mountPath": "/tmp/"}],
        "emptyDirMounts": [{"volumeName": name, "mountPath": f"/{name}s"} for name in ("tmp", "launcher", "artifacts")],
    }
    spec = manifests.task(
        Settings(), "run", "", {**ATTEMPT, "wanted": json.dumps({**WANTED, "kubernetes": settings})}, "token"
    )["spec"]
    mounts = {each["mountPath"].rstrip("/"): each["name"] for each in spec["containers"][0]["volumeMounts"]}
    assert len(mounts) == len(spec["containers"][0]["volumeMounts"]), "Kubernetes refuses two at one path"
    assert mounts["/tmp"] == "claim-0"
    names = [each["name"] for each in spec["volumes"]]
    assert len(set(names)) == len(names) and set(mounts.values()) <= set(names)


def test_settings_are_read_and_misspelt_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_LIMITS", '{"cpu": "2"}')
    monkeypatch.setenv("PIPELINES_POD_TTL", "5")
    read = Settings.from_environment()
    assert (read.limits, read.pod_ttl) == ({"cpu": "2"}, 5.0)
    monkeypatch.setenv("PIPELINES_POD_TLL", "5")
    with pytest.raises(ValueError, match="PIPELINES_POD_TLL"):
        Settings.from_environment()


def test_values_of_kubernetes_settings_are_filled_in() -> None:
    config = {
        "secretAsVolume": [{"secretNameParameter": {"x": 1}, "mountPath": "/s"}],
        "pvcMount": [{"componentInputParameter": "claim", "mountPath": "/c"}],
        "nodeSelector": {"nodeSelectorJson": {"x": 2}},
        "tolerations": [{"tolerationJson": {"x": 3}}],
    }
    answers = {'{"x": 1}': "name", '{"componentInputParameter": "claim"}': "mine", '{"x": 2}': {"disk": "fast"},
               '{"x": 3}': [{"key": "a"}, {"key": "b"}]}  # fmt: skip
    seen = resolved(config, lambda spec: answers[json.dumps(spec)])
    assert seen["secretAsVolume"] == [{"secretName": "name", "mountPath": "/s"}]
    assert seen["pvcMount"] == [{"constant": "mine", "mountPath": "/c"}]
    assert seen["nodeSelector"] == {"labels": {"disk": "fast"}}
    assert seen["tolerations"] == [{"key": "a"}, {"key": "b"}]
    assert "secretNameParameter" in config["secretAsVolume"][0], "the pipeline's own copy stays as it was"


def test_a_task_config_is_refused() -> None:
    taken = {"inputDefinitions": {"parameters": {"c": {"parameterType": "TASK_CONFIG"}}}, "executorLabel": "e"}
    document = {
        "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "components": {"comp-f": taken},
        "root": {"dag": {"tasks": {"f": {"componentRef": {"name": "comp-f"}}}}},
        "deploymentSpec": {"executors": {"e": {"container": {"image": "a", "command": ["x"]}}}},
    }  # fmt: skip
    with pytest.raises(ApiError, match=r"component comp-f: its input c is a dsl\.TaskConfig"):
        ir.check(document)


def test_another_platform_is_refused() -> None:
    assert refusals({"platforms": {"vertex": {}}}) == ["settings for the platform 'vertex' are not supported"]
