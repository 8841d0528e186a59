"""The checks."""

import base64
from collections.abc import Sequence

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.edge import Ask, Said, asked
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/services-and-networking", "ckad/services-and-networking")
_WITHIN = 15.0
_PATHS = ("/", "/orders/7")


@check(points=1, domains=_DOMAINS)
async def secret_is_made(lab: TaskLab) -> None:
    """The Secret has its type, and the certificate and key of the files."""
    found = await presence.exists(lab, "Secret", D.secret, "kubectl create secret tls makes it", others=True)
    expect(observe("its type", found.get("type"), equal_to("kubernetes.io/tls"))).because(
        "of this type the API server takes no Secret without a certificate and its key"
    )
    for name, wanted in (("tls.crt", D.certificate), ("tls.key", D.key)):
        same = _text(found, name) == wanted.strip()
        expect(holds(same, f"its {name} is that of the file", f"its {name} is another one")).because(
            "both are taken as they are, in base64"
        )


@check(points=3, domains=_DOMAINS)
async def is_shown(lab: TaskLab) -> None:
    """Who asks for the host over TLS is shown the certificate for it."""
    ingress = await presence.exists(lab, "Ingress", D.ingress, "the Ingress was to have this name", others=True)

    def right(said: Sequence[Said]) -> str:
        return "" if said[0].status else said[0].shown

    asks = [Ask(D.host, tls=True, trust=D.certificate)]
    shown = f"over TLS, {D.host} shows the certificate of the file"
    expect(await asked(lab, asks, right, expected=shown, name="client-with-trust", within=_WITHIN)).because(
        "a controller shows the certificate of the Secret that an Ingress's list `tls` names, and one of its own where "
        "there is none"
    )
    named = sorted({str(each.get("secretName")) for each in ingress["spec"].get("tls") or []})
    expect(observe("the Secret that it names", ", ".join(named), equal_to(D.secret))).because("it was to be this one")


@check(points=2, needs=is_shown, domains=_DOMAINS)
async def leads_to_the_service(lab: TaskLab) -> None:
    """Any path leads to the Service."""

    def right(said: Sequence[Said]) -> str:
        wrong = [
            f"{path}: {each.shown}" for path, each in zip(_PATHS, said, strict=True)
            if each.fields != {"app": D.app, "path": path}
        ]  # fmt: skip
        return "; ".join(wrong)

    asks = [Ask(D.host, path, tls=True, trust=D.certificate) for path in _PATHS]
    shown = f"{' and '.join(_PATHS)} of https://{D.host} lead to Service {D.app}"
    expect(await asked(lab, asks, right, expected=shown, name="client-of-paths", within=_WITHIN)).because(
        "pathType Prefix with / is every path"
    )


def _text(secret: Object, name: str) -> str:
    try:
        return base64.b64decode((secret.get("data") or {}).get(name, "")).decode().strip()
    except ValueError:
        return ""
