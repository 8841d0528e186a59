"""The model in service: what an alias means, loaded beside the one that answers and then put in its place.

A change of the alias is seen within MODEL_POLL_SECONDS (10). The new version is downloaded, loaded, and asked about one
flight while the old one goes on answering; only then do requests go to it. A version that fails any of that is left
out: the old one stays, `model_reload_failures_total` counts, and the version is tried again with growing pauses, while
the alias is looked at as before: another version has no pause. A registry that is away is asked on, and counts for no
version's failure. For the moment of a change both models are in memory. With MODEL_VERSION the version is fixed, and a
change is a rollout of the Deployment.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Counter
from server.model import Model, NotLoaded
from server.observe import MODEL, say

from serving.registry import Registry, Unavailable
from serving.seen import Seen

FAILURES = Counter("model_reload_failures", "Times that a new version could not be brought into service.")
PROBE = {"month": 6, "weekday": 2, "hour": 12, "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719.0}
LONGEST_PAUSE, LONGEST_PAUSE_AT_START = 300.0, 10.0  # s between two tries of a version, and while there is none


class Following:
    """Stands where the server expects a `Model`.

    Args:
        registry: where versions come from.
        folder: an existing folder for their files.
        alias: what to follow.
        fixed: a version that is served whatever the alias says; empty to follow.
        poll: seconds between two looks at the alias.
        within: seconds until there must be a first version.
    """

    def __init__(
        self, registry: Registry, folder: Path, alias: str, fixed: str = "", poll: float = 10, within: float = 300
    ) -> None:
        self._registry, self._folder, self._alias, self._fixed = registry, folder, alias, fixed
        self._poll, self._within = poll, within
        self._model: Model | None = None
        self._state = "no version is loaded yet"
        self._failed, self._pause, self._again = "", poll, 0.0  # the version that failed last, and when it has its turn
        self._stop = threading.Event()
        self.gave_up = threading.Event()
        self.seen = Seen()

    @property
    def version(self) -> str:
        """The version that answers now; `none` until there is one."""
        return self._model.version if self._model else self._fixed or "none"

    @property
    def metadata(self) -> dict[str, Any]:
        """What training wrote down about it."""
        return self._model.metadata if self._model else {}

    @property
    def load_seconds(self) -> float:
        """How long loading it took."""
        return self._model.load_seconds if self._model else 0.0

    @property
    def reason(self) -> str:
        """Why there is no model; empty once there is one."""
        return "" if self._model else self._state

    def start_loading(self) -> threading.Thread:
        """Look for a version from now on, in the background."""
        thread = threading.Thread(target=self._follow, name="registry", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def probabilities(self, rows: Sequence[Mapping[str, Any]]) -> list[float]:
        """As `Model.probabilities`."""
        return self.answer(rows)[1]

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[float]]:
        """The version that answered, and its probabilities: one model gives both, also while another takes its place.

        Raises:
            NotLoaded: there is none yet.
        """
        model = self._model
        if model is None:
            raise NotLoaded(self._state)
        answer = model.probabilities(rows)
        self.seen.observe(rows)
        return model.version, answer

    def _follow(self) -> None:
        end, early = time.monotonic() + self._within, 1.0
        while not self._stop.is_set():
            try:
                self._look()
                if self._fixed:
                    return
            except Exception as trouble:  # whatever a strange version raises, the one in service must go on
                if not self._model:
                    self._state = str(trouble)
                    if time.monotonic() > end:
                        say("gave up", reason=self._state)
                        self.gave_up.set()
                        return
                say("no new version", reason=str(trouble), model_version=self.version)
            early = min(early * 2, LONGEST_PAUSE_AT_START)
            self._stop.wait(self._poll if self._model else early)

    def _look(self) -> None:
        """Bring into service what is wanted now, but for a version that failed a moment ago."""
        wanted = self._fixed or self._registry.version(self._alias)
        if wanted != self._failed:
            self._failed, self._pause, self._again = "", self._poll, 0.0
        if self._model and (wanted == self._model.version or time.monotonic() < self._again):
            return
        try:
            self._bring(wanted)
        except Exception as trouble:
            if self._model or not isinstance(trouble, Unavailable):
                FAILURES.inc()
            self._failed, self._pause = wanted, min(self._pause * 2, LONGEST_PAUSE)
            self._again = time.monotonic() + self._pause
            raise

    def _bring(self, wanted: str) -> None:
        began = time.monotonic()
        folder = self._folder / wanted
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._registry.download(wanted, folder)
            model = Model(folder)
            model.version = wanted  # training did not know it yet
            model.start_loading().join()
            if model.reason:
                raise Unavailable(f"version {wanted}: {model.reason}")
            model.probabilities([PROBE])
            reference = folder / "reference.json"
            known = json.loads(reference.read_text()) if reference.exists() else {}
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # it is in memory, or of no use
        before, self._model = self.version, model
        self.seen.begin(known)
        MODEL.info({"version": wanted, "auc": str(model.metadata.get("auc", ""))})
        say("in service", model_version=wanted, before=before, seconds=round(time.monotonic() - began, 2))
