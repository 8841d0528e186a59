"""Debian's PostgreSQL, as a user who may run it, on a socket in a folder of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_AS = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()  # it does not run as root
# Nothing here has to outlive the machine.
_OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=40 -c shared_buffers=16MB -c listen_addresses="


class Postgres:
    """One server.

    Args:
        folder: an empty one, with a short path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, itertools.count()
        self._data = folder / "data"

    def make(self) -> None:
        """Make its files."""
        assert _PLACES, "the tests of the class's database need PostgreSQL: apt-get install postgresql"
        self._folder.chmod(0o755)
        if _AS:
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Start it; it answers when this returns."""
        words = ("-D", str(self._data), "-l", str(self._folder / "log"), "-o", f"{_OPTIONS} -k {self._folder}")
        self._run("pg_ctl", *words, "-w", "start")

    def stop(self) -> None:
        """Stop it at once, as a machine does that goes away."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop", check=False)

    def database(self) -> str:
        """The URL of a new database."""
        name = f"class{next(self._numbers)}"
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", name)
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def copy(self, url: str, to: str) -> None:
        """Dump a database, and restore it into a new one, as docs/class.md says."""
        here = ("-h", str(self._folder), "-U", "postgres")
        names = [each.partition("@/")[2].partition("?")[0] for each in (url, to)]
        self._run("pg_dump", *here, "--format=custom", f"--file={self._folder}/dump", names[0])
        self._run(
            "pg_restore", *here, "--exit-on-error", "--single-transaction", "-d", names[1], f"{self._folder}/dump"
        )

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        command = [*_AS, str(_PLACES[0] / program), *words]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, done.stdout + done.stderr
