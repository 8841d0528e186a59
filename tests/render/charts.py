"""Charts as the tests see them: a folder, its values and schema, and what helm renders from it without a cluster."""

from __future__ import annotations

import functools
import json
import pickle
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.base.quick_yaml import LOADER
from mlops_lab.platform.helm import program

Object = dict[str, Any]
CHARTS = project() / "charts"
# What renders pass on as `lab up` does; another prefix than the default shows images that are written out.
REGISTRY = "registry.test:5000/lab"
_OLDEST = "v1.29.0"
_POD_AT = {
    "Pod": ("spec",),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "Job"), ("spec", "template", "spec")),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
SERVING = ("Deployment", "StatefulSet", "DaemonSet")
_GROUPS = dict.fromkeys(SERVING, "apps/v1")


@dataclass(frozen=True)
class Rendered:
    """One object that a template made."""

    source: str
    body: Object

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def metadata(self) -> Object:
        return self.body.get("metadata") or {}

    @property
    def name(self) -> str:
        return f"{self.kind} {self.metadata.get('name', '')}"

    @property
    def is_test(self) -> bool:
        return "test" in (self.metadata.get("annotations") or {}).get("helm.sh/hook", "")

    @property
    def pod(self) -> Object | None:
        """The spec of the pods that this object makes, if it makes any."""
        if self.kind not in _POD_AT:
            return None
        return functools.reduce(lambda part, key: part.get(key) or {}, _POD_AT[self.kind], self.body)

    @property
    def template(self) -> Object:
        """What holds the pods' metadata: a template, or the pod itself."""
        path = _POD_AT[self.kind][:-1]
        return functools.reduce(lambda part, key: part.get(key) or {}, path, self.body)

    @property
    def containers(self) -> list[Object]:
        pod = self.pod or {}
        return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]


@dataclass(frozen=True)
class Chart:
    """A chart's folder."""

    folder: Path

    @property
    def meta(self) -> Object:
        return dict(read((self.folder / "Chart.yaml").read_text()))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def values_text(self) -> str:
        return (self.folder / "values.yaml").read_text()

    @property
    def values(self) -> Object:
        return dict(read(self.values_text) or {})

    @property
    def schema(self) -> Object:
        return dict(json.loads((self.folder / "values.schema.json").read_text()))

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.meta.get("annotations") or {})

    def templates(self) -> Iterator[Path]:
        return (path for path in sorted((self.folder / "templates").rglob("*")) if path.is_file())

    def template_text(self) -> str:
        text = "\n".join(path.read_text() for path in self.templates())
        return re.sub(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", "", text, flags=re.DOTALL)

    def cases(self) -> dict[str, tuple[Path, ...]]:
        """Values files to render with: the defaults, each profile, and each file of `ci/` (other ways to use it).

        A chart that can't render without some values (a model's name, say) has them in `ci/required.yaml`.
        """
        first = (self.folder / "ci" / "required.yaml",)
        base = first if first[0].exists() else ()
        files = [*(self.folder / "profiles").glob("*.yaml"), *(self.folder / "ci").glob("*.yaml")]
        more = {f"{file.parent.name}/{file.stem}": (*base, file) for file in sorted(files) if file not in base}
        return {"defaults": base, **more}

    def render(self, files: tuple[Path, ...] = ()) -> list[Rendered]:
        """The objects that the chart makes with these values.

        Raises:
            AssertionError: helm refuses; the message is helm's.
        """
        done = template(self.folder, files)
        assert done.returncode == 0, done.stderr
        return _parsed(done.stdout)

    def render_anew(self) -> list[Rendered]:
        """What the defaults make, by another run of helm than `render`'s."""
        return _parsed(_another(self.folder, self.cases()["defaults"]))

    def all(self) -> Iterator[tuple[str, list[Rendered]]]:
        for case, files in self.cases().items():
            yield case, self.render(files)


def charts() -> list[Chart]:
    """Every chart of the project."""
    return [Chart(path.parent) for path in sorted(CHARTS.glob("*/Chart.yaml"))]


@functools.cache
def helm() -> str:
    return str(program(Progress()))


@functools.lru_cache(maxsize=256)
def template(
    folder: Path, files: tuple[Path, ...], kube: str = _OLDEST, registry: str = REGISTRY
) -> subprocess.CompletedProcess[str]:
    """`helm template`, as the release that `lab up` would make."""
    words = [
        *(helm(), "template", "mlops-lab-test", str(folder), "--namespace", "mlops-lab-test", "--kube-version", kube),
        *(("--set-string", f"registry={registry}") if registry else ()),
        *(word for file in files for word in ("--values", str(file))),
    ]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@functools.lru_cache(maxsize=64)
def _another(folder: Path, files: tuple[Path, ...]) -> str:
    return template.__wrapped__(folder, files).stdout


def read(text: str) -> Any:
    """What YAML says; the same text is parsed once, and each caller has an object of its own."""
    return pickle.loads(_pickled(text))


@functools.lru_cache(maxsize=4096)
def _pickled(text: str) -> bytes:
    return pickle.dumps(yaml.load(text, LOADER))


def found_there(
    chart: Chart, files: tuple[Path, ...], at: Path, name: str, found: dict[tuple[str, str], Object]
) -> subprocess.CompletedProcess[str]:
    """`helm template` as if the cluster had objects, by kind and name, for which the template `name` looks.

    A name may be a variable of the template, such as `$name`.
    """
    shutil.rmtree(at / chart.name, ignore_errors=True)
    shutil.copytree(chart.folder, at / chart.name)
    file = at / chart.name / "templates" / name
    for (kind, called), there in found.items():
        group, word = _GROUPS.get(kind, "v1"), called if called.startswith("$") else f'"{called}"'
        asked = f'lookup "{group}" "{kind}" .Release.Namespace {word}'
        assert asked in file.read_text(), asked
        file.write_text(file.read_text().replace(asked, f"fromJson `{json.dumps(there)}`"))
    return template.__wrapped__(at / chart.name, files)


def _parsed(text: str) -> list[Rendered]:
    found = []
    for document in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        source = re.search(r"^# Source: (\S+)", document, re.MULTILINE)
        body = read(document)
        if body:
            found.append(Rendered(source.group(1).partition("/")[2] if source else "", body))
    return found
