"""What a teacher's commands do with a class that is there: kits, status, grades, extend, reset; what they refuse."""

from __future__ import annotations

import base64
import datetime
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import kit as learners_kit
from mlops_lab.classroom.operator import names, requests
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.teacher import installing, kits, place
from mlops_lab.classroom.teacher.installing import Address, Wishes
from mlops_lab.classroom.teacher.place import Told
from mlops_lab.cluster import record
from tests.unit.classroom import teaching
from tests.unit.classroom.conftest import Run
from tests.unit.classroom.made import KEY
from tests.unit.classroom.teaching import InMemory, Served
from tests.unit.cluster_in_memory import ClusterInMemory

NOW = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)


# Kits


def test_each_learner_gets_a_file_that_lab_takes_and_nobody_else_reads(
    served: Served, teach: Run, tmp_path: Path
) -> None:
    code, out, err = teach("kit", "--out", "kits")
    assert code == 0 and "next: give each learner the file" in out
    assert "no files for those whose time is over: old" in err
    files = sorted((tmp_path / "kits").iterdir())
    assert [each.name for each in files] == ["ada.json", "bob.json"]
    assert stat.S_IMODE((tmp_path / "kits").stat().st_mode) == 0o700
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kit = learners_kit.read(file)
        assert kit and kit.learner == file.stem and kit.address == "https://127.0.0.1:8443"
        assert served.tokens[kit.token][0] == kit.learner
        assert kit.public_key == KEY.public and "CERTIFICATE" in kit.certificate
        assert json.loads(file.read_text())["first"][-1] == "Then, with your files of a lab: lab submit NN"
    assert served.tokens["token-2"] == ("bob", "2030-01-31T23:59:59Z"), "the roster's end"


def test_kits_that_work_stay_and_others_are_made_again(served: Served, teach: Run, tmp_path: Path) -> None:
    teach("kit")
    before = {each.name: each.read_text() for each in (tmp_path / "kits").iterdir()}
    _, out, _ = teach("kit")
    assert out.count("is there, until") == 2
    assert before == {each.name: each.read_text() for each in (tmp_path / "kits").iterdir()}
    del served.tokens["token-1"]
    (tmp_path / "kits" / "bob.json").write_text("{")
    teach("kit")
    after = {each.name: each.read_text() for each in (tmp_path / "kits").iterdir()}
    assert after["ada.json"] != before["ada.json"] and after["bob.json"] != before["bob.json"]


def test_a_kit_that_was_interrupted_goes_on(served: Served, teach: Run, tmp_path: Path) -> None:
    served.answers = [(200, KEY.public.pem), (201, {"token": "first", "ends": "2030-01-01T00:00:00Z"})]
    served.tokens["first"] = ("ada", "2030-01-01T00:00:00Z")
    served.answers += [(503, {"error": "away", "next": "wait"})] * 5
    code, _, err = teach("kit")
    assert code == 3 and "away" in err
    assert [each.name for each in (tmp_path / "kits").iterdir()] == ["ada.json"]
    _, out, _ = teach("kit")
    assert "ada.json  is there" in out and "bob.json  until" in out


def test_new_kits_end_the_tokens_before(served: Served, teach: Run) -> None:
    teach("kit", "ada")
    teach("kit", "ada", "--new", "--until", "2029-12-31")
    assert served.tokens == {"token-2": ("ada", "2029-12-31T23:59:59Z")}


