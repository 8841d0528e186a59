"""The kubeconfig that was written for the user: what is in it, and as whom the API server knows who has it."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from mlops_lab.checks import Observation, absent, holds
from mlops_lab.kit.kubectl import kubectl, printed
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
FILE = "user.kubeconfig"
DAY = timedelta(days=1)
_KEPT = timedelta(hours=1)  # by the cluster, a request whose certificate was issued
# How the API server calls the certificate by which it knows somebody.
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


async def content(lab: TaskLab) -> Observation:
    """Has the file one user, with a certificate and the given key, and the cluster's certificate?"""
    expected = f"{FILE} has one user in it, with certificate and key, and the cluster's certificate"
    if not (lab.work.folder / FILE).is_file():
        return absent(expected, "there is no such file in the working directory")
    done = await kubectl(lab, "--kubeconfig", FILE, "config", "view", "--raw", "-o", "json")
    found = printed(done)
    if done.code != 0 or not found:
        return absent(expected, (done.output.strip().splitlines() or ["nothing in it"])[-1][:200])
    users = [_part(each, "user") for each in found.get("users") or []]
    clusters = [_part(each, "cluster") for each in found.get("clusters") or []]
    if len(users) != 1:
        return absent(expected, f"{len(users)} users in it")
    if other := sorted(set(users[0]) - {"client-certificate-data", "client-key-data"}):
        return absent(expected, f"of the user also {', '.join(other)}")
    if len(users[0]) != 2 or not all(each.get("certificate-authority-data") for each in clusters):
        return absent(expected, "one of the three is not in it")
    if _text(users[0]["client-key-data"]) != D.key:
        return absent(expected, "another key than user.key")
    return holds(True, expected, "")


async def known_as(lab: TaskLab) -> str:
    """As whom the API server knows who has the file, and by what; or why it does not."""
    done = await kubectl(lab, "--kubeconfig", FILE, "auth", "whoami", "-o", "json")
    who: dict[str, Any] = (printed(done).get("status") or {}).get("userInfo") or {}
    if not who:
        return f"nobody: {(done.output.strip().splitlines() or ['no answer'])[-1][:200]}"
    by = (who.get("extra") or {}).get(_CREDENTIAL) or [""]
    return f"{who.get('username')}{', by a certificate' if str(by[0]).startswith('X509') else ''}"


async def certificate(lab: TaskLab) -> x509.Certificate | None:
    """The certificate that the file's current context shows the API server."""
    done = await kubectl(lab, "--kubeconfig", FILE, "config", "view", "--minify", "--flatten", "--raw", "-o", "json")
    users = printed(done).get("users") or [{}]
    try:
        return x509.load_pem_x509_certificate(_text(_part(users[0], "user").get("client-certificate-data")).encode())
    except ValueError:
        return None


def lasts(made: x509.Certificate) -> timedelta:
    """How long a certificate is good for in all."""
    return made.not_valid_after_utc - made.not_valid_before_utc


def hours(time: timedelta) -> str:
    """A span of time in words."""
    return f"{time.total_seconds() / 3600:.1f} h"


def cleared(made: x509.Certificate | None, now: datetime) -> str:
    """Why the cluster can't have removed the request of a certificate, or it is none of a day; empty if all is well."""
    if made is None:
        return f"there is none, and no certificate in {FILE}"
    begins = made.not_valid_before_utc
    if now - begins < _KEPT:
        ago = round((now - begins).total_seconds() / 60)
        return f"there is none, and her certificate began {ago} min ago: the cluster would still have its request"
    return "" if lasts(made) >= DAY else f"there is none, and her certificate is good for {hours(lasts(made))} in all"


def _part(entry: Any, name: str) -> dict[str, Any]:
    found = entry.get(name) if isinstance(entry, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def _text(data: Any) -> str:
    try:
        return base64.b64decode(str(data)).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""
