"""What is particular to the chart pipelines: its engine `kubeflow`, held against what its parts ask for."""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import compiler
from kfp.dsl import base_component
from kfp.pipeline_spec import pipeline_spec_pb2

from mlops_lab.base.versions import pin
from mlops_lab.platform.releases import RELEASES
from tests.render import charts
from tests.render import kubeflow_facts as facts
from tests.render.charts import CHARTS, SERVING, Chart, Object, Rendered, found_there, template
from tests.render.gates import PART, _matches, _pod_labels

CHART = Chart(CHARTS / "pipelines")
CASES = CHART.cases()
KUBEFLOW = CASES["profiles/kubeflow"]
NAMESPACE = "mlops-lab-test"
LAB = {"app.kubernetes.io/managed-by": "mlops-lab"}


@pytest.fixture(scope="module")
def objects() -> list[Rendered]:
    return CHART.render(KUBEFLOW)


def named(objects: list[Rendered], name: str) -> Object:
    return next(each.body for each in objects if each.name == name)


def container(objects: list[Rendered], name: str) -> Object:
    each = next(one for one in objects if one.name == name)
    return dict(each.containers[-1])


def environment(objects: list[Rendered], name: str) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(objects, name)["env"]}


def component(each: Rendered) -> str:
    return str(each.metadata["labels"][f"{PART}/component"])


def test_an_engines_templates_come_with_that_engine_only() -> None:
    for case, rendered in CHART.all():
        folders = {each.source.split("/")[1] for each in rendered} - {"tests"}
        kubeflow = case in ("profiles/kubeflow", "ci/kubeflow", "ci/secrets")
        assert (folders == {"embedded"}) != kubeflow, (case, folders)
        assert "embedded" not in folders or len(folders) == 1


def test_both_engines_serve_the_api_at_the_same_place(objects: list[Rendered]) -> None:
    ports = {
        (each.name, port["port"], port["name"])
        for each in CHART.render()
        if each.kind == "Service"
        for port in each.body["spec"]["ports"]
    }
    assert ports == {("Service ml-pipeline", 8888, "http")}
    assert {"port": 8888, "name": "http"}.items() <= named(objects, "Service ml-pipeline")["spec"]["ports"][0].items()
    release = next(each for each in RELEASES if each.chart == CHART.name).by("kubeflow")
    served = {(each.metadata["name"], p["port"]) for each in objects if each.kind == "Service"
              for p in each.body["spec"]["ports"]}  # fmt: skip
    assert {(page.service, page.port) for page in release.pages} <= served


def test_a_change_of_engine_asks_for_nothing_that_can_not_change(objects: list[Rendered]) -> None:
    """helm patches what both engines have; the API server would refuse another roleRef, selector or claim."""
    embedded = {each.name: each.body for each in CHART.render()}
    shared = {each.name: each.body for each in objects if each.name in embedded}
    assert {"Service ml-pipeline", "ServiceAccount pipeline-runner", "RoleBinding ml-pipeline"} <= set(shared)
    assert {each.kind for each in objects if each.name in shared}.isdisjoint({*SERVING, "PersistentVolumeClaim"})
    for name, body in shared.items():
        assert body.get("roleRef") == embedded[name].get("roleRef"), name


def test_the_engines_images_are_those_that_lab_looks_for(objects: list[Rendered]) -> None:
    release = next(each for each in RELEASES if each.chart == CHART.name).by("kubeflow")
    metadata = CHART.values["kubeflow"]["metadata"]
    named_there = {*CHART.values["images"].values(), metadata["image"], metadata["envoy"]["image"]}
    assert named_there == set(release.published)
    used = {one["image"] for each in objects for one in each.containers if not each.is_test}
    env = environment(objects, "Deployment ml-pipeline")
    used |= {env["V2_DRIVER_IMAGE"], env["V2_LAUNCHER_IMAGE"]}
    (argoexec,) = (word.partition("=")[2] for word in container(objects, "Deployment workflow-controller")["args"]
                   if word.startswith("--executor-image="))  # fmt: skip
    assert used | {argoexec} == set(release.published)
    assert argoexec.rpartition(":")[2] == str(pin("images.workflow-controller.name")).rpartition(":")[2]
    kubeflows = {str(name).rpartition(":")[2] for name in release.published if "/kfp-" in name}
    assert len(kubeflows) == 1 and kubeflows.pop().rpartition(".")[0] == "2.17"


# Rights


