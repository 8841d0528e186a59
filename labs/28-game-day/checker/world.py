"""The world around the learner's services: both feeds, and all who ask, led by JSON lines, each answered with one.

    python3 programs.zip CHECKER.world prices.csv FLIGHTS SEED     until its input ends

Runs in a pod of the checker's.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .crowd import AWAY, Crowd, Right, ask, elements
from .feeds import DEAF, PORTS, Feeds, deaf, serve
from .ledger import compared, ids_of
from .lossy import FIRST, Lossy

MOST = 3000  # events in an answer
LARGEST = 16 << 20  # bytes of the ground's records: those of all checks so far


class World:
    """Feeds and crowd."""

    def __init__(
        self, file: Path, folder: Path, seed: int, ports: dict[str, int] = PORTS | {"deaf": DEAF, "lossy": FIRST}
    ) -> None:
        self.feeds = Feeds(file, folder, seed)
        self.crowd = Crowd(Right(self.feeds, importlib.import_module("models")), seed)
        serve(self.feeds, {feed: ports[feed] for feed in PORTS})
        self.deaf = deaf(ports.get("deaf", 0))
        self.lossy = Lossy(ports.get("lossy", 0))
        self.crowd.start()

    def do(self, said: dict[str, Any]) -> dict[str, Any]:
        """What the checker says.

        `feeds`: how each is from now on; `state`: of the data, `alone`: of one feed's; `states`: whose answers are
        right, `old` by kind the versions of the first of them, where all others are of one of those after it; `targets`
        and `rates` by kind. `events`: those from that number on. `known`: what the ground has now is not of this day.
        `ground`: whether it has the records that were taken. `lossy`: address and port of the ground, to which a way
        leads on which answers get lost; nothing to end that, and to hear how many were. `ids`: of requests to the page,
        all at once; by id what was wrong.
        """
        feeds, crowd = self.feeds, self.crowd
        feeds.how |= said.get("feeds", {})
        feeds.state |= dict.fromkeys(PORTS, said["state"]) if "state" in said else {}
        feeds.state |= said.get("alone", {})
        with crowd.lock:
            crowd.states = said.get("states", crowd.states)
            crowd.old = said.get("old", crowd.old)
            crowd.targets |= said.get("targets", {})
            crowd.rates |= said.get("rates", {})
        found: dict[str, Any] = {"n": said.get("n"), "now": time.time()}
        if "events" in said:
            with crowd.lock:
                found["events"] = crowd.events[said["events"] : said["events"] + MOST]
        if "ids" in said:
            found["wrong"] = at_once(crowd.targets.get("page", ""), said["ids"])
        if "lossy" in said:
            found["lost"] = self.lossy.lead(tuple(said["lossy"]) or None)
        if "known" in said:
            ids = ids_of(*self.answer(said["known"]))
            crowd.before |= ids or set()
            found["known"] = ids is not None
        if "ground" in said:
            status, text = self.answer(said["ground"])
            with crowd.lock:
                found["ledger"] = compared(crowd.taken, crowd.handed, status, text, crowd.before)
        return found

    def answer(self, target: str) -> tuple[int, str]:
        """What the ground has; whoever sends byte by byte is not waited for."""
        found: list[tuple[int, str, str]] = []
        limits: dict[str, Any] = {"within": 10.0, "largest": LARGEST}
        thread = threading.Thread(target=lambda: found.append(ask("GET", target, "/records", **limits)), daemon=True)
        thread.start()
        thread.join(15)
        return found[0][:2] if found else (0, "no answer within 15 s")


def at_once(target: str, ids: Sequence[str]) -> dict[str, str]:
    """Ask the page once with each id, all at the same time; by id what was wrong, in few words.

    A part that a page says is away was not asked, or has not answered: `200, not available` is wrong, too.
    """
    wrong = dict.fromkeys(ids, "no answer within 15 s")

    def one(identity: str) -> None:
        status, text, _ = ask("GET", target, "/?passenger=p-1", within=10.0, headers={"X-Request-Id": identity})
        missing = status == 200 and any(AWAY in each.lower() for each in (elements(text) or {}).values())
        wrong[identity] = f"200, {AWAY}" if missing else "" if status == 200 else f"{status} {text[:60]!r}"

    threads = [threading.Thread(target=one, args=(each,), daemon=True) for each in ids]
    for each in threads:
        each.start()
    end = time.monotonic() + 15
    for each in threads:
        each.join(max(0.0, end - time.monotonic()))
    return {identity: said for identity, said in list(wrong.items()) if said}


def main() -> None:
    """Serve, and do what is said until the input ends."""
    file, folder, seed = sys.argv[-3:]  # before them stands what the archive was told to run
    world = World(Path(file), Path(folder), int(seed))
    for line in sys.stdin:
        print(json.dumps(world.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
