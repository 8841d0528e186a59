"""Does a Service answer with the model's own values for flights that the learner never sees?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlops_lab.checks import Lab, Observation, at_most, equal_to, observe
from mlops_lab.measure.traffic.flights import HiddenRows, difference, numbers
from mlops_lab.measure.traffic.http import Answer


@dataclass(frozen=True)
class Predictions:
    """What a Service answered to one POST /predict about hidden flights."""

    answer: Answer
    hidden: HiddenRows

    def status(self, what: str = "status of POST /predict (0: no answer)") -> Observation:
        """Whether it was answered with 200."""
        heard = [self.answer.error or self.answer.text[:200]]
        return observe(what, self.answer.status, equal_to(200), evidence=heard)

    def version(self, version: str, what: str = "model_version of the answer") -> Observation:
        """Whether that version of the model answered."""
        return observe(what, self.answer.fields().get("model_version"), equal_to(version), timed=False)

    def count(self) -> Observation:
        """Whether there is one probability for each flight."""
        wanted, given = len(self.hidden.rows), numbers(self.answer.fields().get("probabilities")) or []
        return observe(f"probabilities for {wanted} flights", len(given), equal_to(wanted), timed=False)

    def values(
        self, version: str, within: float = 1e-6, what: str = "largest difference from the model's own probabilities"
    ) -> Observation:
        """Whether the probabilities are that version's own.

        Args:
            within: the largest difference of a probability that is still the same.
        """
        apart = difference(self.answer.fields().get("probabilities"), self.hidden.probabilities(version))
        return observe(what, apart, at_most(within), timed=False)


async def predicted(
    lab: Lab,
    service: str = "model",
    *,
    rows: int,
    within: float,
    answer_within: float = 10.0,
    test: Callable[[Answer], bool] = lambda answer: answer.status == 200,
) -> Predictions:
    """Ask a Service about hidden flights until an answer passes, or the time is over.

    Args:
        rows: how many flights, at most 500.
        within: seconds.
        answer_within: seconds for one answer.
        test: whether an answer is the one that is waited for.

    Raises:
        Failure: there is no such Service.
    """
    hidden = lab.traffic.hidden_rows(rows)
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.post(service, "/predict", hidden.body, within=answer_within), test, within=within
    )
    return Predictions(answer, hidden)