def rights(objects: list[Rendered], account: str) -> tuple[set[facts.Rule], dict[str, set[str]]]:
    """What an account may do in its namespace, and the names that a right is limited to."""
    found: set[facts.Rule] = set()
    limits: dict[str, set[str]] = {}
    for binding in objects:
        if binding.kind != "RoleBinding" or {one["name"] for one in binding.body["subjects"]} != {account}:
            continue
        for rule in named(objects, f"Role {binding.body['roleRef']['name']}")["rules"]:
            for group in rule["apiGroups"]:
                found |= {(group, resource, verb) for resource in rule["resources"] for verb in rule["verbs"]}
            for resource in rule["resources"] if "resourceNames" in rule else ():
                limits.setdefault(resource, set()).update(rule["resourceNames"])
    return found, limits


@pytest.mark.parametrize("account", facts.RIGHTS)
def test_an_account_may_do_what_upstream_lets_it_but_for_what_is_named(account: str, objects: list[Rendered]) -> None:
    left_out = set().union(*facts.LEFT_OUT.get(account, {}).values())
    added = set().union(*facts.ADDED.get(account, {}).values())
    assert left_out <= facts.RIGHTS[account] and not added & facts.RIGHTS[account]
    given, limits = rights(objects, account)
    assert given == facts.RIGHTS[account] - left_out | added
    assert limits == {what: names for (who, what), names in facts.NAMED.items() if who == account}


def test_every_account_is_one_of_upstreams_and_none_reaches_out_of_the_namespace(objects: list[Rendered]) -> None:
    assert {each.metadata["name"] for each in objects if each.kind == "ServiceAccount"} == set(facts.RIGHTS)
    assert not [each.name for each in objects if each.kind in ("ClusterRole", "ClusterRoleBinding")]
    used = {each.pod.get("serviceAccountName") for each in objects if each.pod} - {None}
    assert used == set(facts.RIGHTS) - {"pipeline-runner"}, "the API server gives that one to the pods of runs"


def test_the_controllers_may_list_and_watch_every_definition(objects: list[Rendered]) -> None:
    given, _ = rights(objects, "argo")
    for plural in facts.ARGO:
        assert {("argoproj.io", plural, "list"), ("argoproj.io", plural, "watch")} <= given


# Definitions


def definitions(objects: list[Rendered]) -> dict[str, Object]:
    return {each.metadata["name"]: each.body for each in objects if each.kind == "CustomResourceDefinition"}


def test_the_definitions_are_those_that_the_controllers_watch(objects: list[Rendered]) -> None:
    made = definitions(objects)
    assert set(made) == {*(f"{plural}.argoproj.io" for plural in facts.ARGO), "scheduledworkflows.kubeflow.org"}
    for name, body in made.items():
        (version,) = body["spec"]["versions"]
        assert body["spec"]["scope"] == "Namespaced"
        assert version["name"] == ("v1alpha1" if "argoproj" in name else "v1beta1")
        with_status = facts.ARGO.get(name.partition(".")[0], False)
        assert version.get("subresources", {}) == ({"status": {}} if with_status else {}), name
        schema = version["schema"]["openAPIV3Schema"]
        assert schema["x-kubernetes-preserve-unknown-fields"] is True
        assert all(part["x-kubernetes-preserve-unknown-fields"] for part in schema["properties"].values())
        kind = body["spec"]["names"]["kind"]
        assert body["spec"]["names"]["plural"] == f"{kind.lower()}s" and name.startswith(f"{kind.lower()}s.")


