"""Keys: the platform's are kept, renewed and fetched when they change; the tool's are shown without their secret."""

from __future__ import annotations

import asyncio

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti.keys import PlatformKeys, ToolKeys
from mlops_lab.classroom.lti.ports import Answer
from tests.unit.lti.made_up import SCHOOL, Classroom, jwk, key, public_pem, run, told

KEYS = ("GET", SCHOOL.jwks_uri)


def test_a_platforms_keys_are_fetched_once_an_hour() -> None:
    room = Classroom()
    for _ in range(3):
        assert room.launch()
        room.clock.move(1100)
    assert room.http.count(*KEYS) == 1
    room.clock.move(400)
    assert room.launch()
    assert room.http.count(*KEYS) == 2


def test_a_new_key_is_found_and_an_old_one_is_forgotten_with_its_set() -> None:
    room = Classroom()
    room.launch()
    before, room.signer = room.signer, key("school, later")
    room.http.answers[KEYS] = told({"keys": [jwk("k2", room.signer)]})
    keys = room.tool.keys
    room.clock.move(31)
    assert run(keys.find(SCHOOL, "k2")) is not None
    assert run(keys.find(SCHOOL, "k1")) is None
    assert before is not room.signer


def test_unknown_keys_do_not_make_the_set_be_fetched_without_end() -> None:
    room = Classroom()
    for number in range(20):
        assert run(room.tool.keys.find(SCHOOL, f"x{number}")) is None
    assert room.http.count(*KEYS) == 1
    room.clock.move(31)
    assert run(room.tool.keys.find(SCHOOL, "x")) is None
    assert room.http.count(*KEYS) == 2


def test_many_launches_at_once_fetch_one_set() -> None:
    room = Classroom()

    async def many() -> int:
        found = await asyncio.gather(*(room.tool.keys.find(SCHOOL, "k1") for _ in range(30)))
        return sum(each is not None for each in found)

    assert run(many()) == 30
    assert room.http.count(*KEYS) == 1


def test_keys_that_cannot_be_had_let_nobody_in_and_are_asked_for_again() -> None:
    room = Classroom()
    right = room.http.answers[KEYS]
    room.launch()
    room.clock.move(3601)
    room.http.answers[KEYS] = Answer(503, {}, b"")
    for _ in range(2):
        with pytest.raises(LabError) as trouble:
            room.launch()
        assert trouble.value.transient
    assert room.http.count(*KEYS) == 2
    room.http.answers[KEYS] = right
    room.clock.move(31)
    assert room.launch()


@pytest.mark.parametrize("shown", [b"<html>", b"[]", b"{}", b'{"keys": {}}'])
def test_a_key_set_that_is_none(shown: bytes) -> None:
    room = Classroom()
    room.http.answers[KEYS] = Answer(200, {}, shown)
    with pytest.raises(LabError, match="key set"):
        room.launch()


def test_keys_for_other_ends_do_not_spoil_a_set() -> None:
    room = Classroom()
    others = ["text", {"kty": "EC"}, {"kty": "RSA"}, {"kty": "RSA", "kid": "k0"}, {"kty": "LMS", "kid": "k0"}]
    room.http.answers[KEYS] = told({"keys": [*others, jwk("k1", room.signer)]})
    assert run(PlatformKeys(room.http, room.clock).find(SCHOOL, "k1")) is not None


def test_the_tool_shows_all_its_keys_and_signs_with_the_first() -> None:
    pems = [ToolKeys.generate(), ToolKeys.generate()]
    for order in (pems, pems[::-1]):
        own = ToolKeys(order)
        shown = own.public()["keys"]
        assert all(set(each) == {"kty", "kid", "n", "e", "use", "alg"} for each in shown)
        token = own.signed({"a": 1})
        assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": shown[0]["kid"]}
        assert jwt.decode(token, jwt.PyJWK(shown[0]).key, algorithms=["RS256"]) == {"a": 1}
    assert len({each["kid"] for each in shown}) == 2


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_what_is_no_key_of_the_tool() -> None:
    kinds = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(*kinds).decode()
    short = key("short", 1024).private_bytes(*kinds).decode()
    for pems in ([], ["text"], [curve], [short], [public_pem(key("school")).decode()]):
        with pytest.raises(UsageError):
            ToolKeys(pems)
