"""Make the source distribution of the model's package: the trained forest becomes arrays that need no scikit-learn.

    export.py MODEL PACKAGE SDIST

MODEL is a folder with model.joblib and metadata.json, PACKAGE one with the package's sources, SDIST the archive that
is written.
"""

import gzip
import json
import sys
import tarfile
from pathlib import Path

import joblib
import numpy as np


def main(model: Path, package: Path, sdist: Path) -> None:
    """Write the arrays beside the package's modules, and pack it; the same bytes each time."""
    bundle = joblib.load(model / "model.joblib")
    version = json.loads((model / "metadata.json").read_text())["model_version"]
    np.savez(package / "flight_delay" / "model.npz", **arrays([tree.tree_ for tree in bundle["forest"].estimators_]))
    told = {"version": version, **{name: bundle[name] for name in ("features", "categories", "defaults")}}
    (package / "flight_delay" / "model.json").write_text(json.dumps(told))
    name = sdist.name.removesuffix(".tar.gz")
    (package / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: flight-delay\nVersion: 1.0\n")
    with (
        sdist.open("wb") as out,
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.add(package, name, filter=plain)


def arrays(trees: list) -> dict[str, np.ndarray]:
    """The trees one behind the other: a node's children by their place among all nodes, -1 for a leaf's."""
    starts = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])

    def whole(read, kind: type) -> np.ndarray:
        return np.concatenate([read(tree, start) for tree, start in zip(trees, starts, strict=True)]).astype(kind)

    def child(side: str):
        return lambda tree, start: np.where(getattr(tree, side) < 0, -1, getattr(tree, side) + start)

    return {
        "feature": whole(lambda tree, _: tree.feature, np.int32),
        "threshold": whole(lambda tree, _: tree.threshold, np.float64),
        "left": whole(child("children_left"), np.int32),
        "right": whole(child("children_right"), np.int32),
        "share": whole(lambda tree, _: tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1), np.float64),
        "root": starts.astype(np.int32),
    }


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from one run to the next."""
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
