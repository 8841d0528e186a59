"""The image of the SDK's default component, what its start finds in it, and what is said when it finds nothing."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
import re

import pytest
from embedded import installs
from kfp import dsl
from kfp.dsl import component_factory

from mlops_lab.base.paths import project
from mlops_lab.engine.docker import Docker
from mlops_lab.images import build, store
from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import components, kfp_python, pypi, python
from mlops_lab.images.sources import full
from mlops_lab.images.steps import Step
from mlops_lab.platform import install
from mlops_lab.platform.releases import RELEASES

FOLDER = project() / "images" / "kfp-python"


@dsl.component
def plain() -> None:
    pass


@dsl.component(packages_to_install=["emoji"], install_kfp_package=False)
def with_package() -> None:
    pass


@dsl.component(install_kfp_package=False)
def without() -> None:
    pass


def command(component: dsl.base_component.BaseComponent) -> list[str]:
    return list(component.component_spec.implementation.container.command)


def test_the_image_is_the_sdks_default_and_has_what_its_component_installs() -> None:
    assert kfp_python.NAME == component_factory._DEFAULT_BASE_IMAGE
    (wanted,) = re.findall(r"'(kfp==[^']+)'", " ".join(command(plain)))
    lock = FOLDER / "requirements.lock"
    assert wanted == f"kfp=={pypi.locked(lock, 'kfp')}"
    assert pypi.locked(lock, "pip") == pypi.locked(project() / "images/python-build/tools.lock", "pip")


def test_pip_may_install_in_the_image_and_is_found_as_a_command() -> None:
    """The SDK's script looks for a program `pip`; without one it would install Debian's."""
    text = (FOLDER / "Dockerfile").read_text()
    assert "PIP_BREAK_SYSTEM_PACKAGES=1" in text and ">/usr/local/bin/pip" in text
    assert "command -v pip" in " ".join(command(plain))


def test_the_components_image_stands_on_it_and_it_on_the_base_of_python_images() -> None:
    for mode in ("pull", "build"):
        known = sources(mode, "amd64")  # type: ignore[arg-type]
        assert known.image(kfp_python.NAME) in known.image(components.NAME).needs
        assert known.image(python.NAME) in known.image(kfp_python.NAME).needs


def test_it_stands_in_only_where_nodes_cannot_pull_the_published_one() -> None:
    brought = {
        (mode, mirror): sources(mode, "amd64", mirror).brings(kfp_python.NAME)  # type: ignore[arg-type]
        for mode in ("pull", "build") for mirror in ("", "example.org")
    }  # fmt: skip
    assert brought == {("pull", ""): False, ("pull", "example.org"): True, ("build", ""): True,
                       ("build", "example.org"): True}  # fmt: skip
    assert all(sources("pull", "amd64").brings(name) for name in CATALOG if name != kfp_python.NAME)


def test_nodes_find_it_under_its_published_name() -> None:
    assert install.served_as(kfp_python.NAME) == "library/python:3.11"
    assert full(kfp_python.NAME) == "docker.io/library/python:3.11"
    pipelines = next(each for each in RELEASES if each.part == "pipelines")
    assert all(kfp_python.NAME in each.images for each in (pipelines, *pipelines.engines))


@pytest.mark.parametrize("mode", ["pull", "build"])
def test_what_is_not_brought_is_neither_made_nor_asked_for_again(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(build, "run_steps", lambda wanted, *_, **__: made.extend(step.name for step in wanted))
    monkeypatch.setattr(build, "_remember", lambda *_: None)
    monkeypatch.setattr(build, "last_mode", lambda: mode)
    monkeypatch.setattr(build, "not_pulled", lambda mirror: pytest.fail("all is there: nobody need be asked"))
    monkeypatch.setattr(store.Store, "has", lambda self, step: step.image != kfp_python.NAME or mode == "build")
    engine = Docker({"ServerVersion": "28", "Architecture": "x86_64"})
    steps = build.bring([components.NAME, kfp_python.NAME], "auto", engine, None)  # type: ignore[arg-type]
    assert ("image/kfp-python" in made) == (kfp_python.NAME in steps) == (mode == "build")
    assert components.NAME in steps


def test_one_that_stood_in_leaves_the_registry_when_nodes_can_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    step = Step("image/components", lambda work: None, (), image=components.NAME)
    monkeypatch.setattr(install, "bring", lambda *_: {components.NAME: step})
    monkeypatch.setattr(install.registry, "serve", lambda *_: False)
    monkeypatch.setattr(install.registry, "forget", gone.append)
    pipelines = next(each for each in RELEASES if each.part == "pipelines")
    brought = type(pipelines)("pipelines", "pipelines", (components.NAME, kfp_python.NAME))
    install._bring(Docker({}), [brought], "pull", None)  # type: ignore[arg-type]
    assert gone == ["library/python:3.11"]


NOT_FOUND = "ERROR: Could not find a version that satisfies the requirement {0} (from versions: none)\n" \
            "ERROR: No matching distribution found for {0}\n"  # fmt: skip
PIP_SAYS = "error: connection-failed\n\nFailed to connect to example.org\n\nhint: Are you connected to the Internet?\n"
FUNCTION = "Traceback (most recent call last)\nModuleNotFoundError: No module named pip\n"


@pytest.mark.parametrize(
    ("component", "output", "words"),
    [
        (with_package, NOT_FOUND.format("emoji"), ["installs emoji", "packages_to_install", "pip_index_urls"]),
        (with_package, "WARNING: x\n" + PIP_SAYS, ["installs packages", "packages_to_install"]),
        (plain, NOT_FOUND.format("kfp==2.16.0"), ["kfp==2.16.0", "components:1 has kfp 2.17", "install_kfp_package"]),
        (plain, "/usr/bin/python3: No module named pip\n", ["some:1 has no pip", "packages_to_install"]),
        (plain, "it said something\n", []),
        (with_package, NOT_FOUND.format("emoji") + FUNCTION, []),
        (without, NOT_FOUND.format("emoji"), []),
    ],
)
def test_the_reason_says_what_to_do_about_packages_alone(
    component: dsl.base_component.BaseComponent, output: str, words: list[str]
) -> None:
    said = installs.advice(command(component), "some:1", output)
    assert bool(said) == bool(words)
    assert all(word in said for word in words), said
    assert not said or "docs/pipelines.md" in said


def test_the_page_that_the_reason_names_has_that_heading_and_the_reason_names_it_whole() -> None:
    page, _, heading = installs._ABOUT.partition(", ")
    text = (project() / page).read_text()
    assert f"\n## {heading}\n" in text and f"kfp {pypi.locked(FOLDER / 'requirements.lock', 'kfp')}, built" in text
    long = installs.explained("x" * 4000, {"command": command(plain), "image": "some:1"}, NOT_FOUND.format("kfp==1"))
    assert len(long) <= 2000 and long.endswith(f"({installs._ABOUT})")
