"""Learners on the class's own cluster: what the server asks the operator for, and what it tells of the answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.classroom.operator import accounts, names, requests
from mlops_lab.classroom.operator.requests import READY, REFUSED, Lab, State
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.server import people
from mlops_lab.classroom.server.cluster import Cluster
from mlops_lab.classroom.server.settings import Class
from mlops_lab.kube.errors import Unreachable
from tests.classroom.served import LABS, OTHERS, TEACHER, Served, served
from tests.unit.cluster_in_memory import ClusterInMemory

NS = "mlops-lab-class"
SHARED = {**LABS, "20": "Fix the pods"}


@pytest.fixture
def kube() -> ClusterInMemory:
    return ClusterInMemory()


@pytest.fixture
def at_class(tmp_path: Path, kube: ClusterInMemory) -> Iterator[Served]:
    klass = Class("Class A", LABS, others={**OTHERS, "20": "there are no files"}, shared=SHARED)
    with served(tmp_path, klass=klass, namespace=NS) as found:
        found.service.cluster = Cluster(NS, lambda: kube)  # type: ignore[arg-type, return-value]
        yield found


def wanted(kube: ClusterInMemory, learner: str = "ada") -> requests.Wanted:
    return requests.read(kube.find("ConfigMap", f"learner-{learner}", NS) or {})


def answer(kube: ClusterInMemory, **states: State) -> None:
    """The operator's answer to what ada has asked for."""
    told = {key.replace("_", "-"): each for key, each in states.items()}
    change = {"metadata": {"annotations": {names.STATUS: requests.spelled(told)}}}
    kube.patch("ConfigMap", "learner-ada", change, NS)


def lab(at_class: Served, number: str, learner: str = "ada") -> Any:
    labs = at_class.api(at_class.token(learner), "/api/v1/labs").json["labs"]
    return next(each for each in labs if each["lab"] == number)


def test_a_lab_begins_once_begins_anew_and_ends(at_class: Served, kube: ClusterInMemory) -> None:
    token = at_class.token("ada")
    assert lab(at_class, "10")["state"] == "" and not kube.writes
    began = at_class.api(token, "/api/v1/labs/10", "PUT")
    assert (began.status, began.json["state"]) == (202, "making")
    item = kube.get("ConfigMap", "learner-ada", NS)
    assert item["metadata"]["labels"] == {names.PART: "learner", names.LEARNER: "ada"}, "the operator looks for these"
    assert wanted(kube).labs == {"10": Lab(1)}
    answer(kube, lab_10=State(READY, namespace="l-ada-lab-10"))
    again = at_class.api(token, "/api/v1/labs/10", "PUT").json
    assert (again["state"], again["namespace"]) == ("ready", "l-ada-lab-10") and wanted(kube).labs == {"10": Lab(1)}
    at_class.api(token, "/api/v1/labs/20", "PUT")
    assert at_class.api(token, "/api/v1/labs/10/again", "POST").status == 202
    assert wanted(kube).labs == {"10": Lab(2), "20": Lab(1)}
    assert at_class.api(token, "/api/v1/labs/10", "DELETE").status == 202
    assert wanted(kube).labs == {"20": Lab(1)} and not wanted(kube, "bo").labs
    at_class.api(token, "/api/v1/labs/10", "DELETE")
    assert at_class.api(token, "/api/v1/labs/04", "DELETE").status == 202, "which was never begun"
    assert lab(at_class, "10")["state"] == ""
    at_class.api(token, "/api/v1/labs/10", "PUT")
    assert wanted(kube).labs == {"10": Lab(3), "20": Lab(1)}, "it is another beginning, whenever the operator looks"


def test_what_can_not_be_begun_says_why_and_what_to_do(at_class: Served, kube: ClusterInMemory) -> None:
    token = at_class.token("ada")
    own = at_class.api(token, "/api/v1/labs/13", "PUT")
    assert own.status == 409 and "a node is drained" in own.json["error"] and "lab start 13" in own.json["next"]
    assert at_class.api(token, "/api/v1/labs/99", "PUT").status == 404
    with at_class.service.database.transaction() as connection:
        people.join(connection, Learner("gast", "Guest"))
    guest = at_class.api(at_class.token("gast"), "/api/v1/labs/10", "PUT")
    assert guest.status == 409 and "roster" in guest.json["error"]
    assert not kube.writes
    for number, why in (("13", "a node is drained"), ("20", "there are no files")):
        handed = at_class.submit("ada", "x", number)
        assert handed.status == 409 and why in handed.json["error"] and f"lab check {number}" in handed.json["next"]


