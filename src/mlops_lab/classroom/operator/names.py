"""Names and labels of what the operator makes, and of what it reads."""

from __future__ import annotations

from mlops_lab.kube.client import Object

MANAGED_BY = "mlops-lab-class"
CLASS, LEARNER, LAB = "mlops-lab/class", "mlops-lab/learner", "mlops-lab/lab"
PART = "mlops-lab/class-part"  # of ConfigMaps in the class's namespace: `roster` or `learner`

# A label of learners' namespaces that are graded as they are, and of a grader's right in one.
GRADED, IN_PLACE = "mlops-lab/graded", "in-place"
GRADER = "mlops-lab/grading"

# Annotations of a learner's namespace.
ROUND = "mlops-lab/round"  # which of the learner's beginnings it is
DRAW = "mlops-lab/draw"  # the seed of what the lab draws
SEEDED = "mlops-lab/seeded"  # since when the lab's beginning is in it
ENDED = "mlops-lab/ended"  # since when the learner's time is over
HELD = "mlops-lab/held"  # by which grader: nobody else changes anything until it has ended
# Of a kit's Secret, and of a learner's ConfigMap.
ENDS, STATUS = "mlops-lab/ends", "mlops-lab/status"

ROSTER = "roster"
ACCOUNT, REQUEST, KIT = "learner-", "learner-", "kit-"


def labels(namespace: str, learner: str = "", lab: str = "") -> dict[str, str]:
    """Labels of an object that the operator makes.

    Args:
        namespace: the class's own.
    """
    found = {"app.kubernetes.io/managed-by": MANAGED_BY, "app.kubernetes.io/part-of": "mlops-lab", CLASS: namespace}
    return found | ({LEARNER: learner} if learner else {}) | ({LAB: lab} if lab else {})


def label(item: Object | None, key: str) -> str:
    """A label's value; empty where there is none."""
    return str(((item or {}).get("metadata", {}).get("labels") or {}).get(key, ""))


def annotation(item: Object | None, key: str) -> str:
    """An annotation's value; empty where there is none."""
    return str(((item or {}).get("metadata", {}).get("annotations") or {}).get(key, ""))