def test_definitions_outlive_the_release_and_are_made_for_this_engine_only(objects: list[Rendered]) -> None:
    assert all(body["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
               for body in definitions(objects).values())  # fmt: skip
    assert definitions(CHART.render()) == {} and definitions(CHART.render(CASES["ci/kubeflow"])) == {}
    assert not (CHART.folder / "crds").exists(), "helm would install them with every engine"


# Names, ports and addresses


def test_services_and_ports_are_those_that_the_parts_know(objects: list[Rendered]) -> None:
    services = {each.metadata["name"]: {port["port"] for port in each.body["spec"]["ports"]}
                for each in objects if each.kind == "Service"}  # fmt: skip
    assert services == facts.SERVICES
    for each in objects:
        if each.kind in SERVING:
            listens = {port["containerPort"] for one in each.containers for port in one.get("ports") or []}
            assert listens == facts.LISTENS.get(component(each), set()), each.name
    seaweedfs = " ".join(container(objects, "StatefulSet seaweedfs")["args"])
    assert "-s3.port=8333" in seaweedfs and "-s3.ip.bind=0.0.0.0" in seaweedfs
    assert "-ip.bind=127.0.0.1" in seaweedfs, "its other servers know no password"


def test_the_object_store_leaves_room_on_a_disk_that_is_not_its_alone(objects: list[Rendered]) -> None:
    assert "-volume.minFreeSpace=1GiB" in container(objects, "StatefulSet seaweedfs")["args"]


def test_the_api_server_is_told_where_everything_is(objects: list[Rendered]) -> None:
    env = environment(objects, "Deployment ml-pipeline")
    assert facts.API_SERVER.items() <= env.items()
    assert env["V2_DRIVER_IMAGE"] == pin("images.kfp-driver.name")
    assert env["V2_LAUNCHER_IMAGE"] == pin("images.kfp-launcher.name")
    assert env["POD_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert environment(CHART.render(CASES["ci/kubeflow"]), "Deployment ml-pipeline").items() >= {
        "DEFAULT_SECURITY_CONTEXT_RUN_AS_USER": "2000", "CLUSTER_DOMAIN": "example.local",
    }.items()  # fmt: skip


def test_the_api_servers_files_are_whole(objects: list[Rendered]) -> None:
    data = named(objects, "ConfigMap ml-pipeline")["data"]
    config, samples = json.loads(data["config.json"]), json.loads(data["sample_config.json"])
    assert samples["pipelines"] == [], "a sample whose file is missing stops the server"
    assert config["DBDriverName"] == "mysql" and config["DBConfig"]["MySQLConfig"]["DBName"] == "mlpipeline"
    assert config["ObjectStoreConfig"] == {"BucketName": "mlpipeline", "PipelinePath": "pipelines"}
    accounts = {each.metadata["name"] for each in objects if each.kind == "ServiceAccount"}
    assert config["DEFAULTPIPELINERUNNERSERVICEACCOUNT"] in accounts
    assert "plugins" not in config, "upstream's names an address outside"
    assert config["CacheEnabled"] == "true"
    assert {"name": "config", "mountPath": "/config"} in container(objects, "Deployment ml-pipeline")["volumeMounts"]


@pytest.mark.parametrize(
    ("variable", "program"), [("V2_DRIVER_COMMAND", "driver"), ("V2_LAUNCHER_COMMAND", "launcher-v2")]
)
def test_drivers_and_launchers_wait_for_the_network(
    variable: str, program: str, objects: list[Rendered], tmp_path: Path
) -> None:
    """The API server splits the command at blanks; a shell runs what is between them, and passes arguments on."""
    words = environment(objects, "Deployment ml-pipeline")[variable].split(" ")
    assert words[:2] == ["sh", "-c"] and words[3:] == [program] and "$(" not in words[2]
    asked = {(host, int(port)) for host, port in re.findall(r"nc\t-z\t-w\t1\t(\S+)\t(\d+)", words[2])}
    assert asked == {("ml-pipeline", 8887), ("seaweedfs", 9000), ("metadata-grpc-service", 8080)}
    (tmp_path / "nc").write_text(f'#!/bin/sh\necho "$4" >>{tmp_path}/asked\ntest "$(wc -l <{tmp_path}/asked)" -gt 2\n')
    (tmp_path / "sleep").write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/slept\n')
    (tmp_path / program).write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    for each in tmp_path.iterdir():
        each.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([*words, "--type", "a b"], capture_output=True, text=True, env=env, timeout=20, check=False)
    assert done.stdout == "--type|a b|", done.stderr
    hosts = ["ml-pipeline", "seaweedfs", "metadata-grpc-service"]
    assert (tmp_path / "asked").read_text().split() == [hosts[0]] * 3 + hosts[1:]
    (tmp_path / "nc").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "slept").unlink()
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 0, "it says itself whom it can't reach"
    assert sum(int(each) for each in (tmp_path / "slept").read_text().split()) == 180


def test_runs_are_in_mlflow_too_where_it_is_said(tmp_path: Path) -> None:
    given = {"mlflow": {"endpoint": "http://mlflow.x.svc:5000", "experiment": 'of "mine"'}, "cache": False}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"kubeflow": given}))
    data = named(CHART.render((*KUBEFLOW, tmp_path / "values.yaml")), "ConfigMap ml-pipeline")["data"]
    config = json.loads(data["config.json"])
    assert config["CacheEnabled"] == "false"
    assert config["plugins"] == {"mlflow": {
        "endpoint": "http://mlflow.x.svc:5000", "timeout": "10s",
        "settings": {"authType": "none", "workspacesEnabled": False, "defaultExperimentName": 'of "mine"'},
    }}  # fmt: skip


