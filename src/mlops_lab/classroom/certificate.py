"""A certificate for a learner who has passed labs: an Open Badges 3.0 credential, signed with the class's key.

It is an OpenBadgeCredential in the form of a JSON Web Token ("JSON Web Token Proof Format" of the specification), so
that any program that verifies such badges can read it. Its issuer is a `did:key`, which is the public key itself. A
page to print is made of that token alone, and holds it: `read` takes either, and finds a page that says something else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_lab.classroom.chain import Record, now
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.signing import PrivateKey, PublicKey

_CONTEXTS = ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
_SCHEMA = "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
_ALGORITHM = "EdDSA"
_TEMPLATE = Path(__file__).with_name("certificate.html")
_TOKEN = r"[\w-]+\.[\w-]+\.[\w-]+"
_HELD = re.compile(rf'<pre id="credential">({_TOKEN})</pre>')
# Multicodec's mark of an Ed25519 public key, and the letters of base 58, by which did:key writes it.
_ED25519 = b"\xed\x01"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Lab:
    """A lab that is to be passed, by its number and title."""

    number: str
    title: str


@dataclass(frozen=True)
class Passed:
    """A lab on a certificate."""

    name: str
    points: str
    possible: str


@dataclass(frozen=True)
class Certificate:
    """What a certificate says, as it was signed.

    Attributes:
        id: its own, a URN.
        name: the learner's.
        issued: when, in UTC (ISO 8601).
        by: the class that issued it.
        key: the id of the class's key.
        labs: what was passed.
        evidence: the signed records that it rests on, in words.
        token: the signed credential.
    """

    id: str
    name: str
    issued: str
    by: str
    key: str
    labs: tuple[Passed, ...]
    evidence: tuple[str, ...]
    token: str


class Untrue(ValueError):
    """No certificate of this class; the text says why."""


def issue(
    learner: Learner, labs: Sequence[Lab], records: Sequence[Record], by: str, key: PrivateKey, at: str = ""
) -> str:
    """The token of a certificate.

    Args:
        labs: that the learner is to have passed.
        records: of the class, also of other learners and labs.
        by: the class's name, as it stands on the certificate.
        at: when it is issued, in UTC; now if empty.

    Raises:
        Untrue: a lab was not passed; says which.
    """
    best = {lab.number: _best(learner, lab, records) for lab in labs}
    if missing := [number for number, record in best.items() if record is None] or ([] if labs else ["any"]):
        raise Untrue(f"{learner.id} has not passed lab {', '.join(missing)}")
    kept = [(lab, record) for lab in labs if (record := best[lab.number]) is not None]
    return _signed(_credential(learner, kept, by, key.public, at or now()), key)


def read(content: str, key: PublicKey) -> Certificate:
    """A certificate, of its token or its page.

    Raises:
        Untrue: it was not signed with this key, is not valid, or the page says something else.
    """
    text = content.strip()
    if re.fullmatch(_TOKEN, text):
        return _verified(text, key)
    held = _HELD.findall(content)
    if len(held) != 1:
        raise Untrue("it holds no certificate")
    found = _verified(held[0], key)
    if page(found) != content:
        raise Untrue(
            f"the page around the certificate was changed, or another version made it; what was signed is that "
            f"{found.name} passed {', '.join(each.name for each in found.labs)}"
        )
    return found


def page(certificate: Certificate) -> str:
    """The certificate as one page that needs no other file, to read and to print."""
    import jinja2

    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(it=certificate)


def did_key(key: PublicKey) -> str:
    """The key as a decentralised identifier, by the method did:key (multibase, base58btc)."""
    number, letters = int.from_bytes(_ED25519 + key.raw), ""
    while number:
        number, letter = divmod(number, len(_BASE58))
        letters = _BASE58[letter] + letters
    return f"did:key:z{letters}"


def _best(learner: Learner, lab: Lab, records: Sequence[Record]) -> Record | None:
    """The first record with which a learner passed a lab."""
    own = [each for each in records if (each.learner, each.lab) == (learner.id, lab.number) and each.passed]
    return min(own, key=lambda each: each.sequence, default=None)


def _credential(
    learner: Learner, passed: Sequence[tuple[Lab, Record]], by: str, key: PublicKey, at: str
) -> dict[str, Any]:
    issuer = did_key(key)
    own = uuid.uuid5(uuid.NAMESPACE_URL, issuer)
    titles = [f"{lab.number} {lab.title}" for lab, _ in passed]
    described: list[dict[str, Any]] = [
        {
            "id": uuid.uuid5(own, f"lab {lab.number} {record.lab_content}").urn, "type": ["ResultDescription"],
            "name": title, "resultType": "RawScore", "valueMin": "0", "valueMax": str(record.possible),
        }
        for title, (lab, record) in zip(titles, passed, strict=True)
    ]  # fmt: skip
    results = [
        {"type": ["Result"], "resultDescription": each["id"], "value": str(record.points), "status": "Completed"}
        for each, (_, record) in zip(described, passed, strict=True)
    ]
    evidence = [
        {
            "type": ["Evidence"], "name": f"Record {record.sequence}",
            "narrative": f"Lab {lab.number} passed at {record.at} with submission {record.number} (sha256 "
            f"{record.submission}), graded {'in place ' if record.namespace else ''}by {record.checker}; sha256 of the "
            f"signed record: {record.digest}",
        }
        for lab, record in passed
    ]  # fmt: skip
    return {
        "@context": _CONTEXTS,
        "id": uuid.uuid4().urn,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": f"{by}: {len(passed)} labs" if len(passed) > 1 else f"{by}: {titles[0]}",
        "issuer": {"id": issuer, "type": ["Profile"], "name": by},
        "validFrom": datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "credentialSubject": {
            "id": uuid.uuid5(own, f"learner {learner.id}").urn,
            "type": ["AchievementSubject"],
            "identifier": _identity(learner),
            "result": results,
            "achievement": {
                "id": uuid.uuid5(own, "achievement " + " ".join(sorted(each["id"] for each in described))).urn,
                "type": ["Achievement"],
                "achievementType": "CertificateOfCompletion",
                "name": "; ".join(titles),
                "description": "Passed labs of mlops-lab, which are worked on a real Kubernetes cluster.",
                "criteria": {
                    "narrative": "Every check of each lab passed on what the learner handed in, which the class's "
                    "grader put to work on a cluster of its own and measured."
                },
                "resultDescription": described,
            },
        },
        "evidence": evidence,
        "credentialSchema": [{"id": _SCHEMA, "type": "1EdTechJsonSchemaValidator2019"}],
    }


def _identity(learner: Learner) -> list[dict[str, Any]]:
    """Who it is: the name as it is, the address as a hash that only who knows the address can compare."""
    found: list[dict[str, Any]] = [
        {"type": "IdentityObject", "hashed": False, "identityHash": learner.name, "identityType": "name"}
    ]
    if learner.email:
        salt = secrets.token_hex(8)
        digest = hashlib.sha256((learner.email + salt).encode()).hexdigest()
        found.append(
            {
                "type": "IdentityObject", "hashed": True, "identityHash": f"sha256${digest}",
                "identityType": "emailAddress", "salt": salt,
            }
        )  # fmt: skip
    return found


def _signed(credential: dict[str, Any], key: PrivateKey) -> str:
    from joserfc import jws
    from joserfc.jwk import OKPKey

    claims = {
        "iss": credential["issuer"]["id"], "jti": credential["id"], "sub": credential["credentialSubject"]["id"],
        "nbf": int(datetime.fromisoformat(credential["validFrom"]).timestamp()),
    }  # fmt: skip
    private = OKPKey.import_key(key.pem)
    header = {"alg": _ALGORITHM, "jwk": private.as_dict(private=False), "typ": "JWT"}
    payload = json.dumps({**credential, **claims}, ensure_ascii=False).encode()
    with _quietly():
        return jws.serialize_compact(header, payload, private, algorithms=[_ALGORITHM])


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's remark that RFC 9864 has a newer name for `EdDSA`, which readers of badges don't know."""
    from joserfc.errors import SecurityWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def _verified(token: str, key: PublicKey) -> Certificate:
    """What a token says; by "Verify a Credential" of the specification, with the class's key and no other."""
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    try:
        with _quietly():
            found = jws.deserialize_compact(token, OKPKey.import_key(key.pem), algorithms=[_ALGORITHM])
        it = json.loads(found.payload)
    except (JoseError, ValueError, RecursionError) as broken:
        raise Untrue(f"it was changed, or not signed with the key {key.id}") from broken
    try:
        subject, issuer = it["credentialSubject"], it["issuer"]
        valid = datetime.fromisoformat(it["validFrom"])
        same = [
            issuer["id"] == it["iss"] == did_key(key), it["sub"] == subject["id"], it["jti"] == it["id"],
            it["nbf"] == valid.timestamp(), "OpenBadgeCredential" in it["type"],
        ]  # fmt: skip
        if not all(same):
            raise Untrue("what it says and what was signed for are not the same")
        if valid > datetime.now(UTC):
            raise Untrue(f"it is valid from {it['validFrom']} on, which is later than now; look at this clock")
        described = {each["id"]: each for each in subject["achievement"]["resultDescription"]}
        labs = [
            Passed(about["name"], each["value"], about["valueMax"])
            for each in subject["result"]
            for about in [described[each["resultDescription"]]]
        ]
        name = next(each["identityHash"] for each in subject["identifier"] if each["identityType"] == "name")
        evidence = tuple(f"{each['name']}: {each['narrative']}" for each in it["evidence"])
        return Certificate(
            it["id"], name, it["validFrom"], issuer["name"], key.id, tuple(labs), evidence, token
        )  # fmt: skip
    except (LookupError, TypeError, StopIteration, AttributeError, ValueError) as other:
        if isinstance(other, Untrue):
            raise
        raise Untrue("it is a credential of another form") from other
