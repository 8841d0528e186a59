"""Lab 27: what the checker computes by itself, and what it makes of services that are right, wrong or strange."""

from __future__ import annotations

import asyncio
import base64
import bz2
import contextlib
import gzip
import importlib.util
import json
import lzma
import math
import re
import subprocess
import sys
import time
import tomllib
import uuid
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Observation
from mlops_lab.checks.check import Check
from mlops_lab.checks.run import run_checks
from mlops_lab.checks.verdicts import Result
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import Change, Variant, begun, solutions, wrongs
from mlops_lab.measure.traffic.http import Answer
from tests.credit_bank import LAB, bank
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, made_up_lab

EXERCISE = Exercise(LAB, "27", "explain-and-audit")
AT = "2026-11-28T09:26:53.5+00:00"


def more() -> list[Variant]:
    """The mistakes that are in no wrong/."""
    known = {each.name: each for each in solutions(EXERCISE)}
    told = tomllib.loads((Path(__file__).parents[1] / "credit_mistakes.toml").read_text())["mistake"]
    return [
        Variant(
            LAB / "nowhere" / each["name"], "wrong", each["name"].partition("--")[0], known[each["from"]],
            changes=tuple(Change(**one) for one in each["change"]),
        )
        for each in told
    ]  # fmt: skip


def results(variant: Variant, folder: Path, times: int = 1) -> list[Result]:
    """What the checks say of a program that runs here."""
    found: list[Result] = []
    with bank(variant, folder, mistake=variant.check) as (checker, lab):
        checks = [each for each in vars(checker._modules[0]).values() if isinstance(each, Check)]
        for _ in range(times):
            lab._memory.clear()
            found += asyncio.run(run_checks(lab, checks))
    return found


@pytest.mark.long
@pytest.mark.parametrize("way", solutions(EXERCISE), ids=lambda way: way.name)
def test_each_solution_has_full_marks_twice(way: Variant, tmp_path: Path) -> None:
    found = results(way, tmp_path, times=2)
    assert [(each.check, each.seen, each.why) for each in found if each.earned < each.points] == []
    assert sum(each.points for each in found) == 2 * 10


@pytest.mark.long
@pytest.mark.parametrize("mistake", [*wrongs(EXERCISE), *more()], ids=lambda mistake: mistake.folder.name)
def test_each_mistake_fails_its_check_alone(mistake: Variant, tmp_path: Path) -> None:
    found = results(mistake, tmp_path)
    assert [each.check for each in found if each.verdict.value in ("fail", "error")] == [mistake.check]
    assert "error" not in {each.verdict.value for each in found}


@pytest.mark.long
def test_what_the_learner_begins_with_earns_nothing(tmp_path: Path) -> None:
    start = begun(EXERCISE)
    assert start is not None
    assert sum(each.earned for each in results(start, tmp_path)) == 0


