"""The checks."""

import json
from datetime import UTC, datetime
from typing import Any

from mlops_lab.checks import Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import texts
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_FOLDER = "/etc/kubernetes"
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
    """The certificate is good for about a year, and is signed by the same authority."""
    expect(await _ends(lab)).because("kubeadm certs renew NAME makes a new one from the old one, with a new end")
    authority = {"front-proxy-client": "front-proxy-ca", "apiserver-etcd-client": "etcd/ca"}.get(D.cert, "ca")
    authority = "etcd/ca" if D.cert.startswith("etcd-") else authority
    told = (await _told(lab)).get(D.cert) or {}
    wanted = authority.replace("/", "-")
    expect(observe("signed by", told.get("caName"), equal_to(wanted))).because("its readers trust that one alone")


@check(points=1, needs=is_renewed, domains=_DOMAINS)
async def others_stay(lab: TaskLab) -> None:
    """No other certificate was written since the task began."""
    space = await lab.objects.named("Namespace", lab.namespace).now()
    expect(holds(space is not None, "the task's Namespace is there", "it is gone")).because("its age is the task's")
    assert space is not None
    began = space["metadata"]["creationTimestamp"]
    words = ("find", _FOLDER, "-type", "f", "(", "-name", "*.crt", "-o", "-name", "*.conf", ")", "-newermt", began)
    found = (await nodes.printed(lab, nodes.control_plane(lab), *words)).split()
    newer = sorted(set(found) - {f"{_FOLDER}/pki/{D.path}.crt"})
    expect(holds(not newer, "all others are older than the task", f"newer: {', '.join(newer)}")).because(
        "a component must begin anew to use a new certificate, so none is renewed without need"
    )


async def _ends(lab: TaskLab) -> Observation:
    end = str(((await _told(lab)).get(D.cert) or {}).get("expirationDate") or "")
    try:
        days = (datetime.fromisoformat(end) - datetime.now(UTC)).days
    except (ValueError, TypeError):
        return Observation(False, f"{D.cert} is good for about a year", "there is no such certificate any more")
    expected, low, high = f"{D.cert} is good for about a year", *_A_YEAR
    return Observation(low <= days <= high, expected, f"it is good for {days} days", days, timed=False)


async def _told(lab: TaskLab) -> dict[str, dict[str, Any]]:
    said = await nodes.printed(lab, nodes.control_plane(lab), "kubeadm", "certs", "check-expiration", "-o", "json")
    try:
        found = json.loads(said[said.index("{") :])
        return {str(each["name"]): each for each in found["certificates"]}
    except (ValueError, KeyError, TypeError):
        return {}
