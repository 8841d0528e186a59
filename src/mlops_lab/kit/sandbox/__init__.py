"""A learner's program before a judge, in a pod of the checker's that holds nothing but the two and the judge's data.

The pod has no token and no secrets, none of the platform's settings, and no way to anybody; see
`measure.pods.script.Apart`.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.sandbox import asking, inside, process

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
        env: what the judge finds in its environment. The program does not see it.
        within: seconds.

    Raises:
        LabError: the pod could not run, the judge did not end in time, or it ended with another code than 0.
    """
    kept = {name: base64.b64encode(content).decode() for name, content in program.items()}
    output = await lab.programs.apart(
        IMAGE, "python3", "/checker/programs.zip", f"{PACKAGE}.{judge.stem}",
        files={"programs.zip": archive(judge, modules), process.PROGRAM.name: json.dumps(kept)},
        env=env, within=within,
    )  # fmt: skip
    return output.json()


@dataclass(frozen=True)
class Asked:
    """What came of asking.

    Attributes:
        prepared: what the preparing program says, as JSON.
        answers: one for each question, as the driver gave it; anything at all may be in them.
    """

    prepared: dict[str, Any]
    answers: list[dict[str, Any]]


async def asked(
    lab: Lab,
    driver: Path,
    *modules: Path,
    questions: Sequence[Sequence[Any]],
    prepare: Path,
    settings: Mapping[str, str],
    hides: Sequence[str] = (),
    each_within: float = 60,
    within: float,
) -> Asked:
    """What a driver answers of something of the learner's, such as a model, that a program of the checker's fetches.

    Two containers of one pod, one after the other. The first has the platform's settings and runs nothing of the
    learner's: it puts into /prepared what the driver needs, and prints what the check keeps to itself, such as labels.
    The second has no settings, sees /prepared but can't change it, and runs the driver in a process of its own.

    Args:
        driver: a module with a function `answer(question)`; see `inside`.
        modules: that it or the preparing program imports; see `archive`.
        questions: lists whose first item says what is asked for.
        prepare: the preparing program, whose last line is a JSON object.
        settings: of that program, beside the platform's.
        hides: folders of the image that the driver finds empty.
        each_within: seconds of its own for an answer.
        within: seconds for all.

    Raises:
        LabError: the pod could not run, or not in time; the preparing program, or the driver's own imports, failed.
    """
    output = await lab.programs.apart(
        IMAGE, "python3", "/checker/programs.zip", asking.__name__,
        files={"programs.zip": archive(driver, (prepare, *modules))},
        env={
            "DRIVER": f"{PACKAGE}.{driver.stem}", "QUESTIONS": json.dumps(list(questions)), "WITHIN": str(each_within),
        },
        prepare=("python3", "/checker/programs.zip", f"{PACKAGE}.{prepare.stem}"), prepare_env=settings,
        hides=hides, within=within,
    )  # fmt: skip
    said = output.json()
    if output.before is None:
        raise LabError(
            "the checker's own pod has prepared nothing", "see what is wrong: lab status", output.text[-2000:]
        )
    answers = said.get("answers")
    if not isinstance(answers, list) or len(answers) != len(questions):
        raise LabError("the checker's own pod has no answers", "see what is wrong: lab status", output.text[-2000:])
    return Asked(output.before.json(), [each if isinstance(each, dict) else {"error": "no answer"} for each in answers])


def archive(judge: Path, modules: Sequence[Path] = ()) -> bytes:
    """The judge, its modules, and this package's own, as a zip archive that Python runs; see `judged`.

    Args:
        judge: of the package `PACKAGE` there.
        modules: those of its own folder are of that package too, and imported as `from .name import ...`.
    """
    own = [Path(str(each.__file__)) for each in (asking, inside, process)] + [Path(__file__).with_name("estimator.py")]
    place = Path(*__name__.split("."))
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
