"""What a node of the exam's cluster has beside what a node needs: programs to look after it with, as files to copy in.

They are no part of the node image, which nobody has to make anew for them. `root.tar` has paths from the node's root.
Where images are pulled, the node's own package manager brings the editors: Debian's, for the Debian that the node is.
"""

from __future__ import annotations

import io
import re
import tarfile

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import debian, golang, kubernetes
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = "exam-node/files"
EDITORS = ("vim-tiny", "nano", "less", "bash-completion")
_FOLDER = project() / "images" / "exam-node"
_ETCD = ("go.etcd.io/etcd/etcdctl/v3", "go.etcd.io/etcd/etcdutl/v3")
_CRI = "sigs.k8s.io/cri-tools"
# Of the packages these files alone: the libraries that they need are in the node image, of the same Debian.
_TAKEN = re.compile(
    r"usr/bin/(vim\.tiny|nano|less)|(etc|usr/share)/vim/.+|etc/nanorc|usr/share/nano/.+"
    r"|etc/profile\.d/bash_completion\.sh|usr/share/bash-completion/bash_completion"
    r"|usr/share/doc/(vim-tiny|vim-common|nano|less|bash-completion)/copyright"
)
_LINKS = {"usr/bin/vi": "vim.tiny", "usr/bin/vim": "vim.tiny"}


def programs(sources: Sources) -> Step:
    """crictl, etcdctl and etcdutl, of the versions that the cluster has."""
    stamp = f"-X {_CRI}/pkg/version.Version={golang.required(_FOLDER, _CRI)}"
    return golang.programs(
        sources, "go/exam-node", _FOLDER, (f"{_CRI}/cmd/crictl", *_ETCD),
        ldflags=stamp, seconds=40, after=(kubernetes.programs(sources),),
    )  # fmt: skip


def files(sources: Sources) -> Step:
    """A folder step with `root.tar`."""
    made, built = programs(sources), sources.mode == "build"
    packages = debian.root(sources, "debian/exam-node", EDITORS, variant="extract", seconds=10) if built else None
    own = _FOLDER / "files"

    def make(work: Work) -> None:
        with tarfile.open(work.out / "root.tar", "w") as target:
            for program in sorted(work.result(made).iterdir()):
                if program.is_file():
                    _add(target, f"usr/local/bin/{program.name}", program.read_bytes(), 0o755)
            for path in sorted(each for each in own.rglob("*") if each.is_file()):
                place = str(path.relative_to(own))
                _add(target, place, path.read_bytes(), 0o755 if "/bin/" in place else 0o644)
            if packages:
                with tarfile.open(work.result(packages) / "root.tar") as source:
                    _take(source, target)
                for place, leads in _LINKS.items():
                    link = tarfile.TarInfo(place)
                    link.type, link.linkname = tarfile.SYMTYPE, leads
                    target.addfile(link)

    needs = (made, *((packages,) if packages else ()))
    return sources.once(
        NAME, lambda: Step(NAME, make, (own, _TAKEN.pattern), needs=needs, seconds=3, arch=sources.arch)
    )


def _add(target: tarfile.TarFile, place: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(place)
    member.size, member.mode = len(content), mode
    target.addfile(member, io.BytesIO(content))


def _take(source: tarfile.TarFile, target: tarfile.TarFile) -> None:
    """Copy what a node is to have of Debian's packages; `/bin` is a link on it."""
    for member in source:
        place = re.sub(r"^(\./)?(?=bin/)", "usr/", member.name).removeprefix("./")
        if not _TAKEN.fullmatch(place) or not (member.isreg() or member.issym()):
            continue
        member.name = place
        target.addfile(member, source.extractfile(member) if member.isreg() else None)
