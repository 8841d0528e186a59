"""The platform's services: tokens, rosters and scores, against a platform that answers as a test says."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from datetime import timedelta
from typing import Any

import jwt
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import courses, people, scores
from mlops_lab.classroom.lti.launch import Course
from mlops_lab.classroom.lti.members import Member, learners, members
from mlops_lab.classroom.lti.ports import Answer
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.scores import Score
from tests.unit.lti.made_up import BEGUN, COURSE, MEMBERSHIP, SCHOOL, Classroom, form, run, told

TOKEN = ("POST", SCHOOL.token_endpoint)
ROSTER = ("GET", COURSE.memberships)
ASKED = ("GET", f"{COURSE.lineitems}&resource_id=lab-10&tag=points")
MADE = ("POST", COURSE.lineitems)
ITEM = "https://school.example/c1/items/4/lineitem?type=7"
POSTED = ("POST", "https://school.example/c1/items/4/lineitem/scores?type=7")
LEARNER = {"user_id": "u1", "roles": [f"{MEMBERSHIP}Learner"], "name": "Ada", "email": "ada@school.example"}


def a_class(course: Course = COURSE, item: str = "") -> Classroom:
    """A class to which u1 has come from the course, for lab 10."""
    room = Classroom()
    run(people.remember(room.tool, dataclasses.replace(room.launch(), course=course, item=item)))
    room.http.answers[ROSTER] = told({"members": [LEARNER]})
    room.http.answers[ASKED] = told([])
    room.http.answers[MADE] = told({"id": ITEM}, 201)
    room.http.answers[POSTED] = Answer(204, {}, b"")
    return room


def a_score(points: float | None = 15, after: float = 0, **more: Any) -> Score:
    return replace(Score(COURSE.key, "u1", "10", points, 20, BEGUN + timedelta(seconds=after)), **more)


def test_a_token_is_asked_for_by_an_assertion_and_kept_while_it_lasts() -> None:
    room = a_class()
    run(members(room.tool, COURSE))
    run(members(room.tool, COURSE))
    [sent] = [form(each[3]) for each in room.http.asked if each[:2] == TOKEN]
    assert sent["grant_type"] == "client_credentials"
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert sent["scope"] == "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
    shown = jwt.PyJWK(room.tool.own.public()["keys"][0])
    claims = jwt.decode(
        sent["client_assertion"], shown.key, algorithms=["RS256"], audience=SCHOOL.token_endpoint,
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert claims["iss"] == claims["sub"] == "tool-1"
    assert claims["exp"] - claims["iat"] == 60 and len(claims["jti"]) > 20
    room.clock.move(3600 - 60)
    run(members(room.tool, COURSE))
    assert room.http.count(*TOKEN) == 2
    assert [each[2]["Authorization"] for each in room.http.asked if each[:2] == ROSTER] == ["Bearer t0"] * 3


def test_a_platform_may_want_another_audience() -> None:
    room = a_class()
    room.tool.platforms = (replace(SCHOOL, audience="https://school.example"),)
    run(members(room.tool, COURSE))
    [sent] = [form(each[3]) for each in room.http.asked if each[:2] == TOKEN]
    assert jwt.decode(sent["client_assertion"], options={"verify_signature": False})["aud"] == "https://school.example"


def test_a_token_that_is_refused_is_renewed_once() -> None:
    room = a_class()
    room.http.answers[TOKEN] = [told({"access_token": f"t{n}", "token_type": "bearer"}) for n in (1, 2)]
    room.http.answers[ROSTER] = [Answer(401, {}, b""), told({"members": []})]
    assert run(members(room.tool, COURSE)) == []
    assert [each[2]["Authorization"] for each in room.http.asked if each[:2] == ROSTER] == ["Bearer t1", "Bearer t2"]
    room.http.answers[ROSTER] = Answer(401, {}, b"")
    with pytest.raises(LabError, match="with 401"):
        run(members(room.tool, COURSE))
    assert room.http.count(*ROSTER) == 4


def test_many_requests_at_once_ask_for_one_token() -> None:
    room = a_class()

    async def many() -> None:
        await asyncio.gather(*(members(room.tool, COURSE) for _ in range(10)))

    run(many())
    assert room.http.count(*TOKEN) == 1


@pytest.mark.parametrize(
    "given",
    [[], {}, {"access_token": "a\nb", "token_type": "bearer"}, {"access_token": "a", "token_type": "mac"},
     {"access_token": "", "token_type": "bearer"}, {"access_token": "a"}],
)  # fmt: skip
def test_what_is_no_token(given: Any) -> None:
    room = a_class()
    room.http.answers[TOKEN] = told(given)
    with pytest.raises(LabError, match=r"gave (no token|a token of another kind)"):
        run(members(room.tool, COURSE))
    assert room.http.count(*ROSTER) == 0


def test_a_roster_of_several_pages() -> None:
    room = a_class()
    second = {"user_id": "u2", "roles": ["Instructor"], "given_name": "Grace", "family_name": "Hopper"}
    third = {"user_id": "u3", "roles": ["Learner"], "status": "Inactive", "name": None, "email": None}
    room.http.answers[ROSTER] = told({"members": [LEARNER]}, link=f'<{COURSE.memberships}?p=2>; rel="next"')
    room.http.answers["GET", f"{COURSE.memberships}?p=2"] = told({"members": [second]}, link="<members?p=3>; rel=next")
    room.http.answers["GET", f"{COURSE.memberships}?p=3"] = told({"members": [third]})
    assert run(members(room.tool, COURSE)) == [
        Member("u1", "Ada", "ada@school.example", False, True, True),
        Member("u2", "Grace Hopper", "", True, False, True),
        Member("u3", "", "", False, True, False),
    ]
    seen = [run(people.takes_part(room.tool, COURSE, user)) for user in ("u1", "u2", "u3")]
    assert seen == [True, True, False]
    assert {each[2]["Accept"] for each in room.http.asked if each[1].startswith(COURSE.memberships)} == {
        "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
    }


def test_a_roster_that_leads_elsewhere_or_in_circles() -> None:
    room = a_class()
    for link, said in (("https://mallory.example/", "no https address of this"), (COURSE.memberships, "does not end")):
        room.http.answers[ROSTER] = told({"members": [LEARNER]}, link=f'<{link}>; rel="next"')
        with pytest.raises(LabError, match=said):
            run(members(room.tool, COURSE))


def test_a_roster_that_does_not_end() -> None:
    room = a_class()
    pages = (COURSE.memberships, *(f"{COURSE.memberships}?{n}" for n in range(300)))
    for here, there in itertools.pairwise(pages):
        room.http.answers["GET", here] = told({"members": []}, link=f"<{there}>; rel=next")
    with pytest.raises(LabError, match="does not end"):
        run(members(room.tool, COURSE))


def test_a_roster_that_is_wrong_or_not_told() -> None:
    room = a_class()
    room.http.answers[ROSTER] = told({"members": [{"user_id": 7, "roles": []}]})
    with pytest.raises(LabError, match=r"wrong: .*user_id"):
        run(members(room.tool, COURSE))
    with pytest.raises(LabError, match="does not tell who is in MLOps"):
        run(members(room.tool, replace(COURSE, memberships="")))


def test_a_roster_that_cannot_be_kept_or_goes_on_nowhere() -> None:
    """It is this platform's trouble, so that the courses of others are still met."""
    room = a_class()
    for user in ("u\0", "u\ud800"):
        room.http.answers[ROSTER] = told({"members": [{**LEARNER, "user_id": user}]})
        with pytest.raises(LabError, match=r"wrong: .*user_id"):
            run(learners(room.tool, COURSE, []))
    room.http.answers[ROSTER] = told({"members": [LEARNER]}, link='<https://[>; rel="next"')
    with pytest.raises(LabError, match=r"goes on at https://\[, which is no address"):
        run(members(room.tool, COURSE))


