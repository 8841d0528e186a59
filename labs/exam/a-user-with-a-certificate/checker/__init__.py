"""The checks."""

import base64
from datetime import UTC, datetime

from mlops_lab.checks import at_least, check, equal_to, expect, holds, observe
from mlops_lab.kit.kubectl import kubectl
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .kubeconfig import DAY, FILE, certificate, cleared, content, hours, known_as, lasts

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture", "ckad/environment-configuration-and-security")
_SIGNER = "kubernetes.io/kube-apiserver-client"
_ISSUED_WITHIN = 10.0  # s
# What else there may be in a Namespace.
_KINDS = (
    "secrets", "configmaps", "services", "events", "serviceaccounts", "persistentvolumeclaims", "deployments.apps",
    "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch", "pods.metrics.k8s.io",
    "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "endpointslices.discovery.k8s.io",
    "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy", "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io", "endpoints", "replicationcontrollers", "resourcequotas", "limitranges",
)  # fmt: skip
_DAY = round(DAY.total_seconds())


@check(points=2, domains=_DOMAINS)
async def certificate_is_issued(lab: TaskLab) -> None:
    """The user's request is approved, and has its certificate."""
    request = lab.objects.named("CertificateSigningRequest", D.csr)
    found = await request.now()
    if found is None:
        # The cluster clears away a request an hour after its certificate was issued; the certificate stays good.
        used = (lab.work.folder / FILE).is_file() and await known_as(lab) == f"{D.user}, by a certificate"
        lacks = cleared(await certificate(lab), datetime.now(UTC)) if used else "there is none"
        there = f"CertificateSigningRequest {D.csr} is there, or its certificate of an hour ago in use"
        expect(holds(not lacks, there, lacks)).because(
            "it hands the user's request to the cluster, whose certificate authority signs it once it is approved; "
            "create it under that name, and leave it there"
        )
        return
    given = base64.b64decode(found["spec"]["request"]).decode(errors="replace").strip() == D.request
    expect(holds(given, "it has the user's request", "it has another request than user.csr")).because(
        "the certificate is for the key with which the request was made: base64 of the whole file, in one line"
    )
    expect(observe("signer", found["spec"]["signerName"], equal_to(_SIGNER))).because(
        "each signer signs for one purpose: this one for clients of the API server"
    )
    seconds = found["spec"].get("expirationSeconds")
    expect(observe("seconds that it asks for", seconds or _DAY, at_least(_DAY))).because(
        "expirationSeconds says how long the certificate is to be good; where nothing is said it is a year"
    )
    issued = await request.until(
        lambda it: bool(((it or {}).get("status") or {}).get("certificate")),
        expected="has its certificate", shown=lambda it: _conditions(it or {}), within=_ISSUED_WITHIN,
    )  # fmt: skip
    expect(issued).because(
        "a request is signed once it is approved: kubectl certificate approve; kubectl get csr shows what it waits for"
    )


@check(points=2, domains=_DOMAINS)
async def sees_pods_alone(lab: TaskLab) -> None:
    """The user may get and list pods of the Namespace, and nothing else."""
    asked = {("get", "pods", "", ""): True, ("list", "pods", "", ""): True}
    others = ("watch", "create", "delete", "patch", "update", "deletecollection")
    asked |= {(verb, "pods", "", ""): False for verb in others}
    asked |= {("get", "pods", each, ""): False for each in ("log", "exec", "status")}
    asked |= {("create", "pods", each, ""): False for each in ("exec", "attach", "portforward")}
    asked |= {(verb, each, "", ""): False for each in _KINDS for verb in ("get", "list", "create")}
    asked |= {("get", "namespaces", "", ""): False}
    asked |= {("list", "pods", "", each): False for each in ("default", "*")}
    asked |= {("list", each, "", "*"): False for each in ("nodes", "namespaces")}
    wrong = []
    for (verb, resource, subresource, namespace), wanted in asked.items():
        kind, _, group = resource.partition(".")
        may = await lab.allowed(
            D.user, verb, kind, group=group, subresource=subresource, namespace=namespace,
            groups=("system:authenticated",),
        )  # fmt: skip
        if may is not wanted:
            where = {"": "", "*": " of the cluster"}.get(namespace, f" in {namespace}")
            what = f"{resource}/{subresource}" if subresource else resource
            wrong.append(f"{'may' if may else 'may not'} {verb} {what}{where}")
    if await lab.allowed("somebody-else", "list", "pods", groups=("system:authenticated",)):
        wrong.append("any other user may list pods as well")
    alone = f"{D.user} may get and list pods, and none of {len(asked) - 2} other things"
    expect(holds(not wrong, alone, "; ".join(wrong[:4]), evidence=wrong[4:])).because(
        "a certificate says who somebody is, and gives no rights; a Role and a RoleBinding with the user's name do"
    )


@check(points=3, needs=(certificate_is_issued, sees_pods_alone), domains=_DOMAINS)
async def kubeconfig_is_hers(lab: TaskLab) -> None:
    """With the file, and it alone, she is known by her certificate, which is good for a day, and sees the pods."""
    expect(await content(lab)).because(
        "what is in a kubeconfig whoever has it may use. --embed-certs puts the files' content into it"
    )
    expect(observe("who has the file is", await known_as(lab), equal_to(f"{D.user}, by a certificate"))).because(
        "the API server takes a user's name from the certificate that the client shows: kubectl auth whoami"
    )
    if made := await certificate(lab):
        long = f"the certificate in {FILE} is good for {hours(DAY)} at least"
        expect(holds(lasts(made) >= DAY, long, f"it is good for {hours(lasts(made))} in all")).because(
            "a request that is made anew gets a certificate of its own, and the file has the one that was put into it"
        )
    done = await kubectl(lab, "--kubeconfig", FILE, "get", "pods", "-o", "name")
    right = done.code == 0 and f"pod/{D.pod}" in done.output.split()
    seen = (done.output.strip().splitlines() or ["nothing"])[-1][:200]
    expect(holds(right, f"kubectl get pods shows {D.pod}", seen)).because(
        "without -n kubectl takes the Namespace of the current context, and `default` if it has none"
    )


def _conditions(request: dict) -> str:  # type: ignore[type-arg]
    found = [str(each["type"]) for each in (request.get("status") or {}).get("conditions") or []]
    return ", ".join(found) or "Pending"