def test_an_earlier_end_is_said_to_leave_the_token_before(served: Served, teach: Run) -> None:
    teach("kit", "ada", "--until", "2030-12-31")
    _, _, err = teach("kit", "ada", "--until", "2029-12-31")
    assert "still works: ada (until 2030-12-31" in err and "--new" in err
    assert [ends[:10] for _, ends in served.tokens.values()] == ["2030-12-31", "2029-12-31"]
    _, _, err = teach("kit", "ada", "--until", "2031-12-31")
    assert "still works" not in err, "it ends before"
    teach("kit", "ada", "--until", "2029-12-31", "--new")
    assert [ends[:10] for _, ends in served.tokens.values()] == ["2029-12-31"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("kit", "adda"), "did you mean ada?"),
        (("kit", "bob", "--until", "2031-01-01"), "by the roster bob takes part until 2030-01-31"),
        (("kit", "ada", "--until", "2020-01-01"), "2020-01-01 is in the past"),
        (("kit", "ada", "--until", "soon"), "write it as 2026-12-31"),
        (("kit", "old"), "old's time is over"),
        (("extend", "bob", "--until", "2031-01-01"), "change `ends` in the roster"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(words: tuple[str, ...], says: str, served: Served, teach: Run) -> None:
    code, _, err = teach(*words)
    assert code == 2 and says in err and "next: " in err and not served.tokens


def test_without_an_end_a_kit_ends_in_a_month() -> None:
    assert kits.end_for(Learner("ada"), None, NOW).isoformat() == "2026-10-01T23:59:59+00:00"


def test_a_learners_tokens_end_later(served: Served, teach: Run) -> None:
    teach("kit", "ada", "--until", "2029-12-31")
    _, out, _ = teach("extend", "ada", "--until", "2030-12-31")
    assert "1 of ada's tokens end on 2030-12-31" in out
    assert served.tokens["token-1"][1] == "2030-12-31T23:59:59Z"
    _, out, _ = teach("extend", "ada", "--until", "2030-06-30")
    assert "no token that would end before" in out


# A class that shares its cluster


@pytest.fixture
def shared(kubectl: InMemory, served: Served, monkeypatch: pytest.MonkeyPatch) -> ClusterInMemory:
    """Its API, with an operator that does at once what it is asked."""
    told = Told(values={"cluster": {"address": "https://cluster.example:6443"}})
    place.at().tell(told)
    api = ClusterInMemory()
    monkeypatch.setattr(kits, "connect", lambda *_: api)

    def operate(event: str, item: dict[str, Any]) -> None:
        learner = names.label(item, names.LEARNER)
        wanted = requests.read(item)
        if item["kind"] != "ConfigMap" or names.annotation(item, names.STATUS):
            return
        states = {}
        if wanted.kit:
            notes = {names.ROUND: str(wanted.kit.round), names.ENDS: f"2099-09-0{wanted.kit.round}T12:00:00Z"}
            api.put({"kind": "Secret", "data": {"kubeconfig": base64.b64encode(b"a: %d\n" % wanted.kit.round).decode()},
                     "metadata": {"name": f"kit-{learner}", "namespace": "mlops-lab-class-accounts",
                                  "annotations": notes}})  # fmt: skip
            states["kit"] = requests.State("ready")
        for lab_, each in wanted.labs.items():
            state = "refused" if lab_ == "03" else "ready"
            states[f"lab-{lab_}"] = requests.State(state, "it can't be graded in a class" if lab_ == "03" else "")
            meta = {"name": f"l-{learner}-lab-{lab_}", "annotations": {names.ROUND: str(each.round)}}
            api.put({"kind": "Namespace", "metadata": meta})
        meta = {**item["metadata"], "annotations": {names.STATUS: requests.spelled(states)}}
        api.put({**item, "metadata": meta})

    original = api.patch

    def patch(kind: str, name: str, change: Any, namespace: str = "", **more: Any) -> Any:
        anew = {"metadata": {"annotations": {names.STATUS: None}}}
        return original(kind, name, {**anew, **change}, namespace, **more)

    monkeypatch.setattr(api, "patch", patch)
    api.told.append(operate)
    return api


def test_on_a_shared_cluster_who_is_named_gets_a_new_token_for_it(
    shared: ClusterInMemory, teach: Run, tmp_path: Path
) -> None:
    _, out, _ = teach("kit", "ada")
    assert "and for the cluster until 2099-09-01" in out
    whole = json.loads((tmp_path / "kits/ada.json").read_text())
    assert whole["kubeconfig"] == "a: 1\n" and "export KUBECONFIG" in "\n".join(whole["first"])
    _, out, _ = teach("kit", "ada")
    assert "is there" in out and "until 2099-09-02" in out
    assert json.loads((tmp_path / "kits/ada.json").read_text())["kubeconfig"] == "a: 2\n"


def test_on_a_shared_cluster_a_new_learners_file_leaves_the_others_logged_in(
    shared: ClusterInMemory, teach: Run, tmp_path: Path
) -> None:
    def rounds() -> dict[str, str]:
        found = (shared.find("Secret", f"kit-{each}", "mlops-lab-class-accounts") for each in ("ada", "bob"))
        return {each["metadata"]["name"]: names.annotation(each, names.ROUND) for each in found if each}

    teach("kit", "ada")
    before = (tmp_path / "kits/ada.json").read_text()
    _, out, _ = teach("kit")
    assert out.count("and for the cluster until 2099-09-01") == 2
    assert rounds() == {"kit-ada": "1", "kit-bob": "1"} and (tmp_path / "kits/ada.json").read_text() == before
    (tmp_path / "kits/bob.json").unlink()
    teach("kit")
    assert rounds() == {"kit-ada": "1", "kit-bob": "1"}, "the token that bob has goes into the file"
    ended = {"metadata": {"annotations": {names.ENDS: "2020-01-01T00:00:00Z"}}}
    shared.patch("Secret", "kit-bob", ended, "mlops-lab-class-accounts")
    teach("kit")
    assert rounds() == {"kit-ada": "1", "kit-bob": "2"}
    teach("kit", "--new")
    assert rounds() == {"kit-ada": "2", "kit-bob": "3"}


def test_a_token_that_the_learner_got_on_the_page_goes_into_the_file(
    shared: ClusterInMemory, teach: Run, tmp_path: Path
) -> None:
    teach("kit", "ada")
    requests.ask(shared, "mlops-lab-class", "ada", {"kit": requests.Kit(2)})  # type: ignore[arg-type]
    teach("kit")
    assert json.loads((tmp_path / "kits/ada.json").read_text())["kubeconfig"] == "a: 2\n"


def test_a_lab_begins_anew_with_its_own_numbers(shared: ClusterInMemory, teach: Run) -> None:
    requests.ask(shared, "mlops-lab-class", "ada", {"lab-10": requests.Lab(2, "7")})  # type: ignore[arg-type]
    code, out, _ = teach("reset", "ada", "10", "--yes")
    assert (code, out) == (0, "l-ada-lab-10 is as at the beginning\n")
    asked = requests.read(shared.get("ConfigMap", "learner-ada", "mlops-lab-class"))
    assert asked.labs["10"] == requests.Lab(3, "7")


def test_nothing_begins_anew_unless_somebody_agrees(shared: ClusterInMemory, teach: Run) -> None:
    code, _, err = teach("reset", "ada", "10")
    assert code == 2 and "nobody is here to agree" in err and not shared.named("ConfigMap", "mlops-lab-class")


def test_a_lab_that_the_operator_refuses_is_said(shared: ClusterInMemory, teach: Run) -> None:
    code, _, err = teach("reset", "ada", "03", "--yes")
    assert code == 2 and "it can't be graded in a class" in err


def test_on_a_cluster_of_ones_own_the_learner_resets(served: Served, teach: Run) -> None:
    code, _, err = teach("reset", "ada", "10")
    assert code == 2 and "each learner of this class has an own cluster" in err and "lab reset 10" in err


# What there is of a class


def test_status_says_who_waits_and_who_is_stuck(served: Served, teach: Run) -> None:
    code, out, _ = teach("status")
    assert code == 0, out
    assert "waits, place 1: bob, lab 04, submission 2" in out
    assert "stuck for 25 min: Ada, lab 10, scales_up (3 times)" in out
    assert "ok   memory    100 MiB\n" in out and "1 wait, 0 are being graded" in out


def test_status_counts_what_learners_take_on_a_shared_cluster(kubectl: InMemory, served: Served, teach: Run) -> None:
    labels = {names.CLASS: "mlops-lab-class", names.LEARNER: "ada"}
    kubectl.put("Namespace", "l-ada-lab-10", "", metadata={"labels": labels})
    assert "100 MiB, and 100 MiB in 1 namespaces of learners" in teach("status")[1]


@pytest.mark.parametrize("wrong", ["records", "pods", "server", "given up"])
def test_status_says_what_is_not_well(wrong: str, kubectl: InMemory, served: Served, teach: Run) -> None:
    if wrong == "records":
        served.broken = "record 3 was changed"
    if wrong == "pods":
        kubectl.items["deployment", "mlops-lab-class", "server"]["status"]["readyReplicas"] = 0
    if wrong == "server":
        served.answers = [(503, {"error": "the database does not answer", "next": "wait"})] * 5
    if wrong == "given up":
        served.given_up = [{"id": 4, "learner": "bob", "lab": "04", "number": 1, "why": "it was killed"}]
    code, out, _ = teach("status")
    says = {"records": "record 3 was changed", "pods": "server: 0 of 1 pods are ready",
            "server": "the database does not answer",
            "given up": "bob, lab 04, submission 1: it was killed"}  # fmt: skip
    assert code == 3 and "FAIL" in out and says[wrong] in out and "next: " in out


@pytest.mark.parametrize(
    ("lab", "has", "waits"),
    [
        ("09", [], "tracking"),
        ("09", ["tracking"], ""),
        ("26", ["tracking"], "pipelines"),
        ("04", [], ""),
        ("17", [], ""),
    ],
)
def test_status_says_for_which_part_a_submission_waits(
    lab: str, has: list[str], waits: str, kubectl: InMemory, served: Served, teach: Run
) -> None:
    labels = {"labels": {"app.kubernetes.io/component": "grader"}}
    kubectl.put("ConfigMap", "grader", metadata=labels, data={"settings.json": json.dumps({"places": 1, "parts": has})})
    served.waiting = lab
    code, out, _ = teach("status")
    assert (code == 3) is bool(waits)
    assert (f"part {waits}" in out) is bool(waits) and (f"lab {lab} waits for it" in out) is bool(waits)


def test_grades_are_a_table_or_for_other_programs(served: Served, teach: Run) -> None:
    _, out, _ = teach("grades")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["learner", "name", "04", "(3)", "10", "total"]
    assert rows[1] == ["ada", "Ada", "3*", "3"] and rows[2] == ["bob", "Bob", "0"]
    assert "ada,Ada,3" in teach("grades", "--csv")[1]
    assert "ada,04" in teach("grades", "--long")[1]
    assert json.loads(teach("grades", "--json")[1])["class"] == "Autumn"


def test_a_server_that_is_away_for_a_moment_is_asked_again(served: Served, teach: Run) -> None:
    served.answers = [(503, {"error": "away"})] * 2
    assert teach("grades", "--json")[0] == 0
    assert served.waits == [7.0, 7.0]  # type: ignore[attr-defined]


def test_another_server_is_not_told_the_token(
    kubectl: InMemory, served: Served, teach: Run, authority: tuple[str, str]
) -> None:
    kubectl.secret("class-tls", ca_crt=teaching.certificate("localhost")[1])
    code, _, err = teach("grades")
    assert code == 3 and "certificate is not the class's" in err and not served.asked


@pytest.mark.parametrize(
    "words", [("kit",), ("status",), ("grades",), ("map",), ("reset", "ada", "10"), ("backup", "b.tar"),
              ("extend", "ada", "--until", "2030-01-01")]
)  # fmt: skip
def test_where_no_class_is_each_command_says_how_to_make_one(
    words: tuple[str, ...], kubectl: InMemory, teach: Run
) -> None:
    kubectl.items.clear()
    code, _, err = teach(*words)
    assert code == 3
    assert err == ("lab: there is no class in kind-mlops-lab\n  next: make one: lab class up --roster roster.csv\n")


def test_without_a_cluster_nothing_is_asked(kubectl: InMemory, teach: Run) -> None:
    record.forget()
    assert teach("status")[2] == "lab: there is no cluster\n  next: create one: lab up\n"
    assert not kubectl.log


# What is told at `up`


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("192.168.1.10", "https://192.168.1.10:8443"),
        ("class.example.org:443", "https://class.example.org:443"),
        ("[2001:db8::1]:9443", "https://[2001:db8::1]:9443"),
        ("2001:db8::1", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_is_a_name_or_a_number_with_a_port(text: str, url: str) -> None:
    assert installing.address(text, "--listen").url == url


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "[::]:8443", "", "a b", "https://x", "1.2.3.4:99999", "1.2.3", "x/y", "-x", "u@h"]
)
def test_what_is_no_address_of_one_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"no address|every address"):
        installing.address(text, "--listen")


