"""What the way in which an answer fails to come says about where to look."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_lab.checks import Observation

# By what programs say; the first one that fits. Texts of the C library and of the kernel.
_SAID: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("Name or service not known", "No address associated"),
        "the DNS has answered: it knows no such name. SERVICE is a Service of the pod's own namespace, "
        "SERVICE.NAMESPACE one of another. And a variable has the value that it had when the container started, "
        "whatever has become of its ConfigMap since",
    ),
    (
        ("Temporary failure in name resolution",),
        "nobody has answered the question for the name. A pod that a policy with Egress selects asks nobody but those "
        "whom some rule names, and the DNS is one of them: names are asked for by UDP first, and a policy sees the "
        "address of the DNS's pod, not that of its Service",
    ),
    (
        ("No route to host", "unreachable"),
        "the name has an address, and nobody stands behind it. A Service leads to the ready pods that have all labels "
        "of its selector, at the port that targetPort says, by number or by the name that the container gives it: "
        "kubectl get endpointslices, kubectl get pods --show-labels",
    ),
    (
        ("refused",),
        "somebody said no: nobody listens on that port of the pod, a policy lets the request neither out nor in, or "
        "the Service leads to nobody (kubectl get endpointslices). Ask in the pod itself first. A policy is asked when "
        "the Service's port has become the pod's, and goes by the labels of both pods",
    ),
    (
        ("timed out",),
        "nothing comes back: on many networks that is how a policy keeps somebody out, on either end of the way. "
        "kubectl describe networkpolicies says whom each lets in and out, by labels and by the pods' ports",
    ),
    (
        ("which is not Service",),
        "each asks the next one by the Service of its name: another one, such as was made to find a fault, may go one "
        "day. Whom a pod asks is in its variable NEXT: kubectl exec deploy/gateway -- printenv NEXT",
    ),
    (("answers, which is no",), "whom a Service leads to, its selector says: kubectl get endpointslices -o wide"),
)
_ELSE = "kubectl logs of the pod that asks says what it gets; its variable NEXT is whom it asks"

OF_NAMESPACES = (
    "a podSelector alone is of the policy's own namespace. A namespaceSelector lets in the pods of the namespaces that "
    "it selects, an empty one those of all; a podSelector beside it, in the same item, says which of their pods. An "
    "ipBlock is for whoever has such an address: a node, a pod of any namespace, a machine elsewhere"
)


def why_not_answered(seen: Observation) -> str:
    """Where to look, by what is wrong with the answers that did not come; a sentence also where nothing is.

    Args:
        seen: of `hop.answered`.
    """
    said: Iterable[str] = seen.value or ()
    first = next((each for each in said if each), "")
    return next((why for words, why in _SAID if any(word in first for word in words)), _ELSE)