def program(solution: str, file: str) -> Any:
    """A file of a solution's that needs nothing but the bank's own, as a module."""
    sys.modules["bank"] = loaded("27").GIVEN
    try:
        spec = importlib.util.spec_from_file_location(f"lab_27_{file}", LAB / "solution" / solution / f"{file}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        del sys.modules["bank"]


def test_shapley_values_of_a_product_are_shared_and_add_up() -> None:
    explained = loaded("27").explained
    base, values = explained(lambda row: row["a"] * row["b"] + 2 * row["c"], {"a": 2, "b": 3, "c": 1},
                             [{"a": 0, "b": 0, "c": 0}], ("a", "b", "c"))  # fmt: skip
    assert (base, values) == (0, pytest.approx({"a": 3, "b": 3, "c": 2}))
    base, values = explained(lambda row: row["a"] * row["b"], {"a": 1, "b": 1}, [{"a": 0, "b": 2}, {"a": 2, "b": 0}],
                             ("a", "b"))  # fmt: skip
    assert base == 0
    assert values == pytest.approx({"a": 0.5, "b": 0.5})


def test_the_models_are_drawn_and_both_solutions_explain_them_as_the_definition_does() -> None:
    checker, seen = loaded("27"), set()
    ways = [program("files", "judgement").judged, None]
    for number in range(3):
        draw = Random(number)
        model = checker.trained(draw, f"v{number}", small=number == 2)
        people = checker.picked(draw, model, 4, AT)
        assert [checker.right(model, each, AT, explains=False).approved for each in people] == [
            True,
            True,
            False,
            False,
        ]
        for each in people:
            wanted = checker.right(model, each, AT)
            row = checker.numbers_of(each, AT)
            said = {"contributions": wanted.contributions, "base": wanted.base}
            assert checker.unexplained(said, wanted) == ""
            found = ways[0](model.content, row)
            assert checker.unexplained(found, wanted) == checker.unreasonable(found, model, wanted) == ""
            assert math.isclose(found["score"], wanted.score)
            seen.add(model.content["threshold"])
    assert len(seen) == 3


def test_the_made_up_bank_has_applicants_near_a_models_threshold_on_both_sides() -> None:
    checker = loaded("27")
    model = checker.trained(Random(5), "v")
    chances = [checker.right(model, each, AT, explains=False).probability - model.content["threshold"]
               for each in checker.both_sides(Random(6), model, 8, AT)]  # fmt: skip
    assert chances[0] < 0 < chances[2]
    assert max(map(abs, chances[:4])) < 0.1


def test_by_one_model_everybody_is_at_the_threshold_and_declined() -> None:
    checker, judged = loaded("27"), program("files", "judgement").judged
    known = checker.trained(Random(1), "v", small=True)
    checker.trained = lambda *given, **more: known
    models = asyncio.run(checker.models(made_up_lab("27", time=SimpleNamespace(in_thread=asyncio.to_thread))))
    model = models[checker.EDGE]
    assert json.loads(model.text) == model.content
    for number in range(20):
        one = checker.applicant(Random(number), checker.date.fromisoformat(AT[:10]))
        wanted, said = checker.right(model, one, AT), judged(model.content, checker.numbers_of(one, AT))
        assert (said["score"], said["probability"], said["approved"]) == (0, model.content["threshold"], False)
        said |= {"model": model.version}
        assert checker.wrong_in(said, model, wanted) == checker.unexplained(said, wanted) == ""
        assert checker.wrong_in(said | {"approved": True}, model, wanted) == "approved True, not False"


@pytest.mark.parametrize("number", range(4))
def test_the_truth_about_copies_is_what_a_right_audit_finds(number: int) -> None:
    checker, whole = loaded("27"), program("files", "audit").whole
    draw = Random(number)
    lines = checker.another_bank(draw)
    for case in [*checker.whole_ones(draw, lines), *checker.bad_ones(draw, lines)]:
        assert checker.untrue(case, whole(case.body["trail"], case.body["head"])) == "", case.what


def test_a_changed_record_changes_what_would_be_decided_by_income_day_and_model() -> None:
    checker, kinds = loaded("27"), set()
    for number in range(5):
        draw = Random(number)
        model, other = checker.trained(draw, "a"), checker.trained(draw, "b")
        for each in checker.picked(draw, model, 4, AT):
            made = checker.Decided(b"", {"decision": "1", "at": AT})
            record = {"decision": "1", "at": AT, "model": "a", "code": "c", "application": each, "salt": ""}
            kept = checker.Kept(each, made, json.dumps(record).encode())
            for what, changed, by in checker.changed(draw, kept, model, other, checker.trained(draw, "c")):
                kinds.add((number, what.split()[-1]))
                apart = checker.score_of(by, changed["application"], changed["at"]) - checker.score_of(model, each, AT)
                assert abs(apart) > 0.01
    assert len(kinds) == 20  # each run has all four kinds


def test_the_line_of_somebody_who_came_back_has_nothing_of_the_old_one() -> None:
    recognised = loaded("27").recognised
    old = {"event": "decision", "previous": "a" * 64, "decision": "id-1", "model": "2026-03", "approved": True}
    new = old | {"previous": "b" * 64, "decision": "id-2"}
    others = [{"event": "decision", "model": "2026-03", "approved": False}]
    assert recognised(old, new, others).ok
    for told in ({"who": "c" * 64}, {"probability": 0.73105}, {"of": {"number": ["C-12345"]}}):
        assert not recognised(old | told, new | told, others).ok


@pytest.mark.parametrize(
    ("first", "right"),
    [("declined", True), ("approved", False)],  # of others, one was declined as well; or none
)
def test_a_word_that_others_lines_have_tells_nobody_who_came_back(first: str, right: bool) -> None:
    checker = loaded("27")
    outcomes = {"first": first, "one": "declined", "stays": "approved", "back": "declined", "other": "approved"}
    lines = [json.dumps({"event": "decision", "decision": each, "outcome": said}) for each, said in outcomes.items()]
    one, stays = (checker.Person([checker.Kept({}, checker.Decided(b"", {"decision": each}), b"")])
                  for each in ("one", "stays"))  # fmt: skip
    back, other = (checker.Decided(b"", {"decision": each}) for each in ("back", "other"))
    before = checker.Trail(1, (), {})

    async def trail(first: int) -> Any:
        return checker.Trail(first, tuple(each.encode() for each in lines), {})

    credit = SimpleNamespace(trail=trail)
    assert asyncio.run(checker.back_again(credit, one, stays, back, other, before)).ok is right


def test_a_salt_that_is_computed_from_what_is_known_is_none() -> None:
    checker = loaded("27")
    application = {"person": "C-1234567", "name": "Ada Byron"}

    def kept(salt: str) -> Any:
        record = {"decision": "id-1", "at": AT, "model": "m", "code": "c", "application": application, "salt": salt}
        return checker.Kept(application, None, json.dumps(record).encode())

    assert checker.derived(kept("0123456789abcdef0f1e2d3c4b5a6978")) == ""
    for text in ("id-1", "C-1234567", f"id-1:{AT}", ""):
        assert checker.derived(kept(checker.digest(text.encode()))) != ""
        assert text == "" or checker.derived(kept(checker.digest(text.encode())[:32])) != ""
    assert checker.derived(kept("0" * 32)) != ""
    assert checker.derived(kept(uuid.uuid5(uuid.NAMESPACE_OID, "id-1").hex)) != ""


def test_salts_by_the_clock_or_a_counter_are_alike_and_drawn_ones_are_not() -> None:
    alike, draw = loaded("27").alike, Random(1)
    for one, two in (
        (uuid.uuid1().hex, uuid.uuid1().hex), (f"{7:032x}", f"{8:032x}"), (f"{time.time_ns():032x}", f"{1 << 60:032x}"),
    ):  # fmt: skip
        assert alike(one, two)
    drawn = [f"{draw.getrandbits(128):032x}" for _ in range(400)]
    assert not any(alike(one, two) for one, two in pairwise(drawn))
    assert not alike("a" * 32, "a" * 48)


@pytest.mark.parametrize("made", [json.dumps, lambda fields: json.dumps(fields, sort_keys=True, separators=(",", ":"))])
def test_a_salt_that_is_a_digest_of_the_records_other_fields_is_none(made: Any) -> None:
    checker = loaded("27")
    fields = {"decision": "id-1", "at": AT, "model": "m", "code": "c", "application": {"person": "C-1", "name": "A B"}}
    record = fields | {"salt": checker.digest(made(fields).encode())}
    assert checker.derived(checker.Kept(fields["application"], None, json.dumps(record).encode())) != ""


@pytest.mark.parametrize(
    "decision", ["57", "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "dk_1.x", "a" * 80]
)
def test_an_id_that_never_was_is_of_the_form_of_those_that_were(decision: str) -> None:
    found = {loaded("27").like(Random(number), decision) for number in range(20)}
    assert decision not in found
    assert len(found) == 20
    for each in found:
        assert len(each) == max(12, len(decision))
        assert decision[:-12] == each[:-12] or len(decision) < 12
        assert decision.isdigit() == each.isdigit()
        assert [sign for sign in each if not sign.isalnum()] == [sign for sign in decision if not sign.isalnum()]
    if len(decision) == 36:
        assert all(str(uuid.UUID(each)) == each for each in found)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_last_line_of_a_page_may_end_or_not(end: bytes) -> None:
    checker = loaded("27")
    lines = [b'{"previous": "a"}', b'{"previous": "b"}']

    async def request(method: str, service: str, path: str, *given: Any, **more: Any) -> Answer:
        body = b"" if path.endswith("=3") else b"\n".join(lines) + end
        return Answer(200, {}, body, 0.1, "", "http://credit")

    credit = checker.Credit(made_up_lab("27", traffic=NoTraffic(request=request)))
    assert asyncio.run(credit.page(1, 2)) == lines
    assert asyncio.run(credit.page(3, 0)) == []
    with pytest.raises(Failure, match="3 to 100 lines"):
        asyncio.run(credit.page(1, 3))


@pytest.mark.parametrize(("status", "logs"), [(404, False), (500, True)])
def test_beyond_the_end_another_status_is_told_by_its_place(status: int, logs: bool) -> None:
    checker = loaded("27")

    async def request(*given: Any, **more: Any) -> Answer:
        return Answer(status, {}, b"{}", 0.1, "", "http://credit")

    credit = checker.Credit(made_up_lab("27", traffic=NoTraffic(request=request)))
    with pytest.raises(Failure, match="200 and no lines") as told:
        asyncio.run(credit.page(7, 0))
    assert ("behind a 500" in str(told.value)) is logs
    with pytest.raises(Failure) as told:
        asyncio.run(credit.page(7, 3))
    assert ("behind a 500" in str(told.value)) is logs


def test_the_small_model_has_features_too_quiet_for_a_reason_and_none_near_the_limit() -> None:
    checker, quiet, soft = loaded("27"), 0, 0
    for number in range(4):
        model = checker.trained(Random(number), "v", small=True)
        people = checker.picked(Random(number), model, 6, AT)
        assert len(people) == 6
        for each in people:
            wanted = checker.right(model, each, AT)
            sizes = [-size if wanted.approved else size for size in wanted.contributions.values()]
            assert not any(0.0005 < size < 0.002 for size in sizes)
            assert len(wanted.reasons) < 3
            quiet += any(1e-6 < size < 0.0005 for size in sizes)
            soft += any(0.002 < size < 0.01 for size in sizes)
    assert quiet > 20
    assert soft > 4


def test_another_release_has_other_files_and_empty_volumes() -> None:
    checker = loaded("27")
    known = [
        {"name": "app", "configMap": {"name": "app-1"}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "more"}}, {"secret": {"name": "staff"}}]}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "credit"}},
    ]
    assert {*checker.config_maps({"volumes": known})} == {"app-1", "more"}
    maps = {"app-1": {"data": {"app.py": "x = 1\n", "model.json": "{}"}}, "more": {"data": {"words.txt": "-"}}}
    assert checker.files(Random(1), {"more": maps["more"]}) == []
    assert checker.files(Random(1), maps) == [("app-1", "app.py")]
    made = checker.longer(maps["app-1"], "app.py", "checker-release-0")
    assert made["metadata"] == {"name": "checker-release-0"}
    assert made["data"] == {"app.py": f"x = 1\n{checker.COMMENT}", "model.json": "{}"}
    changed = checker.volumes(known, {"app-1": "checker-release-0"})
    assert changed[0]["configMap"]["name"] == "checker-release-0"
    assert changed[1] == known[1]
    assert changed[2] == {"name": "data", "emptyDir": {}}
    assert known[2] != changed[2]


