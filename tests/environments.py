"""Environments of Python for programs that run in images of their own, from those images' lock files.

They are kept in the environment that the tests run in, so that what programs compile there serves the next run too.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


def environment(name: str, *locks: Path) -> Path:
    """The Python of an environment with what lock files say, hashes checked."""
    made_of = [sys.version.encode(), sys.base_prefix.encode(), *(lock.read_bytes() for lock in locks)]
    folder = Path(sys.prefix) / "environments" / f"{name}-{hashlib.sha256(b'|'.join(made_of)).hexdigest()[:12]}"
    python, whole = folder / "bin" / "python", folder / "whole"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            uv = [sys.executable, "-m", "uv", "-q"]
            subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True, timeout=60)
            install = [*uv, "pip", "install", "--python", python, "--require-hashes", "--no-deps"]
            for lock in locks:
                subprocess.run([*install, "-r", lock], check=True, timeout=600)
            whole.touch()
    return python
