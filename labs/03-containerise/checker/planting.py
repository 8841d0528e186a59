"""What lab 03 plants in the copy of the workspace before it is built: things that must not get into the image, by names
that nobody can know, and the server as it is given, with a title that tells it from every other one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from pathlib import Path

START = Path(__file__).parents[1] / "start"
SERVER = "service/app.py"
GIVEN = ("requirements.txt", "service/__init__.py")
STAYS = (SERVER, *GIVEN, "platform/model.yaml")
PLATFORM = START / "platform" / "model.yaml"
NOTEBOOK = START / "notebooks" / "explore.ipynb"
TITLE, TEXT = "the server's title", "the server's text"
SECRETS = (
    "the token of .env",
    "the token that .env had before",
    ".lab/kubeconfig",
    "the token that .env came with",
    "the key in .lab/kubeconfig",
)
KEY = re.compile(r"^[ \t-]*(?:client-key-data|token):[ \t]*[\"']?([^\s\"']{16,})", re.MULTILINE)
TOKEN = re.compile(r"^ARCHIVE_TOKEN=[\"']?([^\s\"']{8,})", re.MULTILINE)
REST = (".git", "service/__pycache__", "__pycache__ at the top", "notebooks", "platform")


def not_as_given(workspace: Path) -> list[str]:
    """Which of the files that stay as they were given are others, or gone; how their lines end does not matter.

    The rest of the folder is the learner's, `.env` and the notebooks included.
    """
    found = []
    for name in STAYS:
        try:
            now = (workspace / name).read_text(encoding="utf-8")  # any line end is read as \n
        except (OSError, UnicodeDecodeError):
            now = None
        if now is None or now.rstrip() != (START / name).read_text(encoding="utf-8").rstrip():
            found.append(name)
    return found


def plant(workspace: Path, original: Path) -> dict[str, bytes]:
    """Put what can be recognised into a copy of the workspace; what to look for, by a name for the report."""
    marks = {name: f"mark-{uuid.uuid4().hex}" for name in (*SECRETS, *REST, TITLE)}
    for name in (SECRETS[1], SECRETS[4]):
        del marks[name]
    came = TOKEN.search((START / ".env").read_text(encoding="utf-8"))
    assert came
    marks[SECRETS[3]] = came[1]
    drawn = f"n{uuid.uuid4().hex[:6]}"
    server = (START / SERVER).read_text(encoding="utf-8")
    marks[TEXT] = server.replace("FastAPI()", f'FastAPI(title="{marks[TITLE]}")')
    assert marks[TEXT] != server
    with contextlib.suppress(OSError, UnicodeDecodeError):
        had = TOKEN.search((original / ".env").read_text(encoding="utf-8"))
        marks |= {SECRETS[1]: had[1]} if had and had[1] != came[1] and not plain(had[1]) else {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        # As it stands there: the key itself is in Base64, and a copy of the file has it so.
        key = KEY.search((original / ".lab" / "kubeconfig").read_text(encoding="utf-8"))
        marks |= {SECRETS[4]: key[1]} if key else {}
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    files = {
        ".env": f"ARCHIVE_TOKEN={marks[SECRETS[0]]}\n",
        ".lab/kubeconfig": f"# {marks[SECRETS[2]]}\n",
        ".git/config": f"[remote]\n\turl = {marks[REST[0]]}\n",
        ".git/HEAD": f"ref: refs/heads/{marks[REST[0]]}\n",
        f".git/{drawn}": marks[REST[0]],
        f"service/__pycache__/{drawn}.cpython-311.pyc": marks[REST[1]],
        f"__pycache__/{drawn}.cpython-311.pyc": marks[REST[2]],
        f"notebooks/{drawn}.ipynb": marks[REST[3]],
        f"notebooks/{drawn}/sample.csv": marks[REST[3]],
        f"platform/{drawn}.yaml": f"# {marks[REST[4]]}\n",
        # The given ones, too: who names files takes those that are there.
        str(NOTEBOOK.relative_to(START)): json.dumps(notebook | {"metadata": {"title": marks[REST[3]]}}, indent=1),
        str(PLATFORM.relative_to(START)): f"# {marks[REST[4]]}\n{PLATFORM.read_text(encoding='utf-8')}",
        SERVER: marks[TEXT],
        **{name: (START / name).read_text(encoding="utf-8") for name in GIVEN},
    }
    for name, text in files.items():
        put(workspace, name, text)
    return {name: mark.encode() for name, mark in marks.items()}


def plain(token: str) -> bool:
    """Is it a word, or a number such as 12345678? Those stand in packages, too."""
    return token.isalpha() or not any(map(str.isalpha, token))


def put(workspace: Path, name: str, text: str) -> None:
    """Write a file of the copy, whatever is in its place: a file for a folder, a link out of the copy, no right to."""
    *folders, file = [workspace / part for part in (*map(str, reversed(Path(name).parents)), name)]
    for folder in folders:
        if not (inside(workspace, folder) and folder.is_dir()):
            folder.unlink(missing_ok=True)
            folder.mkdir()
        folder.chmod(folder.stat().st_mode | 0o700)
    if inside(workspace, file) and file.is_file():
        file.chmod(file.stat().st_mode | 0o600)
    elif file.is_symlink() or not file.is_dir():
        file.unlink(missing_ok=True)
    else:
        shutil.rmtree(file)
    file.write_text(text, encoding="utf-8")


def inside(workspace: Path, file: Path) -> bool:
    """Is it in the copy? A link may lead out of it, to what is not a copy."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(workspace))
