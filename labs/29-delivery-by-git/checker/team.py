"""The service's team: commits what it is told to, reads what the repository says about it, and asks the service.

Runs in a pod of the checker's and answers each line of JSON with one; see `Team.do`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from .faults import DEPLOYMENT, NAMES, Files, container
from .models import Model, best, loss, worse_by
from .passengers import Crowd, asked
from .repository import WEIGHTS, Repository, in_clear, named_by_content, with_extra, with_key, with_more

Said = dict[str, Any]


class Team:
    """A team with a clone.

    Args:
        url: of the repository.
    """

    def __init__(self, url: str) -> None:
        self._scratch = Path(tempfile.mkdtemp())
        self._url, self._repository = url, Repository(url, self._scratch / "delays")
        flights = json.loads((self._repository.folder / "holdout.json").read_text())
        self._rows, self._late = [each[0] for each in flights], [bool(each[1]) for each in flights]
        self._models = self._known(self._repository.models())
        self._crowd: Crowd | None = None

    def _known(self, texts: list[str]) -> dict[str, Model]:
        """The models of some files, by their versions; a file that is none was no good commit, and is left out."""
        found: dict[str, Model] = {}
        for text in texts:
            with contextlib.suppress(
                ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError
            ):
                model = json.loads(text)
                loss(model, self._rows, self._late)
                found[model["version"]] = model
        return found

    def do(self, said: Said) -> Said:
        """One thing, by the name of a method: `change`, `revert`, `note` and so on."""
        ((what, given),) = said.items()
        found: Said = getattr(self, what)(**given)
        return found

    def tip(self) -> Said:
        """The newest commit, and what it wants."""
        tip = self._repository.newest()
        first = self._repository.git("rev-list", "--max-parents=0", "HEAD").split()[-1]
        return {"commit": tip, "first": first, **self._wanted()}

    def change(self, message: str, seed: int, base: str = "", after: Said | None = None, **how: Any) -> Said:
        """A commit; see `_laid`.

        Args:
            after: how a commit before it is laid that is pushed together with it; for a change that has a base.
        """
        self._repository.newest()
        if after:
            self._repository.commit(f"{message}, to begin with", self._laid(base, seed, **after))
        files = self._laid(base, seed, **how)
        commit = self._repository.push(message, files)
        return {"commit": commit, **({} if any(isinstance(each, str) for each in files.values()) else self._wanted())}

    def propose(self, base: str, seed: int, clear: Said | None = None, **how: Any) -> Said:
        """The files of a change that nobody pushes, and the commit of it, which another one can be based on.

        Args:
            clear: a key that stands in a Secret of the repository: {"file": its path, "values": data or stringData,
                "json": whether it is written as JSON, which is YAML, too}.
        """
        self._repository.newest()
        files = self._laid(base, seed, **how)
        if clear:
            secret: Said = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "model-key"}}
            secret |= clear["values"]
            files[clear["file"]] = json.dumps(secret, indent=4) + "\n" if clear["json"] else secret
        self._repository.commit("A change for CI", files)
        commit = self._repository.git("rev-parse", "HEAD").strip()
        found = {
            "files": self._repository.texts(), "commit": commit, "wants": {} if how.get("fault") else self._wanted(),
        }  # fmt: skip
        self._repository.newest()
        return found

    def _laid(
        self, base: str, seed: int, *, model: Said | None = None, key: Said | None = None, fault: str = "",
        replicas: int = 0, image: str = "", extra: Said | None = None, more: Said | None = None,
    ) -> Files:  # fmt: skip
        """The team's files with something changed.

        Args:
            base: the commit whose files are changed; empty is the newest.
            model: {"version": name, "worse": loss more than, "than": a version; the best one if empty}.
            key: {"name": of the Secret, "values": {"API_KEY": ..., ...}}.
            fault: see `faults`.
            image: its tag.
            extra: a ConfigMap and a Service: {"name": ..., "text": ...}; no `text` takes both away.
            more: a variable of the server's and a label of Service `model`: {"name": ..., "value": ...}; no `value`
                takes both away.
        """
        if base:
            self._repository.lay(base)
        files, draw = self._repository.files(), random.Random(seed)
        if model:
            than = self._models[model["than"]] if model["than"] else best(self._rows, self._late)
            made = worse_by(than, model["worse"], self._rows, self._late, draw) | {"version": model["version"]}
            self._models[made["version"]] = made
            files[WEIGHTS]["data"]["model.json"] = json.dumps(made, indent=1) + "\n"
        if key:
            sealed = {name: self._repository.seal(value) for name, value in key["values"].items()}
            with_key(files, key["name"], sealed)
        if replicas:
            files[DEPLOYMENT]["spec"]["replicas"] = replicas
        if image:
            container(files)["image"] = container(files)["image"].rpartition(":")[0] + f":{image}"
        if extra:
            with_extra(files, extra["name"], extra.get("text"))
        if more:
            with_more(files, more["name"], more.get("value", ""))
        if fault:
            NAMES[fault](files, draw)
        named_by_content(files)
        return files

    def _wanted(self) -> Said:
        files = self._repository.files()
        model: Model = json.loads(files[WEIGHTS]["data"]["model.json"])
        spec = files[DEPLOYMENT]["spec"]
        names = {volume["name"]: volume["configMap"]["name"] for volume in spec["template"]["spec"]["volumes"]}
        return {
            "version": model["version"], "loss": loss(model, self._rows, self._late), "replicas": spec["replicas"],
            "image": container(files)["image"], "program": names["program"], "weights": names["model"],
            "key": container(files)["env"][0]["valueFrom"]["secretKeyRef"]["name"],
        }  # fmt: skip

    def revert(self, commit: str, message: str) -> Said:
        """Revert a commit, with a message of the team's own."""
        return {"commit": self._repository.revert(commit, message), **self._wanted()}

    def strangers(self, since: str) -> Said:
        """Commits on main since one that are not this team's."""
        return {"found": self._repository.strangers(since)}

    def restore(self, commit: str) -> Said:
        """The service as it was at a commit."""
        return {"commit": self._repository.restore(commit), **self._wanted()}

    def note(self, commits: list[str]) -> Said:
        """What the repository says about commits."""
        return {"notes": [self._repository.note(each) for each in commits]}

    def ask(self, host: str, key: str, times: int = 1) -> Said:
        """What answers of the service, several times."""
        answers = [asked(host, key, self._rows[:2], within=3) for _ in range(times)]
        shown = [body.get("model_version") if isinstance(body, dict) else str(body)[:80] for _, body in answers]
        return {"answers": [[status, str(each)] for (status, _), each in zip(answers, shown, strict=True)]}

    def crowd(self, host: str, key: str, rate: float) -> Said:
        """Passengers begin."""
        self._crowd = Crowd(host, key, rate, self._rows, self._models)
        return {}

    def look(self) -> Said:
        """What passengers have seen so far."""
        assert self._crowd, "nobody asks"
        return self._crowd.look()

    def stop(self) -> Said:
        """Passengers end."""
        assert self._crowd, "nobody asks"
        crowd, self._crowd = self._crowd, None
        return crowd.stop()

    def scan(self, values: list[str]) -> Said:
        """Where these are in the repository as whoever clones it can read them."""
        return {"found": in_clear(self._url, Path(tempfile.mkdtemp()) / "all", values)[:8]}


def main() -> None:
    """Answer each line; what goes wrong is an answer, too."""
    team = Team(os.environ["REPOSITORY"])
    for line in sys.stdin:
        try:
            answer = team.do(json.loads(line))
        except Exception as trouble:  # the check says what it means
            answer = {"trouble": f"{type(trouble).__name__}: {trouble}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
