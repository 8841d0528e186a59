"""What every chart must keep to: each gate returns its complaints, none when all is well.

Nothing here knows a chart by name. What a chart may do otherwise it says in its Chart.yaml, for all to read:
`mlops-lab/pod-security` (baseline or privileged: its namespace's level), and two YAML maps from a component to a
reason: `mlops-lab/unrestricted`, why its pods are not restricted ones, and `mlops-lab/unprobed`, why none can ask them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from mlops_lab.base.versions import versions
from mlops_lab.images.catalog import CATALOG
from mlops_lab.platform.releases import RELEASES
from tests.render.charts import REGISTRY, SERVING, Chart, Object, Rendered

PART = "app.kubernetes.io"
ALWAYS = ("name", "instance", "component", "version", "managed-by", "part-of")
SELECTING = {f"{PART}/{key}" for key in ("name", "instance", "component")}
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_UNRESTRICTED = "mlops-lab/unrestricted"
_UNPROBED = "mlops-lab/unprobed"

Gate = Callable[[Chart, list[Rendered]], list[str]]


def layout(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Folder = component, file = kind; two helpers; notes, a test, a README, a lower bound for Kubernetes."""
    name, says = chart.name, []
    if chart.meta.get("name") != name:
        says.append(f"Chart.yaml names {chart.meta.get('name')}, the folder is {name}")
    if not re.search(r">=\s*1\.29", str(chart.meta.get("kubeVersion", ""))):
        says.append('Chart.yaml has no kubeVersion ">=1.29.0-0"')
    helpers = chart.folder / "templates" / "_helpers.tpl"
    defined = re.findall(r'define\s+"([^"]+)"', helpers.read_text()) if helpers.exists() else []
    if sorted(defined) != [f"{name}.labels", f"{name}.selectorLabels"]:
        says.append(f"_helpers.tpl defines {defined}")
    says += [
        f"there is no {each}" for each in ("README.md", "templates/NOTES.txt") if not (chart.folder / each).exists()
    ]
    if not any(each.is_test for each in objects):
        says.append("there is no helm test")
    for each in objects:
        parts = each.source.split("/")
        if each.is_test:
            if parts[:2] != ["templates", "tests"]:
                says.append(f"{each.name} is not in templates/tests")
        elif len(parts) != 3 or not parts[2].replace("-", "").lower().startswith(each.kind.lower()):
            says.append(f"{each.name} is in {each.source}, not in templates/COMPONENT/{each.kind.lower()}.yaml")
    says += [f"charts don't make namespaces: {each.name}" for each in objects if each.kind == "Namespace"]
    return says


def labels(chart: Chart, objects: list[Rendered]) -> list[str]:
    """The recommended labels on every object and pod; selectors that no upgrade changes, and that select something."""
    says = []
    for each in objects:
        found = each.metadata.get("labels") or {}
        says += [f"{each.name} has no label {key}" for key in ALWAYS if not found.get(f"{PART}/{key}")]
        if found.get("helm.sh/chart") != f"{chart.name}-{chart.meta['version']}":
            says.append(f"{each.name} has no label helm.sh/chart")
        if found.get(f"{PART}/part-of") not in ("mlops-lab", None):
            says.append(f"{each.name} is part of {found[f'{PART}/part-of']}")
        if each.kind in SERVING:
            wanted = each.body["spec"]["selector"]["matchLabels"]
            carried = (each.template.get("metadata") or {}).get("labels") or {}
            if set(wanted) != SELECTING:
                says.append(f"{each.name} selects by {sorted(wanted)}")
            if not wanted.items() <= carried.items():
                says.append(f"{each.name} does not select its own pods")
    pods = [carried for _, carried in _pod_labels(objects)]
    for each in objects:
        wanted = each.body.get("spec", {}).get("selector") if each.kind == "Service" else None
        if wanted and not any(wanted.items() <= carried.items() for carried in pods):
            says.append(f"{each.name} selects no pod")
    return says


