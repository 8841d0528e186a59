"""pytorch:1, workbench:1 with Debian's PyTorch: brought only for what asks for it, since it is half a gigabyte more.

Debian builds it for the CPU and for the Python that the image has; the wheels that package registries have bring a
GPU's libraries. It was linked with all that it might ever read (videos, maps): of what its packages depend on, the
image gets the libraries that the loader asks for, in a folder of their own. Debian's NumPy stays out, as models are
read with the workbench's own: arrays go to and fro by DLPack.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.images import needed
from mlops_lab.images.recipes import debian, workbench
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

NAME = "mlops-lab/pytorch:1"
SITE, RECORDS = "usr/lib/python3/dist-packages", "var/lib/dpkg/status.d"
_FOLDER = project() / "images" / "pytorch"
_PACKAGES = ("python3-torch", "libopenblas0-pthread")
# Of the packages: data and programs of what is only linked, drivers of graphics cards, other Python packages, tests.
_LEAVE_OUT = (
    *("/usr/share/*", "/usr/bin/*", "/usr/sbin/*", "/usr/games/*", "/bin/*", "/sbin/*", "/etc/*", "/var/*"),
    *("/usr/lib/python3.11*", "/usr/lib/libtorch-test*", "/usr/lib/*/libLLVM*", "/usr/lib/*/libz3*", "/usr/lib/*/dri*"),
    *("/usr/lib/*/mfx*", "/usr/lib/*/gconv*", "/usr/lib/*/perl*", "/usr/lib/*/qt5*"),
    *(f"/{SITE}/{name}*" for name in ("numpy", "sympy", "hypothesis", "mpmath", "future", "psutil", "urllib3")),
)
# What the loader is asked for first: the modules of torch ask for these.
_FIRST = ("libtorch_python.so.1.13", "libtorch_global_deps.so.1.13", "libshm.so.1.13")
# Every image that has Python has these, and the loader goes with its own libc.
_GIVEN = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libgcc_s.so.1", "libstdc++.so.6"),
)
# Programs that test it, and what compilers read.
_NOT_OF_TORCH = ("*Test", "test_*", "tutorial_*", "include", "share", "__pycache__")


def packages(sources: Sources) -> Step:
    """A folder step with `root/`, what the image gets: torch, the libraries that it loads, records and licences."""
    root = debian.root(
        sources, "debian/pytorch", _PACKAGES, variant="extract", leave_out=_LEAVE_OUT, lists=True, seconds=90
    )

    def make(work: Work) -> None:
        unpacked = work.out / "unpacked"
        unpacked.mkdir()
        work.run(["tar", "-xf", work.result(root) / "root.tar", "-C", unpacked, "--no-same-owner", "--exclude=./dev"])
        put_together(unpacked, work.out / "root")
        shutil.rmtree(unpacked)

    chosen = (*_FIRST, *_GIVEN, *_NOT_OF_TORCH)
    return sources.once(
        "pytorch/root", lambda: Step("pytorch/root", make, chosen, needs=(root,), seconds=15, arch=sources.arch)
    )


def put_together(unpacked: Path, root: Path) -> None:
    """Choose what the image gets out of Debian's unpacked packages."""
    folders = [each for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu") for each in unpacked.glob(pattern)]
    # Which library for linear algebra is used, dpkg's alternatives say, and what is only unpacked has none.
    folders = [*unpacked.glob("usr/lib/*-linux-gnu/openblas-pthread"), *folders, unpacked / "usr" / "lib"]
    own = root / "app" / "pytorch"
    (own / "lib").mkdir(parents=True)
    loaded = {name: path.resolve() for name, path in needed.closure(_FIRST, needed.libraries(folders), _GIVEN).items()}
    for name, path in loaded.items():
        link(path, own / "lib" / name)
    shutil.copytree(
        unpacked / SITE / "torch", own / "site" / "torch", copy_function=link, symlinks=True,
        ignore=shutil.ignore_patterns(*_NOT_OF_TORCH),
    )  # fmt: skip
    # These led to the libraries' place in Debian; torch opens one of them by this path.
    for path in (own / "site" / "torch" / "lib").iterdir():
        name = path.readlink().name
        path.unlink()
        if (own / "lib" / name).exists():
            path.symlink_to(Path("../../../lib") / name)
    (root / RECORDS).mkdir(parents=True)
    taken = {f"./{path.relative_to(unpacked.resolve())}" for path in loaded.values()} | {f"./{SITE}/torch/__init__.py"}
    for record in (unpacked / RECORDS).iterdir():
        if not taken.isdisjoint((unpacked / debian.LISTS / record.name).read_text().splitlines()):
            link(record, root / RECORDS / record.name)
    # All of them: a package may have its licences in another one's folder.
    shutil.copytree(unpacked / "usr/share/doc", root / "usr/share/doc", copy_function=link)


def build(sources: Sources) -> Step:
    """Debian's PyTorch behind the workbench's own packages."""
    torch, start, dockerfile = packages(sources), sources.image(workbench.NAME), _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context = work.context()
        shutil.copytree(work.result(torch) / "root", context / "root", copy_function=link, symlinks=True)
        work.image(context, dockerfile.read_text(), "--build-arg", f"WORKBENCH={start.ref}", "--network", "none")

    return Step(
        "image/pytorch",
        make,
        (dockerfile,),
        needs=(torch, start),
        image=NAME,
        seconds=45,
        arch=sources.arch,
    )


IMAGES = (Image(NAME, build, served=True, of_debian=True),)