def test_each_file_has_a_release_and_the_given_one_the_first() -> None:
    checker, last = loaded("27"), set()
    names = {"app.py", "bank.py", "kept.py", "reasons.py"}
    some = {"app-1": {"data": dict.fromkeys([*names, "words.txt"], "")}}
    many = {**some, "more": {"data": dict.fromkeys([f"part{number}.py" for number in range(9)], "")}}
    for seed in range(60):
        found = checker.files(Random(seed), some)
        assert found[0].name == "bank.py" and {each.name for each in found} == names
        found = checker.files(Random(seed), many)
        assert found[0].name == "bank.py" and len(set(found)) == checker.RELEASES
        last.add(found[-1].name)
    assert len(last) == 12
    for each in LAB.glob("solution/*"):
        assert len({*each.glob("*.py")}) < checker.RELEASES


def test_a_file_that_no_volume_has_is_none_of_the_programs() -> None:
    shown = loaded("27").shown
    found = {"metadata": {"name": "app-1"}, "data": {"app.py": "a", "bank.py": "b", "trial.py": "t"}}
    some = {"configMap": {"name": "app-1", "items": [{"key": "app.py", "path": "app.py"}]}}
    whole = {"projected": {"sources": [{"configMap": {"name": "app-1"}}, {"secret": {"name": "staff"}}]}}
    for volumes, names in (
        ([some], {"app.py"}), ([some, whole], {*found["data"]}),
        ([some, {"configMap": {"name": "other"}}, {"emptyDir": {}}], {"app.py"}),
    ):  # fmt: skip
        assert set(shown({"volumes": volumes}, found)["data"]) == names


