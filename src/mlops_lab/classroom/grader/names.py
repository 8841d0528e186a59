"""Names and labels of what is made for one try at one submission: all of it is found by them, and nothing else is."""

from __future__ import annotations

from mlops_lab.kube.client import Object

MANAGED_BY = "mlops-lab-grading"
CLASS = "mlops-lab/grading"  # a label with the class's namespace: not the one by which its operator knows its own
SUBMISSION, TRIES = "mlops-lab/submission", "mlops-lab/try"
LEARNER, LAB = "mlops-lab/learner", "mlops-lab/lab"
PROGRAM = "program"  # the account of learners' programs, and the Secret that its tokens go with
GRADER = "grader"
# A label of namespaces in which no work of a learner's is; there it marks pods in which programs of learners run.
APART = "mlops-lab/apart"
ANY, ALONE = "any", "alone"  # queues


def name(submission: int, tries: int) -> str:
    """Of all that is made for a try, such as `g-12-1`."""
    return f"g-{submission}-{tries}"


def sandbox(submission: int, tries: int, lab: str) -> str:
    """The namespace of the learner's work, such as `g-12-1-lab-10`."""
    return f"{name(submission, tries)}-lab-{lab}"


def apart(submission: int, tries: int) -> str:
    """The namespace of programs."""
    return f"{name(submission, tries)}-apart"


def labels(namespace: str, submission: int, tries: int, learner: str, lab: str) -> dict[str, str]:
    """Labels of all that is made for a try.

    Args:
        namespace: the class's own.
    """
    return {
        "app.kubernetes.io/managed-by": MANAGED_BY, "app.kubernetes.io/part-of": "mlops-lab", CLASS: namespace,
        SUBMISSION: str(submission), TRIES: str(tries), LEARNER: learner, LAB: lab,
    }  # fmt: skip


def of(item: Object) -> str:
    """The `name` of the try that something was made for, by its labels."""
    return f"g-{label(item, SUBMISSION)}-{label(item, TRIES)}"


def label(item: Object, key: str) -> str:
    """A label's value; empty where there is none."""
    return str((item["metadata"].get("labels") or {}).get(key, ""))