def test_what_is_not_said_again_stays_as_it_was_told() -> None:
    first = Wishes([], "", Address("10.0.0.1"), "Autumn", ["04"], None, {"class": {"due": {"04": "x"}}})
    told = installing.told_now(Told(), first)
    assert told.address == "https://10.0.0.1:8443"
    assert told.values == {
        "class": {"name": "Autumn", "labs": ["04"], "due": {"04": "x"}}, "server": {"hosts": ["10.0.0.1"]},
    }  # fmt: skip
    assert installing.told_now(told, Wishes([], "")) == told
    later = installing.told_now(told, Wishes([], "", Address("10.0.0.2", 443), labs=[], shared="https://c:6443"))
    assert later.values["server"]["hosts"] == ["10.0.0.2", "10.0.0.1"], "kits of before lead there"
    assert later.values["class"]["labs"] == [] and later.shared and later.address == "https://10.0.0.2:443"


def test_a_lab_that_the_class_has_no_more_is_due_no_more() -> None:
    due = {"04": "x", "10": "y"}
    told = installing.told_now(Told(), Wishes([], "", labs=["04", "10"], values={"class": {"due": due}}))
    fewer = installing.told_now(told, Wishes([], "", labs=["04"]))
    assert fewer.values["class"] == {"labs": ["04"], "due": {"04": "x"}}, "the server takes no other one"
    assert installing.told_now(told, Wishes([], "", labs=[])).values["class"]["due"] == due, "it has every lab"
    again = installing.told_now(told, Wishes([], "", labs=["04"], values={"class": {"due": {"12": "z"}}}))
    assert again.values["class"]["due"] == {"04": "x", "12": "z"}, "what is said now is not passed over in silence"
    for wrong in ({"due": "tomorrow"}, {"labs": 4}):
        assert installing.told_now(told, Wishes([], "", values={"class": wrong})).values["class"] == {
            "labs": ["04", "10"], "due": due, **wrong,
        }, "the chart refuses it"  # fmt: skip


def test_values_that_the_command_sets_itself_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    for text, says in (("roster: x", "itself sets"), ("- 1", "no table"), ("a: [", "can't be read"),
                       ("a: &a {b: *a}", "can't be read"), ("a: &a [*a]", "can't be read")):  # fmt: skip
        file.write_text(text)
        with pytest.raises(UsageError, match=says):
            installing.read_values(file)
    file.write_text('class: {due: {"10": 2026-11-06T18:00:00+01:00}}')
    assert installing.read_values(file) == {"class": {"due": {"10": "2026-11-06T18:00:00+01:00"}}}
    file.write_text("class: {due: {04: 2026-11-06T18:00:00+01:00}}")
    with pytest.raises(UsageError, match="4 is a number where a name has to be"):
        installing.read_values(file)