def test_mlflow_is_where_the_part_tracking_has_it() -> None:
    (engine,) = next(each for each in RELEASES if each.chart == CHART.name).engines
    endpoint = engine.beside["tracking"]["kubeflow.mlflow.endpoint"]
    tracking = next(each for each in RELEASES if each.part == "tracking")
    (page,) = tracking.pages
    assert endpoint == f"http://{page.service}.{tracking.namespace}.svc:{page.port}"
    mlflow = Chart(CHARTS / tracking.chart).render()
    (allowed,) = (word for each in mlflow if each.name == "Deployment mlflow" for one in each.containers
                  for word in one["args"] if word.startswith("--allowed-hosts="))  # fmt: skip
    assert f"mlflow.{NAMESPACE}.svc:5000" in allowed.partition("=")[2].split(",")


def test_the_pages_reach_the_metadata_store_by_grpc_web(objects: list[Rendered]) -> None:
    proxy = container(objects, "Deployment metadata-envoy-deployment")
    place = next(each["mountPath"] for each in proxy["volumeMounts"] if each["name"] == "config")
    assert proxy["args"][0] == f"{place}/envoy.yaml", "the image's entrypoint ends with -c"
    config = yaml.safe_load(named(objects, "ConfigMap metadata-envoy")["data"]["envoy.yaml"])
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    (listener,), (cluster,) = (config["static_resources"][each] for each in ("listeners", "clusters"))
    assert listener["address"]["socket_address"]["port_value"] in facts.LISTENS["metadata-envoy"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    filters = [each["name"].rpartition(".")[2] for each in manager["http_filters"]]
    assert filters == ["grpc_web", "cors", "router"], "the router is the last"
    for each in manager["http_filters"]:  # such as grpc_web and ...grpc_web.v3.GrpcWeb
        kind = each["typed_config"]["@type"]
        assert kind.startswith(
            f"type.googleapis.com/envoy.extensions.filters.http.{each['name'].rpartition('.')[2]}.v3."
        )
    (host,) = manager["route_config"]["virtual_hosts"]
    assert set(host["typed_per_filter_config"]) <= {each["name"] for each in manager["http_filters"]}
    assert {each["route"]["cluster"] for each in host["routes"]} == {cluster["name"]}
    assert cluster["load_assignment"]["cluster_name"] == cluster["name"]
    options = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}, "gRPC is HTTP/2"
    to = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert to["port_value"] in facts.SERVICES[to["address"]]


def test_ml_metadata_goes_with_its_folder_and_its_key(tmp_path: Path) -> None:
    shutil.copytree(CHART.folder, tmp_path / "pipelines")
    chart = Chart(tmp_path / "pipelines")
    shutil.rmtree(chart.folder / "templates" / "metadata")
    values = chart.values
    del values["kubeflow"]["metadata"]
    (chart.folder / "values.yaml").write_text(yaml.safe_dump(values))
    rendered = chart.render((chart.folder / "profiles" / "kubeflow.yaml",))
    assert "Deployment ml-pipeline" in {each.name for each in rendered}
    text = yaml.safe_dump_all(each.body for each in rendered)
    assert not re.search(r"metadata-(grpc|envoy)|METADATA_", text)


OURS = {"annotations": {"meta.helm.sh/release-name": "mlops-lab-test"}}


def test_a_secret_of_somebody_else_is_used_as_it_is(tmp_path: Path) -> None:
    def rendered(folder: str, name: str, **found: Any) -> subprocess.CompletedProcess[str]:
        return found_there(CHART, KUBEFLOW, tmp_path, f"{folder}/secret.yaml", {("Secret", name): found})

    for folder, name, keys in (
        ("mysql", "mysql-secret", ("username", "password")),
        ("seaweedfs", "mlpipeline-minio-artifact", ("accesskey", "secretkey", "s3.json")),
    ):
        data = {key: base64.b64encode(b"kept").decode() for key in keys}
        done = rendered(folder, name, metadata={}, data=data)
        assert done.returncode == 0 and f"name: {name}\n  labels" not in done.stdout, done.stderr
        done = rendered(folder, name, metadata={}, data={keys[0]: "a2VwdA=="})
        assert done.returncode != 0 and f"from before, and has no key {keys[1]}" in done.stderr
        done = rendered(folder, name, metadata={}, data={**data, keys[1]: ""})
        assert done.returncode != 0 and f"has no key {keys[1]}, or nothing in it" in done.stderr
        done = rendered(folder, name, metadata=OURS, data=data)
        assert done.returncode == 0 and f"{keys[1]}: a2VwdA==" in done.stdout, done.stderr
        done = rendered(folder, name, metadata=OURS, data={**data, keys[1]: ""})
        assert done.returncode == 0 and re.search(rf"^  {keys[1]}: \w{{40}}", done.stdout, re.MULTILINE), done.stderr


