"""The judge for what only has to be asked: puts questions to a driver in the sandbox, and prints what it answered.

Runs in a pod of the checker's and needs only the standard library. It knows nothing of what is right. The answers are
raw, and may be anything that JSON can hold: what they are worth is computed where the verdict is made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from mlops_lab.kit.sandbox.process import WORK, Raised, Sandbox, Trouble, protect

MEMORY = 800 << 20  # bytes
STARTS = 90.0  # s of its own for the driver's imports; they are not the learner's


def asked(driver: str, questions: Sequence[Any], within: float, memory: int = MEMORY) -> list[dict[str, Any]]:
    """What the driver answers to each question; from the first trouble on, that trouble.

    Args:
        within: seconds of its own for each.

    Raises:
        Trouble: the driver can't be imported, which is no fault of the learner's.
    """
    answers: list[dict[str, Any]] = []
    if not questions:
        return answers
    sandbox = Sandbox(driver, WORK, memory=memory, within=STARTS)
    try:
        sandbox.begin()
        for question in questions:
            answers.append(sandbox.ask(question, within=within, what=f"asked for {question[0]}"))
    except Trouble as trouble:
        seen = trouble.text if isinstance(trouble, Raised) else trouble.seen
        answers += [{"error": seen, "lines": trouble.lines}] * (len(questions) - len(answers))
    finally:
        sandbox.close()
    return answers


def main() -> None:
    """Ask what the environment says."""
    protect()
    WORK.mkdir()
    answers = asked(os.environ["DRIVER"], json.loads(os.environ["QUESTIONS"]), float(os.environ["WITHIN"]))
    print(json.dumps({"answers": answers}))


if __name__ == "__main__":
    main()
