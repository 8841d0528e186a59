"""A learner's program before a judge, in a pod of the checker's that holds nothing but the two and the judge's data.

The judge is a program of the lab's checker: it imports `process.Sandbox`, runs the learner's program with that in a
process of its own, and prints what it saw as JSON. Only data comes back; what it is worth the check says.

In the pod there are the standard library and the image's packages alone. So what is sent of this package and of the
checker goes as one archive of source, in which modules import one another by the names that they have here.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab
from mlops_lab.kit.sandbox import inside, process

IMAGE = "components:1"
PACKAGE = "mlops_lab_checker"  # what a judge and the modules beside it are called in the pod: no learner's file is
_MAIN = "import runpy, sys\n\nrunpy.run_module(sys.argv[1], run_name='__main__', alter_sys=True)\n"


async def judged(
    lab: Lab,
    judge: Path,
    *modules: Path,
    program: Mapping[str, bytes],
    env: Mapping[str, str] | None = None,
    within: float,
) -> dict[str, Any]:
    """What a judge says of a learner's program.

    Args:
        judge: a program whose last line is a JSON object.
        modules: which it imports: those of its own folder as `from .name import ...`, others as `import name`.
        program: the learner's files by name; `process.unpacked()` gives the judge the folder that they are in.
        env: what the judge finds in its environment, beside the platform's settings. The program does not see it.
        within: seconds.

    Raises:
        LabError: the pod could not run, the judge did not end in time, or it ended with another code than 0.
    """
    kept = {name: base64.b64encode(content).decode() for name, content in program.items()}
    output = await lab.programs.run(
        IMAGE, "python3", "/checker/programs.zip", f"{PACKAGE}.{judge.stem}",
        files={"programs.zip": archive(judge, modules), process.PROGRAM.name: json.dumps(kept)},
        env=env, within=within,
    )  # fmt: skip
    return output.json()


def archive(judge: Path, modules: Sequence[Path] = ()) -> bytes:
    """The judge, its modules, and both sides of the sandbox, as a zip archive that Python runs; see `judged`."""
    own, place = (Path(str(each.__file__)) for each in (inside, process)), Path(*__name__.split("."))
    files = {str(place / each.name): each.read_text() for each in own}
    for folder in (place, *place.parents[:-1], Path(PACKAGE)):
        files[str(folder / "__init__.py")] = ""
    for each in (judge, *modules):
        name = f"{PACKAGE}/{each.name}" if each.parent == judge.parent else each.name
        files[name] = each.read_text()
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in {"__main__.py": _MAIN, **files}.items():
            packed.writestr(name, text)
    return kept.getvalue()