def test_line_items_that_are_nested_without_an_end_are_kept_for_later() -> None:
    room = a_class()
    room.http.answers[ASKED] = Answer(200, {}, b"[" * 200_000)
    run(scores.send(room.tool, a_score()))
    assert run(scores.deliver(room.tool)) == 0
    assert [why for _, why in run(scores.waiting(room.tool))] == ["the platform's line items is no JSON"]


def test_a_score_goes_to_a_new_line_item() -> None:
    room = a_class()
    run(scores.send(room.tool, a_score(15.5, comment="3 of 4 checks")))
    assert run(scores.deliver(room.tool)) == 1
    assert room.http.bodies(*MADE) == [
        {"label": "Autoscale on CPU", "scoreMaximum": 20.0, "resourceId": "lab-10", "tag": "points"}
    ]
    assert room.http.bodies(*POSTED) == [
        {
            "userId": "u1", "timestamp": "2026-09-01T08:00:00.000+00:00", "activityProgress": "Completed",
            "gradingProgress": "FullyGraded", "scoreGiven": 15.5, "scoreMaximum": 20.0, "comment": "3 of 4 checks",
        }
    ]  # fmt: skip
    kinds = {each[:2]: each[2].get("Content-Type") for each in room.http.asked}
    assert kinds[POSTED] == "application/vnd.ims.lis.v1.score+json"
    assert kinds[MADE] == "application/vnd.ims.lis.v2.lineitem+json"
    assert run(scores.waiting(room.tool)) == []


