"""A class's keys and signed records: what is found in an export that somebody has changed."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import audit, chain, signing
from mlops_lab.classroom.signing import PrivateKey
from tests.unit.classroom.made import KEY, OTHER, export, result, signed

LEARNERS = ("ada", "bob", "cy", "dee", "eve")
Lines = list[str]


def whole() -> Lines:
    return export([result(learner, number=place) for place, learner in enumerate(LEARNERS, 1)])


def verified(lines: Lines) -> audit.Audited:
    return audit.verify(lines, KEY.public)


def changed(line: str, **fields: Any) -> str:
    return json.dumps({**json.loads(line), **fields}) + "\n"


def test_a_whole_export_is_proved_with_the_public_key_alone() -> None:
    lines = whole()
    found = verified(lines)
    assert (found.records, found.at, found.broken, found.notes) == (5, "2026-11-02T00:00:00+00:00", None, ())
    assert found.last == signed([result(learner, number=place) for place, learner in enumerate(LEARNERS, 1)])[-1].digest
    assert [each.learner for each in audit.records(lines)] == list(LEARNERS)
    assert audit.records(lines)[0].checks == result().checks
    assert verified(export([])).broken is None


def test_spaces_order_of_fields_and_bytes_do_not_matter() -> None:
    lines = [json.dumps(dict(sorted(json.loads(line).items(), reverse=True)), indent=None) for line in whole()]
    assert audit.verify([line.encode() for line in [*lines, "\n"]], KEY.public).broken is None


def test_a_record_of_files_has_no_namespace_and_one_of_what_was_graded_in_place_has() -> None:
    files, there = result(number=1), replace(result(lab="20", number=2), namespace="l-ada-lab-20")
    lines = export([files, there, files])
    assert ["namespace" in json.loads(line) for line in lines] == [False, True, False, False]
    assert verified(lines).records == 3 and audit.records(lines)[1].namespace == "l-ada-lab-20"
    for other in ("l-bob-lab-20", ""):
        broken = verified([lines[0], changed(lines[1], namespace=other), *lines[2:]]).broken
        assert broken and (broken.what, broken.line) == ("changed", 2)


FIELDS = {
    "points": 3, "learner": "mallory", "lab": "11", "lab_content": "x", "checker": "x", "submission": "x", "number": 9,
    "possible": 1, "seed": None, "at": "2020-01-01T00:00:00+00:00", "seconds": 1, "sequence": 4, "before": "x",
    "schema": "mlops-lab/record/2", "signature": "AAAA", "checks": [], "more": 1, "key": "x",
    "namespace": "l-ada-lab-20",
}  # fmt: skip


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_signed(field: str, place: int) -> None:
    lines = whole()
    lines[place] = changed(lines[place], **{field: FIELDS[field]})
    found = verified(lines)
    assert found.broken is not None
    assert found.broken.what == ("foreign" if field == "key" else "changed")
    assert (found.broken.sequence, found.broken.line, found.records) == (place + 1, place + 1, place)
    assert found.broken.learner == ("mallory" if field == "learner" else LEARNERS[place])
    assert found.at == ""


def spelled_otherwise(line: str) -> str:
    """The same bytes of a signature in base64 whose last letter has other bits that count for nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    signature = json.loads(line)["signature"]
    assert signature.endswith("==")
    other = signature[:-3] + letters[letters.index(signature[-3]) + 1] + "=="
    assert base64.b64decode(other, validate=True) == base64.b64decode(signature)
    return changed(line, signature=other)


@pytest.mark.parametrize("place", [0, 2, 4, 5])
def test_a_signature_that_is_spelled_otherwise_is_named(place: int) -> None:
    lines = whole()
    lines[place] = spelled_otherwise(lines[place])
    found = verified(lines)
    assert found.broken is not None
    assert (found.broken.what, found.broken.sequence, found.broken.line) == ("changed", place + 1, place + 1)
    record = signed([result()])[0]
    other = replace(record, signature=json.loads(spelled_otherwise(chain.line(record)))["signature"])
    assert chain.is_signed(chain.fields(record), KEY.public) and not chain.is_signed(chain.fields(other), KEY.public)


