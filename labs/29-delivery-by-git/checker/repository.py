"""The repository as the service's team uses it: commits to main, reverts, notes, and what is in it in clear.

Runs in a pod of the checker's, with Git, PyYAML and cryptography.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from .faults import DEPLOYMENT, KEY, SERVER, SERVICE, Files

WEIGHTS, FOLDERS, NOTES = "service/weights.yaml", ("service", "sealed"), "delivery"
WHO = ("-c", "user.name=Team Delays", "-c", "user.email=delays@airline.example")
WITHIN = 60.0  # s for a command
_LONGEST = 2000  # characters of a note that are read


class Dumper(yaml.SafeDumper):
    """Texts of more than one line as such."""


Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
)


class Repository:
    """A clone.

    Args:
        folder: for the clone; it is not there yet.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self._own = url, folder, set[str]()
        run("git", "clone", "--quiet", url, str(folder))

    def git(self, *words: str) -> str:
        """What a git command prints."""
        return run("git", *WHO, "-C", str(self.folder), *words)

    def newest(self) -> str:
        """Go to the newest commit of main."""
        self.git("fetch", "--quiet", "origin", "main")
        self.git("reset", "--quiet", "--hard", "origin/main")
        self.git("clean", "--quiet", "-fd")
        return self.git("rev-parse", "HEAD").strip()

    def lay(self, commit: str) -> None:
        """The team's folders as they were at a commit, not committed."""
        self.git("rm", "-r", "--quiet", "--force", *FOLDERS)
        self.git("checkout", "--quiet", commit, "--", *FOLDERS)

    def files(self) -> Files:
        """The objects in the team's folders, by path."""
        paths = sorted(path for folder in FOLDERS for path in (self.folder / folder).glob("*.yaml"))
        return {str(path.relative_to(self.folder)): yaml.safe_load(path.read_text()) for path in paths}

    def texts(self) -> dict[str, str]:
        """What CI has of the clone: the team's folders, and all files that lie beside them."""
        paths = [path for folder in FOLDERS for path in sorted((self.folder / folder).glob("*"))]
        beside = [path for path in sorted(self.folder.iterdir()) if path.is_file()]
        return {str(each.relative_to(self.folder)): each.read_text() for each in [*paths, *beside]}

    def write(self, files: Files) -> None:
        """Lay these files, and no others, into the team's folders."""
        for folder in FOLDERS:
            for path in (self.folder / folder).glob("*.yaml"):
                path.unlink()
        for name, content in files.items():
            text = content if isinstance(content, str) else yaml.dump(content, Dumper=Dumper, sort_keys=False)
            (self.folder / name).write_text(text)

    def push(self, message: str, files: Files) -> str:
        """Commit these files, and no others in the team's folders, to main; the commit."""
        self.commit(message, files)
        return self._pushed()

    def commit(self, message: str, files: Files) -> None:
        """The same, not pushed yet."""
        self.write(files)
        self.git("add", "--all", *FOLDERS)
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def revert(self, commit: str, message: str) -> str:
        """Revert a commit on main; the new one."""
        self.newest()
        self.git("revert", "--no-commit", commit)
        self.git("commit", "--quiet", "--message", message)
        return self._pushed()

    def strangers(self, since: str) -> list[str]:
        """Commits on main since one that were not made here: the name's beginning, and by whom."""
        self.newest()
        lines = self.git("log", "--format=%H %cn", f"{since}..HEAD").splitlines()
        return [f"{each[:9]} by {each[41:61]}" for each in lines if each[:40] not in self._own]

    def restore(self, commit: str) -> str:
        """The team's folders as they were at a commit; the new commit, or the newest if they are so already."""
        tip = self.newest()
        if not self.git("diff", "--name-only", commit, tip, "--", *FOLDERS).strip():
            return tip
        self.lay(commit)
        self.git("commit", "--quiet", "--message", f"As it was at {commit[:9]}")
        return self._pushed()

    def _pushed(self) -> str:
        self._own.update(self.git("rev-list", "origin/main..HEAD").split())
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD").strip()

    def note(self, commit: str) -> str:
        """What the note on a commit says; empty if there is none."""
        self.git("fetch", "--quiet", "origin", "+refs/notes/*:refs/notes/*")
        try:
            return self.git("notes", f"--ref={NOTES}", "show", commit)[:_LONGEST].strip()
        except RuntimeError:
            return ""

    def seal(self, value: str) -> str:
        """Encrypted for whoever has the private key."""
        public: Any = serialization.load_pem_public_key((self.folder / "sealing.pem").read_bytes())
        digest = hashes.SHA256()
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=digest, label=None)
        return base64.b64encode(public.encrypt(value.encode(), oaep)).decode()

    def models(self) -> list[str]:
        """Every model.json that was ever on main; a commit whose file is gone, or can't be read, has none."""
        found: dict[str, None] = {}
        for each in self.git("rev-list", "HEAD", "--", WEIGHTS).split():
            with contextlib.suppress(RuntimeError, yaml.YAMLError, ValueError, LookupError, TypeError):
                found[str(yaml.safe_load(self.git("show", f"{each}:{WEIGHTS}"))["data"]["model.json"])] = None
        return list(found)


