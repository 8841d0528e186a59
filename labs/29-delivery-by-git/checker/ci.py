"""What CI says of changes before they are merged: the learner's three files, and the steps that they take."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection, Iterable
from typing import Any

from mlops_lab.base import entries
from mlops_lab.checks import Lab, Observation, absent, expect
from mlops_lab.kit.ci_forms import FORMS
from mlops_lab.kit.drawn import drawn

from .scenario import JUST, WORSE
from .stage import HERE, IMAGE, team
from .why import FORMS as SAME_STEPS
from .why import STEPS

FOLDER = "ci"
WITHIN = 360.0  # s for all changes
PROGRAM = (HERE / "ci_run.py").read_text()
_MOST = 200 << 10  # bytes of the learner's folder
# How much the model on origin/main is worse than the best one. One as good as a bad one is worse than one that is worse
# than a good one, so that no limit of one's own does for both.
GOOD, BAD = (0.0005, 0.004), (0.032, 0.04)
KINDS = {
    "more pods, a ConfigMap and a Service": True, "a model that is as good": True, "a model that is worse": False,
    "a file that is no YAML": False, "a Secret in clear": False, "a Secret in base64": False,
}  # fmt: skip


def commands(lab: Lab) -> list[str]:
    """What the three files have a CI system run.

    Raises:
        Failure: one is not there or can't be read, or they differ.
    """
    found: dict[str, list[str]] = {}
    for name, read in FORMS.items():
        try:
            found[name] = read(entries.text(lab.work.folder / FOLDER / name, _MOST))
        except (OSError, ValueError) as wrong:  # a UnicodeDecodeError is a ValueError
            seen = getattr(wrong, "strerror", None) or str(wrong)
            expect(absent(f"the steps in {FOLDER}/{name}", seen[:200])).because(SAME_STEPS)
    first, *others = found.values()
    same = bool(first) and all(each == first for each in others)
    shown = "; ".join(f"{name}: {', '.join(each)[:80] or 'none'}" for name, each in found.items())
    expect(Observation(same, "the same steps in all three files", "they are" if same else shown)).because(SAME_STEPS)
    return first


def program(lab: Lab) -> dict[str, str]:
    """The learner's folder `ci`, by the names that its files have in a clone.

    Raises:
        Failure: it is too large, or not text.
    """
    found, top = dict[str, str](), lab.work.folder
    for path in sorted((top / FOLDER).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                found[str(path.relative_to(top))] = entries.text(path, _MOST)
            except (OSError, ValueError) as wrong:
                if any(part.startswith(".") for part in path.relative_to(top).parts):
                    continue  # what a desktop or a linter leaves, as .DS_Store
                expect(absent("texts in ci/", f"{path.name}: {str(wrong)[:100]}")).because(STEPS)
    size = sum(map(len, found.values()))
    if size > _MOST:
        expect(absent(f"less than {_MOST} bytes in ci/", f"{size}")).because(STEPS)
    return found


def executable(lab: Lab, names: Iterable[str]) -> list[str]:
    """Which of these files may be run by their names."""
    return [each for each in names if os.access(lab.work.folder / each, os.X_OK)]


async def judged(lab: Lab) -> list[Observation]:
    """What the steps say of six changes, of which two are right."""
    draw = drawn(lab, "changes for CI")
    given: dict[str, Any] = {"commands": commands(lab), "program": program(lab)}
    given["executable"] = executable(lab, given["program"])
    kinds = draw.sample(sorted(KINDS), len(KINDS))
    async with team(lab) as it:
        start = (await it.do("tip"))["first"]
        changes: list[Any] = []
        for kind in kinds:
            much = {"a model that is as good": BAD, "a model that is worse": GOOD}.get(kind, draw.choice((GOOD, BAD)))
            served: dict[str, Any] = {"version": _version(draw), "than": "", "worse": draw.uniform(*much)}
            base = await it.do("propose", base=start, seed=draw.randrange(1 << 30), model=served)
            how = _how(draw, kind, served["version"])
            change = await it.do("propose", base=base["commit"], seed=draw.randrange(1 << 30), **how)
            changes.append({"base": base["files"], "change": change["files"]})
            if kind == "a model that is worse":  # and better than the one where the change begins
                old = {"version": _version(draw), "than": "", "worse": draw.uniform(*BAD)}
                fork = await it.do("propose", base=start, seed=draw.randrange(1 << 30), model=old)
                changes[-1]["fork"] = fork["files"]
    given |= {"changes": changes}
    output = await lab.programs.apart(
        IMAGE, "python3", "/checker/ci_run.py", within=WITHIN,
        files={"ci_run.py": PROGRAM, "given.json": json.dumps(given)},
    )  # fmt: skip
    found = list(zip(kinds, output.json()["found"], strict=True))
    always = {line for kind, (code, said) in found if KINDS[kind] and code == 0 for line in _lines(said)}
    return [_said(kind, each, always) for kind, each in found]


def _how(draw: Any, kind: str, version: str) -> dict[str, Any]:
    """What is changed, as the team takes it."""
    model = {"version": _version(draw), "than": version}
    return {
        "more pods, a ConfigMap and a Service": {"replicas": draw.randrange(3, 6), "extra": _extra(draw)},
        "a model that is as good": {"model": model | {"worse": draw.uniform(*JUST)}},
        "a model that is worse": {"model": model | {"worse": draw.uniform(*WORSE)}},
        "a file that is no YAML": {"fault": "no_yaml"},
        "a Secret in clear": {"clear": _clear(draw, coded=False)},
        "a Secret in base64": {"clear": _clear(draw, coded=True)},
    }[kind]


def _version(draw: Any) -> str:
    return f"m-{draw.randrange(0x10000, 0x100000):x}"


def _extra(draw: Any) -> dict[str, str]:
    """A ConfigMap and a Service that come, in files before all others or after them."""
    return {"name": f"{draw.choice(('about', 'zones'))}-{draw.randrange(0x1000, 0x10000):x}", "text": "as agreed"}


def _clear(draw: Any, *, coded: bool) -> dict[str, Any]:
    """A Secret with a key, as people write it, or as `kubectl create secret -o json` does, somewhere in `service/`."""
    key, file = f"{draw.randrange(1 << 128):032x}", draw.choice(("access", "key", "partners", "settings"))
    data = {"API_KEY": base64.b64encode(key.encode()).decode()}
    values = {"data": data} if coded else {"stringData": {"API_KEY": key}}
    return {"file": f"service/{file}.yaml", "values": values, "json": coded}


def _lines(said: Any) -> list[str]:
    return [line.strip() for line in str(said).splitlines() if line.strip()]


def _said(kind: str, found: list[Any], always: Collection[str] = ()) -> Observation:
    """Whether a change is judged rightly.

    Args:
        found: the exit code, and what was printed.
        always: lines that are printed of changes that are right, too, and are no reason against one.
    """
    code, said = found
    right, lines = KINDS[kind], _lines(said)
    why = [line for line in lines if line not in always]
    expected = f"{kind}: exit code {'0' if right else 'other than 0, and why'}"
    ok = code == 0 if right else code not in (0, -1) and bool(why)
    words = (
        "" if code == 0 or why else ", and not a word" if not lines else ", and no word but what it says of right ones"
    )
    return Observation(ok, expected, f"exit code {code}{words}", code, tuple(line[:300] for line in lines[-3:]))
