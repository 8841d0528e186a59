"""The images of VictoriaLogs and vlagent: their pins agree with their module, and each has its own program."""

from __future__ import annotations

import re

from mlops_lab.base.paths import project
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import golang, victoria_logs
from mlops_lab.images.steps import closure
from mlops_lab.platform.releases import releases

NAMES = (victoria_logs.STORE, victoria_logs.SHIPPER)


def test_both_are_named_after_the_version_that_is_built() -> None:
    version = golang.required(project() / "images" / "victoria-logs", victoria_logs.MODULE)
    assert {name.rpartition(":")[2] for name in NAMES} == {version}
    assert f"buildinfo.Version={version}" in str(victoria_logs.programs(sources("build", "amd64")).inputs)


def test_both_can_be_pulled_or_built() -> None:
    assert tuple(image.name for image in victoria_logs.IMAGES) == NAMES
    pulled, built = sources("pull", "amd64"), sources("build", "arm64")
    for name in NAMES:
        assert CATALOG[name].published and pulled.image(name).name == f"pull/{name}"
        programs = [step for step in closure([built.image(name)]) if not step.image]
        assert [(step.name, step.arch) for step in programs] == [("go/victoria-logs", "linux/arm64")]


def test_each_has_its_own_program_where_the_published_one_has_it() -> None:
    built = sources("build", "amd64")
    (programs,) = {step for name in NAMES for step in built.image(name).needs}
    made = {str(text).rpartition("/")[2] for text in programs.inputs if re.search(r"/app/[\w-]+$", str(text))}
    found = {name: built.image(name).inputs for name in NAMES}
    assert {program for _, _, program in found.values()} == made == {"victoria-logs", "vlagent"}
    for name, (image, at, program) in found.items():
        assert image == name and f"/{program}:" in name and at == f"/{program}-prod"


def test_the_part_brings_them_and_opens_the_page() -> None:
    (part,) = releases(["logging"])
    assert set(NAMES) <= set(part.images)
    (page,) = part.pages
    assert (page.name, page.path) == ("logs", "/select/vmui/")