def named_by_content(files: Files) -> None:
    """ConfigMaps get the names that their content gives them, and the Deployment refers to them by these."""
    volumes = {"program": (SERVER, "server"), "model": (WEIGHTS, "weights")}
    for volume in files[DEPLOYMENT]["spec"]["template"]["spec"]["volumes"]:
        path, kind = volumes[volume["name"]]
        (text,) = files[path]["data"].values()
        name = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        files[path]["metadata"]["name"] = volume["configMap"]["name"] = name


def with_key(files: Files, name: str, sealed: dict[str, str]) -> None:
    """Other sealed values, and the Deployment refers to them."""
    files[KEY]["metadata"]["name"] = name
    files[KEY]["sealed"] = sealed
    environment = files[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]["env"]
    environment[0]["valueFrom"]["secretKeyRef"]["name"] = name


def with_extra(files: Files, name: str, text: str | None) -> None:
    """A ConfigMap and a Service beside the others, of the same name; without a text they go."""
    paths = [f"service/{name}{more}.yaml" for more in ("", "-door")]
    for path in paths:
        files.pop(path, None)
    if text is not None:
        metadata = {"name": name}
        spec = {key: files[SERVICE]["spec"][key] for key in ("selector", "ports")}
        files[paths[0]] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}
        files[paths[1]] = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def with_more(files: Files, name: str, value: str) -> None:
    """One more variable of the server's, and a label of its Service, of the same name; without a value they go."""
    container = files[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]
    labels = files[SERVICE]["metadata"].setdefault("labels", {})
    container["env"] = [each for each in container["env"] if each["name"] != name]
    labels.pop(name, None)
    if value:
        container["env"].append({"name": name, "value": value})
        labels[name] = value


def in_clear(url: str, folder: Path, values: list[str]) -> list[str]:
    """Where values are in a repository in clear, in base64 or in hexadecimal digits: in any object that a ref leads to.

    Args:
        folder: for a copy of all refs; it is not there yet.
    """
    run("git", "clone", "--quiet", "--mirror", url, str(folder))
    words = ["git", "-C", str(folder), "cat-file", "--batch-all-objects", "--batch"]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=WITHIN)
    found, rest = [], memoryview(done.stdout)
    forms = {form: how for value in values for form, how in spellings(value).items()}
    while len(rest):
        head = bytes(rest[:200]).split(b"\n", 1)[0]
        name, kind, size = head.decode().split()
        begin = len(head) + 1
        content = bytes(rest[begin : begin + int(size)])
        rest = rest[begin + int(size) + 1 :]
        hows = {how for form, how in forms.items() if form in content}
        found += [f"{kind} {name[:9]} ({how}){_where(folder, name)}" for how in sorted(hows)]
    return found


def spellings(value: str) -> dict[bytes, str]:
    """How a text may stand somewhere, and how each is called."""
    plain = value.encode()
    # A text that is encoded with others before it begins at one of three places in a group.
    coded = {base64.b64encode(b"\0" * shift + plain).decode().rstrip("=")[4 if shift else 0 : -1] for shift in range(3)}
    return {
        plain: "in clear", plain[::-1]: "in clear, backwards", plain.hex().encode(): "in hexadecimal digits",
        **{each.encode(): "in base64" for each in coded},
    }  # fmt: skip


def _where(folder: Path, name: str) -> str:
    try:
        words = ("log", "--all", f"--find-object={name}", "--format=%h", "--name-only", "-1")
        lines = run("git", "-C", str(folder), *words).split()
    except RuntimeError:
        return ""
    return f", {' '.join(lines[1:2])} of commit {lines[0]}" if lines else ""


def run(*words: str) -> str:
    """What a program prints.

    Raises:
        RuntimeError: it ends with another code than 0.
    """
    done = subprocess.run(words, capture_output=True, timeout=WITHIN, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout.decode(errors="replace")
