"""Traefik, which serves Ingress and the Gateway API, by its published name; where it can't be pulled, from a wheel.

Its module needs others that have no versions of their own, so it is not compiled here: the wheel holds the program that
the project publishes. The definitions of the Gateway API's resources come with that API's Go module.
"""

from __future__ import annotations

import re

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, pypi
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = str(pin("images.traefik.name"))
DEFINITIONS = "traefik/gateway-api"
_FOLDER = project() / "images" / "traefik"
_MODULE = "sigs.k8s.io/gateway-api"


def build(sources: Sources) -> Step:
    """The program of the wheel, and nothing else."""
    site = pypi.site(sources, "pypi/traefik", _FOLDER / "requirements.lock", seconds=10)
    dockerfile = _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context = work.context()
        link(work.result(site) / "site" / "bin" / "traefik", context / "traefik")
        work.image(context, dockerfile.read_text(), "--network", "none")

    return Step("image/traefik", make, (dockerfile,), needs=(site,), image=NAME, seconds=10, arch=sources.arch)


def definitions(sources: Sources) -> Step:
    """A folder step with `crds.yaml`: the resources of the Gateway API's standard channel, as they are published."""
    version = golang.required(_FOLDER, _MODULE)

    def make(work: Work) -> None:
        folder = golang.module_folder(work, _FOLDER, _MODULE) / "config" / "crd" / "standard"
        texts = [path.read_text() for path in sorted(folder.glob("gateway.networking.k8s.io_*.yaml"))]
        (work.out / "crds.yaml").write_text("\n---\n".join(text for text in texts if is_definition(text)))

    inputs = (version, _FOLDER / "go.sum")
    return sources.once(DEFINITIONS, lambda: Step(DEFINITIONS, make, inputs, seconds=5, arch=sources.arch))


def is_definition(text: str) -> bool:
    """Does a file define a resource? One of them holds a policy that keeps later channels out, which is no use here."""
    return re.search(r"^kind: CustomResourceDefinition$", text, re.MULTILINE) is not None


IMAGES = (Image(NAME, build, published=True),)
