"""Labs without files at the class's server: asked for, kept by what was looked at, and signed as graded in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine

from mlops_lab.classroom import audit, chain, in_place
from mlops_lab.classroom.in_place import Asked, Looked
from mlops_lab.classroom.kit import Kit
from mlops_lab.classroom.operator.requests import MAKING, READY, State
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.sending import Server
from mlops_lab.classroom.server import migrations, people, queue
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.settings import Class, from_environment, read_class
from tests.classroom.made_up import KEY, NOW, outcome
from tests.classroom.served import GRADER, LABS, OTHERS, TEACHER, Answer, Served, served
from tests.classroom.test_cluster import NS, answer
from tests.unit.cluster_in_memory import ClusterInMemory

HERE = "l-ada-lab-20"
ALL = {**LABS, "20": "Fix the pods"}


@pytest.fixture
def kube() -> ClusterInMemory:
    return ClusterInMemory()


@pytest.fixture
def at_class(tmp_path: Path, kube: ClusterInMemory) -> Iterator[Served]:
    klass = Class("Class A", ALL, others=OTHERS, shared=ALL, in_place=frozenset({"20"}))
    with served(tmp_path, klass=klass, namespace=NS) as found:
        found.service.cluster = Cluster(NS, lambda: kube)  # type: ignore[arg-type, return-value]
        yield found


def begin(at_class: Served, kube: ClusterInMemory) -> None:
    """Ada begins the lab, and it is made."""
    at_class.api(at_class.token("ada"), "/api/v1/labs/20", "PUT")
    answer(kube, lab_20=State(READY, namespace=HERE))


def ask(at_class: Served, learner: str = "ada", body: Any = None) -> Answer:
    return at_class.api(at_class.token(learner), "/api/v1/submissions?lab=20", "POST", body)


def of(taken: Any, what: str) -> str:
    return f"/internal/submissions/{taken['submission']}/{what}"


def content(at_class: Served, taken: Any) -> bytes:
    return at_class.api(taken["token"], of(taken, "archive"), inside=True).content


def look(at_class: Served, taken: Any, **more: Any) -> Answer:
    """A grader says what it looks at."""
    told = {"asked": in_place.asked(content(at_class, taken)), "uid": "u", "submission": taken["submission"],
            "tries": taken["tries"], "objects": {"Deployment/book": "0" * 64}}  # fmt: skip
    sent = in_place.encoded(Looked(**{**told, **more}))
    return at_class.api(taken["token"], of(taken, "looked"), "POST", sent, inside=True)


def test_from_asking_to_a_signed_result(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    asked = ask(at_class)
    assert (asked.status, asked.json["place"], asked.json["number"]) == (201, 1, 1)
    again = ask(at_class)
    assert again.status == 200 and again.json["submission"] == asked.json["submission"], "one waits at a time"
    taken = at_class.take()
    assert (taken["lab"], taken["namespace"]) == ("20", HERE)
    assert ask(at_class).json["submission"] == asked.json["submission"], "it is looked at now"
    known = in_place.asked(content(at_class, taken))
    assert (known.namespace, known.round, known.number) == (HERE, 1, 1)
    kept = look(at_class, taken).json["sha256"]
    assert kept == hashlib.sha256(content(at_class, taken)).hexdigest()
    told = at_class.tell(taken, outcome("scales", looked=kept))
    assert told.status == 201
    assert at_class.tell(taken, outcome("scales", looked=kept)).json == told.json, "told twice it is the same"
    lines = at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines()
    record = json.loads(lines[0])
    assert (record["namespace"], record["submission"], record["points"]) == (HERE, kept, 7)
    assert audit.verify(lines, KEY.public).broken is None
    changed = chain.canonical({**record, "namespace": ""}).decode()
    assert audit.verify([changed, *lines[1:]], KEY.public).broken, "the namespace is signed"
    del record["namespace"]
    assert audit.verify([chain.canonical(record).decode(), *lines[1:]], KEY.public).broken
    at_class.do(at_class.service.audit())
    assert not at_class.service.broken


def test_each_asking_that_is_graded_is_a_submission_though_nothing_has_changed(
    at_class: Served, kube: ClusterInMemory
) -> None:
    begin(at_class, kube)
    for number in (1, 2):
        assert ask(at_class).json["number"] == number
        taken = at_class.take()
        kept = look(at_class, taken).json["sha256"]
        assert at_class.tell(taken, outcome(looked=kept)).status == 201
    at_class.graded("ada", lab="10")
    lines = at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines()
    assert ["namespace" in json.loads(line) for line in lines[:3]] == [True, True, False]
    assert audit.verify(lines, KEY.public).records == 3


def test_it_waits_by_the_same_turns(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    for text in ("1", "2"):
        at_class.submit("ada", text)
    at_class.submit("bo", "1")
    assert ask(at_class).json["place"] == 4
    assert [at_class.take()["learner"] for _ in range(4)] == ["ada", "bo", "ada", "ada"]


def test_what_there_is_not_is_said_so_in_a_line(at_class: Served, kube: ClusterInMemory) -> None:
    refused = ask(at_class)
    assert refused.status == 409 and refused.json["error"] == "you have not begun lab 20: there is nothing to grade"
    at_class.api(at_class.token("ada"), "/api/v1/labs/20", "PUT")
    assert ask(at_class).status == 409
    answer(kube, lab_20=State(MAKING, "what the lab begins with is being made"))
    assert "being made" in ask(at_class).json["error"]
    with at_class.service.database.transaction() as connection:
        people.join(connection, Learner("gast", "Guest"))
    assert "roster" in ask(at_class, "gast").json["error"]
    answer(kube, lab_20=State(READY, namespace=HERE))
    files = ask(at_class, body=b"x" * 10240)
    assert files.status == 400 and "no files" in files.json["error"]
    assert at_class.take() is None


def test_a_class_of_own_clusters_refuses_with_the_reason(tmp_path: Path) -> None:
    known = read_class(None)
    assert {"20", "23"} <= set(known.others) and not known.in_place
    with served(tmp_path, klass=known) as alone:
        refused = ask(alone)
        assert refused.status == 409 and known.others["20"] in refused.json["error"]
        assert "lab check 20" in refused.json["next"]


def test_labs_without_files_are_the_classs_where_the_cluster_is_shared(tmp_path: Path) -> None:
    found = read_class(None, shared=True)
    assert found.in_place == {"20", "23"} and found.in_place <= set(found.labs) <= set(found.shared)
    assert not {"20", "23"} & set(found.others) and "24" in found.others
    (tmp_path / "class.toml").write_text('labs = ["04", "20"]\n')
    assert read_class(tmp_path / "class.toml", shared=True).in_place == {"20"}
    secret = tmp_path / "token"
    secret.write_text("t" * 30)
    given = {"CLASS_DATABASE": "sqlite://", "CLASS_KEY": "k", "CLASS_TEACHER_TOKEN_FILE": str(secret),
             "CLASS_GRADER_TOKEN_FILE": str(secret)}  # fmt: skip
    assert not from_environment(given).klass.in_place
    assert from_environment({**given, "CLASS_NAMESPACE": NS}).klass.in_place


def test_no_result_is_signed_of_what_nobody_says_was_looked_at(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    ask(at_class)
    taken = at_class.take()
    for looked in ("", "0" * 64, hashlib.sha256(content(at_class, taken)).hexdigest()[:-1]):
        assert at_class.tell(taken, outcome(looked=looked)).status == 400
    kept = look(at_class, taken).json["sha256"]
    assert at_class.tell(taken, outcome()).status == 400
    assert at_class.tell(taken, outcome(looked=kept)).status == 201


def test_a_list_is_of_the_submission_that_a_grader_has(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    ask(at_class)
    taken = at_class.take()
    asked = in_place.asked(content(at_class, taken))
    for more in ({"submission": 99}, {"tries": 2}, {"asked": Asked("l-bo-lab-20", 1, 1, asked.at)}):
        assert look(at_class, taken, **more).status == 400
    assert at_class.api(taken["token"], of(taken, "looked"), "POST", b"[]", inside=True).status == 400
    assert at_class.api(GRADER, of(taken, "looked"), "POST", b"{}", inside=True).status == 409
    at_class.submit("bo", "files")
    other = at_class.take()
    sent = in_place.encoded(Looked(asked, "u", other["submission"], 1, {}))
    assert at_class.api(other["token"], of(other, "looked"), "POST", sent, inside=True).status == 400


def test_a_second_try_is_of_the_same_asking(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    ask(at_class)
    taken = at_class.take()
    before = in_place.asked(content(at_class, taken))
    assert look(at_class, taken).status == 200
    back = {"why": "a node is down", "tries": 1}
    assert at_class.api(taken["token"], of(taken, "back"), "POST", back, inside=True).json == {"state": "waiting"}
    again = at_class.take()
    assert again["tries"] == 2 and in_place.asked(content(at_class, again)) == before
    assert again["sha256"] == hashlib.sha256(content(at_class, again)).hexdigest()
    kept = look(at_class, again).json["sha256"]
    assert at_class.tell(again, outcome(looked=kept)).status == 201


def test_what_can_not_be_graded_is_given_up_and_the_learner_sees_why(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    number = ask(at_class).json["submission"]
    taken = at_class.take()
    back = {"why": "lab 20 was begun anew or ended after you had handed it in", "tries": 1, "over": True}
    assert at_class.api(taken["token"], of(taken, "back"), "POST", back, inside=True).json == {"state": "failed"}
    mine = at_class.api(at_class.token("ada"), f"/api/v1/submissions/{number}").json
    assert mine["state"] == "failed" and mine["why"] == back["why"]
    page = at_class.ask(f"/submissions/{number}", Cookie=at_class.log_in(at_class.token("ada"))).text
    assert back["why"] in page and HERE in page
    assert ask(at_class).json["number"] == 2, "what there is now is another submission"
    again = at_class.api(TEACHER, f"/api/v1/submissions/{number}/again", "POST")
    assert again.status == 400 and "lab submit 20" in again.json["next"], "two would be in each other's way"


def test_the_page_hands_it_in_for_its_learner_alone(at_class: Served, kube: ClusterInMemory) -> None:
    ada, path = at_class.log_in(at_class.token("ada")), "/learners/ada/labs/20/submit"
    assert path not in at_class.ask("/learners/ada", Cookie=ada).text, "there is nothing yet"
    assert at_class.form(path, {}, ada).status == 409
    begin(at_class, kube)
    assert path in at_class.ask("/learners/ada", Cookie=ada).text
    for cookie in (at_class.log_in(TEACHER), at_class.log_in(at_class.token("bo"))):
        assert at_class.form(path, {}, cookie).status == 404
    assert path not in at_class.ask("/learners/ada", Cookie=at_class.log_in(TEACHER)).text
    assert at_class.form(path, {}, ada, Origin="https://evil.example").status == 403
    assert at_class.form(path.replace("20", "10"), {}, ada).status == 404, "files are sent by lab submit"
    handed = at_class.form(path, {}, ada)
    assert handed.status == 303 and handed.headers["Location"] == f"/submissions/{at_class.take()['submission']}"


def test_what_lab_submit_asks_is_understood(at_class: Served, kube: ClusterInMemory) -> None:
    begin(at_class, kube)
    sender = Server(Kit(f"http://{at_class.host}", at_class.token("ada")), lambda _: None)
    handed = sender.ask("20")
    assert (handed.number, handed.state, handed.place) == (1, "waiting", 1)
    taken = at_class.take()
    kept = look(at_class, taken).json["sha256"]
    at_class.tell(taken, outcome(looked=kept))
    found = sender.submission(handed.submission).result
    assert found and found.points == 10


def test_a_database_from_before_keeps_its_submissions(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/class.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(migrations._config(connection), "0001")
        connection.exec_driver_sql("INSERT INTO learners (id, name, email) VALUES ('ada', 'Ada', '')")
        connection.exec_driver_sql(
            "INSERT INTO submissions (learner, lab, number, sha256, size, at, state, turn, behind) "
            f"VALUES ('ada', '10', 1, 'x', 1, '{NOW:%Y-%m-%d %H:%M:%S}', 'waiting', 0, 0)"
        )
    engine.dispose()
    database = Database(url)
    database.settle()
    with database.transaction() as connection:
        (found,) = queue.waiting(connection)
    database.close()
    assert (found.learner, found.namespace) == ("ada", "")
