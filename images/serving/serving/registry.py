"""Which version an alias means now, and the version's files: the two things that a server asks an MLflow registry.

The alias is asked for every few seconds, so that is one plain request to MLflow's REST API; the files are downloaded by
MLflow itself, in a process that ends.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

REQUEST = 5  # s
DOWNLOAD = 120  # s


class Unavailable(Exception):
    """The registry did not give what was asked for; the text says why."""


class Registry:
    """An MLflow server, and one registered model there.

    Args:
        uri: the server's address.
        name: the registered model.
    """

    def __init__(self, uri: str, name: str) -> None:
        self._uri, self.name = uri.rstrip("/"), name

    def version(self, alias: str) -> str:
        """The version that an alias means now.

        Raises:
            Unavailable: no answer within 5 s, or there is no such alias.
        """
        query = urllib.parse.urlencode({"name": self.name, "alias": alias})
        url = f"{self._uri}/api/2.0/mlflow/registered-models/alias?{query}"
        try:
            with urllib.request.urlopen(url, timeout=REQUEST) as answer:
                return str(json.loads(answer.read())["model_version"]["version"])
        except urllib.error.HTTPError as trouble:
            detail = trouble.read(500).decode(errors="replace")
            raise Unavailable(f"{self.name}@{alias}: HTTP {trouble.code} {detail}") from trouble
        except (OSError, http.client.HTTPException, ValueError, KeyError) as trouble:
            raise Unavailable(f"{self._uri} does not answer: {trouble}") from trouble

    def download(self, version: str, folder: Path) -> None:
        """Put a version's files into a folder that isn't there yet.

        Raises:
            Unavailable: they could not be had within two minutes.
        """
        words = [sys.executable, "-m", "serving.fetch", self.name, version, str(folder)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=DOWNLOAD, check=False)
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"version {version} of {self.name}: no download within {DOWNLOAD} s") from late
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Unavailable(f"version {version} of {self.name} can't be downloaded: {last}")
