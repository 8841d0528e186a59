"""A learner's kit: the file from the teacher that says where the class is, and who the learner is there.

It is read here, and spelled as the teacher hands it out: with what to type first, and a kubeconfig.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base import entries
from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.signing import PublicKey, public_from_pem

_LARGEST = 64 << 10  # bytes
_AGAIN = "ask your teacher for the file again"
_PLACE = "~/.config/mlops-lab/class.json"  # where `place` looks on most machines
_TAKE_OUT = "import json, sys; print(json.load(open(sys.argv[1]))['kubeconfig'])"


@dataclass(frozen=True)
class Kit:
    """What the file holds.

    Attributes:
        address: of the class's server, such as `https://192.168.1.10:8443`; plain http on this machine only.
        token: the learner's own; it ends.
        learner: the id in the roster.
        certificate: what the server's certificate is checked with (PEM); empty for the authorities of this machine.
        key: the class's public key (PEM), to verify its records with; may be empty.
        ends: when the token ends, as the teacher said it; may be empty.
    """

    address: str
    token: str = field(repr=False)
    learner: str = ""
    certificate: str = ""
    key: str = ""
    ends: str = ""

    @property
    def public_key(self) -> PublicKey | None:
        """The class's key; None if the kit has none.

        Raises:
            UsageError: it is no key.
        """
        return public_from_pem(self.key, "your class's file", _AGAIN) if self.key else None


def place() -> Path:
    """Where the kit lies: `class.json` in this program's folder of settings."""
    if home := os.environ.get("MLOPS_LAB_HOME"):
        return Path(home) / "config" / "class.json"
    root = os.environ.get("XDG_CONFIG_HOME")
    return (Path(root) if root else Path.home() / ".config") / "mlops-lab" / "class.json"


def read(file: Path | None = None) -> Kit | None:
    """The learner's kit; None if there is none.

    Raises:
        UsageError: it can't be read, others may read it, or it names no address that may be talked to.
    """
    file = file or place()
    try:
        mode = file.stat().st_mode
        kit = msgspec.json.decode(entries.text(file, _LARGEST), type=Kit)
    except FileNotFoundError:
        return None
    except OSError as trouble:
        raise UsageError(f"your class's file {file} can't be read: {trouble.strerror or trouble}", _AGAIN) from trouble
    except (ValueError, msgspec.ValidationError, RecursionError) as broken:
        raise UsageError(f"your class's file {file} is damaged: {broken}", _AGAIN) from broken
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"others may read your class's file {file}, which has your token", f"chmod 600 {file}")
    if wrong := _wrong(kit):
        raise UsageError(f"your class's file {file}: {wrong}", _AGAIN)
    return kit


def spelled(kit: Kit, file: str, kubeconfig: str = "") -> str:
    """The file's text: JSON, of which a person reads the beginning.

    Args:
        file: its name, for what it says to type.
        kubeconfig: for the shared cluster; empty where each learner has a cluster.
    """
    name = shlex.quote(file)
    until = f", until {kit.ends}" if kit.ends else ""
    first = [
        f"This file is {kit.learner}'s, and as good as a password{until}. Type first:",
        f"mkdir -p ~/.config/mlops-lab && install -m 600 {name} {_PLACE}",
    ]
    if kubeconfig:
        first += [
            f"(umask 077; python3 -c {shlex.quote(_TAKE_OUT)} {_PLACE} >class.kubeconfig)",
            "export KUBECONFIG=$PWD/class.kubeconfig",
            "kubectl get pods",
        ]
    else:
        first.append("lab up")
    first.append("Then, with your files of a lab: lab submit NN")
    more = {"kubeconfig": kubeconfig} if kubeconfig else {}
    return json.dumps({"first": first, **asdict(kit), **more}, indent=2, ensure_ascii=False) + "\n"


def kubeconfig(address: str, certificate: str, token: str, learner: str, namespaces: Sequence[str]) -> str:
    """A kubeconfig with a context for each of a learner's namespaces, of which the first one is taken.

    Args:
        address: of the API server.
        certificate: what it is trusted by, as PEM; empty where the machine trusts it anyway.
    """
    import yaml

    cluster = {"server": address}
    if certificate:
        cluster["certificate-authority-data"] = base64.b64encode(certificate.encode()).decode()
    contexts = [
        {"name": each, "context": {"cluster": "class", "user": learner, "namespace": each}} for each in namespaces
    ]
    contexts = contexts or [{"name": "class", "context": {"cluster": "class", "user": learner}}]
    whole = {
        "apiVersion": "v1", "kind": "Config", "current-context": contexts[0]["name"], "contexts": contexts,
        "clusters": [{"name": "class", "cluster": cluster}], "users": [{"name": learner, "user": {"token": token}}],
    }  # fmt: skip
    return yaml.safe_dump(whole, sort_keys=False)


def _wrong(kit: Kit) -> str:
    """Why this address or token can't be used, in words."""
    try:
        parts = urlsplit(kit.address)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # as it is looked up by
    except ValueError:
        return "its address is none"
    more = parts.username or parts.query or parts.fragment or not parts.path.isascii()
    if parts.scheme not in ("https", "http") or not host or more:
        return "its address is no https address"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"{kit.address} is not encrypted, and not on this machine"
    if not kit.token or not kit.token.isascii() or not kit.token.isprintable() or " " in kit.token:
        return "it has no token"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