def service(status: Callable[[str, str], int], seen: list[Any]) -> Any:
    """A lab whose service answers with a status for each request, such as `GET /trail`, and token."""

    async def request(method: str, service: str, path: str, body: Any = None, **more: Any) -> Answer:
        token = (more.get("headers") or {}).get("Authorization", "").removeprefix("Bearer ")
        seen.append((path, body, token))
        code = status(f"{method} {path}", token)
        return Answer(code, {}, b'{"decision": "other", "at": "now"}', 0.1, "", "http://credit")

    return made_up_lab("27", traffic=NoTraffic(request=request))


@pytest.mark.parametrize("status", [200, 410])
def test_whose_number_begins_with_that_of_somebody_erased_keeps_the_records(status: int) -> None:
    checker, seen = loaded("27"), list[Any]()
    application = checker.applicant(Random(1), checker.date.fromisoformat(AT[:10]))
    person = checker.Person([checker.Kept(application, checker.Decided(b"", {"decision": "d-1"}), b"")])
    credit = checker.Credit(service(lambda asked, _: status if asked == "GET /decisions/d-1" else 200, seen))
    with pytest.raises(Failure, match="one person's wish") if status != 200 else contextlib.nullcontext():
        asyncio.run(checker.shorter_erased(credit, person, application, "token"))
    ((erased, token),) = ((body["person"], token) for path, body, token in seen if path == "/erasures")
    assert token == "token" and person.number.startswith(erased) and person.number != erased


