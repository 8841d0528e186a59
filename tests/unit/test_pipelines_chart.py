"""What the chart pipelines and the server's own program have to agree on."""

from __future__ import annotations

import dataclasses
import re

import yaml
from embedded.manifests import OURS
from embedded.mounts import FOR_RUNS, OWN_CLAIMS
from embedded.settings import Settings

from mlops_lab.base.paths import project
from mlops_lab.images.catalog import CATALOG
from mlops_lab.images.recipes import pipelines

CHART = project() / "charts" / "pipelines"
TEMPLATES = {path.stem: path.read_text() for path in (CHART / "templates" / "embedded").glob("*.yaml")}


def test_the_server_knows_every_setting_of_the_chart() -> None:
    given = set(re.findall(r"PIPELINES_(\w+)", TEMPLATES["configmap"] + TEMPLATES["statefulset"]))
    assert given and {name.lower() for name in given} <= {each.name for each in dataclasses.fields(Settings)}


def test_images_accounts_and_labels_are_the_servers() -> None:
    for name in (pipelines.NAME, pipelines.LAUNCHER):
        assert name in CATALOG
        assert "{{ .Values.registry }}/" + name.partition("/")[2] in TEMPLATES["configmap"]
    key, _, value = OURS.partition("=")
    assert f"matchLabels: {{{key}: {value}}}" in TEMPLATES["networkpolicy-pods"]
    assert f"name: {Settings.service_account}" in TEMPLATES["serviceaccount-runner"]
    assert f"name: {Settings.own_account}\n" in TEMPLATES["serviceaccount"]
    assert f"port: {Settings.port}," in TEMPLATES["service"]


def test_no_run_may_mount_the_claims_that_the_chart_makes() -> None:
    made = set()
    for template in (CHART / "templates").glob("*/statefulset.yaml"):
        text = template.read_text()
        (name,) = re.findall(r"^kind: StatefulSet\nmetadata:\n  name: (\S+)$", text, re.MULTILINE)
        claims = re.findall(r"^  volumeClaimTemplates:\n  - metadata:\n      name: (\S+)$", text, re.MULTILINE)
        assert "replicas: 1" in text and claims
        made |= {f"{claim}-{name}-0" for claim in claims}
    assert made == OWN_CLAIMS


def test_the_label_that_opens_a_secret_is_the_one_that_is_documented() -> None:
    for page in (CHART / "README.md", project() / "docs" / "pipelines.md"):
        assert f"{FOR_RUNS}=true" in page.read_text(), page


def test_the_server_asks_for_no_more_than_its_role_gives() -> None:
    source = (project() / "images" / "pipelines" / "embedded" / "cluster.py").read_text()
    calls = set(re.findall(r"self\._(?:api|metadata)\.(\w+)\(", source))
    role = TEMPLATES["role"]
    rules = yaml.safe_load("[" + ",".join(re.findall(r"^- (\{.*?\})(?: #.*)?$", role, re.MULTILINE)) + "]")
    given = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    wanted = {
        "create_namespaced_pod": ("pods", "create"),
        "list_namespaced_pod": ("pods", "list"),
        "delete_namespaced_pod": ("pods", "delete"),
        "read_namespaced_pod_log": ("pods/log", "get"),
        "list_namespaced_event": ("events", "list"),
        "read_namespaced_secret": ("secrets", "get"),
    }
    assert {wanted[call] for call in calls} == given
