"""Names that a program sees of its pod: the checker's pods are called as the learner's are."""

from __future__ import annotations

import secrets

from mlops_lab.kube.client import Object

LONGEST = 63  # characters
LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of which Kubernetes makes the ends of names


def host_name(pod: Object) -> str:
    """The name of the host as a program in the pod sees it, in a form that another pod's spec may have.

    A pod's name may have dots, and more characters than a host's.
    https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-hostname-and-subdomain-field
    """
    name = str(pod["metadata"]["name"])[:LONGEST]
    return str(pod["spec"].get("hostname") or name.replace(".", "-").rstrip("-"))


def drawn_name(deployment: str) -> str:
    """A name such as the pods of a Deployment have."""
    ends = ["".join(secrets.choice(LETTERS) for _ in range(count)) for count in (10, 5)]
    return "-".join([deployment, *ends])