@pytest.mark.parametrize("knows", [True, False])
def test_who_handed_a_model_in_is_known_to_the_next_pod(knows: bool) -> None:
    checker, seen = loaded("27"), list[Any]()

    async def models(lab: Any) -> list[Any]:
        return [checker.Model(f"m-{number}", "{}", {}) for number in range(checker.MODELS)]

    checker.models = models
    lab = service(lambda _, token: 403 if knows and token == other.token else 200, seen)
    _, officer, other = checker.people(checker.drawn(lab, "people 7"))
    with contextlib.nullcontext() if knows else pytest.raises(Failure, match="stands in the trail"):
        asyncio.run(checker.still_four_eyes(lab, checker.Credit(lab)))
    assert [token for *_, token in seen] == [other.token, officer.token][: 1 + knows]


STRANGE = ["", "<html>", "null", "[]", '"ok"', "7", "[" * 50_000, '{"decision": 7, "at": []}', '{"lines": 1e400}',
           '{"lines": "12", "sha256": 7}', '{"lines": 3, "sha256": null}', '{"lines": 100000000, "sha256": "a"}',
           '{"decision": "a/../b", "at": "now"}', '{"decision": "a", "at": "2026-13-77T99:99:99Z", "score": NaN}',
           '{"lines": -1}', '{"whole": 1, "line": true}', "\x00\n\x00", '{"previous": []}\n', "7\n" * 200]  # fmt: skip


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_whatever_is_answered_is_a_verdict(text: str) -> None:
    checker = loaded("27")

    async def request(*given: Any, **more: Any) -> Answer:
        return Answer(200, {}, text.encode(), 0.1, "", "http://credit")

    credit = checker.Credit(made_up_lab("27", traffic=NoTraffic(request=request)))
    application = checker.applicant(Random(1), checker.date.fromisoformat(AT[:10]))
    model = checker.trained(Random(1), "v", small=True)
    for look in (
        credit.head, credit.trail, lambda: credit.page(1, 3), lambda: credit.decide(application),
        lambda: credit.replay(b"{}"), lambda: checker.with_records(credit, [application], model),
    ):  # fmt: skip
        try:
            asyncio.run(look())
        except Failure as told:
            assert told.seen


