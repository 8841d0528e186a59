"""PostgreSQL by its published name; where it can't be pulled, Debian's packages with the same user and paths.

Left out of the packages: the compiler of queries (LLVM, 120 MB, of use for long analyses only) and Perl, which only
Debian's own scripts around the server need.
"""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import debian
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = str(pin("images.postgres.name"))
_FOLDER = project() / "images" / "postgres"
_PACKAGES = ("postgresql-15", "dash", "coreutils", "base-files")
_LEAVE_OUT = (
    *("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/bitcode*", "/usr/lib/postgresql/*/lib/llvmjit*"),
    *("/usr/lib/*/perl*", "/usr/share/perl*", "/usr/share/i18n*"),
)


def build(sources: Sources) -> Step:
    """The server and its tools, run as user 999; the chart's script makes the database."""
    root = debian.root(sources, "debian/postgres", _PACKAGES, variant="extract", leave_out=_LEAVE_OUT, seconds=15)

    def make(work: Work) -> None:
        work.image(work.context(_FOLDER, work.result(root)), (_FOLDER / "Dockerfile").read_text())

    return Step("image/postgres", make, (_FOLDER,), needs=(root,), image=NAME, seconds=8, arch=sources.arch)


IMAGES = (Image(NAME, build, published=True),)