def test_a_score_that_is_being_graded_has_no_points_yet() -> None:
    room = a_class()
    run(scores.send(room.tool, a_score(None)))
    run(scores.deliver(room.tool))
    [body] = room.http.bodies(*POSTED)
    assert (body["activityProgress"], body["gradingProgress"]) == ("Submitted", "Pending")
    assert "scoreGiven" not in body and "scoreMaximum" not in body


def test_a_line_item_of_the_lab_is_used_and_others_are_not() -> None:
    room = a_class()
    others = [
        {"id": "https://school.example/c1/items/1"},
        {"id": "https://school.example/c1/items/2", "resourceId": "lab-11", "tag": "points"},
        {"id": "https://school.example/c1/items/3", "resourceId": "lab-10", "tag": "attendance"},
    ]
    second, third = f"{COURSE.lineitems}&page=2", "https://school.example/c1/items?page=3"
    room.http.answers[ASKED] = told(others, link=f'<{second}>; rel="next"')
    room.http.answers["GET", second] = told([], link="<?page=3>; rel=next")
    room.http.answers["GET", third] = told([{"id": ITEM, "resourceId": "lab-10", "tag": "points"}])
    for number in range(2):
        run(scores.send(room.tool, a_score(after=number)))
        assert run(scores.deliver(room.tool)) == 1
    assert room.http.count(*MADE) == 0
    assert room.http.count(*ASKED) == 1


@pytest.mark.parametrize(
    ("link", "said"),
    [("//mallory.example/", "no https address of this"), ("https://mallory.example/", "no https address of this"),
     ("http:items", "no https address of this"), ("https://[", "which is no address")],
)  # fmt: skip
def test_line_items_that_lead_elsewhere_are_not_followed(link: str, said: str) -> None:
    room = a_class()
    room.http.answers[ASKED] = told([], link=f"<{link}>; rel=next")
    run(scores.send(room.tool, a_score()))
    assert run(scores.deliver(room.tool)) == 0
    assert said in run(scores.waiting(room.tool))[0][1]
    assert not any("mallory" in each[1] for each in room.http.asked)


@pytest.mark.parametrize("where", [ASKED, MADE])
def test_a_line_item_of_another_server_gets_no_score(where: tuple[str, str]) -> None:
    room = a_class()
    item = {"id": "https://mallory.example/items/4", "resourceId": "lab-10"}
    room.http.answers[where] = told([item] if where == ASKED else item)
    run(scores.send(room.tool, a_score()))
    assert run(scores.deliver(room.tool)) == 0
    assert "another server" in run(scores.waiting(room.tool))[0][1]
    assert not any("mallory" in each[1] for each in room.http.asked)


def test_a_score_of_somebody_who_is_not_in_the_course_is_refused() -> None:
    room = a_class()
    other = replace(COURSE, context="c2")
    run(room.store.put(people.COURSE, other.key, to_builtins(other)))
    for score in (a_score(user="u2"), a_score(course=other.key), a_score(course="x" * 64)):
        with pytest.raises(Refused, match="nobody was seen"):
            run(scores.send(room.tool, score))
    assert run(scores.waiting(room.tool)) == []


def test_a_link_with_its_own_line_item_is_used_where_no_other_can_be_looked_for() -> None:
    alone = replace(COURSE, lineitems="")
    room = a_class(alone, ITEM)
    run(scores.send(room.tool, a_score()))
    assert run(scores.deliver(room.tool)) == 1
    with pytest.raises(Refused, match="takes no scores of lab 11"):
        run(scores.send(room.tool, a_score(lab="11")))