@pytest.mark.parametrize("said", [{}, {"contributions": 7}, {"contributions": {}}, {"reasons": [7]}, {"reasons": {}},
                                  {"score": True, "approved": 1}, {"base": 10**400, "score": "1"}])  # fmt: skip
def test_a_strange_decision_is_wrong_in_words(said: dict[str, Any]) -> None:
    checker = loaded("27")
    model = checker.trained(Random(3), "v")
    one = checker.picked(Random(3), model, 2, AT)[0]
    wanted = checker.right(model, one, AT)
    whole = {"contributions": dict.fromkeys(checker.FEATURES, said.get("base", math.nan)), **said}
    assert checker.unexplained(whole, wanted)
    assert checker.unreasonable(said, model, wanted)
    assert checker.wrong_in(said, model, wanted)
    for text in (
        "",
        "now",
        "2026-13-77T99:99:99Z",
        "2026-11-28T09:26:53",
        "2020-11-28T09:26:53Z",
        "2220-11-28T09:26:53Z",
    ):
        assert checker.wrong_moment(text, time.time()), text
    assert not checker.wrong_moment(checker.now(), time.time())


@pytest.mark.parametrize(
    ("change", "right"),
    [(str, True), (str.capitalize, True), (lambda text: f"We saw that {text}.", True), (lambda text: text[1:], False)],
)
def test_a_reason_may_begin_with_a_capital_letter(change: Callable[[str], str], right: bool) -> None:
    checker, draw = loaded("27"), Random(4)
    model = checker.trained(draw, "v")
    one = checker.picked(draw, model, 2, AT)[0]
    wanted = checker.right(model, one, AT)
    says = "lowers" if wanted.approved else "raises"
    texts = [(name, change(model.content["words"][name][says])) for name in wanted.reasons]
    assert texts
    said = {"reasons": [{"feature": name, "text": text} for name, text in texts]}
    assert bool(checker.unreasonable(said, model, wanted)) is not right


@pytest.mark.parametrize(
    ("decision", "right"),
    [("D-00000007", True), ("2026.7", True), ("7" * 80, True), ("7" * 81, False), ("loan_7", False), ("loan~7", False)],
)
def test_an_id_has_letters_digits_hyphens_and_dots(decision: str, right: bool) -> None:
    answer = Answer(200, {}, json.dumps({"decision": decision, "at": AT}).encode(), 0.1, "", "http://credit")
    with contextlib.nullcontext() if right else pytest.raises(Failure):
        assert loaded("27").decided(answer).id == decision


@pytest.mark.parametrize("at", ["now", "2026-13-77T99:99:99Z"])
def test_a_decision_whose_time_is_none_is_wrong_in_words(at: str) -> None:
    checker = loaded("27")
    model = checker.trained(Random(3), "v")
    decided = checker.Decided(b"", {"decision": "1", "at": at, "score": 0.5})

    async def fine(*given: Any, **more: Any) -> Any:
        return Observation(True, "", "")

    async def decide(application: Any) -> Any:
        return decided

    async def served(*given: Any) -> Any:
        return SimpleNamespace(decide=decide), model

    checker.exists = checker.up = checker.given_image = checker.shelved = fine
    checker.served = served
    with pytest.raises(Failure, match=re.escape(at)):
        asyncio.run(checker.decides.run(made_up_lab("27")))


