"""Launches that are refused, each beside one that differs in that alone and is let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from msgspec.structs import replace

from mlops_lab.classroom.lti import login
from mlops_lab.classroom.lti.launch import arrive
from mlops_lab.classroom.lti.refused import Refused
from tests.unit.lti.made_up import (
    ADDRESS,
    CLAIM,
    MEMBERSHIP,
    SCHOOL,
    Classroom,
    by_hand,
    jwk,
    key,
    public_pem,
    run,
    teacher,
    told,
)  # fmt: skip

Token = Callable[[Classroom, dict[str, Any]], str]


def brought(room: Classroom, token: Token) -> Any:
    """A launch whose message is what `token` makes of the right claims."""
    secret = login.secret_of(None)
    asked = room.begin(secret)
    return room.arrive(asked["state"], token(room, room.claims(asked["nonce"])), secret)


def test_the_right_message_is_let_in() -> None:
    launch = brought(Classroom(), lambda room, claims: room.signed(claims))
    assert (launch.user, launch.name, launch.email) == ("u1", "Ada Lovelace", "ada@school.example")
    assert (launch.learns, launch.teaches, launch.lab, launch.path, launch.deployment) == (True, False, "10", "/", "d1")


SIGNED_WRONGLY: dict[str, Token] = {
    "not signed": lambda _, claims: by_hand({"alg": "none", "kid": "k1"}, claims, None),
    "not signed, in other letters": lambda _, claims: by_hand({"alg": "nOnE", "kid": "k1"}, claims, None),
    "HS256 by the public key": lambda room, claims: by_hand(
        {"alg": "HS256", "kid": "k1"}, claims, public_pem(room.signer)
    ),
    "another algorithm by the right key": lambda room, claims: jwt.encode(
        claims, room.signer, "RS512", headers={"kid": "k1"}
    ),
    "PSS by the right key": lambda room, claims: jwt.encode(claims, room.signer, "PS256", headers={"kid": "k1"}),
    "another key of that id": lambda _, claims: jwt.encode(claims, key("mallory"), "RS256", headers={"kid": "k1"}),
    "a key that the set has not": lambda room, claims: room.signed(claims, kid="k2"),
    "no key id": lambda room, claims: jwt.encode(claims, room.signer, "RS256"),
    "a key that the message brings": lambda _, claims: jwt.encode(
        claims, key("mallory"), "RS256", headers={"kid": "k9", "jwk": jwk("k9", key("mallory"))}
    ),
    "a key set that the message names": lambda _, claims: jwt.encode(
        claims, key("mallory"), "RS256", headers={"kid": "k9", "jku": "https://mallory.example/keys"}
    ),
    "claims changed after signing": lambda room, claims: ".".join(
        [
            room.signed(claims).split(".")[0],
            room.signed({**claims, f"{CLAIM}roles": teacher()}).split(".")[1],
            room.signed(claims).split(".")[2],
        ]
    ),
    "a header that must be understood": lambda room, claims: room.signed(claims, crit=["exp"], exp=1),
    "no token": lambda *_: "a.b",
    "no ASCII": lambda *_: "ä.b.c",
}


@pytest.mark.parametrize("token", SIGNED_WRONGLY.values(), ids=SIGNED_WRONGLY.keys())
def test_a_message_that_the_platform_has_not_signed(token: Token) -> None:
    room = Classroom()
    with pytest.raises(Refused, match="not signed by"):
        brought(room, token)
    assert {each[1] for each in room.http.asked} <= {SCHOOL.jwks_uri}


@pytest.mark.filterwarnings("error:Key size should be")  # it is not even tried
@pytest.mark.parametrize(
    "shown",
    [
        {"use": "enc"}, {"alg": "RS512"}, {"kty": "EC"}, {"n": "AQAB"}, {"e": "not base64!"},
        {"n": jwk("k1", key("short", 1024))["n"]},
    ],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_a_key_of_the_set_that_is_not_for_this(shown: dict[str, str]) -> None:
    room = Classroom()
    room.http.answers["GET", SCHOOL.jwks_uri] = told({"keys": [jwk("k1", room.signer, **shown)]})
    with pytest.raises(Refused, match="not signed by"):
        brought(room, lambda room, claims: room.signed(claims))


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long", "ignore:Key size should be")
@pytest.mark.parametrize("padding", ["", "A" * 200])
def test_a_key_below_2048_bits(padding: str) -> None:
    room = Classroom()
    room.signer = key("short", 1024)
    shown = jwk("k1", room.signer)
    room.http.answers["GET", SCHOOL.jwks_uri] = told({"keys": [{**shown, "n": padding + shown["n"]}]})
    with pytest.raises(Refused, match="not signed by"):
        brought(room, lambda room, claims: room.signed(claims))


ADMIN = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
CLAIMED_WRONGLY: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://other.example"}, "does not hold"),
    "no issuer": ({"iss": None}, "does not hold"),
    "for another tool": ({"aud": "tool-2"}, "for somebody else"),
    "for us and another tool": ({"aud": ["tool-1", "tool-2"]}, "for somebody else"),
    "for nobody": ({"aud": None}, "does not hold"),
    "for a number": ({"aud": 7}, "does not hold"),
    "another authorized party": ({"azp": "tool-2"}, "for somebody else"),
    "another nonce": ({"nonce": "n" * 43}, "does not hold"),
    "no nonce": ({"nonce": None}, "does not hold"),
    "nonces": ({"nonce": []}, "does not hold"),
    "expired": ({"exp": 1788249600 - 61}, "does not hold"),
    "never expires": ({"exp": None}, "does not hold"),
    "expires at no number": ({"exp": "2099"}, "does not hold"),
    "from no time": ({"iat": None}, "does not hold"),
    "from the future": ({"iat": 1788249600 + 61}, "does not hold"),
    "from long ago": ({"iat": 1788249600 - 661}, "older than the launch"),
    "not valid yet": ({"nbf": 1788249600 + 61}, "does not hold"),
    "another deployment": ({"deployment_id": "d3"}, "not registered"),
    "no deployment": ({"deployment_id": None}, "not as LTI 1.3 says"),
    "LTI 1.1": ({"version": "LTI-1p0"}, "this is LTI 1.3"),
    "another message": ({"message_type": "LtiSubmissionReviewRequest"}, "no message for this tool"),
    "nobody": ({"sub": None}, "not as LTI 1.3 says"),
    "nobody by an empty name": ({"sub": ""}, "not as LTI 1.3 says"),
    "no roles": ({"roles": None}, "not as LTI 1.3 says"),
    "no link": ({"resource_link": None}, "lacks what it is about"),
    "a lab that there is not": ({"custom": {"lab": "99"}}, "no lab '99'"),
    "another server's page": ({"target_link_uri": "https://mallory.example/lti/launch"}, "another server"),
    "another port's page": ({"target_link_uri": "https://class.example/lti/launch"}, "another server"),
    "a page without TLS": ({"target_link_uri": "http://class.example:8443/"}, "another server"),
    "a page by another's password": ({"target_link_uri": "https://class.example:8443@mallory.example/"}, "another"),
    "a page by two slashes": ({"target_link_uri": f"{ADDRESS}//mallory.example/"}, "another server"),
    "a teacher's page": ({"target_link_uri": f"{ADDRESS}/class"}, "for the course's teachers"),
    "a page below a teacher's": ({"target_link_uri": f"{ADDRESS}/class/map?all"}, "for the course's teachers"),
    "a teacher's page by dots": ({"target_link_uri": f"{ADDRESS}/x/../class"}, "another server"),
    "a teacher's page by codes": ({"target_link_uri": f"{ADDRESS}/%63lass"}, "another server"),
    "a teacher's page by a role elsewhere": (
        {"target_link_uri": f"{ADDRESS}/class", "roles": [f"{MEMBERSHIP}Learner", ADMIN]},
        "for the course's teachers",
    ),
    "a teacher's page by a sub-role": (
        {"target_link_uri": f"{ADDRESS}/class", "roles": [f"{MEMBERSHIP.replace('#', '/Instructor#')}Grader"]},
        "for the course's teachers",
    ),
    "a teacher's page by a role of that sound": (
        {"target_link_uri": f"{ADDRESS}/class", "roles": ["https://mallory.example/#Instructor"]},
        "for the course's teachers",
    ),
    "a choice of labs": (
        {
            "message_type": "LtiDeepLinkingRequest",
            "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings": {
                "deep_link_return_url": "https://school.example/back", "accept_types": ["ltiResourceLink"],
            },
        },
        "chosen by the course's teachers",
    ),
    "services of another server": (
        {"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {"lineitems": "https://mallory.example/items"}},
        "another address",
    ),
    "a line item without TLS": (
        {"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {"lineitem": "http://school.example/items/1"}},
        "another address",
    ),
    "a roster in the class's own network": (
        {
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": "https://10.0.0.1/members",
            }
        },
        "another address",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("claims", "said"), CLAIMED_WRONGLY.values(), ids=CLAIMED_WRONGLY.keys())
def test_a_message_that_is_not_meant_so(claims: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        Classroom().launch(**claims)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["tool-1"]}, {"azp": None}, {"exp": 1788249600 - 59}, {"iat": 1788249600 + 59},
        {"iat": 1788249600 - 659}, {"deployment_id": "d2"}, {"context": None}, {"custom": None}, {"name": None},
        {"target_link_uri": f"{ADDRESS}/labs/10"}, {"roles": ["Learner"]}, {"roles": []},
        {"target_link_uri": f"{ADDRESS}/class", "roles": teacher()},
        {"target_link_uri": f"{ADDRESS}/classroom"},
    ],
    ids=str,
)  # fmt: skip
def test_what_differs_within_bounds_is_let_in(claims: dict[str, Any]) -> None:
    assert Classroom().launch(**claims).user == "u1"


def test_a_message_is_let_in_once() -> None:
    room, secret = Classroom(), login.secret_of(None)
    asked = room.begin(secret)
    token = room.signed(room.claims(asked["nonce"]))
    room.arrive(asked["state"], token, secret)
    with pytest.raises(Refused, match="used before"):
        room.arrive(asked["state"], token, secret)


def test_a_message_of_another_launch_does_not_fit_a_new_one() -> None:
    room, secret = Classroom(), login.secret_of(None)
    before = room.begin(secret)
    token = room.signed(room.claims(before["nonce"]))
    room.arrive(before["state"], token, secret)
    with pytest.raises(Refused, match="does not hold"):
        room.arrive(room.begin(secret)["state"], token, secret)


def test_two_launches_swapped_in_one_browser() -> None:
    room, secret = Classroom(), login.secret_of(None)
    one, other = room.begin(secret), room.begin(secret)
    with pytest.raises(Refused, match="does not hold"):
        room.arrive(one["state"], room.signed(room.claims(other["nonce"])), secret)


def test_a_launch_that_another_browser_began() -> None:
    room = Classroom()
    for cookie in (login.secret_of(None), ""):
        asked = room.begin(login.secret_of(None))
        with pytest.raises(Refused, match="this browser did not begin"):
            room.arrive(asked["state"], room.signed(room.claims(asked["nonce"])), cookie)


def test_a_launch_without_its_beginning() -> None:
    room, secret = Classroom(), login.secret_of(None)
    asked = room.begin(secret)
    for state in ("", "x", "s" * 43):
        with pytest.raises(Refused, match="used before"):
            room.arrive(state, room.signed(room.claims(asked["nonce"])), secret)


def test_a_launch_that_takes_too_long() -> None:
    for seconds, let_in in ((599, True), (601, False)):
        room, secret = Classroom(), login.secret_of(None)
        asked = room.begin(secret)
        room.clock.move(seconds)
        token = room.signed(room.claims(asked["nonce"]))
        if let_in:
            assert room.arrive(asked["state"], token, secret)
        else:
            with pytest.raises(Refused, match="took too long"):
                room.arrive(asked["state"], token, secret)


def test_another_platform_cannot_answer_for_this_one() -> None:
    other = another("https://other.example")
    room, secret = Classroom(SCHOOL, other), login.secret_of(None)
    room.http.answers["GET", other.jwks_uri] = told({"keys": [jwk("k1", key("mallory"))]})
    asked = room.begin(secret)
    claims = {**room.claims(asked["nonce"]), "iss": other.issuer}
    with pytest.raises(Refused, match=r"not signed by https://school\.example"):
        room.arrive(asked["state"], jwt.encode(claims, key("mallory"), "RS256", headers={"kid": "k1"}), secret)


def test_the_deployment_of_the_beginning_holds() -> None:
    room, secret = Classroom(), login.secret_of(None)
    asked = room.begin(secret, lti_deployment_id="d2")
    with pytest.raises(Refused, match="another deployment than the launch"):
        room.arrive(asked["state"], room.signed(room.claims(asked["nonce"], deployment_id="d1")), secret)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"iss": "https://other.example"}, "not registered with this class"),
        ({"iss": "https://other.example", "client_id": ""}, "not registered with this class"),
        ({"client_id": "tool-2"}, "not registered with this class"),
        ({"lti_deployment_id": "d3"}, "not registered"),
        ({"login_hint": ""}, "no login_hint"),
        ({"target_link_uri": ""}, "no target_link_uri"),
    ],
)
def test_a_beginning_that_leads_nowhere(given: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        Classroom().begin("s" * 43, **given)


def test_an_issuer_that_is_registered_twice_says_which_one_it_means() -> None:
    room = Classroom(SCHOOL, another(SCHOOL.issuer, "tool-2"))
    with pytest.raises(Refused, match="more than once"):
        room.begin("s" * 43, client_id="")
    assert room.begin("s" * 43, client_id="tool-2")["client_id"] == "tool-2"


def test_the_platform_says_why_it_does_not_go_on() -> None:
    room, secret = Classroom(), login.secret_of(None)
    given = {"state": room.begin(secret)["state"], "error": "login_required", "error_description": "no session"}
    with pytest.raises(Refused, match="no session"):
        run(arrive(room.tool, given, secret))


def another(issuer: str, client_id: str = "tool-1") -> Any:
    """Another platform, at addresses of its own."""
    host = issuer if issuer != SCHOOL.issuer else "https://second.example"
    return replace(
        SCHOOL, issuer=issuer, client_id=client_id, authorization_endpoint=f"{host}/auth",
        token_endpoint=f"{host}/token", jwks_uri=f"{host}/keys",
    )  # fmt: skip