def test_without_the_right_to_make_line_items_only_those_of_links_are_used() -> None:
    reading = replace(COURSE, scopes=COURSE.scopes[1:])
    room = a_class(reading, ITEM)
    for lab in ("10", "11"):
        run(scores.send(room.tool, a_score(lab=lab)))
    assert run(scores.deliver(room.tool)) == 1
    [(score, trouble)] = run(scores.waiting(room.tool))
    assert score.lab == "11" and "lets this tool make none" in trouble


def test_a_platform_that_is_away_for_a_moment_is_asked_again_at_once() -> None:
    room = a_class()
    away = LabError("school.example does not answer", "try again", transient=True)
    room.http.answers[POSTED] = [Answer(503, {}, b""), away, Answer(204, {}, b"")]
    run(scores.send(room.tool, a_score()))
    assert run(scores.deliver(room.tool)) == 1
    assert room.clock.slept == [0.5, 2.0]
    assert len({str(each) for each in room.http.bodies(*POSTED)}) == 1


def test_a_platform_that_stays_away_is_asked_again_later_and_loses_no_score() -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(503, {}, b"")
    run(scores.send(room.tool, a_score()))
    pauses: list[int] = []
    for _ in range(5):
        assert run(scores.deliver(room.tool)) == 0
        waited = 0
        while room.http.count(*POSTED) <= 3 * (len(pauses) + 1) and waited < 8000:
            before = room.http.count(*POSTED)
            room.clock.move(20)
            waited += 20
            run(scores.deliver(room.tool))
            if room.http.count(*POSTED) > before:
                break
        pauses.append(waited)
    assert [round(each, -1) for each in pauses[:3]] == [60, 300, 1800]
    [(score, trouble)] = run(scores.waiting(room.tool))
    assert score == a_score() and "with 503" in trouble
    room.http.answers[POSTED] = Answer(204, {}, b"")
    room.clock.move(7200)
    assert run(scores.deliver(room.tool)) == 1


def test_a_platform_that_says_how_long_to_wait_is_not_asked_before() -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(429, {"retry-after": "900"}, b"")
    run(scores.send(room.tool, a_score()))
    run(scores.deliver(room.tool))
    assert room.http.count(*POSTED) == 1
    for seconds, count in ((899, 1), (2, 2)):
        room.clock.move(seconds)
        run(scores.deliver(room.tool))
        assert room.http.count(*POSTED) == count


@pytest.mark.parametrize(("said", "until"), [("9" * 5000, 86400), ("²", 60), ("soon", 60)])
def test_a_platform_that_says_it_strangely_is_asked_again_all_the_same(said: str, until: int) -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(429, {"retry-after": said}, b"")
    run(scores.send(room.tool, a_score()))
    for seconds, count in ((0, 1), (until - 1, 1), (2, 2)):
        room.clock.move(seconds)
        run(scores.deliver(room.tool))
        assert room.http.count(*POSTED) == count


def test_a_score_that_is_refused_waits_for_the_teacher() -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(403, {}, b"not yours")
    run(scores.send(room.tool, a_score()))
    for _ in range(3):
        assert run(scores.deliver(room.tool)) == 0
        room.clock.move(90_000)
    assert room.http.count(*POSTED) == 1
    assert "with 403" in run(scores.waiting(room.tool))[0][1]
    room.http.answers[POSTED] = Answer(204, {}, b"")
    run(scores.again(room.tool))
    assert run(scores.deliver(room.tool)) == 1


