"""Small Debian roots from packages, made by mmdebstrap with the mirror that this host uses; the suite is pinned."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.versions import pin
from mlops_lab.engine.host import apt_install
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

# Ubuntu has these in a package of its own.
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What no image needs: half of a small root is documentation and translations. Licences stay: whoever passes an image on
# has to pass them on, and `lab images sbom` reads them.
_LEAVE_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/var/cache/*")
_KEEP = ("/usr/share/doc/*/copyright",)
# A root that is only unpacked has an empty database of packages, and no one could tell what is in it. It gets a file
# for each package, which is the form that scanners of images know from distroless images.
_RECORD = (
    'mkdir -p "$1/var/lib/dpkg/status.d" && for deb in $MMDEBSTRAP_ESSENTIAL; do dpkg-deb --field "$1/$deb"'
    ' >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$1/$deb" Package)" || exit 1; done'
)
# Whose a file is, for a recipe that takes some out of the root: a list for each package.
LISTS = "var/lib/dpkg/lists"
_LIST = (
    f'mkdir -p "$1/{LISTS}" && for deb in $MMDEBSTRAP_ESSENTIAL; do dpkg-deb --fsys-tarfile "$1/$deb" | tar -t'
    f' >"$1/{LISTS}/$(dpkg-deb --field "$1/$deb" Package)" || exit 1; done'
)


def root(
    sources: Sources,
    name: str,
    packages: tuple[str, ...],
    *,
    variant: str = "minbase",
    links: Mapping[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
    lists: bool = False,
    seconds: float = 30,
) -> Step:
    """A folder step with `root.tar`, a Debian root that holds some packages and what they depend on.

    Args:
        variant: mmdebstrap's; `extract` only unpacks (no maintainer scripts, no package manager inside).
        leave_out: patterns of paths that the image does without, beside those that none needs.
        lists: the root also has a list of each package's files, in LISTS; for `extract`.
        links: symbolic links to add (path in the root -> target), such as those that `extract` leaves out.
    """
    suite = str(pin("debian.suite"))
    record = (_RECORD, *([_LIST] if lists else [])) if variant == "extract" else ()
    ends = [f'ln -sf {target} "$1{path}"' for path, target in (links or {}).items()]

    def make(work: Work) -> None:
        if not shutil.which("mmdebstrap") or not _KEYS.exists():
            apt_install("mmdebstrap", "debian-archive-keyring")
        options = [
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in (*_LEAVE_OUT, *leave_out)),
            *(f"--dpkgopt=path-include={pattern}" for pattern in _KEEP),
            *(f"--extract-hook={command}" for command in record),
        ]
        work.run(
            [
                *["mmdebstrap", f"--variant={variant}", f"--architectures={work.arch}", *options],
                *(f"--include={','.join(packages)}", *(f"--customize-hook={end}" for end in ends)),
                *(suite, str(work.out / "root.tar"), *_mirror(suite)),
            ],
            env={"TMPDIR": str(work.out), "SOURCE_DATE_EPOCH": "0"},
            hint="check that the package mirror answers (apt-get update) and try again",
        )

    inputs: tuple[str | Path, ...] = (suite, variant, *packages, *ends, *record, *_LEAVE_OUT, *_KEEP, *leave_out)
    return sources.once(name, lambda: Step(name, make, inputs, seconds=seconds, arch=sources.arch))


def can_be_built() -> bool:
    """Is this a host on which such roots can be made?"""
    return Path("/etc/debian_version").exists()


def _mirror(suite: str) -> list[str]:
    """The host's own package sources where they have the suite; else none, which means mmdebstrap's own for Debian."""
    if not can_be_built():
        raise LabError("images can be built on Debian and Ubuntu only", "use published images: --images pull")
    names = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
    entry = re.compile(rf"^(deb\s|Suites:).*\b{suite}\b", re.MULTILINE)
    return [str(path) for path in names if path.exists() and entry.search(path.read_text())]