def test_a_database_from_before_does_not_get_a_password_that_it_would_not_take(tmp_path: Path) -> None:
    def rendered(secret: Object, claim: Object) -> subprocess.CompletedProcess[str]:
        found = {("Secret", "mysql-secret"): secret, ("PersistentVolumeClaim", "data-mysql-0"): claim}
        return found_there(CHART, KUBEFLOW, tmp_path, "mysql/secret.yaml", found)

    claim = {"metadata": {"name": "data-mysql-0"}}
    for secret in ({}, {"metadata": OURS, "data": {"username": "cm9vdA==", "password": ""}}):
        done = rendered(secret, claim)
        assert done.returncode != 0 and "the claim data-mysql-0 is in namespace mlops-lab-test" in done.stderr
        assert rendered(secret, {}).returncode == 0, "a new database takes any"
    done = rendered({"metadata": OURS, "data": {"password": "a2VwdA=="}}, claim)
    assert done.returncode == 0 and "password: a2VwdA==" in done.stdout, done.stderr


def test_everything_reads_the_secrets_that_are_there_already() -> None:
    rendered = template(CHART.folder, CASES["ci/secrets"]).stdout
    assert "mysql-secret" not in rendered and "mlpipeline-minio-artifact" not in rendered
    assert rendered.count("my-database") == template(CHART.folder, KUBEFLOW).stdout.count("{name: mysql-secret,") > 4
    assert rendered.count("my-store") > 8


def test_everything_finds_the_object_store(objects: list[Rendered]) -> None:
    providers = yaml.safe_load(named(objects, "ConfigMap kfp-launcher")["data"]["providers"])["minio"]["default"]
    controller = named(objects, "ConfigMap workflow-controller-configmap")["data"]
    repository = yaml.safe_load(controller["artifactRepository"])["s3"]
    ui = environment(objects, "Deployment ml-pipeline-ui")
    assert providers["endpoint"] == f"seaweedfs.{NAMESPACE}:9000" and providers["disableSSL"] is True
    assert ui["ALLOWED_ARTIFACT_ENDPOINTS"] == f"http://{providers['endpoint']}"
    assert repository["endpoint"] == f"seaweedfs.{NAMESPACE}.svc:9000" and repository["insecure"] is True
    assert repository["bucket"] == ui["ARGO_ARCHIVE_BUCKETNAME"] == "mlpipeline"
    assert repository["keyFormat"] == ui["ARGO_KEYFORMAT"]
    assert "{{workflow.name}}" in repository["keyFormat"] and repository["keyFormat"].endswith("/{{pod.name}}")
    secret = named(objects, "Secret mlpipeline-minio-artifact")
    asked = {
        (providers["credentials"]["secretRef"]["secretName"], providers["credentials"]["secretRef"]["accessKeyKey"]),
        (providers["credentials"]["secretRef"]["secretName"], providers["credentials"]["secretRef"]["secretKeyKey"]),
        *((repository[kind]["name"], repository[kind]["key"]) for kind in ("accessKeySecret", "secretKeySecret")),
        *((each["secretKeyRef"]["name"], each["secretKeyRef"]["key"])
          for name in ("Deployment ml-pipeline", "Deployment ml-pipeline-ui")
          for each in environment(objects, name).values()
          if isinstance(each, dict) and each.get("secretKeyRef", {}).get("name") != "mysql-secret"
          and "secretKeyRef" in each),
    }  # fmt: skip
    assert asked == {(secret["metadata"]["name"], key) for key in ("accesskey", "secretkey")}


def test_every_setting_of_the_controller_is_yaml_that_keeps_steps_restricted(objects: list[Rendered]) -> None:
    data = {key: yaml.safe_load(text) for key, text in
            named(objects, "ConfigMap workflow-controller-configmap")["data"].items()}  # fmt: skip
    assert data["executor"]["resources"] == CHART.values["kubeflow"]["argoexec"]["resources"]
    assert data["parallelism"] == CHART.values["runs"]["atOnce"] == 10, "not a thousand runs at once"
    executor = data["executor"]["securityContext"]
    assert executor["runAsNonRoot"] is True and executor["capabilities"] == {"drop": ["ALL"]}
    assert executor["allowPrivilegeEscalation"] is False and executor["seccompProfile"] == {"type": "RuntimeDefault"}
    assert data["metricsConfig"] == {"secure": False}
    assert environment(objects, "Deployment workflow-controller")["DEFAULT_REQUEUE_TIME"] == "2s"
    agent = environment(objects, "Deployment ml-pipeline-persistenceagent")
    assert agent["TTL_SECONDS_AFTER_WORKFLOW_FINISH"] == "3600"
    ttl = data["workflowDefaults"]["spec"]["ttlStrategy"]
    assert ttl == {"secondsAfterCompletion": 3600 + 86400}, "a workflow's end has to be recorded before it goes"


