"""kwok, which plays nodes and pods that are not there: for `scripts/bench --only class-many` alone.

It runs on this host beside the bench, so it is no image: nothing of it is ever in a cluster. What its nodes and pods do
comes from the module's own stages, as data.
"""

from __future__ import annotations

from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store
from mlops_lab.images.work import Work

NAME, STAGES = "go/kwok", "kwok/stages"
_FOLDER = project() / "images" / "kwok"
_MODULE = "sigs.k8s.io/kwok"
# Nodes are ready and pods run at once; what is deleted is gone.
_FILES = ("node/fast/node-initialize.yaml", "pod/fast/pod-ready.yaml", "pod/fast/pod-delete.yaml")


def program(sources: Sources) -> Step:
    """A folder step with `kwok`, on Kubernetes' own libraries."""
    return golang.programs(
        sources, NAME, _FOLDER, (f"{_MODULE}/cmd/kwok",), seconds=20, heavy=False,
        after=(kubernetes.programs(sources),), for_host=True,
    )  # fmt: skip


def stages(sources: Sources) -> Step:
    """A folder step with `stages.yaml`."""

    def make(work: Work) -> None:
        folder = golang.module_folder(work, _FOLDER, _MODULE) / "kustomize" / "stage"
        texts = [(folder / name).read_text("utf-8").strip() for name in _FILES]
        (work.out / "stages.yaml").write_text("\n---\n".join(texts) + "\n", "utf-8")

    inputs: tuple[str | Path, ...] = (golang.required(_FOLDER, _MODULE), _FOLDER / "go.sum", *_FILES)
    return sources.once(STAGES, lambda: Step(STAGES, make, inputs, seconds=5, arch=sources.arch))


def paths(store: Store) -> tuple[Path, Path] | None:
    """Where the program and its stages are; None where they have yet to be made."""
    built, told = store.current(NAME), store.current(STAGES)
    return (built / "kwok", told / "stages.yaml") if built and told else None
