"""What a checker is made of: checks, matchers, observations, verdicts, the run of them, and reports.

A lab's `checker` imports from here, and from `kit` what several of them do. What only few labs need, such as
`measure.pods.containers.use`, they import from `measure` or `platform`, where it is.
"""

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.check import Check, check, checks_of
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.matchers import at_least, at_most, between, equal_to, less_than, one_of, quantity
from mlops_lab.checks.observation import Observation, absent, expect, holds, observe
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.checks.watched import rolled_out, rollout_state
from mlops_lab.kube.objects import is_ready

__all__ = [
    "Check",
    "Failure",
    "Lab",
    "LabError",
    "Observation",
    "Result",
    "Verdict",
    "absent",
    "at_least",
    "at_most",
    "between",
    "check",
    "checks_of",
    "equal_to",
    "expect",
    "holds",
    "is_ready",
    "less_than",
    "observe",
    "one_of",
    "quantity",
    "rolled_out",
    "rollout_state",
]
