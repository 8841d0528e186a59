"""The driver's side of /internal/run; a server that is away for a while (an upgrade, say) is waited for."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import urllib3

_PATIENCE = 900.0  # seconds that the server may be away
_WAIT = 20  # seconds of one waiting request


class Superseded(BaseException):
    """This driver is not its run's driver any more, or the run has ended: end without a word. No error, and so not
    caught by what catches errors of tasks."""


class Server:
    """Requests with one driver's token; for any thread."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/") + "/internal/run", token
        self._pool = urllib3.PoolManager(maxsize=100, block=True, retries=False)

    def job(self) -> dict[str, Any]:
        """What to do."""
        return dict(self._ask("GET", ""))

    def task(self, path: str, above: str, kind: str, shown: str = "", **known: Any) -> dict[str, Any]:
        """Tell about a task; its id, state and outputs as the server has them, and whether it has been tried (`begun`).

        Args:
            path: its own, and `above` that of what it is inside of; see embedded/nesting.py.
            shown: its name for people, where it has another.
            known: state, error, inputs, outputs, cached, artifacts.
        """
        body = {"path": path, "name": shown or path.rpartition("/")[2], "parent": above, "kind": kind, **known}
        return dict(self._ask("POST", "/tasks", body))

    def attempt(self, task: str, number: int, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have a task tried, and how that ended; a try of that number that was made before is not made again."""
        made = self._ask("POST", "/attempts", {"task": task, "number": number, "wanted": wanted})
        while True:
            seen = self._ask("GET", f"/attempts/{made['id']}?wait={_WAIT}")
            if seen["state"] not in ("WAITING", "RUNNING"):
                return dict(seen)

    def cached(self, key: str) -> dict[str, Any] | None:
        """Outputs kept under a cache key."""
        found: dict[str, Any] | None = self._ask("GET", f"/cache/{key}", optional=True)
        return found

    def keep_cached(self, key: str, outputs: dict[str, Any], uris: list[str]) -> None:
        """Keep outputs under a cache key."""
        self._ask("PUT", f"/cache/{key}", {"outputs": outputs, "uris": uris})

    def warn(self, text: str) -> None:
        """Add a sentence to the run's warnings, once."""
        self._ask("POST", "/warnings", {"text": text})

    def finish(self, state: str, error: str, outputs: dict[str, Any]) -> None:
        """The run has ended."""
        self._ask("POST", "/finish", {"state": state, "error": error, "outputs": outputs})

    def keep_in_touch(self, every: float) -> None:
        """Let the server hear from this process as long as it lives, in a thread."""

        def beat() -> None:
            while True:
                time.sleep(every)
                try:
                    self.job()
                except Superseded:
                    return

        threading.Thread(target=beat, daemon=True).start()

    def _ask(self, method: str, path: str, body: Any = None, *, optional: bool = False) -> Any:
        end, pause, trouble = time.monotonic() + _PATIENCE, 0.2, ""
        while time.monotonic() < end:
            try:
                answer = self._pool.request(
                    method,
                    self._url + path,
                    body=None if body is None else json.dumps(body),
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=urllib3.Timeout(connect=5, read=_WAIT + 20),
                )
            except urllib3.exceptions.HTTPError as error:
                trouble = str(error)
            else:
                if answer.status < 300:
                    return answer.json()
                if answer.status in (401, 409):
                    raise Superseded(answer.data.decode(errors="replace"))
                if answer.status == 404 and optional:
                    return None
                trouble = f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')[:500]}"
                if answer.status < 500:
                    raise RuntimeError(trouble)
            time.sleep(pause)
            pause = min(pause * 2, 5)
        raise TimeoutError(f"the server has not answered for {_PATIENCE:g} s: {trouble}")