def test_steps_that_ask_for_nothing_have_requests_and_a_limit_and_nobody_else_gets_one(
    objects: list[Rendered], tmp_path: Path
) -> None:
    """A LimitRange reaches every container of the namespace that leaves something out."""
    (limits,) = named(objects, "LimitRange pipelines")["spec"]["limits"]
    tasks = CHART.values["tasks"]
    assert limits == {
        "type": "Container", "defaultRequest": tasks["requests"], "default": {"memory": tasks["limits"]["memory"]},
    }  # fmt: skip
    own = [one["resources"] for each in objects for one in each.containers]
    argo = yaml.safe_load(named(objects, "ConfigMap workflow-controller-configmap")["data"]["executor"])["resources"]
    for each in (*own, argo):
        assert set(limits["defaultRequest"]) <= set(each["requests"]) and set(limits["default"]) <= set(each["limits"])
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"tasks": {"limits": {"memory": None}}}))
    without = named(CHART.render((*KUBEFLOW, tmp_path / "values.yaml")), "LimitRange pipelines")
    assert "default" not in without["spec"]["limits"][0]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Deployment ml-pipeline-persistenceagent", "persistenceagent-sa-token"),
        ("Deployment ml-pipeline-scheduledworkflow", "scheduledworkflow-sa-token"),
    ],
)
def test_agents_have_a_token_for_the_api_server(name: str, path: str, objects: list[Rendered]) -> None:
    pod = next(each for each in objects if each.name == name).pod
    assert pod
    source = next(each["projected"]["sources"][0] for each in pod["volumes"] if "projected" in each)
    assert source["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
    assert source["serviceAccountToken"]["path"] == path
    mounts = {each["name"]: each["mountPath"] for each in container(objects, name)["volumeMounts"]}
    assert mounts["token"] == "/var/run/secrets/kubeflow/tokens"


def test_nothing_starts_before_what_it_can_not_start_without(objects: list[Rendered]) -> None:
    waits = {
        component(each): set(re.findall(r"nc -z -w 1 (\S+) (\d+)", json.dumps((each.pod or {})["initContainers"])))
        for each in objects
        if each.kind in SERVING and (each.pod or {}).get("initContainers")
    }
    assert waits == {
        "api-server": {("mysql", "3306"), ("seaweedfs", "9000")},
        "metadata": {("mysql", "3306")},
        "persistence-agent": {("ml-pipeline", "8888")},
        "scheduled-workflow": {("ml-pipeline", "8887")},
    }
    for asked in waits.values():
        assert all(int(port) in facts.SERVICES[host] for host, port in asked)


def test_a_database_that_was_half_made_is_made_anew_and_a_whole_one_never(
    objects: list[Rendered], tmp_path: Path
) -> None:
    """The container's own start and startup probe, with an entrypoint that is killed when the test wants it."""
    volume, programs = tmp_path / "volume", tmp_path / "programs"
    volume.mkdir()
    programs.mkdir()
    (programs / "docker-entrypoint.sh").write_text(
        '#!/bin/sh\nls data 2>/dev/null\nmkdir -p data/mysql\necho "$1" >data/ibdata1\n'
    )
    (programs / "mysqladmin").write_text(f"#!/bin/sh\ntest -e {tmp_path}/listens\n")
    for each in programs.iterdir():
        each.chmod(0o755)
    mysql = container(objects, "StatefulSet mysql")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        here = [word.replace("/var/lib/mysql", str(volume)) for word in words]
        env = {"PATH": f"{programs}:/usr/bin:/bin"}
        return subprocess.run(here, capture_output=True, text=True, env=env, timeout=20, check=False)

    def start() -> list[str]:
        """What the entrypoint finds where the database belongs."""
        done = run(*mysql["command"], *mysql["args"])
        assert done.returncode == 0, done.stderr
        assert (volume / "data" / "ibdata1").read_text() == f"--datadir={volume}/data\n"
        return done.stdout.splitlines()

    probe = mysql["startupProbe"]["exec"]["command"]
    assert start() == []
    assert run(*probe).returncode != 0, "it listens on no network yet"
    assert start() == ["the first start was interrupted: the database is made anew"]
    (tmp_path / "listens").touch()
    assert run(*probe).returncode == 0
    assert start() == ["ibdata1", "mysql"], "whole, and kept from now on"
    assert run(*probe).returncode == 0
    assert start() == ["ibdata1", "mysql"]
    assert {each.name for each in volume.iterdir()} == {"data"}, "as an older chart's volume: it has never a mark"


# Passwords


def test_passwords_are_made_and_nowhere_written(objects: list[Rendered]) -> None:
    again = charts._parsed(template.__wrapped__(CHART.folder, KUBEFLOW).stdout)
    keys = {"mysql-secret": ["password"], "mlpipeline-minio-artifact": ["accesskey", "secretkey", "s3.json"]}
    assert {each.metadata["name"] for each in objects if each.kind == "Secret"} == set(keys)
    everything = yaml.safe_dump_all(each.body for each in objects if each.kind != "Secret")
    for name, wanted in keys.items():
        first, second = (named(each, f"Secret {name}") for each in (objects, again))
        assert first["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        for key in wanted:
            assert first["data"][key] != second["data"][key]
            plain = base64.b64decode(first["data"][key]).decode()
            assert len(plain) >= 20 and plain not in everything
    assert "MYSQL_ALLOW_EMPTY_PASSWORD" not in everything


def test_the_object_store_knows_the_pair_that_everybody_has(objects: list[Rendered]) -> None:
    data = {key: base64.b64decode(text).decode() for key, text in
            named(objects, "Secret mlpipeline-minio-artifact")["data"].items()}  # fmt: skip
    (identity,) = json.loads(data["s3.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": data["accesskey"], "secretKey": data["secretkey"]}]
    assert identity["actions"] == ["Admin"], "the API server makes the bucket"


# Who may talk to whom


def peers(objects: list[Rendered]) -> dict[str, tuple[dict[str, str], dict[str, str] | None]]:
    """Pods by what they are: their labels, and their namespace's labels if that is another one."""
    pods = {component(each): carried for each, carried in _pod_labels(objects)}
    return {
        **{name: (carried, None) for name, carried in pods.items()},
        "workflow": ({"workflows.argoproj.io/workflow": "x", "pipeline/runid": "1"}, None),
        "client": ({"app": "trainer"}, LAB),
        "monitoring": ({"app": "prometheus"}, LAB),
        "stranger": ({"app": "web"}, {"kubernetes.io/metadata.name": "web"}),
    }


def lets(objects: list[Rendered], client: str, server: str, port: int) -> bool:
    """Would the NetworkPolicies let a connection in, as Kubernetes reads them?"""
    known = peers(objects)
    (carried, outside), (target, _) = known[client], known[server]
    rules = [
        rule
        for each in objects
        if each.kind == "NetworkPolicy" and _matches(each.body["spec"]["podSelector"], target)
        for rule in each.body["spec"].get("ingress") or []
    ]
    numbers = {
        one.get("name"): one["containerPort"]
        for each in objects
        if each.kind in SERVING and component(each) == server
        for part in each.containers
        for one in part.get("ports") or []
    }

    def admits(source: Object) -> bool:
        spaces = source.get("namespaceSelector")
        if (spaces is None) != (outside is None):
            return False
        here = spaces is None or _matches(spaces, outside or {})
        return here and _matches(source.get("podSelector") or {}, carried)

    return any(
        any(admits(source) for source in rule.get("from") or [])
        and any(numbers.get(one["port"], one["port"]) == port for one in rule["ports"])
        for rule in rules
    )


@pytest.mark.parametrize(("client", "server", "port"), sorted(facts.TALKS))
def test_parts_that_must_talk_can(client: str, server: str, port: int, objects: list[Rendered]) -> None:
    assert lets(objects, client, server, port)


@pytest.mark.parametrize(("client", "server", "port"), sorted(facts.SILENCE))
def test_others_can_not(client: str, server: str, port: int, objects: list[Rendered]) -> None:
    assert not lets(objects, client, server, port)


def test_every_port_that_is_listened_at_is_wanted_by_somebody(objects: list[Rendered]) -> None:
    wanted = {(server, port) for _, server, port in facts.TALKS}
    known = set(peers(objects))
    for server, ports in facts.LISTENS.items():
        for port in ports - {6060}:  # the kubelet asks there, which no policy stops
            assert (server, port) in wanted
            opened = {client for client in known if lets(objects, client, server, port)}
            assert "stranger" not in opened


def test_without_other_namespaces_only_this_one_reaches_the_api() -> None:
    rendered = CHART.render(CASES["ci/kubeflow"])
    assert lets(rendered, "ui", "api-server", 8888) and not lets(rendered, "client", "api-server", 8888)


# Pipelines


def compiled() -> dict[str, Any]:
    """Every pipeline of the project that is compiled for any engine."""
    found = {}
    for module in ("components.retrain", "tests.conformance.pipelines"):
        for name, each in vars(importlib.import_module(module)).items():
            if isinstance(each, base_component.BaseComponent) and each.pipeline_spec.root.HasField("dag"):
                found[f"{module.rpartition('.')[2]}.{name}"] = each
    return found


@pytest.mark.parametrize("name", compiled())
def test_what_the_sdk_compiles_is_what_the_backend_takes(name: str, tmp_path: Path) -> None:
    """The backend's own conditions: one specification, read strictly, of schema 2.1.0, with a name and a root."""
    compiler.Compiler().compile(compiled()[name], str(tmp_path / "pipeline.yaml"))
    documents = list(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text()))
    takes(documents[0])
    for platform in documents[1:]:
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec(), ignore_unknown_fields=False)
        assert set(platform["platforms"]) == {"kubernetes"}