@pytest.mark.parametrize("field", ["count", "last", "at", "signature"])
def test_the_end_is_signed_too(field: str) -> None:
    lines = whole()
    lines[-1] = changed(lines[-1], **{field: 3 if field == "count" else "x"})
    broken = verified(lines).broken
    assert broken is not None
    assert (broken.what, broken.line) == ("changed", 6)


def swap(lines: Lines, one: int, other: int) -> Lines:
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def without(lines: Lines, *places: int) -> Lines:
    return [line for place, line in enumerate(lines) if place not in places]


@pytest.mark.parametrize(
    ("do", "what", "sequence", "learner", "said"),
    [
        (lambda it: without(it, 0), "left out", 1, "bob", "record 1 is missing before record 2: bob, lab 10"),
        (lambda it: without(it, 1, 2), "left out", 2, "dee", "records 2 to 3 are missing before record 4: dee"),
        (lambda it: without(it, 4), "cut off", 5, "", "record 5 were cut off before the end"),
        (lambda it: it[:3], "cut off", 4, "", "what came after record 3 and the end itself were cut off"),
        (lambda it: it[:-1], "cut off", 6, "", "has no end"),
        (lambda it: [], "cut off", 1, "", "has no end"),
        (lambda it: [it[0], it[0], *it[1:]], "doubled", 1, "ada", "record 1 stands there a second time"),
        (lambda it: [*it[:5], it[2], it[5]], "doubled", 3, "cy", "record 3 stands there a second time"),
        (lambda it: swap(it, 1, 3), "moved", 4, "dee", "stands before record 2, which is in line 4: bob, lab 10"),
        (lambda it: [*it[1:5], it[0], it[5]], "moved", 2, "bob", "stands before record 1, which is in line 5: ada"),
        (lambda it: [*it, it[0]], "moved", 6, "ada", "stands behind the end"),
        (lambda it: [*it[:2], it[-1], *it[2:]], "cut off", 3, "", "records 3 to 5 were cut off"),
        (lambda it: [*it[:5], *export([result("ada")])[1:]], "moved", 5, "", "end is of an older export, of 1 records"),
        (lambda it: [*export([result("x", number=3)])[:1], *it[1:]], "forked", 2, "bob", "set back to an older state"),
        (lambda it: [*it[:1], *export([result("x"), result("y")])[:2], *it[1:]], "forked", 1, "x", "set back to an"),
        (lambda it: [*export([result("x", number=each) for each in range(5)])[:5], it[5]], "forked", 5, "", "another"),
        (lambda it: [*export([result()], OTHER)[:1], *it[1:]], "foreign", 1, "ada", "another key"),
        (lambda it: ["nonsense\n", *it], "changed", 1, "", "it is no record"),
        (lambda it: ["[" * 100_000, *it], "changed", 1, "", "it is no record"),
        (lambda it: ["[1]", *it], "changed", 1, "", "it is no record"),
        (lambda it: [it[0][:-30], *it[1:]], "changed", 1, "", "it is no record"),
        (lambda it: [it[0].replace('"points":4', '"points":4,"points":1'), *it], "changed", 1, "", "it is no record"),
        (lambda it: [it[0].replace('"points":4', '"points":NaN'), *it], "changed", 1, "", "it is no record"),
        (lambda it: [it[0].replace('"points":4', '"points":1e999'), *it], "changed", 1, "ada", "not as it was signed"),
        (lambda it: [it[0].replace('"points":4', '"points":"4"'), *it], "changed", 1, "ada", "not as it was signed"),
        (lambda it: [it[0].replace('"points":4', f'"points":{2**60}'), *it], "changed", 1, "ada", "not as it was"),
    ],
)  # fmt: skip
def test_the_first_record_that_is_not_as_it_was_is_named(
    do: Callable[[Lines], Lines], what: str, sequence: int, learner: str, said: str
) -> None:
    lines = whole()
    broken = verified(do(list(lines))).broken
    assert broken is not None
    assert (broken.what, broken.sequence, broken.learner) == (what, sequence, learner)
    assert said in broken.text
    assert f"line {broken.line}, record {sequence}" in broken.text


