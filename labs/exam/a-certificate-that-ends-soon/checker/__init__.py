"""The checks."""

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from mlops_lab.checks import absent, between, check, equal_to, expect, holds, observe
from mlops_lab.kit import texts
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_FOLDER = "/etc/kubernetes"
_PKI = f"{_FOLDER}/pki"
_AUTHORITIES = {
    "apiserver-kubelet-client": "ca",
    "apiserver-etcd-client": "etcd/ca",
    "front-proxy-client": "front-proxy-ca",
    "etcd-healthcheck-client": "etcd/ca",
}
# For whom kubeadm makes each of them: the name by which who is shown it knows its holder.
_NAMES = {
    "apiserver-kubelet-client": "kube-apiserver-kubelet-client",
    "apiserver-etcd-client": "kube-apiserver-etcd-client",
    "front-proxy-client": "front-proxy-client",
    "etcd-healthcheck-client": "kube-etcd-healthcheck-client",
}
# Where kubeadm has them; copies beside these are nobody's.
_ALL = (
    "ca", "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-ca", "front-proxy-client",
    "etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client",
)  # fmt: skip
_CONFIGS = ("admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf")
_MAY_BE_AWAY = f"{_FOLDER}/super-admin.conf"  # nothing runs by it, and it is best kept elsewhere
_A_YEAR = (350, 380)  # days


@check(points=2, domains=_DOMAINS)
async def is_named(lab: TaskLab) -> None:
    """The file has the name of the certificate that ended first."""
    lines = texts.lines_of(lab, D.file, "the name of the certificate belongs into it")
    said = " ".join(lines)[:80]
    expect(holds(said == D.cert, f"{D.file} names the right one", f"{D.file} says {said!r}")).because(
        "kubeadm certs check-expiration lists when each of them ends, and has its name in the first column"
    )


@check(points=2, domains=_DOMAINS)
async def is_renewed(lab: TaskLab) -> None:
    """The certificate is good for about a year, by the same authority, with its name and key, and no group."""
    made, authority = await _read(lab, D.path), await _read(lab, _AUTHORITIES[D.cert])
    if made is None or authority is None:
        expect(absent(f"a certificate in {_PKI}/{D.path}.crt, and its authority's", "one of them is none")).because(
            "kubeadm certs renew NAME makes a new one from the old one, with a new end"
        )
    assert made is not None
    assert authority is not None
    days = (made.not_valid_after_utc - datetime.now(UTC)).days
    expect(observe(f"days that {D.cert} is good for", days, between(*_A_YEAR), timed=False)).because(
        "kubeadm certs renew NAME makes a new one from the old one, with a new end"
    )
    expect(holds(_signed(made, authority), "it is signed by its authority", "another one has signed it")).because(
        "who is shown it trusts that one alone"
    )
    names = [str(each.value) for each in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    expect(observe("it is for", ", ".join(names) or "nobody", equal_to(_NAMES[D.cert]))).because(
        "who is shown a certificate takes the name from it, and gives that one its rights"
    )
    groups = [str(each.value) for each in made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    expect(observe("its groups", ", ".join(groups) or "none", equal_to("none"))).because(
        "the organization in a certificate's name is its holder's group; kubeadm has made this one for none"
    )
    own = await _belongs(lab, made)
    expect(holds(own, f"{D.path}.key is its key", "that is another key, or none")).because(
        "nobody can use a certificate without the key that it was made for"
    )


@check(points=1, needs=is_renewed, domains=_DOMAINS)
async def others_stay(lab: TaskLab) -> None:
    """All other certificates are there, those in kubeconfigs too, and none was written since the task began."""
    await nodes.must_answer(lab)
    space = await lab.objects.named("Namespace", lab.namespace).now()
    expect(holds(space is not None, "the task's Namespace is there", "it is gone")).because("its age is the task's")
    assert space is not None
    began = datetime.fromisoformat(space["metadata"]["creationTimestamp"]).timestamp()
    words = ("find", _FOLDER, "-type", "f", "(", "-name", "*.crt", "-o", "-name", "*.conf", ")", "-printf", "%T@ %p\\n")
    lines = (await nodes.printed(lab, nodes.control_plane(lab), *words)).splitlines()
    written = {path: float(when) for when, _, path in (line.partition(" ") for line in lines)}
    wanted = {*(f"{_PKI}/{each}.crt" for each in _ALL), *(f"{_FOLDER}/{each}" for each in _CONFIGS)} - {_MAY_BE_AWAY}
    gone = sorted(wanted - {*written})
    expect(holds(not gone, "all are there", f"gone: {', '.join(gone)}")).because(
        "kubeadm certs check-expiration shows them; each is somebody's, who reads it when it begins"
    )
    others = {*(f"{_PKI}/{each}.crt" for each in _ALL if each != D.path), *(f"{_FOLDER}/{each}" for each in _CONFIGS)}
    newer = sorted(path for path, when in written.items() if path in others and when > began)
    expect(holds(not newer, "all others are older than the task", f"newer: {', '.join(newer)}")).because(
        "a component must begin anew to use a new certificate, so none is renewed without need"
    )


async def _read(lab: TaskLab, path: str) -> x509.Certificate | None:
    """A certificate of the control plane, by its place in the folder pki; None if it is none."""
    text = await nodes.printed(lab, nodes.control_plane(lab), "cat", f"{_PKI}/{path}.crt")
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return None


async def _belongs(lab: TaskLab, made: x509.Certificate) -> bool:
    """Is the key beside it its own?"""
    text = await nodes.printed(lab, nodes.control_plane(lab), "cat", f"{_PKI}/{D.path}.key")
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return _public(key.public_key()) == _public(made.public_key())


def _public(key: Any) -> bytes:
    found: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found


def _signed(made: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        made.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
