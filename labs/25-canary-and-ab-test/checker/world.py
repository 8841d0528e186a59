"""The world around the learner's canary: two models and their passengers, led by JSON lines, each answered with one.

Runs in a pod of the checker's until its input ends.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
from typing import Any

from .models import Behaviour, Models, serve
from .passengers import Crowd

CALLED_WITHIN = 12.0  # s; a PUT may be answered when all pods have followed


class World:
    """The models, and the crowd that asks now."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.crowd: Crowd | None = None

    def do(self, said: dict[str, Any]) -> dict[str, Any]:
        """What the checker says:

        `models`: they behave so from now on, and nothing has come yet. `send`: a crowd begins (see `Crowd`). `wait`:
        until it is done; `stop`: end it; both, and `look`, say what was seen, and what came to each model in all.
        `pick`: so many users that only one model answered, by model, in the shares that these have. `call`: requests,
        one after the other, with method, `host:port`, path and JSON object; the status and the text of each answer.
        """
        if "call" in said:
            return {"answers": [called(*each) for each in said["call"]]}
        if "models" in said:
            self.models.behave({name: Behaviour(**how) for name, how in said["models"].items()})
        if "send" in said:
            self.crowd = Crowd(self.models, **said["send"])
            self.crowd.start()
        crowd = self.crowd
        if crowd is None:
            return {}
        if "wait" in said:
            crowd.wait()
        if "stop" in said:
            crowd.stop()
        found = crowd.seen() | {"counts": dict(self.models.counts)}
        if said.get("fresh"):
            crowd.forget()
        if "pick" in said:
            found["users"] = self.picked(crowd, said["pick"])
        if "homes" in said:
            found["homes"] = {user: sorted(homes) for user, homes in crowd.homes.items()}
        return found

    @staticmethod
    def picked(crowd: Crowd, count: int) -> dict[str, list[str]]:
        """Some users by their model.

        With other shares than before, what changes in time would look like one model's doing.
        """
        of: dict[str, list[str]] = {"stable": [], "candidate": []}
        for user, homes in crowd.homes.items():
            if len(homes) == 1 and (one := next(iter(homes))) in of:
                of[one].append(user)
        part = min(1.0, count / max(1, sum(map(len, of.values()))))
        return {name: random.sample(users, round(part * len(users))) for name, users in of.items()}


def called(method: str, target: str, path: str, body: Any) -> tuple[int, str]:
    """Status and text of an answer; status 0 where there is none."""
    connection = http.client.HTTPConnection(target, timeout=CALLED_WITHIN)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException) as trouble:
        return 0, f"{type(trouble).__name__}: {trouble}"
    finally:
        connection.close()


def main() -> None:
    """Serve, and do what is said until the input ends."""
    models = Models()
    serve(models)
    world = World(models)
    for line in sys.stdin:
        print(json.dumps(world.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