def takes(spec: Any) -> None:
    """Assert what the backend asserts before it makes a workflow of a pipeline, and that no step needs an index."""
    read = pipeline_spec_pb2.PipelineSpec()
    json_format.ParseDict(spec, read, ignore_unknown_fields=False)
    assert read.schema_version == "2.1.0" and read.HasField("root")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", read.pipeline_info.name)
    executors = spec["deploymentSpec"]["executors"]
    for executor in executors.values():
        assert set(executor) <= {"container", "importer"}
        if made := executor.get("container"):
            assert made["image"] and (made.get("command") or made.get("args"))
            assert "pip install" not in json.dumps(made), "a step would ask a package index at run time"
    labels = {each.get("executorLabel") for each in spec["components"].values()} - {None}
    assert labels == set(executors)


def test_helms_own_test_runs_a_pipeline_that_the_backend_takes(objects: list[Rendered]) -> None:
    source = named(objects, "ConfigMap pipelines-test")["data"]["test.py"]
    before = source[: source.index("reach(f")]  # what asks nobody
    scope: dict[str, Any] = {}
    exec(before, scope)
    takes(scope["spec"])
    assert "> 600" in source and "> 200" in named(CHART.render(), "ConfigMap pipelines-test")["data"]["test.py"]


def test_helms_own_test_waits_for_the_tasks_which_end_after_their_run(
    objects: list[Rendered], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kubeflow's backend writes a run's end before its tasks', and lists rows that have no name and no state."""
    source = named(objects, "ConfigMap pipelines-test")["data"]["test.py"]

    def run(state: str, *rows: dict[str, str]) -> dict[str, Any]:
        return {"run_id": "1", "state": state, "run_details": {"task_details": list(rows)}}

    def row(name: str, state: str) -> dict[str, str]:
        return {"display_name": name, "state": state}

    driver, cached = row("write-driver", "SUCCEEDED"), {"task_id": "7"}
    answers = [
        {}, {"run_id": "1"}, {"run_id": "1"}, run("SUCCEEDED"), run("SUCCEEDED", cached, row("write", "SUCCEEDED")),
        run("SUCCEEDED", row("write", "SUCCEEDED"), row("read", "RUNNING")),
        run("SUCCEEDED", cached, driver, row("write", "SUCCEEDED"), row("read", "SUCCEEDED")), {},
    ]  # fmt: skip
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: io.BytesIO(json.dumps(answers.pop(0)).encode()))
    exec(source, {})
    assert "a run of two steps took" in capsys.readouterr().out and not answers
    answers = [{}, {"run_id": "1"}, run("FAILED", row("write", "FAILED"))]
    with pytest.raises(AssertionError, match="FAILED"):
        exec(source, {})


