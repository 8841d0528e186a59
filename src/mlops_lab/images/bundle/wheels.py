"""What `scripts/setup --bundle` runs before there is a .venv: check a bundle and lay out its Python packages.

    python3 -m mlops_lab.images.bundle.wheels FILE LOCK...

prints the folder that they are in. Only the standard library is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_lab.base.errors import ExitCode, LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.progress import Progress
from mlops_lab.images.bundle.archive import Archive, require_room
from mlops_lab.images.bundle.form import Unusable

_FOLDER = "wheels/"


def laid_out(file: Path, locks: Sequence[Path], progress: Progress) -> Path:
    """Where the packages are that a bundle has for these lock files, taken out of it if they are not there yet.

    Raises:
        LabError: the bundle can't be used, has not what these locks ask for, or there is no room.
    """
    archive = Archive(file)
    archive.fits_host([f"{sys.version_info[0]}.{sys.version_info[1]}"])
    for lock in locks:
        if archive.manifest.locks.get(lock.name) != digest(lock):
            raise Unusable(
                f"{archive.path} was made for another version of the project: its packages are not those of {lock}",
                f"use the project as it was then ({archive.manifest.project}), or make the bundle anew with this one",
            )
    names = [name for name in archive.manifest.files if name.startswith(_FOLDER)]
    content = "".join(archive.manifest.files[name].sha256 for name in sorted(names))
    target = cache() / "bundle" / f"wheels-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    archive.check(progress)
    if target.is_dir():
        return target
    require_room(target, sum(archive.manifest.files[name].size for name in names), "what `lab` is made of")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name in names:
            archive.copy(name, part / name.removeprefix(_FOLDER))
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def digest(lock: Path) -> str:
    """The hash of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def main(words: Sequence[str]) -> int:
    """Print the folder; returns the exit code."""
    try:
        print(laid_out(Path(words[0]), [Path(each) for each in words[1:]], Progress()))
    except LabError as error:
        print(f"setup: {error.message}\n  next: {error.hint}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"setup: {error.filename or words[0]}: {error.strerror}\n  next: make room, then run this again",
              file=sys.stderr)  # fmt: skip
        return ExitCode.ENVIRONMENT
    except KeyboardInterrupt:
        print("setup: interrupted\n  next: run the same command again", file=sys.stderr)
        return 130
    return ExitCode.PASSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
