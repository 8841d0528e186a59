"""What is particular to the monitoring chart: its settings pass the programs' own checks, whatever the values."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.render import gates
from tests.render.charts import CHARTS, Chart, Rendered, found_there, template
from tests.rules.promtool import promtool

CHART = Chart(CHARTS / "monitoring")
CASES = CHART.cases()
EVERYTHING = CASES["ci/everything"]


def data(objects: list[Rendered], name: str) -> dict[str, str]:
    return dict(next(each.body["data"] for each in objects if each.name == f"ConfigMap {name}"))


def folder(objects: list[Rendered], at: Path) -> Path:
    """Prometheus' files as the pod sees them, with paths below `at`."""
    (at / "rules").mkdir()
    for name, text in data(objects, "prometheus-rules").items():
        (at / "rules" / name).write_text(text)
    text = data(objects, "prometheus")["prometheus.yml"]
    text = text.replace("/etc/prometheus/rules", str(at / "rules"))
    (at / "prometheus.yml").write_text(text.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(at)))
    (at / "token").write_text("")
    (at / "ca.crt").write_text("")
    return at


def values(tmp_path: Path, **given: Any) -> tuple[Path, ...]:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    return (tmp_path / "values.yaml",)


@pytest.mark.parametrize("case", CASES)
def test_prometheus_takes_its_configuration(case: str, tmp_path: Path) -> None:
    at = folder(CHART.render(CASES[case]), tmp_path)
    done = promtool("check", "config", "--lint=all", "--lint-fatal", at / "prometheus.yml")
    assert done.returncode == 0, done.stdout


def test_a_bad_rule_of_the_users_would_be_noticed(tmp_path: Path) -> None:
    rule = {"record": "x", "expr": "sum by (("}
    at = folder(CHART.render(values(tmp_path, extraRules={"mine.yaml": [{"name": "mine", "rules": [rule]}]})), tmp_path)
    assert promtool("check", "config", at / "prometheus.yml").returncode != 0


def test_the_jobs_are_those_that_the_values_ask_for() -> None:
    def jobs(case: str) -> dict[str, Any]:
        text = data(CHART.render(CASES[case]), "prometheus")["prometheus.yml"]
        return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}

    always = {"prometheus", "alertmanager", "kube-state-metrics", "kubelet", "cadvisor", "pods"}
    assert set(jobs("defaults")) == always | {"node-exporter"}
    assert set(jobs("ci/bare")) == always
    shop = jobs("ci/everything")["shop"]
    assert (shop["metrics_path"], shop["scheme"], shop["scrape_interval"]) == ("/stats", "https", "5s")
    kept = {tuple(rule["source_labels"]): rule["regex"] for rule in shop["relabel_configs"] if "action" in rule}
    assert kept == {
        ("__meta_kubernetes_service_label_app_kubernetes_io_name",): "shop",
        ("__meta_kubernetes_service_label_tier",): r"a\.b",
        ("__meta_kubernetes_endpointslice_port_name",): "metrics",
    }
    assert jobs("ci/everything")["kubelet"]["tls_config"]["insecure_skip_verify"] is False


def test_the_metrics_that_are_kept_are_named_without_blanks() -> None:
    jobs = yaml.safe_load(data(CHART.render(), "prometheus")["prometheus.yml"])["scrape_configs"]
    cadvisor = next(job for job in jobs if job["job_name"] == "cadvisor")
    kept = next(rule["regex"] for rule in cadvisor["metric_relabel_configs"] if rule["action"] == "keep")
    for name in ("container_cpu_usage_seconds_total", "container_fs_limit_bytes", "machine_memory_bytes"):
        assert re.fullmatch(kept, name)
    assert not re.fullmatch(kept, "container_memory_rss")
    assert " " not in kept
    dropped = next(rule["regex"] for rule in cadvisor["metric_relabel_configs"] if rule["action"] == "drop")
    for seen, is_dropped in {
        "container_cpu_usage_seconds_total;/;": False,
        "container_cpu_usage_seconds_total;/kubelet/pod1;": True,
        "container_cpu_usage_seconds_total;/kubelet/pod1/c;server": False,
        "container_network_receive_bytes_total;/kubelet/pod1;": False,
        "machine_cpu_cores;;": False,
    }.items():
        assert bool(re.fullmatch(dropped, seen)) is is_dropped, seen


