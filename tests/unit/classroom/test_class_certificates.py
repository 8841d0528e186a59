"""Certificates: what is signed, what another program reads in it, and what is found on a page that was edited."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from openbadgeslib.ob3.did import did_key_from_pem
from openbadgeslib.ob3.verifier import OB3VerificationError, OB3Verifier

from mlops_lab.classroom import certificate
from mlops_lab.classroom.certificate import Lab, Untrue, did_key, issue, page, read
from mlops_lab.classroom.roster import Learner
from tests.unit.classroom.made import KEY, OTHER, result, signed
from tests.unit.classroom.open_badge import CREDENTIAL

ADA = Learner("ada", "Ada <b>Lovelace</b>", "ada@example.org")
LABS = [Lab("10", "Autoscale on CPU"), Lab("04", "Rolling update")]
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
AT = "2026-11-05T12:00:00+00:00"
RECORDS = signed(
    [
        result("ada", "10", "pf"), result("bob", "10", "pp"), result("ada", "10", "ppp", number=2),
        result("ada", "04", "pp"), result("ada", "10", "pp", number=3), result("ada", "05", "pe"),
        result("ada", "06", ""),
    ]
)  # fmt: skip


def token(learner: Learner = ADA, at: str = AT) -> str:
    return issue(learner, LABS, RECORDS, "Bootcamp Süd", KEY, at)


def parts(of: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload = (json.loads(base64.urlsafe_b64decode(each + "==")) for each in of.split(".")[:2])
    return header, payload


def signed_again(payload: dict[str, Any]) -> str:
    return certificate._signed({name: each for name, each in payload.items() if name not in ("iss", "sub")}, KEY)


def test_it_says_who_passed_what_and_on_which_records_it_rests() -> None:
    found = read(token(), KEY.public)
    assert (found.name, found.by, found.issued, found.key) == (
        "Ada <b>Lovelace</b>", "Bootcamp Süd", "2026-11-05T12:00:00Z", KEY.public.id,
    )  # fmt: skip
    assert [(each.name, each.points, each.possible) for each in found.labs] == [
        ("10 Autoscale on CPU", "6", "6"), ("04 Rolling update", "4", "4"),
    ]  # fmt: skip
    assert [RECORDS[place].digest in text for place, text in zip((2, 3), found.evidence, strict=True)] == [True, True]
    assert found.evidence[0].startswith("Record 3: Lab 10 passed at 2026-11-01T10:00:02+00:00 with submission 2")


@pytest.mark.parametrize(
    ("learner", "labs", "missing"),
    [("ada", ["05"], "05"), ("ada", ["10", "06", "07"], "06, 07"), ("bob", ["10", "04"], "04"), ("cy", ["10"], "10"),
     ("ada", [], "any")],
)  # fmt: skip
def test_nobody_gets_one_for_what_was_not_passed(learner: str, labs: list[str], missing: str) -> None:
    with pytest.raises(Untrue, match=f"^{learner} has not passed lab {missing}$"):
        issue(Learner(learner), [Lab(each, "") for each in labs], RECORDS, "Bootcamp", KEY)


@pytest.mark.parametrize("learner", [ADA, Learner("ada", "Ada"), Learner("ada", "")])
def test_it_is_an_open_badge_by_the_specification(learner: Learner) -> None:
    header, payload = parts(issue(Learner(learner.id, learner.name or "ada", learner.email), LABS, RECORDS, "B", KEY))
    jsonschema.Draft202012Validator(CREDENTIAL).validate(payload)
    public = header["jwk"]
    assert (header["alg"], header["typ"], set(public)) == ("EdDSA", "JWT", {"crv", "kty", "x"})
    assert base64.urlsafe_b64decode(public["x"] + "=") == KEY.public.raw
    assert payload["iss"] == payload["issuer"]["id"] == did_key(KEY.public)
    assert payload["sub"] == payload["credentialSubject"]["id"]
    assert payload["jti"] == payload["id"]
    assert payload["nbf"] == datetime.fromisoformat(payload["validFrom"]).timestamp()


def test_the_schema_of_the_tests_refuses_what_it_should() -> None:
    _, payload = parts(token())
    schema = jsonschema.Draft202012Validator(CREDENTIAL)
    for field in ("@context", "id", "type", "issuer", "validFrom", "credentialSubject"):
        assert list(schema.iter_errors({name: each for name, each in payload.items() if name != field}))
    for field, value in (("id", "no uri"), ("validFrom", "2026-11-05"), ("type", ["VerifiableCredential"])):
        assert list(schema.iter_errors({**payload, field: value}))


def test_another_program_verifies_it_too() -> None:
    assert did_key(KEY.public) == did_key_from_pem(KEY.public.pem)
    for verifier in (OB3Verifier(KEY.public.pem), OB3Verifier.for_issuer_did(did_key(KEY.public))):
        found = verifier.verify(token())
        assert found.issuer.name == "Bootcamp Süd"
        assert [each.value for each in found.results] == ["6", "4"]
        assert found.achievement.achievement_type == "CertificateOfCompletion"
        assert found.identifiers[0].identity_hash == ADA.name
    with pytest.raises(OB3VerificationError):
        OB3Verifier(OTHER.public.pem).verify(token())


def test_the_address_is_told_to_nobody_who_does_not_know_it() -> None:
    text = token()
    _, payload = parts(text)
    assert ADA.email not in json.dumps(payload)
    hashed = payload["credentialSubject"]["identifier"][1]
    assert hashed["identityHash"] == "sha256$" + hashlib.sha256((ADA.email + hashed["salt"]).encode()).hexdigest()
    assert hashed["salt"] != parts(token())[1]["credentialSubject"]["identifier"][1]["salt"]


def changed(of: str, do: Callable[[dict[str, Any]], object]) -> str:
    head, _, signature = of.split(".")
    _, payload = parts(of)
    do(payload)
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.{signature}"


def unsigned(of: str, header: dict[str, Any]) -> str:
    _, payload, signature = of.split(".")
    return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip('=')}.{payload}.{signature}"


@pytest.mark.parametrize(
    "do",
    [
        lambda it: changed(it, lambda payload: payload["issuer"].update(name="Another")),
        lambda it: changed(it, lambda payload: payload["credentialSubject"]["result"][0].update(value="9")),
        lambda it: unsigned(it, {"alg": "none"}),
        lambda it: unsigned(it, {"alg": "none"}).rpartition(".")[0] + ".",
        lambda it: unsigned(it, {"alg": "HS256"}),
        lambda it: unsigned(it, {"alg": "EdDSA", "jwk": parts(issue_with_another())[0]["jwk"]}),
        lambda it: issue_with_another(),
        lambda it: it[:-4] + "AAAA",
        lambda it: "a.b.c",
        lambda it: "",
        lambda it: "<html></html>",
        lambda it: it + it,
    ],
)  # fmt: skip
def test_what_was_not_signed_with_the_class_key_is_none(do: Callable[[str], str]) -> None:
    with pytest.raises(Untrue):
        read(do(token()), KEY.public)


def issue_with_another() -> str:
    return issue(ADA, LABS, signed([result("ada", "10"), result("ada", "04")], OTHER), "Bootcamp Süd", OTHER, AT)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda it: it["issuer"].update(id="did:key:zOther"), "not the same"),
        (lambda it: it.update(type=["VerifiableCredential"]), "not the same"),
        (lambda it: it.update(validFrom=TOMORROW), "later than now"),
        (lambda it: it.update(validFrom="soon"), "another form"),
        (lambda it: it.pop("evidence"), "another form"),
        (lambda it: it["credentialSubject"].update(identifier=[]), "another form"),
        (lambda it: it["credentialSubject"].update(result=5), "another form"),
    ],
)  # fmt: skip
def test_what_the_key_signed_is_looked_at_too(do: Callable[[dict[str, Any]], object], said: str) -> None:
    _, payload = parts(token())
    do(payload)
    try:
        again = signed_again(payload)
    except ValueError:  # a time that is none
        again = sign_raw(payload)
    with pytest.raises(Untrue, match=said):
        read(again, KEY.public)


def sign_raw(payload: dict[str, Any]) -> str:
    head = token().split(".")[0]
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    signature = base64.urlsafe_b64encode(KEY.sign(f"{head}.{body}".encode())).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def test_the_page_needs_no_other_file_and_verifies_as_the_token_does() -> None:
    found = read(token(), KEY.public)
    text = page(found)
    assert read(text, KEY.public) == found
    assert "Ada &lt;b&gt;Lovelace&lt;/b&gt;" in text
    assert "<b>" not in text
    assert 'http-equiv="Content-Security-Policy"' in text
    assert not any(word in text for word in ("<script", "src=", "@import", "url(", "http://"))
    assert text.count("href=") == 1  # the icon, which is none


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ada &lt;", "Eve &lt;"),
        ("10 Autoscale", "20 Autoscale"),
        ("6 of 6", "9 of 9"),
        ("</main>", "<p>with honours</p></main>"),
    ],
)
def test_a_page_that_says_something_else_is_found_out(old: str, new: str) -> None:
    text = page(read(token(), KEY.public))
    edited = text.replace(old, new)
    assert edited != text
    with pytest.raises(
        Untrue, match=r"page around .* was changed.* Ada <b>Lovelace</b> passed 10 Autoscale on CPU, 04"
    ):
        read(edited, KEY.public)


def test_two_certificates_on_one_page_are_none() -> None:
    text = page(read(token(), KEY.public))
    with pytest.raises(Untrue, match="holds no certificate"):
        read(text + text, KEY.public)
