"""A learner hands in again while the work before is being graded."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.classroom import audit
from tests.classroom.made_up import KEY, outcome
from tests.classroom.served import TEACHER, served


def test_a_second_submission_waits_and_each_has_its_own_result(tmp_path: Path) -> None:
    with served(tmp_path) as at_class:
        first = at_class.submit("ada", "one").json
        taken = at_class.take()
        second = at_class.submit("ada", "two").json
        assert (second["number"], second["state"]) == (2, "waiting")
        assert at_class.submit("ada", "one").json["submission"] == first["submission"], "the same work is the same one"
        # The grader of the first can't tell a result of the second; its own grader can.
        assert at_class.tell({**taken, "submission": second["submission"]}, outcome()).status == 409
        assert at_class.tell(taken, outcome("scales")).status == 201
        own = at_class.take()
        assert own["submission"] == second["submission"] and at_class.tell(own, outcome()).status == 201
        lines = at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines()
        assert audit.verify(lines, KEY.public).broken is None
        records = audit.records(lines)
        assert [(each.number, each.points) for each in records] == [(1, 7), (2, 10)]
        assert [each.submission for each in records] == [taken["sha256"], own["sha256"]]
