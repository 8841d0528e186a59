"""Drawing exams: shares, time and claims hold for every seed; the same seed is the same exam; names don't collide."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.exam import drawing
from mlops_lab.exam.choice import Offer, choose, choose_few, scaled
from mlops_lab.exam.drawing import names, offers, seats
from mlops_lab.exam.state import Seat
from mlops_lab.tasks.standing import outside
from mlops_lab.tasks.task import EXAMS, Task, tasks
from tests.made_up_exams import descriptions, made_up_bank, made_up_task

BANK = descriptions(80)
MINUTES = 45  # that a made-up bank on the disk fills
CLAIMS = {each.name: set(each.about.claims) for each in BANK}


@pytest.fixture
def bank(tmp_path: Path) -> list[Task]:
    made_up_bank(tmp_path / "bank")
    return tasks(tmp_path / "bank")


def assert_fits(exam: str, drawn: list[Seat], minutes: int) -> None:
    assert sum(seat.weight for seat in drawn) == 100
    assert all(seat.weight > 0 for seat in drawn)
    for domain, share in EXAMS[exam].items():
        assert abs(sum(seat.weight for seat in drawn if seat.domain == domain) - share) <= 3, domain
    assert 0.85 * minutes <= sum(seat.minutes for seat in drawn) <= minutes
    for one, other in itertools.combinations(drawn, 2):
        assert not CLAIMS[one.task] & CLAIMS[other.task]


@pytest.mark.parametrize("exam", EXAMS)
def test_a_thousand_seeds_of_each_exam_meet_weights_time_and_claims(exam: str) -> None:
    used: set[str] = set()
    for seed in range(1000):
        drawn = seats(exam, BANK, 120, seed)
        assert_fits(exam, drawn, 120)
        used |= {seat.task for seat in drawn}
    assert len(used) == len(BANK)  # no task is never drawn


@pytest.mark.parametrize("minutes", [30, 60, 90])
def test_shorter_exams_meet_them_too(minutes: int) -> None:
    for seed in range(50):
        assert_fits("ckad", seats("ckad", BANK, minutes, seed), minutes)


def test_the_same_seed_is_the_same_exam_in_whatever_order_the_bank_comes() -> None:
    shuffled = Random(1).sample(BANK, len(BANK))
    assert seats("cka", BANK, 120, 7) == seats("cka", shuffled, 120, 7)
    assert seats("cka", BANK, 120, 7) != seats("cka", BANK, 120, 8)


def test_what_a_seed_draws_is_written_down() -> None:
    """On every machine and with every Python: this exam was drawn once."""
    drawn = seats("cka", BANK, 60, 4)
    assert [(seat.task, seat.weight) for seat in drawn] == WRITTEN


WRITTEN = [
    ("task-50", 7), ("task-06", 6), ("task-20", 6), ("task-76", 17), ("task-34", 9), ("task-69", 17), ("task-31", 17),
    ("task-00", 13), ("task-28", 8),
]  # fmt: skip


def test_a_quick_one_has_four_tasks_of_different_domains() -> None:
    for seed in range(100):
        drawn = seats("mlops", BANK, 120, seed, quick=True)
        assert len({seat.domain for seat in drawn}) == len(drawn) == 4
        assert 0.85 * 25 <= sum(seat.minutes for seat in drawn) <= 25
        assert sum(seat.weight for seat in drawn) == 100


def test_it_finds_the_only_way_there_is() -> None:
    """Exact, not lucky: claims leave one set of tasks, and only that one meets the shares."""
    shares = {"a": 50, "b": 50}
    few = [
        Offer("a1", "a", 6, 10, frozenset({"x"})), Offer("a2", "a", 6, 10, frozenset({"y"})),
        Offer("b1", "b", 6, 10, frozenset({"x"})), Offer("b2", "b", 3, 5), Offer("b3", "b", 3, 5, frozenset({"y"})),
    ]  # fmt: skip
    for seed in range(50):
        assert {each.name for each in choose(few, shares, 20, Random(seed))} in ({"a1", "b2", "b3"}, {"a2", "b1"})
    assert choose(few[:1] + few[2:3], shares, 20, Random(1)) == []
    assert choose_few(few[:1] + few[2:3], 2, 20, Random(1)) == []


def test_weights_are_whole_percents_in_the_domains_shares() -> None:
    found = scaled({"a": [5, 5, 5], "b": [7, 1], "c": [9]})
    assert sum(map(sum, found.values())) == 100
    assert found == {"a": [16, 16, 15], "b": [22, 3], "c": [28]}
    assert scaled({"a": [10] * 20, "b": [1]}) == {"a": [5] * 19 + [4], "b": [1]}


@pytest.mark.parametrize(("count", "said"), [(30, "troubleshooting has 0 of about 28 minutes"), (0, "storage has 0")])
def test_a_bank_that_cannot_fill_an_exam_says_what_is_missing(count: int, said: str) -> None:
    bank = [each for each in BANK if each.about.exams["cka"] != "troubleshooting"][:count]
    with pytest.raises(UsageError) as raised:
        seats("cka", bank, 120, 1)
    assert "can't fill an exam cka of 120 minutes" in raised.value.message
    assert said in raised.value.message
    assert "\n" not in raised.value.message


def test_a_shorter_time_or_a_quick_one_is_offered_where_it_works(bank: list[Task]) -> None:
    with pytest.raises(UsageError) as raised:
        seats("cka", bank, 120, 1)
    assert raised.value.hint == "a shorter time works: --minutes 45"
    with pytest.raises(UsageError) as raised:
        seats("cka", bank, 15, 1)
    assert raised.value.hint == "a longer time works: --minutes 45"
    four = [each for each in BANK if each.about.exams["cka"] != "storage"]
    with pytest.raises(UsageError) as raised:
        seats("cka", four, 120, 1)
    assert "--quick" in raised.value.hint


def test_there_is_no_such_exam() -> None:
    with pytest.raises(UsageError, match="there is no exam 'cks'"):
        seats("cks", BANK, 120, 1)


def test_tasks_whose_cluster_or_addon_is_not_to_be_had_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(offers("cka", BANK)) == 80
    monkeypatch.setattr(drawing, "can_stand", lambda task: task.name < "task-40")
    assert len(offers("cka", BANK)) == 40


def test_names_are_disjoint_and_the_same_every_time(bank: list[Task], tmp_path: Path) -> None:
    found = []
    for turn in "ab":
        drawn = seats("cka", bank, MINUTES, 3)
        names(drawn, bank, tmp_path / turn)
        objects = [each for seat in drawn for each in outside(tmp_path / turn / seat.slug / seat.task)]
        assert len(objects) == len(set(objects)) == len(drawn)
        assert len({seat.namespace for seat in drawn}) == len(drawn)
        found.append(([seat.namespace for seat in drawn], objects))
    assert found[0] == found[1]
    assert (tmp_path / "a" / drawn[0].slug / drawn[0].task / "README.md").read_text().count(drawn[0].namespace) == 1


def test_names_that_are_taken_on_the_cluster_are_not_used(bank: list[Task], tmp_path: Path) -> None:
    drawn = seats("cka", bank, MINUTES, 3)
    names(drawn, bank, tmp_path / "a")
    used = {("Namespace", drawn[0].namespace), *outside(tmp_path / "a" / drawn[1].slug / drawn[1].task)}
    again = seats("cka", bank, MINUTES, 3)
    names(again, bank, tmp_path / "b", lambda kind, name: (kind, name) in used)
    seen = {("Namespace", seat.namespace) for seat in again}
    seen |= {each for seat in again for each in outside(tmp_path / "b" / seat.slug / seat.task)}
    assert not seen & used
    with pytest.raises(LabError, match="all names for namespaces are taken"):
        names(seats("cka", bank, MINUTES, 3), bank, tmp_path / "c", lambda kind, name: True)


def test_a_task_that_always_asks_for_the_same_name_is_its_authors_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_TRIES", 5)
    for name in ("one", "two"):
        folder = made_up_task(tmp_path / "bank", name, {"cka": "storage"})
        (folder / "setup/outside.txt").write_text("StorageClass/fast\n")
    known = tasks(tmp_path / "bank")
    drawn = [Seat(number, task.name, "", "storage", 50, 6, 1, "") for number, task in enumerate(known, 1)]
    with pytest.raises(LabError, match=r"task two finds no names .* StorageClass fast"):
        names(drawn, known, tmp_path / "tasks")


def test_the_real_banks_tasks_find_names(tmp_path: Path) -> None:
    known = tasks()
    drawn = [Seat(number, task.name, "", "", 1, 6, 1, "") for number, task in enumerate(known, 1)]
    for first in range(0, len(drawn), 20):  # no sitting has more
        names(drawn[first : first + 20], known, tmp_path)


@pytest.mark.parametrize("exam", EXAMS)
def test_the_real_bank_fills_each_exam_whole_and_quick(exam: str) -> None:
    known = tasks()
    for seed in range(20):
        whole, quick = seats(exam, known, 120, seed), seats(exam, known, 120, seed, quick=True)
        assert sum(seat.weight for seat in whole) == sum(seat.weight for seat in quick) == 100
        for domain, share in EXAMS[exam].items():
            assert abs(sum(seat.weight for seat in whole if seat.domain == domain) - share) <= 3, domain


@pytest.mark.parametrize(
    ("exam", "minutes", "hint"),
    [
        ("cka", 30, "a longer time works: --minutes 50; or a quick one: --quick"),
        ("ckad", 25, "a longer time works: --minutes 30; or a quick one: --quick"),
        ("mlops", 235, "a shorter time works: --minutes 180"),
    ],
)
def test_a_time_that_works_is_the_nearest_one(exam: str, minutes: int, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        seats(exam, tasks(), minutes, 1)
    assert raised.value.hint == hint
    assert seats(exam, tasks(), int(hint.partition("--minutes ")[2].partition(";")[0]), 1)


def test_another_bank_has_another_hash(bank: list[Task]) -> None:
    before = drawing.content(bank)
    assert drawing.content(list(reversed(bank))) == before
    (bank[0].folder / "hints.md").write_text("other")
    assert drawing.content(bank) != before
