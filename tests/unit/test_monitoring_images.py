"""The recipes of the monitoring images: their pins agree with their modules, and a module can get what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.base.versions import pin
from mlops_lab.engine.docker import Docker, architecture
from mlops_lab.images.build import run_steps
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import golang, monitoring
from mlops_lab.images.steps import closure
from mlops_lab.images.store import Store

MODULES = {
    "prometheus": "github.com/prometheus/prometheus",
    "alertmanager": "github.com/prometheus/alertmanager",
    "node-exporter": "github.com/prometheus/node_exporter",
    "kube-state-metrics": "k8s.io/kube-state-metrics/v2",
    "prometheus-adapter": "sigs.k8s.io/prometheus-adapter",
}


@pytest.mark.parametrize(("key", "module"), MODULES.items())
def test_an_image_is_named_after_the_version_that_is_built(key: str, module: str) -> None:
    version = str(pin(f"images.{key}.name")).rpartition(":v")[2]
    if key == "prometheus":  # its module counts 3.16.0 as 0.316.0, since Go wants a path of its own for 3
        major, minor, patch = version.split(".")
        version = f"0.{major}{minor.zfill(2)}.{patch}"
    assert golang.required(project() / "images" / key, module) == f"v{version}"


def test_every_image_can_be_pulled_or_built() -> None:
    names = {str(pin(f"images.{key}.name")) for key in MODULES}
    assert names == {image.name for image in monitoring.IMAGES}
    assert all(CATALOG[name].published for name in names)
    pulled, built = sources("pull", "amd64"), sources("build", "arm64")
    for name in names:
        assert pulled.image(name).name == f"pull/{name}"
        programs = [step for step in closure([built.image(name)]) if not step.image]
        assert [step.arch for step in programs] == ["linux/arm64"]


def test_grafana_is_no_image_of_the_catalog_since_it_cannot_be_built() -> None:
    assert str(pin("images.grafana.name")) not in CATALOG


def test_promtool_is_for_this_host() -> None:
    step = monitoring.promtool(sources("build", "arm64"))
    assert step.arch.endswith(architecture(""))


@pytest.mark.parametrize("home", ["home", "Zoë (at work)/home // 1"])
def test_a_module_is_built_with_the_files_that_it_lacks(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / home))
    whole, folder = tmp_path / "module", tmp_path / "program"
    whole.mkdir()
    folder.mkdir()
    (whole / "go.mod").write_text("module example.test/page\n\ngo 1.24\n")
    (whole / "main.go").write_text(
        'package main\n\nimport _ "embed"\n\n//go:embed dist/page\nvar page string\n\nfunc main() { print(page) }\n'
    )
    (folder / "go.mod").write_text("module example.test/program\n\ngo 1.24\n\nrequire example.test/page v1.0.0\n")
    (folder / "go.sum").write_text("")
    monkeypatch.setattr(golang, "module_folder", lambda work, where, module: whole)

    def step(content: bytes) -> golang.Step:
        page = golang.StandIns("example.test/page", {"dist/page": content})
        return golang.programs(
            sources("build", "amd64"), "go/page", folder, ("example.test/page",), for_host=True, stand_ins=page
        )

    made = step(b"a page")
    assert made.key != step(b"another").key
    run_steps([made], Docker({}), Store(), Progress())
    result = Store().folder(made)
    assert b"a page" in (result / "page").read_bytes()
    assert [path.name for path in result.iterdir()] == ["page"], "the copy of the module stayed behind"
    assert not (whole / "dist").exists()


def test_an_image_copies_programs_that_its_module_makes() -> None:
    """Go names a program after its package, and looks past a major version at the end of the path."""
    built = sources("build", "amd64")
    for image in monitoring.IMAGES:
        step = built.image(image.name)
        copied = set(re.findall(r"^COPY (\S+) /(?!static)", str(step.inputs[0]), re.MULTILINE))
        named = [text for text in step.needs[0].inputs if isinstance(text, str)]
        packages = [text for text in named if re.match(r"[\w.-]+\.\w+/", text)]
        if "." in named:  # a main of our own
            folder = project() / "images" / step.needs[0].name.removeprefix("go/")
            packages.append((folder / "go.mod").read_text().split()[1])
        assert copied and copied == {re.sub(r"/v\d+$", "", package).rpartition("/")[2] for package in packages}
