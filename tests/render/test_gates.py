"""Each gate fails once: a chart that keeps to every rule, broken in one place, is complained about by that gate."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.platform import releases
from mlops_lab.platform.releases import Engine, Page, Release
from tests.render import gates, readmes, values
from tests.render.charts import Chart

SAMPLE = Path(__file__).parent / "sample"
SERVER = "templates/server/"
DEPLOYMENT = f"{SERVER}deployment.yaml"


@pytest.fixture
def sample(tmp_path: Path) -> Chart:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return Chart(tmp_path / "sample")


def gates_of(chart: Chart, scratch: Path) -> dict[str, Callable[[], list[str]]]:
    """Every gate by name, ready to be asked about a chart."""
    scratch.mkdir(exist_ok=True)

    def of_objects(gate: gates.Gate) -> Callable[[], list[str]]:
        return lambda: [text for _, found in chart.all() for text in gate(chart, found)]

    def old_table() -> list[str]:
        return [] if values.table(chart) in (chart.folder / "README.md").read_text() else ["another table"]

    return {
        **{gate.__name__: of_objects(gate) for gate in gates.GATES},
        "lax": lambda: values.lax(chart),
        "not_refused": lambda: values.not_refused(chart, scratch),
        "pull_secrets": lambda: values.pull_secrets(chart, scratch),
        "repeatable": lambda: values.repeatable(chart),
        "unread": lambda: values.unread(chart),
        "undescribed": lambda: values.undescribed(chart),
        "passwords": lambda: values.passwords(chart),
        "readme": lambda: readmes.readme(chart),
        "table": old_table,
    }


def test_the_sample_keeps_to_every_rule(sample: Chart, tmp_path: Path) -> None:
    known = gates_of(sample, tmp_path / "scratch")
    assert {name: says for name, gate in known.items() if (says := gate())} == {}
    assert len(sample.cases()) == 3


BREAKS: list[tuple[str, str, str, str, str]] = [
    ("layout", "a third helper", "templates/_helpers.tpl", '{{- define "sample.labels" -}}',
     '{{- define "sample.more" }}{{ end }}\n{{- define "sample.labels" -}}'),
    ("layout", "no bound for kubernetes", "Chart.yaml", 'kubeVersion: ">=1.29.0-0"', ""),
    ("layout", "a service in another file", f"{SERVER}configmap.yaml", "kind: ConfigMap", "kind: LimitRange"),
    ("layout", "no test", "templates/tests/answers.yaml", "helm.sh/hook: test", "helm.sh/hook: pre-delete"),
    ("labels", "a label less", "templates/_helpers.tpl", "app.kubernetes.io/part-of: mlops-lab\n", ""),
    ("labels", "a selector with a version", DEPLOYMENT, "    matchLabels: {{- include \"sample.selectorLabels\"",
     "    matchLabels: {{- include \"sample.labels\""),
    ("labels", "a service for nobody", f"{SERVER}service.yaml", '"component" "server") | nindent 4 }}\n  ports',
     '"component" "nobody") | nindent 4 }}\n  ports'),
    ("pod_security", "root", DEPLOYMENT, "runAsUser: 10001", "runAsUser: 0"),
    ("pod_security", "a writable root", DEPLOYMENT, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("pod_security", "capabilities", DEPLOYMENT, "drop: [ALL]", "drop: [NET_RAW]"),
    ("pod_security", "a token", DEPLOYMENT, "automountServiceAccountToken: false", "hostUsers: true"),
    ("pod_security", "a folder of the node", DEPLOYMENT, "      containers:",
     "      volumes: [{name: node, hostPath: {path: /}}]\n      containers:"),
    ("pod_security", "a test pod as root", "templates/tests/answers.yaml", "runAsNonRoot: true", "runAsNonRoot: false"),
    ("resources", "no limit", "values.yaml", ", limits: {memory: 32Mi}", ", limits: {cpu: 32m}"),
    ("probes", "never ready", DEPLOYMENT, "        readinessProbe: {httpGet: {path: /, port: http}}\n", ""),
    ("probes", "never hangs", DEPLOYMENT, "        livenessProbe: {httpGet: {path: /, port: http}}\n", ""),
    ("checksums", "stale pods", DEPLOYMENT, "checksum/config", "config"),
    ("way_back", "in order", DEPLOYMENT, "kind: Deployment", "kind: StatefulSet"),
    ("policies", "open", f"{SERVER}networkpolicy.yaml", '"component" "server") | nindent 6',
     '"component" "other") | nindent 6'),
    ("policies", "egress only", f"{SERVER}networkpolicy.yaml", "policyTypes: [Ingress]", "policyTypes: [Egress]"),
    ("services", "a node port", f"{SERVER}service.yaml", "spec:\n", "spec:\n  type: NodePort\n"),
    ("services", "a host port", DEPLOYMENT, "containerPort: 8080", "containerPort: 8080, hostPort: 80"),
    ("images", "not the pin", "values.yaml", "python: python:3.11-slim-bookworm", "python: python:3.11-slim"),
    ("images", "not in the catalog", "templates/tests/answers.yaml", "/load:v1", "/load:v9"),
    ("secrets", "lost with the release", f"{SERVER}secret.yaml", "helm.sh/resource-policy: keep", "x: y"),
    ("secrets", "a password in the chart", f"{SERVER}secret.yaml", "{{ randAlphaNum 24 | b64enc }}",
     '{{ "hunter2" | b64enc }}'),
    ("secrets", "a password in the open", DEPLOYMENT,
     'valueFrom: {secretKeyRef: {name: {{ .Values.server.existingSecret | default "server" }}, key: password}}',
     "value: hunter2"),
    ("lax", "any key", "values.schema.json", '"additionalProperties": false,\n      "properties": {"python"',
     '"additionalProperties": true,\n      "properties": {"python"'),
    ("lax", "any type", "values.schema.json", '"greeting": {"type": "string", ', '"greeting": {'),
    ("lax", "a schema from elsewhere", "values.schema.json", '"resources": {"$ref": "#/$defs/resources",',
     '"resources": {"type": "object", "additionalProperties": false, "allOf": [{"$ref": "file:///x"}],'),
    ("not_refused", "a type that is not checked", "values.schema.json", '"replicas": {"type": "integer", "minimum": 0,',
     '"replicas": {"enum": [1, 2, 3, {"wrong": 1}],'),
    ("pull_secrets", "a test pod without", "templates/tests/answers.yaml", ".Values.imagePullSecrets", "list"),
    ("repeatable", "no Secret of one's own", "ci/secrets.yaml", "existingSecret: mine", "replicas: 2"),
    ("repeatable", "made all the same", f"{SERVER}secret.yaml", "if not .Values.server.existingSecret", "if true"),
    ("repeatable", "the wrong Secret", DEPLOYMENT, '{{ .Values.server.existingSecret | default "server" }}', "server"),
    ("repeatable", "another each time", f"{SERVER}configmap.yaml", "data:\n", "data:\n  at: {{ randAlphaNum 9 }}\n"),
    ("unread", "a value for nothing", DEPLOYMENT, "{{ .Values.server.replicas }}", "1"),
    ("unread", "a value for nothing in a map that is read", f"{SERVER}configmap.yaml",
     "{{ .Values.server.greeting | quote }}", "{{ with .Values.server }}{{ .replicas | quote }}{{ end }}"),
    ("undescribed", "no comment", "values.yaml", "  # -- What it says.\n", ""),
    ("undescribed", "no description", "values.schema.json", ', "description": "What it says."', ""),
    ("undescribed", "a key of the schema alone", "values.schema.json", '"greeting": {',
     '"farewell": {"type": "string", "description": "x"}, "greeting": {'),
    ("passwords", "a value for a password", "values.yaml", "  # -- What it says.\n  greeting: hello\n",
     "  # -- What it says.\n  greeting: hello\n  # -- x\n  adminPassword: x\n"),
    ("readme", "a heading twice", "README.md", "# sample\n", "# sample\n\n# sample\n"),
    ("readme", "no namespace", "README.md", "helm get manifest --namespace sample ", "helm get manifest "),
    ("readme", "no namespace made", "README.md", " --create-namespace", ""),
    ("readme", "no label", "README.md", "kubectl label namespace", "kubectl annotate namespace"),
    ("readme", "a value that is not there", "README.md", "`server.greeting` says", "`server.greetings` says"),
    ("table", "an old table", "README.md", "How many pods.", "The number of pods."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "file", "old", "new"),
    [(gate, file, old, new) for gate, _, file, old, new in BREAKS],
    ids=[f"{gate}: {what}" for gate, what, *_ in BREAKS],
)
def test_a_broken_chart_is_complained_about(
    sample: Chart, tmp_path: Path, gate: str, file: str, old: str, new: str
) -> None:
    broken = sample.folder / file
    text = broken.read_text()
    assert old in text
    broken.write_text(text.replace(old, new))
    assert gates_of(sample, tmp_path / "scratch")[gate]()


def test_every_gate_is_shown_to_fail(tmp_path: Path) -> None:
    shown = {gate for gate, *_ in BREAKS}
    assert shown == set(gates_of(Chart(SAMPLE), tmp_path / "scratch"))


def with_release(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    wanted = {"part": "sample", "chart": "sample", "images": ("python:3.11-slim-bookworm", "mlops-lab/load:v1")}
    release = Release(**{**wanted, **changes})  # type: ignore[arg-type]
    monkeypatch.setattr(gates, "RELEASES", (*releases.RELEASES, release))


def test_an_image_that_lab_up_would_not_bring(sample: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = sample.render()
    with_release(monkeypatch)
    assert gates.images(sample, objects) == []
    with_release(monkeypatch, images=("mlops-lab/load:v1",))
    assert "would not bring it" in gates.images(sample, objects)[0]


def test_a_page_that_is_not_there(sample: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = sample.render()
    with_release(monkeypatch, pages=(Page("server", "server", 80),))
    assert gates.pages(sample, objects) == []
    with_release(monkeypatch, pages=(Page("server", "server", 81),))
    assert "server:81" in gates.pages(sample, objects)[0]


def test_an_exception_needs_a_reason_and_a_level(sample: Chart) -> None:
    deployment = sample.folder / DEPLOYMENT
    deployment.write_text(deployment.read_text().replace("      containers:", "      hostPID: true\n      containers:"))
    meta = sample.folder / "Chart.yaml"
    assert gates.pod_security(sample, sample.render()) == ["Deployment server: hostPID is true"]
    meta.write_text(
        meta.read_text() + "annotations:\n  mlops-lab/unrestricted: |\n    server: it reads the host's /proc\n"
    )
    assert "does not say the namespace's level" in gates.pod_security(sample, sample.render())[0]
    meta.write_text(meta.read_text() + "  mlops-lab/pod-security: privileged\n")
    assert gates.pod_security(sample, sample.render()) == []


def test_what_nothing_can_ask_says_why(sample: Chart) -> None:
    deployment = sample.folder / DEPLOYMENT
    parts = r" +(ports|readinessProbe|livenessProbe): ?.*\n( +- \{name: http.*\n)?"
    deployment.write_text(re.sub(parts, "", deployment.read_text()))
    assert "has neither livenessProbe nor startupProbe" in gates.probes(sample, sample.render())[0]
    meta = sample.folder / "Chart.yaml"
    meta.write_text(meta.read_text() + "annotations:\n  mlops-lab/unprobed: |\n    server: it listens on no port\n")
    assert gates.probes(sample, sample.render()) == []


def test_an_image_that_is_only_published_is_named_by_an_engine(sample: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = sample.folder / "templates" / "tests" / "answers.yaml"
    answers.write_text(re.sub(r"image: .*", "image: example.org/a:1", answers.read_text()))
    assert gates.images(sample, sample.render()) == ["the image example.org/a:1 is not in the catalog"]
    engine = Engine("other", (), published=("example.org/a:1",))
    with_release(monkeypatch, engines=(engine,))
    assert gates.images(sample, sample.render()) == []


@pytest.mark.parametrize(
    "readme", ["# x\n\n| value | default | what |\n|---|---|---|\n| `a` | `1` | old |\n\nmore\n", "# x\n"]
)
def test_the_table_is_written_where_it_stands_or_at_the_end(sample: Chart, readme: str) -> None:
    (sample.folder / "README.md").write_text(readme)
    new = values.with_table(sample)
    assert values.table(sample) in new and "old" not in new and new.startswith("# x\n")
    assert ("more" in new) == ("more" in readme)


def test_a_chart_that_needs_values_gets_them(sample: Chart) -> None:
    (sample.folder / "ci" / "required.yaml").write_text("server: {greeting: hi}\n")
    (sample.folder / "ci" / "other.yaml").write_text("server: {replicas: 3}\n")
    assert {case: len(files) for case, files in sample.cases().items()} == {
        "defaults": 1, "profiles/small": 2, "ci/other": 2, "ci/secrets": 2,
    }  # fmt: skip


def test_a_profile_that_asks_for_another_volume(sample: Chart) -> None:
    claim = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {resources: {requests: {storage: "{{ .Values.server.replicas }}Gi"}}}
"""
    assert gates.volumes(Chart(SAMPLE)) == []
    (sample.folder / SERVER / "persistentvolumeclaim.yaml").write_text(claim)
    (says,) = gates.volumes(sample)
    assert "2Gi" in says and "defaults" in says
