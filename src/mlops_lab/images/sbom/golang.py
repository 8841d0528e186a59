"""Go modules in a program, from what the compiler wrote into it, as `go version -m` reads it.

The module that a program belongs to has no version where it was built from a folder: it is then the project's own, and
no package. Licences are not in a program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

from mlops_lab.base.processes import run
from mlops_lab.images.recipes.golang import compiler
from mlops_lab.images.sbom.package import Package

_MAGIC = b"\xff Go buildinf:"
_ELF = b"\x7fELF"
_CHUNK = 1 << 20
_DEVEL = ("", "(devel)")


def is_program(file: IO[bytes]) -> bool:
    """Whether this is a program (or a library) that Go's compiler made."""
    piece = file.read(len(_ELF))
    if piece != _ELF:
        return False
    while piece:
        if _MAGIC in piece:
            return True
        more = file.read(_CHUNK)
        piece = piece[-len(_MAGIC) :] + more if more else b""
    return False


def modules(program: Path, place: str) -> list[Package]:
    """The modules in a program, Go's own library first.

    Raises:
        LabError: there is no Go, and none could be installed.
    """
    done = run([compiler(), "version", "-m", "-json", program], within=60, env={"GOTOOLCHAIN": "auto"}, cwd=Path("/"))
    return described(json.loads(done.stdout), place)


def described(info: dict[str, Any], place: str) -> list[Package]:
    """The modules that a program's build information names (`debug.BuildInfo`, as JSON)."""
    found = [Package("golang", "stdlib", info["GoVersion"].removeprefix("go").partition(" ")[0], places=(place,))]
    for each in (info.get("Main") or {}, *(info.get("Deps") or ())):
        other = each.get("Replace") or {}
        # A module that is replaced by a folder is a copy of that version with files added.
        used = other if other.get("Version", "") not in _DEVEL else each
        if used.get("Path") and used.get("Version", "") not in _DEVEL:
            namespace, _, name = used["Path"].rpartition("/")
            found.append(Package("golang", name, used["Version"], namespace=namespace, places=(place,)))
    return found