def test_a_record_of_a_later_version_is_not_called_changed() -> None:
    value = {**json.loads(whole()[0]), "schema": "mlops-lab/record/9"}
    value["signature"] = chain._signature({name: each for name, each in value.items() if name != "signature"}, KEY)
    broken = verified([json.dumps(value)]).broken
    assert broken is not None
    assert (broken.what, broken.sequence) == ("unknown", 1)
    assert "use a newer one" in broken.text


def test_an_older_export_is_whole_and_says_of_when_it_is() -> None:
    records = signed([result(learner) for learner in LEARNERS])
    found = verified(list(chain.export(records[:3], KEY, "2026-10-01T00:00:00+00:00")))
    assert (found.records, found.at, found.broken) == (3, "2026-10-01T00:00:00+00:00", None)


def test_a_clock_that_was_set_back_is_noted_and_breaks_nothing() -> None:
    lines = export([result(at="2026-11-01T10:00:00+00:00"), result("bob", at="2026-10-31T10:00:00+00:00")])
    found = verified(lines)
    assert found.broken is None
    assert found.notes == (
        "record 2 says it was at 2026-10-31T10:00:00+00:00, earlier than the one before (2026-11-01T10:00:00+00:00): "
        "a clock was set back",
    )


def test_what_a_program_printed_can_be_signed_whatever_it_is() -> None:
    lines = export([result(verdicts="f", seen="half a character \ud800, \0, 😀")])
    found = verified(lines)
    assert found.broken is None
    assert audit.records(lines)[0].checks[0].seen == "half a character ?, \0, 😀"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # The example of RFC 8785, section 3.2.2 to 3.2.4.
        ({"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], "literals": [None, True, False]},
         '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'),
        ({"string": '€$\x0f\nA\'B"\\\\"/'}, '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'),
        # Its section 3.2.3: by UTF-16 code units.
        ({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "1": 4}, '{"1":4,"€":3,"😀":2,"\ufb33":1}'),
        ({"whole": 12.0, "none": -0.0}, '{"none":0,"whole":12}'),
    ],
)  # fmt: skip
def test_objects_have_one_form_by_rfc_8785(value: dict[str, Any], text: str) -> None:
    assert chain.canonical(value).decode() == text


def test_a_private_key_is_text_and_shown_to_nobody() -> None:
    key = signing.PrivateKey(os.urandom(32))
    assert key.pem.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert signing.private_from_pem(key.pem, "it", "") == key
    assert key.raw.hex() not in repr(key)


def test_the_public_key_is_text_and_the_private_one_is_not_taken_for_it(tmp_path: Path) -> None:
    key = signing.PrivateKey(os.urandom(32))
    file = tmp_path / "class.pem"
    file.write_text("\n  " + key.public.pem.replace("\n", "\r\n"))
    assert signing.public_key(file) == key.public
    assert key.public.pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    for content, said in (
        (key.pem, "a private key"), ("", "no public key"), ("x" * 100, "no public key"),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQ==\n-----END PUBLIC KEY-----\n", "no public key"),
    ):  # fmt: skip
        file.write_text(content)
        with pytest.raises(UsageError, match=said):
            signing.public_key(file)
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="no text"):
        signing.public_key(file)


def test_another_kind_of_key_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    with pytest.raises(UsageError, match="another kind"):
        signing.private_from_pem(private, "it", "")
    with pytest.raises(UsageError, match="another kind"):
        signing.public_from_pem(public, "it", "")


def test_keys_and_signatures_are_those_of_the_published_examples() -> None:
    # RFC 8037, appendices A.2, A.3 and A.4; the key's other half in RFC 8032, section 7.1, test 1.
    key = PrivateKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.raw.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.public.id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    signature = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert signature.hex().startswith("860c98d2297f3060a33f42739672d61b")
    assert key.public.verifies(signature, b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert not key.public.verifies(signature, b"another")
    assert not key.public.verifies(b"", b"another")
