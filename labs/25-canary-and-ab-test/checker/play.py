"""Draw canaries, let the learner's judge look at them, and say what it decided.

Runs in a pod of the checker's; the last line printed is the answer as JSON. What the judge does wrong is part of the
answer; an exit code other than 0 is not its fault.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from mlops_lab.kit.sandbox.process import STRANGE, Sandbox, Trouble, protect, unpacked

from .streams import BAD, GOOD, UNKNOWN, looks

PROMOTE, BACK = "promote", "take back"
MEMORY = 512 << 20  # bytes
STARTS_WITHIN, ANSWERS_WITHIN = 120.0, 10.0  # s for the imports, and for a look
CPU_SECONDS, IDLE_SECONDS = 90.0, 20.0  # for all canaries together; idle: it neither computed nor waited for the CPU


def order(each: dict[str, int], rng: np.random.Generator) -> Iterator[str]:
    """The kinds, each as often as is said, in an order that tells nothing."""
    kinds = [kind for kind in (*GOOD, *BAD, UNKNOWN) for _ in range(each[kind])]
    return map(str, rng.permutation(kinds))


def decided(sandbox: Sandbox, kind: str, rng: np.random.Generator) -> tuple[str, int]:
    """What the judge says of a canary, and after how many looks; nothing if it never does.

    Raises:
        Trouble: it does not look as agreed.
    """
    _said(sandbox, [])
    number = 0
    for number, look in enumerate(looks(kind, rng), 1):
        if said := _said(sandbox, list(look)):
            return said, number
    return "", number


def _said(sandbox: Sandbox, message: list[Any]) -> str:
    answer = sandbox.ask(message, within=ANSWERS_WITHIN, what="look()" if message else "Judge()")
    if "strange" in answer:
        raise Trouble(f"look returned {str(answer['strange'])[:80]}", sandbox.printed)
    said = answer.get("said", STRANGE)
    if said not in (None, PROMOTE, BACK):
        raise Trouble(f"look returned {str(said)[:40]!r}", sandbox.printed)
    if sandbox.spent.cpu > CPU_SECONDS:
        raise Trouble(f"stopped: it has used {CPU_SECONDS:.0f} s of CPU for all canaries so far", [])
    if sandbox.spent.idle > IDLE_SECONDS:
        raise Trouble(f"stopped: it has slept, or waited for something, for {IDLE_SECONDS:.0f} s in all", [])
    return said or ""


def main() -> None:
    """Let the judge of the learner's files decide about all canaries."""
    protect()
    work, rng = unpacked(), np.random.default_rng(int(os.environ["SEED"]))
    each: dict[str, int] = json.loads(os.environ["EACH"])
    found: dict[str, Any] = {"verdicts": []}
    sandbox, kind, began = None, "", time.monotonic()
    try:
        sandbox = Sandbox(
            f"{__package__}.driver", work, memory=MEMORY, within=STARTS_WITHIN, what="the import of judge.py"
        )
        sandbox.begin(int(CPU_SECONDS) + 5)
        for kind in order(each, rng):
            said, number = decided(sandbox, kind, rng)
            found["verdicts"].append([kind, said, number])
        sandbox.end()
    except Trouble as trouble:
        found |= {"trouble": trouble.seen, "kind": kind, "lines": trouble.lines[:3]}
    finally:
        if sandbox:
            sandbox.close()
    print(json.dumps(found | {"seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