# What it is given


@pytest.mark.parametrize("files", [CASES["defaults"], KUBEFLOW], ids=["embedded", "kubeflow"])
def test_pods_of_runs_pull_with_the_secrets_that_are_named(files: tuple[Path, ...], tmp_path: Path) -> None:
    secrets = [{"name": "mine"}]
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"imagePullSecrets": secrets}))
    account = named(CHART.render((*files, tmp_path / "values.yaml")), "ServiceAccount pipeline-runner")
    assert account["imagePullSecrets"] == secrets


# What it refuses


@pytest.mark.parametrize(
    "given",
    [
        {"engine": "vertex"},
        {"engine": "kubeflow", "kubeflow": {"runAsUser": 0}},
        {"engine": "kubeflow", "kubeflow": {"keepWorkflows": 5}},
        {"engine": "kubeflow", "kubeflow": {"mysql": {"password": "hunter2"}}},
        {"engine": "kubeflow", "images": {"apiServer": "ghcr.io/kubeflow/kfp-api-server"}},
        {"engine": "kubeflow", "kubeflow": {"viewer": {}}},
        {"engine": "kubeflow", "kubeflow": {"mlflow": {"endpoint": "mlflow:5000"}}},
    ],
    ids=str,
)
def test_values_that_can_not_work_are_refused(given: Object, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    done = template(CHART.folder, (tmp_path / "values.yaml",))
    assert done.returncode != 0 and "schema" in done.stderr
