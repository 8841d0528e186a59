"""Compile a pipeline where only the runtime of the SDK is installed, as in the components' image.

    python3 -m components.compiling pipeline.py pipeline.yaml

So a pipeline is compiled in the cluster, from the components as the image has them. The file holds one pipeline: the
last one that is defined in it, not imported.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path


def compiled(file: str | Path, out: str | Path) -> None:
    """Compile the pipeline of a file.

    Raises:
        SystemExit: the file defines none.
    """
    import kfp  # noqa: F401 - with _KFP_RUNTIME as the image sets it, it does not import the client for users

    os.environ["_KFP_RUNTIME"] = "false"  # kfp.dsl asks again, and has @pipeline and conditions then
    from kfp import compiler
    from kfp.dsl.graph_component import GraphComponent

    names = runpy.run_path(str(file))
    found = [each for each in names.values() if isinstance(each, GraphComponent)]
    if not found:
        raise SystemExit(f"{file} defines no pipeline: a function with @dsl.pipeline")
    compiler.Compiler().compile(found[-1], str(out))


if __name__ == "__main__":
    compiled(*sys.argv[1:3])
