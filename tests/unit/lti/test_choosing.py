"""Deep linking, and dynamic registration, against a platform that answers as a test says."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti import deep_linking, dynamic, login
from mlops_lab.classroom.lti.launch import Launch
from mlops_lab.classroom.lti.refused import Refused
from tests.unit.lti.made_up import ADDRESS, SCHOOL, Classroom, run, teacher, told

DL = "https://purl.imsglobal.org/spec/lti-dl/claim"
CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
SECRET = "s" * 43


def asking(room: Classroom, **settings: Any) -> Launch:
    """A teacher who is to choose labs."""
    given = {"deep_link_return_url": "https://school.example/back", "accept_types": ["link", "ltiResourceLink"]}
    return room.launch(
        message_type="LtiDeepLinkingRequest", roles=teacher(), resource_link=None, custom=None,
        **{f"{DL}/deep_linking_settings": {**given, **settings}},
    )  # fmt: skip


def chosen(room: Classroom, labs: list[str], **settings: Any) -> dict[str, Any]:
    """The message that goes back."""

    async def choose(launch: Launch) -> str:
        ticket = await deep_linking.offer(room.tool, launch, login.mark(SECRET))
        return await deep_linking.answer(room.tool, await deep_linking.taken(room.tool, ticket, SECRET), labs)

    token = run(choose(asking(room, **settings)))
    shown = jwt.PyJWK(room.tool.own.public()["keys"][0])
    return dict(
        jwt.decode(
            token,
            shown.key,
            algorithms=["RS256"],
            audience=SCHOOL.issuer,
            options={"verify_exp": False, "verify_iat": False},
        )
    )


def test_what_was_chosen_goes_back_signed() -> None:
    room = Classroom()
    claims = chosen(room, ["11", "10", "11"], data={"csrf": "x"})
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("tool-1", SCHOOL.issuer, 300)
    assert claims[f"{DL}/data"] == {"csrf": "x"}
    assert claims["https://purl.imsglobal.org/spec/lti/claim/deployment_id"] == "d1"
    assert claims["https://purl.imsglobal.org/spec/lti/claim/message_type"] == "LtiDeepLinkingResponse"
    first, second = claims[f"{DL}/content_items"]
    assert first == {
        "type": "ltiResourceLink", "title": "Autoscale on requests", "url": f"{ADDRESS}/lti/launch",
        "custom": {"lab": "11"}, "window": {"targetName": "_blank"},
        "lineItem": {"label": "Autoscale on requests", "scoreMaximum": 30, "resourceId": "lab-11", "tag": "points"},
    }  # fmt: skip
    assert second["custom"] == {"lab": "10"}


def test_a_platform_gets_what_it_takes() -> None:
    room = Classroom()
    [item] = chosen(room, ["10"], accept_lineitem=False, accept_multiple=False)[f"{DL}/content_items"]
    assert "lineItem" not in item
    claims = chosen(room, [])
    assert claims[f"{DL}/content_items"] == [] and f"{DL}/data" not in claims
    for labs, settings, said in (
        (["10", "11"], {"accept_multiple": False}, "one lab at a time"),
        (["99"], {}, "not the class's"),
        (["10"], {"accept_types": ["file"]}, "takes no links"),
        (["10"], {"deep_link_return_url": "http://school.example/back"}, "no https address"),
        (["10"], {"deep_link_return_url": "javascript:alert(1)"}, "no https address"),
    ):
        with pytest.raises(Refused, match=said):
            chosen(room, labs, **settings)


def test_a_choice_is_taken_once_in_time_and_from_the_browser_that_began_it() -> None:
    room = Classroom()

    def offered() -> str:
        return run(deep_linking.offer(room.tool, asking(room), login.mark(SECRET)))

    ticket = offered()
    assert run(deep_linking.taken(room.tool, ticket, SECRET)).deployment == "d1"
    late = offered()
    for again, cookie in ((ticket, SECRET), (offered(), "t" * 43), (offered(), None), ("", SECRET), ("x" * 99, SECRET)):
        with pytest.raises(Refused, match="was sent before, took too long, or was begun elsewhere"):
            run(deep_linking.taken(room.tool, again, cookie))
    room.clock.move(3601)
    with pytest.raises(Refused, match="took too long"):
        run(deep_linking.taken(room.tool, late, SECRET))


ABOUT = "https://new.example/.well-known/openid-configuration"
SAYS = {
    "issuer": "https://new.example", "authorization_endpoint": "https://new.example/auth",
    "token_endpoint": "https://new.example/token", "jwks_uri": "https://new.example/keys",
    "registration_endpoint": "https://new.example/register",
}  # fmt: skip


def invited(room: Classroom, says: dict[str, Any], answer: dict[str, Any], about: str = ABOUT, token: str = "t") -> Any:
    """What comes of an invitation to new.example."""
    room.http.answers["GET", about] = told({**SAYS, **says})
    room.http.answers["POST", SAYS["registration_endpoint"]] = told(answer)
    url = run(dynamic.invite(room.tool, "https://new.example/admin"))
    assert url.startswith(f"{ADDRESS}/lti/register/")
    return run(dynamic.register(room.tool, url.rpartition("/")[2], about, token))


def test_a_platform_registers_itself_by_an_invitation() -> None:
    room = Classroom()
    made = invited(room, {}, {"client_id": "c9", CONFIGURATION: {"deployment_id": "d9"}})
    assert (made.issuer, made.client_id, made.deployments) == ("https://new.example", "c9", ("d9",))
    assert run(room.tool.registration("https://new.example", "c9")) == made
    assert run(room.tool.registrations()) == [made, SCHOOL]
    [(_, _, headers, _)] = [each for each in room.http.asked if each[0] == "POST"]
    assert headers["Authorization"] == "Bearer t"
    [sent] = room.http.bodies("POST", SAYS["registration_endpoint"])
    assert sent["redirect_uris"] == [f"{ADDRESS}/lti/launch"]
    assert sent["initiate_login_uri"] == f"{ADDRESS}/lti/login"
    assert sent["token_endpoint_auth_method"] == "private_key_jwt"
    assert sent[CONFIGURATION]["domain"] == "class.example:8443"
    assert room.begin(SECRET, iss="https://new.example", client_id="c9")["client_id"] == "c9"


def test_without_a_deployment_the_first_launch_names_it() -> None:
    room = Classroom()
    assert invited(room, {}, {"client_id": "c9"}, token="").deployments == ()
    with pytest.raises(Refused, match="'d9', which is not registered"):
        room.begin(SECRET, iss="https://new.example", client_id="c9", lti_deployment_id="d9")


@pytest.mark.parametrize(
    ("says", "answer", "said"),
    [
        ({"issuer": "https://other.example"}, {"client_id": "c"}, "not of the platform's own name"),
        ({"jwks_uri": "https://other.example/keys"}, {"client_id": "c"}, "addresses of other servers"),
        ({"token_endpoint": "http://new.example/token"}, {"client_id": "c"}, "wrong address"),
        ({"registration_endpoint": "https://10.0.0.1/"}, {"client_id": "c"}, "no https address of this platform"),
        ({"jwks_uri": None}, {"client_id": "c"}, "another way than the standard's"),
        ({}, {}, "another way than the standard's"),
        ({}, {"client_id": "c" * 300}, "another way than the standard's"),
    ],
)  # fmt: skip
def test_a_platform_that_registers_wrongly(says: dict[str, Any], answer: dict[str, Any], said: str) -> None:
    room = Classroom()
    with pytest.raises(LabError, match=said):
        invited(room, says, answer)
    assert run(room.tool.registrations()) == [SCHOOL]


def test_an_invitation_is_for_one_server_once_and_for_a_day() -> None:
    room = Classroom()
    for ticket, about, said in (
        ("x", ABOUT, "used before"),
        (None, "https://169.254.169.254/latest", "for another platform"),
        (None, "http://new.example/", "for another platform"),
    ):
        with pytest.raises(Refused, match=said):
            given = ticket or run(dynamic.invite(room.tool, "https://new.example")).rpartition("/")[2]
            run(dynamic.register(room.tool, given, about, ""))
    assert room.http.asked == []
    ticket = run(dynamic.invite(room.tool, "https://new.example")).rpartition("/")[2]
    room.http.answers["GET", ABOUT] = told(SAYS)
    room.http.answers["POST", SAYS["registration_endpoint"]] = told({"client_id": "c"})
    assert run(dynamic.register(room.tool, ticket, ABOUT, ""))
    with pytest.raises(Refused, match="used before"):
        run(dynamic.register(room.tool, ticket, ABOUT, ""))
    ticket = run(dynamic.invite(room.tool, "https://new.example")).rpartition("/")[2]
    room.clock.move(86_401)
    with pytest.raises(Refused, match="is over"):
        run(dynamic.register(room.tool, ticket, ABOUT, ""))
    with pytest.raises(UsageError, match="no https address"):
        run(dynamic.invite(room.tool, "new.example"))
