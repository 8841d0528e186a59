"""What `lab down --keep-data` has put on this machine's disk: one file that says what is kept, and the archives.

`kept.json` decides: it is replaced as a whole when all that it names is on the disk, and only then goes what it names
no longer. Each save has a folder of its own for its archives, so that none is written over. No cluster is asked here.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mlops_lab.base import durable, state_files
from mlops_lab.base.paths import state
from mlops_lab.cluster import names

_WHOLE = "kept.json"
_WHAT = "the data kept by `lab down --keep-data`"
_TEXTS = ("namespace", "name", "node", "path", "file")
_TABLES = ("spec", "annotations")


def folder() -> Path:
    """Where the archives of this cluster's data are."""
    return state() / "kept" / names.cluster()


def read() -> dict[str, Any]:
    """What is kept: `parts` with their profiles, `claims` with their archives, `secrets`; empty when nothing is.

    Raises:
        LabError: there is something, but it can't be read or is not whole; nothing was deleted.
    """
    file = folder() / _WHOLE
    whole = state_files.kept(file, dict[str, Any], _WHAT, _todo())
    if whole is None:
        return {}
    try:
        _require_whole(whole)
        whole["secrets"] = _secrets(folder() / whole.get("secrets", "secrets.json"))
    except OSError as trouble:
        how = f"names a file that can't be read ({trouble.filename}: {trouble.strerror})"
        raise state_files.Damaged(file, _WHAT, how, _todo()) from trouble
    except ValueError as broken:
        raise state_files.Damaged(file, _WHAT, f"is not whole ({broken})", _todo()) from broken
    return whole


def new() -> Path:
    """An empty folder for the archives of one save; nobody else may read it."""
    folder().mkdir(parents=True, mode=0o700, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="saved-", dir=folder()))


def put(fresh: Path, parts: dict[str, str], claims: list[dict[str, Any]], secrets: list[dict[str, Any]]) -> None:
    """From now on this is what is kept; the archives in `fresh` must be on the disk."""
    durable.write(fresh / "secrets.json", json.dumps(secrets))
    durable.to_disk(folder(), folder().parent)
    whole = {"parts": parts, "claims": claims, "secrets": f"{fresh.name}/secrets.json"}
    durable.write(folder() / _WHOLE, json.dumps(whole, indent=1))


def sweep() -> None:
    """Delete what `kept.json` does not name: archives that newer ones have replaced."""
    whole = _stored()
    if whole is None:
        return
    named = {_WHOLE, *(Path(file).parts[0] for file in (whole["secrets"], *(each["file"] for each in whole["claims"])))}
    for each in folder().iterdir():
        if each.name not in named:
            _delete(each)


def undo(fresh: Path) -> None:
    """Delete the folder of a save that has failed, unless it is what is kept by now."""
    whole = _stored()
    if whole is None or not str(whole["secrets"]).startswith(f"{fresh.name}/"):
        _delete(fresh)
        with contextlib.suppress(OSError):
            folder().rmdir()  # where nothing else is kept


def forget() -> None:
    """Nothing is kept any more: first the file that says so goes, then the archives."""
    (folder() / _WHOLE).unlink(missing_ok=True)
    if folder().is_dir():
        durable.to_disk(folder())
        _delete(folder())


def _require_whole(whole: Any) -> None:
    """Raise ValueError unless it is what `put` writes, and the archives are those that it wrote."""
    parts, claims = (whole.get("parts"), whole.get("claims")) if isinstance(whole, dict) else (None, None)
    if not isinstance(parts, dict) or not isinstance(claims, list):
        raise ValueError("it does not say which parts and volumes are kept")
    if not all(isinstance(profile, str) for profile in parts.values()):
        raise ValueError("a part's profile is not a word")
    if not isinstance(whole.get("secrets", ""), str):
        raise ValueError("it does not say where the passwords are")
    for claim in claims:
        if (
            not isinstance(claim, dict)
            or not all(isinstance(claim.get(key), str) for key in _TEXTS)
            or not all(isinstance(claim.get(key), dict) for key in _TABLES)
            or not isinstance(claim.get("claim", {}), dict)  # an older version did not write it
        ):
            raise ValueError("it does not say all of a volume")
        place = Path(claim["file"])
        if place.is_absolute() or ".." in place.parts or not place.parts:
            raise ValueError(f"{claim['file']!r} is no archive of its own")
        size = (folder() / claim["file"]).stat().st_size
        if size != claim.get("bytes", size):
            raise ValueError(f"{claim['file']} has {size} of {claim['bytes']} bytes")


def _secrets(file: Path) -> list[dict[str, Any]]:
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and isinstance((item.get("metadata") or {}).get("namespace"), str) for item in found
    ):
        raise ValueError(f"{file.name} is not a list of Secrets")
    return found


def _stored() -> dict[str, Any] | None:
    """`kept.json` as it is on the disk, where it is one that `put` wrote."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        whole = json.loads((folder() / _WHOLE).read_text(encoding="utf-8"))
        _require_whole(whole)
        return {"secrets": whole["secrets"], "claims": whole["claims"]}
    return None


def _todo() -> str:
    return f"nothing was deleted; put it back from a backup, or go on without that data: {set_aside()}"


def set_aside() -> str:
    """The command that takes what is kept out of the way."""
    return shlex.join(["mv", str(folder()), f"{folder()}.aside"])


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