@pytest.mark.parametrize(
    ("answer", "record", "known"),
    [
        ({"decision": "a", "at": AT}, b"[]", None),
        ({"decision": "a", "at": AT}, b'{"decision": "a"}', None),
        ({"error": "no income"}, b"", 0),
    ],
)
def test_what_is_decided_of_an_impossible_application_has_a_record_like_others(
    answer: Any, record: bytes, known: int | None
) -> None:
    checker = loaded("27")

    async def request(method: str, *given: Any, **more: Any) -> Answer:
        return Answer(200, {}, json.dumps(answer).encode() if method == "POST" else record, 0.1, "", "http://credit")

    credit = checker.Credit(made_up_lab("27", traffic=NoTraffic(request=request)))
    model = checker.trained(Random(3), "v", small=True)
    application = checker.applicant(Random(1), checker.date.fromisoformat(AT[:10]))
    if known is None:
        with pytest.raises(Failure, match="its record"):
            asyncio.run(checker.unjudged(credit, application, model))
    else:
        assert len(asyncio.run(checker.unjudged(credit, application, model))) == known


def test_words_are_looked_for_in_all_pods_and_in_their_sidecars(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, read = loaded("27"), list[str]()
    beside = [{"name": "beside", "restartPolicy": "Always"}, {"name": "before"}]
    spec = {"containers": [{"name": "credit"}], "initContainers": beside}
    pods = [{"metadata": {"name": each}, "spec": spec, "status": {"phase": "Running"}} for each in ("one", "two")]

    async def owned(*given: Any) -> Any:
        return pods

    async def logs(pod: str, container: str, **more: Any) -> str:
        return f"Ada Byron in {pod}/{container}"

    async def printed(lab: Any, pod: Any, *words: str, container: str, within: float) -> Any:
        read.append(f"{pod['metadata']['name']}/{container}")
        return SimpleNamespace(lines=["found"])

    checker.owned_pods, checker.printed = owned, printed
    lab = made_up_lab("27", objects=NothingThere(logs=logs))
    assert len(asyncio.run(checker.in_log(lab, ["Ada Byron"]))) == 4
    assert len(asyncio.run(checker.in_files(lab, ["Ada Byron"]))) == 4
    assert sorted(read) == ["one/beside", "one/credit", "two/beside", "two/credit"]


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
@pytest.mark.parametrize("before", [b"", bytes(range(256)) * 20])
def test_words_are_found_in_what_is_packed_also_inside_a_file(packed: Any, before: bytes, tmp_path: Path) -> None:
    look = loaded("27")._LOOK.replace("{searched}", str(1 << 20))
    told = base64.b64encode(b'["C-1234567"]').decode()
    for number in (1234567, 1234568):
        content = before + packed(f"C-{number}, Ada Byron".encode() * 40) + b"and so on"
        (tmp_path / str(number)).write_bytes(content)
    done = subprocess.run([sys.executable, "-c", look, told, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"C-1234567 in {tmp_path / '1234567'} (packed)"]


@pytest.mark.parametrize(("more", "right"), [("ephemeralContainers", True), ("initContainers", False)])
def test_what_kubectl_debug_adds_is_no_container_of_the_deployment(more: str, right: bool) -> None:
    checker = loaded("27")
    lab = made_up_lab("27", platform=SimpleNamespace(registry="r"))
    spec = {"containers": [{"image": f"r/{checker.scenario.IMAGE}"}], more: [{"image": "busybox"}]}

    async def pods(lab: Any, name: str) -> list[Any]:
        return [{"spec": spec}]

    checker.scenario.owned_pods = pods
    assert asyncio.run(checker.scenario.given_image(lab)).ok is right
