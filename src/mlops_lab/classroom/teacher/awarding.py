"""Certificates for learners who have passed, made of the class's records with the class's key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom import audit, certificate
from mlops_lab.classroom.certificate import Lab, Untrue
from mlops_lab.classroom.chain import Record
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.signing import private_from_pem
from mlops_lab.classroom.teacher.asking import asking
from mlops_lab.classroom.teacher.place import Place
from mlops_lab.classroom.teacher.place import learner as one_of

MARK = ".html"


class _Lab(msgspec.Struct):
    lab: str
    title: str = ""


class _Learner(msgspec.Struct):
    learner: str
    name: str = ""
    email: str = ""
    gone: bool = False


class _Class(msgspec.Struct, rename={"title": "class"}):
    title: str
    labs: list[_Lab]
    learners: list[_Learner]


def award(
    place: Place,
    name: str | None,
    labs: Sequence[str] | None,
    folder: Path,
    done: Callable[[Learner, Path | None, str], None],
) -> None:
    """Write a certificate for each learner, as a page to print that holds the signed credential.

    Args:
        name: the one learner's id; None for each of the roster, and each whom a learning platform has sent.
        labs: that each is to have passed, by their numbers; None for those that each has.
        done: called for each learner with the file, or with None and why there is none; and the labs in words.

    Raises:
        UsageError: the class has no such lab, or no such learner.
        LabError: the records are not as they were signed, or the server or the disk has a problem.
    """
    secret = place.told().value("server", "existingSecret") or "class"
    key = private_from_pem(place.secret(secret).get("key.pem", ""), f"the Secret {secret}", "see docs/class.md")
    with asking(place) as server:
        klass, content = server.get("grades", _Class), server.text("GET", "records.jsonl")
    lines = content.splitlines()
    if broken := audit.verify(lines, key.public).broken:
        raise LabError(f"the class's records are not as they were signed: {broken.text}", "see: lab class status")
    records, known = audit.records(lines), {each.lab: Lab(each.lab, each.title or each.lab) for each in klass.labs}
    if unknown := [each for each in labs or () if each not in known]:
        raise UsageError(f"the class has no lab {unknown[0]}", f"it has: {', '.join(known)}")
    for learner in _learners(place, klass, name):
        wanted = [known[each] for each in labs] if labs else _passed(learner, records, known)
        try:
            token = certificate.issue(learner, wanted, records, klass.title, key)
        except Untrue as not_yet:
            done(learner, None, str(not_yet))
            continue
        file = folder / f"{learner.id}{MARK}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as trouble:
            raise LabError(f"{folder} can't be made: {trouble.strerror}", "name another one: --out") from trouble
        durable.write(file, certificate.page(certificate.read(token, key.public)))
        done(learner, file, ", ".join(each.number for each in wanted))


def _learners(place: Place, klass: _Class, name: str | None) -> list[Learner]:
    """Who may get a certificate: the name on it is the roster's, and a platform's only for who is not on it."""
    found = place.roster()
    own = {each.id for each in found}
    sent = [each for each in klass.learners if not each.gone and each.learner not in own]
    found += [Learner(each.learner, each.name or each.learner, each.email) for each in sent]
    if name is None:
        return found
    return [each for each in found if each.id == name] or [one_of(place, name)]


def _passed(learner: Learner, records: Sequence[Record], known: dict[str, Lab]) -> list[Lab]:
    """The class's labs that a learner has passed."""
    own = {each.lab for each in records if each.learner == learner.id and each.passed}
    return [lab for number, lab in known.items() if number in own]