def pod_security(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Restricted pods with a read-only root, a numeric user and no API token that they don't need."""
    says = []
    excused = yaml.safe_load(chart.annotations.get(_UNRESTRICTED, "")) or {}
    if excused and chart.annotations.get("mlops-lab/pod-security") not in ("baseline", "privileged"):
        says.append(f"{_UNRESTRICTED} is given, and mlops-lab/pod-security does not say the namespace's level")
    for each in objects:
        if each.pod is None:
            continue
        says += [f"{each.name}: {what}" for what in _service_account(each.pod, objects)]
        if not excused.get((each.metadata.get("labels") or {}).get(f"{PART}/component")):
            says += [f"{each.name}: {what}" for what in _unrestricted(each.pod)]
    return says


def resources(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Requests for CPU and memory and a limit for memory, in every container."""
    del chart
    return [
        f"{each.name}: {container['name']} has no {'.'.join(path)}"
        for each in objects
        for container in each.containers
        for path in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
        if not (container.get("resources", {}).get(path[0]) or {}).get(path[1])
    ]


def probes(chart: Chart, objects: list[Rendered]) -> list[str]:
    """A container that listens says when it is ready, and each one that serves says when it hangs."""
    says = []
    excused = yaml.safe_load(chart.annotations.get(_UNPROBED, "")) or {}
    for each in objects:
        excuse = excused.get((each.metadata.get("labels") or {}).get(f"{PART}/component"))
        for container in (each.pod or {}).get("containers") or []:
            if each.kind not in SERVING:
                continue
            if container.get("ports") and not container.get("readinessProbe"):
                says.append(f"{each.name}: {container['name']} has no readinessProbe")
            if not (container.get("livenessProbe") or container.get("startupProbe") or excuse):
                says.append(f"{each.name}: {container['name']} has neither livenessProbe nor startupProbe")
    return says


def checksums(chart: Chart, objects: list[Rendered]) -> list[str]:
    """A changed ConfigMap rolls the pods that read it."""
    del chart
    ours = {each.metadata["name"] for each in objects if each.kind == "ConfigMap"}
    says = []
    for each in objects:
        if each.kind not in SERVING:
            continue
        read = ours.intersection(_config_maps(each.pod or {}))
        annotations = (each.template.get("metadata") or {}).get("annotations") or {}
        if read and not any(key.startswith("checksum/") for key in annotations):
            says.append(f"{each.name} reads {', '.join(sorted(read))} and has no checksum annotation")
    return says


def way_back(chart: Chart, objects: list[Rendered]) -> list[str]:
    """A StatefulSet replaces its pods without waiting for each other: in order, one that never gets ready would stay
    also when helm goes back (kubernetes/kubernetes#67250).
    """
    del chart
    return [
        f"{each.name} has no podManagementPolicy: Parallel"
        for each in objects
        if each.kind == "StatefulSet" and each.body["spec"].get("podManagementPolicy") != "Parallel"
    ]


def policies(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Every pod that serves is shut to those who are not named."""
    del chart
    chosen = [
        each.body["spec"].get("podSelector", {})
        for each in objects
        if each.kind == "NetworkPolicy" and "Ingress" in each.body["spec"].get("policyTypes", [])
    ]
    return [
        f"{each.name} is open to everybody: no NetworkPolicy selects it"
        for each, carried in _pod_labels(objects)
        if each.kind in SERVING and not any(_matches(selector, carried) for selector in chosen)
    ]


def services(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Nothing is exposed: Services are ClusterIP, pods take no port of a node."""
    del chart
    says = [f"{each.name} exposes the cluster" for each in objects if each.kind in ("Ingress", "HTTPRoute", "Gateway")]
    for each in objects:
        if each.kind == "Service" and each.body["spec"].get("type", "ClusterIP") != "ClusterIP":
            says.append(f"{each.name} is a {each.body['spec']['type']}")
        ports = [port for container in each.containers for port in container.get("ports") or []]
        says += [f"{each.name} takes port {port['hostPort']} of its node" for port in ports if port.get("hostPort")]
    return says


def images(chart: Chart, objects: list[Rendered]) -> list[str]:
    """Ours by `registry`, published ones as versions.toml pins them; all in the catalog and in the release's list, or
    among those that an engine of the release has from image registries only."""
    pins = {str(table["name"]) for table in versions().get("images", {}).values()}
    says = [
        f"images.{key} is {value}; versions.toml has no image of that name"
        for key, value in (chart.values.get("images") or {}).items()
        if value not in pins
    ]
    listed = [each.images for each in RELEASES if each.chart == chart.name]
    engines = [engine for each in RELEASES if each.chart == chart.name for engine in each.engines]
    only_published = {name for engine in engines for name in engine.published}
    for image in sorted({container["image"] for each in objects for container in each.containers}):
        ours = image.startswith(f"{REGISTRY}/")
        name = f"mlops-lab/{image.removeprefix(f'{REGISTRY}/')}" if ours else image
        if name in only_published:
            continue
        if name not in CATALOG:
            says.append(f"the image {image} is not in the catalog")
        elif listed and name not in listed[0]:
            says.append(f"the image {name} is not in the release's list, so `lab up` would not bring it")
    return says


def secrets(chart: Chart, objects: list[Rendered]) -> list[str]:
    """A Secret that the chart makes outlives the release; its passwords are made anew by every chance to.

    Two renders without a cluster must differ, else the password stands in the chart.
    """
    says = []
    again = {each.name: each for each in chart.render_anew() if each.kind == "Secret"}
    for each in objects:
        if each.kind != "Secret" or each.is_test:
            continue
        if (each.metadata.get("annotations") or {}).get("helm.sh/resource-policy") != "keep":
            says.append(f"{each.name} does not outlive the release (helm.sh/resource-policy: keep)")
        for key, value in {**(each.body.get("data") or {}), **(each.body.get("stringData") or {})}.items():
            other = again.get(each.name)
            second = {**(other.body.get("data") or {}), **(other.body.get("stringData") or {})} if other else {}
            if re.search(r"pass|token|secret", key, re.IGNORECASE) and second.get(key) == value:
                says.append(f"{each.name}: {key} is the same every time")
    for each in objects:
        for container in each.containers:
            says += [
                f"{each.name}: {variable['name']} is written out"
                for variable in container.get("env") or []
                if re.search(r"PASSWORD|TOKEN|SECRET|ACCESS_KEY", variable["name"]) and "valueFrom" not in variable
                if not variable["name"].endswith(("_FILE", "_PATH")) and variable.get("value")
            ]
    return says


def volumes(chart: Chart) -> list[str]:
    """A profile asks for the volumes that the others ask for: a volume can't be made anew when the profile changes."""
    found: dict[str, dict[str, str]] = {}
    for case, files in chart.cases().items():
        if case.startswith("ci/"):
            continue
        for each in chart.render(files):
            for claim in _claims(each):
                name = f"{each.name}: {claim['metadata']['name']}"
                found.setdefault(name, {})[case] = json.dumps(claim["spec"], sort_keys=True)
    return [f"{name} differs: {asked}" for name, asked in found.items() if len(set(asked.values())) > 1]


def pages(chart: Chart, objects: list[Rendered]) -> list[str]:
    """What `lab open` opens is a port of one of the chart's Services."""
    ports = {
        (each.metadata["name"], port["port"])
        for each in objects
        if each.kind == "Service"
        for port in each.body["spec"]["ports"]
    }
    return [
        f"the page {page.name} is at {page.service}:{page.port}; there is no such port"
        for release in RELEASES
        if release.chart == chart.name
        for page in release.pages
        if (page.service, page.port) not in ports
    ]


GATES: tuple[Gate, ...] = (
    *(layout, labels, pod_security, resources, probes, checksums, way_back, policies, services, images, secrets),
)


def _claims(each: Rendered) -> list[Object]:
    if each.kind == "PersistentVolumeClaim":
        return [each.body]
    return each.body["spec"].get("volumeClaimTemplates") or [] if each.kind == "StatefulSet" else []


def _pod_labels(objects: list[Rendered]) -> Iterator[tuple[Rendered, dict[str, str]]]:
    for each in objects:
        if each.pod is not None:
            yield each, (each.template.get("metadata") or {}).get("labels") or {}


def _matches(selector: Object, carried: dict[str, str]) -> bool:
    """Does a label selector choose what carries these labels? (matchExpressions: In, NotIn, Exists, DoesNotExist)"""
    for rule in selector.get("matchExpressions") or []:
        value, wanted = carried.get(rule["key"]), rule.get("values") or []
        holds = {
            "In": value in wanted,
            "NotIn": value not in wanted,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[rule["operator"]]:
            return False
    return (selector.get("matchLabels") or {}).items() <= carried.items()


def _config_maps(pod: Object) -> Iterator[str]:
    for volume in pod.get("volumes") or []:
        yield (volume.get("configMap") or {}).get("name", "")
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield (source.get("configMap") or {}).get("name", "")
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for variable in container.get("env") or []:
            yield ((variable.get("valueFrom") or {}).get("configMapKeyRef") or {}).get("name", "")
        for source in container.get("envFrom") or []:
            yield (source.get("configMapRef") or {}).get("name", "")


def _service_account(pod: Object, objects: list[Rendered]) -> list[str]:
    """A pod gets a token only with an account of its own that was given some right."""
    account = pod.get("serviceAccountName")
    given = {
        subject["name"]
        for each in objects
        if each.kind in ("RoleBinding", "ClusterRoleBinding")
        for subject in each.body.get("subjects") or []
    }
    if pod.get("automountServiceAccountToken") is False or (account in given):
        return []
    return ["automountServiceAccountToken is not false"]


def _unrestricted(pod: Object) -> list[str]:
    says = [f"{key} is true" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    says += [
        f"volume {volume['name']} is a {kind}"
        for volume in pod.get("volumes") or []
        for kind in volume
        if kind != "name" and kind not in _VOLUMES
    ]
    shared = pod.get("securityContext") or {}
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        own = container.get("securityContext") or {}
        both: dict[str, Any] = {**shared, **own}
        holds = {
            "runAsNonRoot": both.get("runAsNonRoot") is True,
            "runAsUser": isinstance(both.get("runAsUser"), int) and both["runAsUser"] > 0,
            "seccompProfile": (both.get("seccompProfile") or {}).get("type") == "RuntimeDefault",
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": (own.get("capabilities") or {}).get("drop") == ["ALL"]
            and not (own.get("capabilities") or {}).get("add"),
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "privileged": not own.get("privileged"),
        }
        says += [f"{container['name']} is not restricted: {key}" for key, well in holds.items() if not well]
    return says