def test_alerts_go_to_those_who_are_named() -> None:
    config = yaml.safe_load(data(CHART.render(EVERYTHING), "alertmanager")["alertmanager.yml"])
    routes = {route["receiver"]: route for route in config["route"]["routes"]}
    assert set(routes) | {config["route"]["receiver"]} == {each["name"] for each in config["receivers"]}
    assert routes["people"]["matchers"] == ['severity!~"info|none"']
    assert routes["retrain"]["repeat_interval"] == "24h"
    assert all(routes[each]["continue"] for each in ("people", "retrain")), "one would keep alerts from the next"
    hooks = {each["name"]: each["webhook_configs"][0] for each in config["receivers"] if "webhook_configs" in each}
    assert hooks["people"] == {"url": "http://people.example.org/hook", "send_resolved": True}
    bare = yaml.safe_load(data(CHART.render(CASES["ci/bare"]), "alertmanager")["alertmanager.yml"])
    assert "routes" not in bare["route"] and bare["receivers"] == [{"name": "nobody"}]


def test_a_labs_namespace_hears_of_its_own_alerts() -> None:
    config = yaml.safe_load(data(CHART.render(), "alertmanager")["alertmanager.yml"])
    (route,), own = config["route"]["routes"], config["receivers"][-1]
    assert route["receiver"] == own["name"] == "own"
    assert own["webhook_configs"][0]["url"] == "http://alerts.{{ .CommonLabels.namespace }}/"
    assert "namespace" in config["route"]["group_by"], "a message would be about several namespaces"
    pattern = re.search('namespace=~"(.+)"', route["matchers"][1])
    assert pattern
    for name, told in (("lab-26", True), ("ann-lab-26", True), ("mlops-lab-tracking", False), ("lab-26x", False)):
        assert bool(re.fullmatch(pattern[1], name)) is told, name


def test_runbook_links_lead_where_the_values_say() -> None:
    rules = "".join(data(CHART.render(EVERYTHING), "prometheus-rules").values())
    links = re.findall(r"runbook_url: (\S+)", rules)
    assert links and all(link.startswith("https://example.org/runbooks.md#") for link in links)


def test_references_of_the_values_make_a_psi(tmp_path: Path) -> None:
    """Shares of 0.25, 0.25 and 0.5 against 0.5, 0.3 and 0.2: PSI = 0.45729."""
    at = folder(CHART.render(EVERYTHING), tmp_path)
    series = 'model_prediction_probability_bucket{namespace="lab-26", app="model", pod="p", le="%s"}'
    counts = {"0.25": 15, "0.5": 30, "1.0": 60, "+Inf": 60}
    expected = {"labels": '{namespace="lab-26", app="model", of="prediction"}', "value": 0.45729}
    test = {
        "interval": "10s",
        "input_series": [{"series": series % le, "values": f"0+{count}x60"} for le, count in counts.items()],
        "promql_expr_test": [
            {"expr": "round(app_of:model_psi:2m, 0.000001)", "eval_time": "5m",
             "exp_samples": [expected]}
        ],
    }  # fmt: skip
    files = [str(at / "rules" / name) for name in ("references.yaml", "model.yaml")]
    text = {"rule_files": files, "evaluation_interval": "10s", "fuzzy_compare": True, "tests": [test]}
    (at / "tests.yaml").write_text(yaml.safe_dump(text))
    done = promtool("test", "rules", at / "tests.yaml")
    assert done.returncode == 0, done.stdout


def test_references_that_are_no_whole_are_refused(tmp_path: Path) -> None:
    bins = [{"le": "0.5", "fraction": 0.5}, {"le": "1.0", "fraction": 0.3}]
    given = {"references": [{"namespace": "a", "app": "m", "of": "prediction", "bins": bins}]}
    done = template(CHART.folder, values(tmp_path, model=given))
    assert done.returncode != 0
    assert "the fractions of prediction of m add up to 0.8, not to 1" in done.stderr
    bins[1].update(le="1")
    assert template(CHART.folder, (*values(tmp_path, model=given),), "v1.30.0").returncode != 0