def test_when_delivering_ends_with_an_error_nothing_is_being_sent_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next call sends the same score beside it."""
    room, at_work = a_class(), []
    other = replace(COURSE, issuer="https://other.example")
    run(people.remember(room.tool, dataclasses.replace(room.launch(), course=other)))
    for course in (COURSE, other):
        run(scores.send(room.tool, a_score(course=course.key)))

    async def post(_: Any, score: Score) -> None:
        at_work.append(score)
        await asyncio.sleep(0)
        if score.course == COURSE.key:
            raise ConnectionError("the database is away")
        await asyncio.sleep(0.01)
        at_work.remove(score)

    async def delivered() -> list[str]:
        with pytest.raises(ConnectionError, match="is away"):
            await scores.deliver(room.tool)
        return [each.course for each in at_work]

    monkeypatch.setattr(scores, "_post", post)
    assert run(delivered()) == [COURSE.key]
    assert [score.course for score, _ in run(scores.waiting(room.tool))] == [COURSE.key]


def test_scores_go_in_the_order_of_their_times_and_once_each() -> None:
    room = a_class()
    for after, points in ((20, 12), (0, 5), (20, 12)):
        run(scores.send(room.tool, a_score(points, after)))
    assert run(scores.deliver(room.tool)) == 2
    assert [each["scoreGiven"] for each in room.http.bodies(*POSTED)] == [5, 12]
    for after, points in ((20, 12), (10, 9)):  # the same again, as after a crash; and one that came late
        run(scores.send(room.tool, a_score(points, after)))
    assert run(scores.waiting(room.tool)) == []
    assert run(scores.deliver(room.tool)) == 0
    assert room.http.count(*POSTED) == 2


def test_a_score_that_waits_is_not_sent_after_a_later_one() -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(503, {}, b"")
    run(scores.send(room.tool, a_score(5)))
    run(scores.deliver(room.tool))
    room.http.answers[POSTED] = Answer(204, {}, b"")
    run(scores.send(room.tool, a_score(12, 20)))
    assert run(scores.deliver(room.tool)) == 1
    count = room.http.count(*POSTED)
    room.clock.move(61)
    assert run(scores.deliver(room.tool)) == 0
    assert room.http.count(*POSTED) == count
    assert run(scores.waiting(room.tool)) == []


def test_a_platform_that_has_a_later_score_keeps_it() -> None:
    room = a_class()
    room.http.answers[POSTED] = Answer(409, {}, b"")
    run(scores.send(room.tool, a_score()))
    run(scores.deliver(room.tool))
    assert run(scores.waiting(room.tool)) == []


def test_a_line_item_that_was_removed_is_made_anew() -> None:
    room = a_class()
    run(scores.send(room.tool, a_score()))
    run(scores.deliver(room.tool))
    room.http.answers[POSTED] = [Answer(404, {}, b""), Answer(204, {}, b"")]
    run(scores.send(room.tool, a_score(after=1)))
    assert run(scores.deliver(room.tool)) == 0
    room.clock.move(61)
    assert run(scores.deliver(room.tool)) == 1
    assert room.http.count(*MADE) == 2


def test_line_items_that_are_wrong_or_do_not_end() -> None:
    room = a_class()
    run(scores.send(room.tool, a_score()))
    for listed, said in ((told({}), "line items are wrong"), (told([], link=f"<{ASKED[1]}>; rel=next"), "do not end")):
        room.http.answers[ASKED] = listed
        run(scores.again(room.tool))
        assert run(scores.deliver(room.tool)) == 0
        assert said in run(scores.waiting(room.tool))[0][1]


def test_a_result_goes_to_the_courses_that_have_a_link_for_the_lab_and_the_learner_in_them() -> None:
    room = a_class()
    ada = run(people.learner(room.tool, SCHOOL, "u1", "Ada", "", ())).id
    whole = replace(COURSE, context="c2")
    without = replace(COURSE, context="c3", lineitems="")
    for each in ("c1", "c2", "c3", "c4"):
        run(courses.change(room.tool, SCHOOL, each, ends=False))
    for course in (whole, without):
        run(people.remember(room.tool, dataclasses.replace(room.launch(), course=course, lab="")))
    run(people.remember(room.tool, dataclasses.replace(room.launch(sub="u2"), course=replace(COURSE, context="c4"))))

    def kept(lab: str) -> list[str]:
        before = len(run(scores.waiting(room.tool)))
        count = run(scores.report(room.tool, ada, lab, 5, 20, BEGUN))
        waiting = [score for score, _ in run(scores.waiting(room.tool))][before:]
        assert count == len(waiting) and {each.user for each in waiting} == {"u1"}
        return [each.course for each in waiting]

    assert kept("10") == [COURSE.key, whole.key]
    assert kept("11") == [whole.key]
    assert run(scores.report(room.tool, "nobody", "10", 5, 20, BEGUN)) == 0


def test_those_who_learn_in_a_course_become_learners_of_the_class() -> None:
    room = a_class()
    teacher = {"user_id": "u2", "roles": ["Instructor"], "name": "Grace"}
    gone = {"user_id": "u3", "roles": ["Learner"], "name": "Alan", "status": "Inactive"}
    room.http.answers[ROSTER] = told({"members": [LEARNER, teacher, gone]})
    [ada] = run(learners(room.tool, COURSE, ()))
    assert ada.id.startswith("ada-") and (ada.name, ada.email) == ("Ada", "ada@school.example")
    assert run(learners(room.tool, COURSE, (ada,))) == [ada]