def test_a_token_for_kubectl_is_renewed_without_the_teacher(at_class: Served, kube: ClusterInMemory) -> None:
    token = at_class.token("ada")
    assert at_class.api(token, "/api/v1/kubeconfig").json["kubeconfig"] == ""
    assert at_class.api(token, "/api/v1/kubeconfig", "POST").status == 202
    assert at_class.api(token, "/api/v1/kubeconfig", "POST").status == 202
    asked = wanted(kube).kit
    assert asked and asked.round == 2
    text = base64.b64encode(b"kind: Config").decode()
    meta = {"name": "kit-ada", "namespace": f"{NS}-accounts"}
    kube.put({"kind": "Secret", "metadata": meta, "data": {accounts.CONTENT: text}})
    answer(kube, kit=State(READY, "until tomorrow"))
    assert at_class.api(token, "/api/v1/kubeconfig").json["kubeconfig"] == "kind: Config"
    cookie = at_class.log_in(token)
    assert at_class.ask("/learners/ada/kubeconfig", Cookie=cookie).text == "kind: Config"
    for other in (at_class.log_in(at_class.token("bo")), at_class.log_in(TEACHER)):
        assert at_class.ask("/learners/ada/kubeconfig", Cookie=other).status == 404


def test_the_page_has_a_button_for_each(at_class: Served, kube: ClusterInMemory) -> None:
    cookie, other = at_class.log_in(at_class.token("ada")), at_class.log_in(at_class.token("bo"))
    path = "/learners/ada/labs/10"
    assert at_class.form(f"{path}/begin", {}, other).status == 404
    assert at_class.form(f"{path}/begin", {}, cookie, Origin="https://evil.example").status == 403
    assert at_class.form(f"{path}/begin", {}, cookie).headers["Location"] == "/learners/ada#cluster"
    assert "data-moves" in at_class.ask("/learners/ada", Cookie=cookie).text
    answer(kube, lab_10=State(REFUSED, "2 labs at a time; <end> one first"))
    page = at_class.ask("/learners/ada", Cookie=cookie).text
    assert "&lt;end&gt; one first" in page and "data-moves" not in page and f"{path}/again" in page
    assert at_class.form(f"{path}/again", {}, at_class.log_in(TEACHER)).status == 303, "the teacher may, too"
    assert wanted(kube).labs == {"10": Lab(2)}
    assert at_class.form(f"{path}/end", {}, cookie).status == 303 and not wanted(kube).labs


def test_a_lab_that_the_class_has_no_more_can_be_ended_and_not_begun(tmp_path: Path, kube: ClusterInMemory) -> None:
    with served(tmp_path, klass=Class("Class A", LABS, shared={"04": "Deploy"}), namespace=NS) as fewer:
        fewer.service.cluster = Cluster(NS, lambda: kube)  # type: ignore[arg-type, return-value]
        token, path = fewer.token("ada"), "/api/v1/labs/10"
        cookie = fewer.log_in(token)
        assert fewer.api(token, path, "DELETE").status == 404, "it was never begun"
        no_more = State(REFUSED, "the class has no such lab")
        requests.ask(kube, NS, "ada", {"lab-10": Lab(1), "lab-20": Lab(1)})  # type: ignore[arg-type]
        answer(kube, lab_10=no_more, lab_20=no_more)
        assert [each["lab"] for each in fewer.api(token, "/api/v1/labs").json["labs"]] == ["04", "10", "20"]
        assert fewer.api(token, path, "PUT").status == fewer.api(token, f"{path}/again", "POST").status == 404
        page = fewer.ask("/learners/ada", Cookie=cookie).text
        assert "is no longer in this class" in page and "labs/10/end" in page and "labs/10/again" not in page
        assert fewer.form("/learners/ada/labs/10/again", {}, cookie).status == 404
        assert fewer.form("/learners/ada/labs/10/end", {}, cookie).status == 303
        assert fewer.api(token, "/api/v1/labs/20", "DELETE").status == 202
        assert not wanted(kube).labs
        assert [each["lab"] for each in fewer.api(token, "/api/v1/labs").json["labs"]] == ["04"]


def test_an_api_server_that_does_not_answer_takes_nothing_else_along(at_class: Served) -> None:
    def gone() -> Any:
        raise Unreachable("the API server does not answer", "wait", transient=True)

    at_class.service.cluster = Cluster(NS, gone)
    asked = at_class.api(at_class.token("ada"), "/api/v1/labs/10", "PUT")
    assert asked.status == 503 and asked.headers["Retry-After"]
    page = at_class.ask("/learners/ada", Cookie=at_class.log_in(at_class.token("ada")))
    assert page.status == 200 and "does not answer" in page.text and "Submissions" in page.text


def test_a_class_of_own_clusters_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as alone:
        asked = alone.api(alone.token("ada"), "/api/v1/labs/10", "PUT")
        assert asked.status == 404 and "lab start 10" in asked.json["next"]
        assert 'id="cluster"' not in alone.ask("/learners/ada", Cookie=alone.log_in(alone.token("ada"))).text