def test_the_adapters_certificate_is_signed_by_the_one_that_the_api_server_is_told() -> None:
    objects = CHART.render()
    secret = next(each.body["data"] for each in objects if each.name == "Secret prometheus-adapter")
    told = {each.body["spec"]["caBundle"] for each in objects if each.kind == "APIService"}
    assert told == {secret["ca.crt"]}
    assert base64.b64decode(secret["ca.crt"]).startswith(b"-----BEGIN CERTIFICATE-----")
    assert secret["tls.crt"] != secret["ca.crt"]
    names = {each.metadata["name"] for each in objects if each.kind == "APIService"}
    assert names == {"v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io"}
    assert not [each.name for each in CHART.render(CASES["ci/bare"]) if "adapter" in each.name]


def test_grafana_keeps_to_the_rules_and_gets_every_dashboard(tmp_path: Path) -> None:
    """Its image is in no catalog, since it can't be built; it meets every other gate."""
    objects = CHART.render(values(tmp_path, grafana={"enabled": True}))
    complaints = {gate.__name__: gate(CHART, objects) for gate in gates.GATES if gate is not gates.images}
    assert {name: says for name, says in complaints.items() if says} == {}
    found = data(objects, "grafana-dashboards")
    assert set(found) == {path.name for path in (CHART.folder / "dashboards").glob("*.json")}
    provided = yaml.safe_load(data(objects, "grafana")["datasource.yaml"])["datasources"][0]
    assert provided["uid"] == "prometheus"
    assert not [each.name for each in CHART.render() if "grafana" in each.name]


def grafana(tmp_path: Path, **given: Any) -> tuple[list[Rendered], dict[str, Any]]:
    """All objects with Grafana on, and its pod."""
    objects = CHART.render(values(tmp_path, grafana={"enabled": True, **given}))
    return objects, next(each.pod or {} for each in objects if each.name == "Deployment grafana")


def settings(pod: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["containers"][0]["env"] if "value" in each}


def test_each_folder_of_dashboards_is_mounted_where_grafana_looks(tmp_path: Path) -> None:
    objects, pod = grafana(tmp_path, folder="Ours", learner={"configMap": "ann.dashboards", "folder": "Ann"})
    providers = yaml.safe_load(data(objects, "grafana")["dashboards.yaml"])["providers"]
    assert [(each["name"], each["folder"], each["folderUid"]) for each in providers] == [
        ("mlops-lab", "Ours", "mlops-lab"), ("learner", "Ann", "learner"),
    ]  # fmt: skip
    (container,) = pod["containers"]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    read = [volumes[mounts[each["options"]["path"]]["name"]]["configMap"] for each in providers]
    assert read == [{"name": "grafana-dashboards"}, {"name": "ann.dashboards", "optional": True}]
    for each in providers:
        assert each["type"] == "file" and each["updateIntervalSeconds"] <= 10 and each["allowUiUpdates"] is False
        assert "subPath" not in mounts[each["options"]["path"]], "the kubelet never updates a file mounted alone"
    provisioned = settings(pod)["GF_PATHS_PROVISIONING"]
    for name, kind in (("datasource.yaml", "datasources"), ("dashboards.yaml", "dashboards")):
        assert mounts[f"{provisioned}/{kind}/{name}"]["subPath"] == name


def test_the_learners_dashboards_are_no_object_of_the_chart(tmp_path: Path) -> None:
    """Else an update of the chart would delete them."""
    objects, _ = grafana(tmp_path)
    assert "ConfigMap learner-dashboards" not in {each.name for each in objects}


def test_grafanas_login_from_before_stays_and_somebody_elses_is_used_as_it_is(tmp_path: Path) -> None:
    files = values(tmp_path, grafana={"enabled": True})

    def rendered(**found: Any) -> subprocess.CompletedProcess[str]:
        return found_there(CHART, files, tmp_path, "grafana/secret.yaml", {("Secret", "grafana"): found})

    login = {"user": "YW5u", "password": "a2VwdA=="}
    done = rendered(metadata={"annotations": {"meta.helm.sh/release-name": "mlops-lab-test"}}, data=login)
    assert done.returncode == 0 and "user: YW5u\n  password: a2VwdA==" in done.stdout, done.stderr
    done = rendered(metadata={}, data=login)
    assert done.returncode == 0 and "# Source: monitoring/templates/grafana/secret.yaml" not in done.stdout, done.stderr
    done = rendered(metadata={}, data={**login, "password": ""})
    assert done.returncode != 0 and "the Secret grafana is in namespace mlops-lab-test from before" in done.stderr


def test_grafana_asks_for_nothing_outside_the_cluster(tmp_path: Path) -> None:
    objects, pod = grafana(tmp_path)
    found = settings(pod)
    off = ("ANALYTICS_REPORTING_ENABLED", "ANALYTICS_CHECK_FOR_UPDATES", "ANALYTICS_CHECK_FOR_PLUGIN_UPDATES")
    off += ("NEWS_NEWS_FEED_ENABLED", "SNAPSHOTS_EXTERNAL_ENABLED", "PLUGINS_PREINSTALL_AUTO_UPDATE")
    on = ("PLUGINS_PREINSTALL_DISABLED", "PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED", "SECURITY_DISABLE_GRAVATAR")
    wanted = dict.fromkeys(off, "false") | dict.fromkeys(on, "true")
    assert {name: found[f"GF_{name}"] for name in wanted} == wanted
    policy = next(each.body["spec"] for each in objects if each.name == "NetworkPolicy grafana")
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    names, prometheus = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    (reached,) = prometheus["to"]
    labels = reached["podSelector"]["matchLabels"]
    server = next(each for each in objects if each.name == "StatefulSet prometheus")
    assert labels.items() <= server.template["metadata"]["labels"].items()
    (url,) = {each["url"] for each in yaml.safe_load(data(objects, "grafana")["datasource.yaml"])["datasources"]}
    assert url == f"http://prometheus:{prometheus['ports'][0]['port']}"


@pytest.mark.parametrize("anonymous", [True, False])
def test_reading_grafana_needs_a_login_if_that_is_wanted(tmp_path: Path, anonymous: bool) -> None:
    found = settings(grafana(tmp_path, anonymous=anonymous)[1])
    assert found["GF_AUTH_ANONYMOUS_ENABLED"] == str(anonymous).lower()
    assert found["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert found["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_grafana_writes_to_its_volumes_alone(tmp_path: Path) -> None:
    _, pod = grafana(tmp_path)
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    written = {each["name"] for each in pod["volumes"] if "emptyDir" in each}
    assert {each["mountPath"] for each in container["volumeMounts"] if each["name"] in written} == {
        "/var/lib/grafana", "/tmp",
    }  # fmt: skip


@pytest.mark.parametrize("given", [{"folder": "a: b"}, {"folder": ""}, {"learner": {"configMap": "A_B"}}])
def test_a_name_that_grafana_or_kubernetes_would_not_take_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    assert template(CHART.folder, values(tmp_path, grafana={"enabled": True, **given})).returncode != 0


def test_grafanas_password_may_be_there_already(tmp_path: Path) -> None:
    objects = CHART.render(values(tmp_path, grafana={"enabled": True, "existingSecret": "mine"}))
    (container,) = next(each.containers for each in objects if each.name == "Deployment grafana")
    read = [each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each]
    assert read == [{"name": "mine", "key": "user"}, {"name": "mine", "key": "password"}]
    assert "Secret grafana" not in {each.name for each in objects}


def test_the_api_server_is_told_who_signed_a_certificate_that_is_there_already(tmp_path: Path) -> None:
    objects = CHART.render(CASES["ci/secrets"])
    told = {each.body["spec"]["caBundle"] for each in objects if each.kind == "APIService"}
    assert told == {base64.b64encode(b"my authority").decode()}
    done = template(CHART.folder, values(tmp_path, adapter={"existingSecret": "mine"}))
    assert done.returncode != 0 and "give adapter.caBundle" in done.stderr
