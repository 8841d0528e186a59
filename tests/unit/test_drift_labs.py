"""Labs 18 and 19: what says the same whatever flows by earns nothing, and what is too slow is told its limit."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.base.paths import project
from mlops_lab.kit.sandbox.process import Trouble
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import solutions, texts, wrongs
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

LABS = project() / "labs"
Named = Callable[[pd.DataFrame, int], list[str]]


def verdict(number: str, check: str, stages: dict[str, Any]) -> str:
    """What a check expects and does not see, where what it measures is given; empty when it passes."""
    folder = LABS / "19-accuracy-drift" / "solution" / "likelihood-ratio"  # lab 19 looks whether there is a program
    lab = made_up_lab(number, folder)

    async def once(stage: Any) -> Any:
        return stages[stage.__name__]

    lab.once = once  # type: ignore[method-assign,assignment]
    try:
        asyncio.run(getattr(loaded(number), check).run(lab))
    except Failure as failed:
        return failed.expected
    return ""


# Lab 18


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(LABS / "18-data-drift" / "start"))
    return loaded("18", "judge")


def seen_by(judge: Any, named: Named) -> Any:
    """What is named in six streams in which `temp` or `distance` becomes 1, and in six in which all stays 0."""
    stream, notes = judge.streams.Stream, []
    for number in range(12):
        feature, begin = ("temp", "distance")[number % 2], 200 + 20 * number
        rows = pd.DataFrame({"temp": 0.0, "distance": 0.0, "hour": 0.0}, index=range(begin + 1000))
        if number < 6:
            rows.loc[begin:, feature] = 1.0
            found = stream("drifts", rows, feature, begin)
        else:
            found = stream("as ever", rows, begin=begin, spared=feature)
        detectors = Played(named)
        notes += judge.flow(detectors, rows, [found])
    return SimpleNamespace(notes={"finds_a_shift": [{**note, "seed": 1} for note in notes]}, spent=0.0)


class Played:
    """A detector in this process."""

    def __init__(self, named: Named) -> None:
        self.named, self.rows = named, 0

    def ask(self, what: str, number: int, rows: pd.DataFrame, within: float = 0) -> list[str]:
        if what == "make":
            return []
        self.rows += len(rows)
        return self.named(rows, self.rows)

    def over(self) -> None: ...


def right(rows: pd.DataFrame, so_far: int) -> list[str]:
    return [name for name in rows if rows[name].iloc[-1]]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (right, ""),
        (lambda rows, so_far: ["temp", "distance"], "as they ever were"),
        (lambda rows, so_far: ["temp", "distance"] if so_far % 500 == 0 else [], "as they ever were"),
        (lambda rows, so_far: ["temp", "distance"] if so_far > 700 else [], "as they ever were"),
        (lambda rows, so_far: [], "named within 1000 rows"),
    ],
    ids=["right", "constant", "metronome", "from some row on", "silent"],
)
def test_what_is_named_whether_it_drifts_or_not_is_no_find(judge: Any, named: Named, expected: str) -> None:
    said = verdict("18", "finds_a_shift", {"first": seen_by(judge, named)})
    assert expected in said
    assert bool(said) == bool(expected)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (right, ""),
        (lambda rows, so_far: right(rows, so_far)[:1], "named within 1000 rows"),
        (lambda rows, so_far: ["temp", "distance"] if rows["temp"].iloc[-1] else [], "no name before the drift"),
    ],
    ids=["both", "only the first", "both too soon"],
)
def test_of_two_that_drift_each_is_named(judge: Any, named: Named, expected: str) -> None:
    rows = pd.DataFrame({"temp": 0.0, "distance": 0.0, "hour": 0.0}, index=range(1600))
    rows.loc[300:, "temp"] = rows.loc[600:, "distance"] = 1.0
    stream = judge.streams.Stream("both", rows, "temp", 300, second="distance", second_begin=600)
    notes = judge.flow(Played(named), rows, [stream])
    seen = SimpleNamespace(notes={"finds_other_shapes": [{**note, "seed": 1} for note in notes]}, spent=0.0)
    said = verdict("18", "finds_other_shapes", {"others": seen})
    assert expected in said
    assert bool(said) == bool(expected)


def test_each_detector_gets_the_reference_of_its_stream(judge: Any) -> None:
    made: list[float] = []

    class Kept(Played):
        def ask(self, what: str, number: int, rows: pd.DataFrame, within: float = 0) -> list[str]:
            made.extend(rows["temp"].head(1) if what == "make" else [])
            return []

    winter, summer = (pd.DataFrame({"temp": [value] * 10}) for value in (30.0, 80.0))
    found = [judge.streams.Stream("winter", winter), judge.streams.Stream("summer", summer, reference=summer)]
    notes = judge.flow(Kept(right), winter, found)
    assert made == [30.0, 80.0] and [each["rows"] for each in notes] == [10, 10]


def test_each_kind_of_column_drifts_and_nothing_runs_out(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge.streams, "flights", made_up_flights)
    reference, checks = judge.streams.draw(1)
    values = {each.feature: each for check in ("finds_categories", "finds_other_shapes") for each in checks[check]}
    assert {"carrier", "origin", "dest", "hour", "visib", "precip"} <= values.keys()
    for feature in ("dest", "visib", "precip"):
        stream = values[feature]
        before, after = (set(rows[feature].dropna()) for rows in (reference, stream.rows.iloc[stream.begin :]))
        assert before - after, "what is usual is gone"
        assert stream.rows[feature].isna().sum() < len(stream.rows) / 100, "and few are missing"
    (long,) = checks["finds_after_a_long_calm"]
    assert long.begin >= 11_000 and len(long.rows) == long.second_begin + 1000 and long.second == "origin"
    (ended,) = [each for each in checks["finds_missing_values"] if not each.begin]
    assert ended.rows[ended.feature].isna().all()
    assert max(max(each.sizes) for each in checks["takes_any_batches"]) >= 600
    together = checks["keeps_streams_apart"]
    assert [each.reference is None for each in together].count(True) == 3
    (summer,) = [each for each in together if each.reference is not None]
    assert together.index(summer) and summer.feature == "temp"
    one, other = (each for each in together if each.feature and each is not summer)
    assert one.feature == other.feature and one.begin < other.begin and len(one.rows) > len(other.rows)
    assert together.index(other) == together.index(one) + 1, "no calm one between them, that would begin anew"
    gaps = [each for each in checks["finds_missing_values"] if each.begin]
    missing = [name for each in gaps for name in (each.feature, each.second) if name]
    assert sorted(missing) == sorted({*reference} - {"month", "day", "weekday"})
    assert all(0.3 < each.rows[each.feature].iloc[each.begin :].isna().mean() < 0.7 for each in gaps)


def test_codes_of_carriers_are_taken_over_and_airports_misspelt(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge.streams, "flights", made_up_flights)
    reference, checks = judge.streams.draw(2)
    found = {}
    for stream in checks["finds_categories"]:
        known, after = set(reference[stream.feature]), set(stream.rows[stream.feature].iloc[stream.begin :])
        found.setdefault(stream.feature, []).append((after <= known, bool(after & known), len(after)))
    assert sorted(found["carrier"]) == [(False, False, 4), (False, False, 4), (False, True, 4), (True, True, 3)]
    assert sorted(found["origin"]) == [(False, False, 3), (False, False, 3), (True, True, 2)]


def test_one_code_of_a_destination_that_is_known_is_all_there_is(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge.streams, "flights", made_up_flights)
    reference, checks = judge.streams.draw(3)
    codes = [set(each.rows["dest"].iloc[each.begin :]) for each in checks["finds_categories"] if each.feature == "dest"]
    (only,) = [each for each in codes if each <= set(reference["dest"])]
    assert len(only) == 1


def test_codes_are_in_small_letters_and_have_blanks_and_the_calendar_moves(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge.streams, "flights", made_up_flights)
    for seed in range(1, 5):
        _, checks = judge.streams.draw(seed)
        codes = [
            (stream.feature, "".join(set(stream.rows[stream.feature].iloc[stream.begin :])))
            for stream in checks["finds_categories"]
            if "small" in stream.name or "blank" in stream.name
        ]
        seen = sorted((feature, text.islower(), " " in text) for feature, text in codes)
        assert seen == [(each, small, not small) for each in ("carrier", "dest", "origin") for small in (False, True)]
        _, some = checks["sees_a_real_summer"]
        later = some.rows.iloc[some.begin :]
        assert sorted(set(later["day"])) == list(some.days) and len(some.days) == 4
        assert len(set(later["weekday"])) == 4 and len(set(some.rows["weekday"].iloc[: some.begin])) == 7


def made_up_flights(month: int, days: Sequence[int] = ()) -> pd.DataFrame:
    chance, rows = np.random.default_rng(month), 16_000
    codes = {"carrier": ["UA", "B6", "EV", "DL"], "origin": ["EWR", "JFK", "LGA"], "dest": ["ATL", "BOS", "MIA", "ORD"]}
    frame = pd.DataFrame({name: chance.choice(among, rows) for name, among in codes.items()})
    numbers = {"hour": range(5, 24), "distance": range(90, 3000), "temp": range(10, 60), "wind_speed": range(30)}
    few = {"precip": [0.0] * 9 + [0.1, 0.2], "visib": [10.0] * 9 + [4.0, 8.0]}
    for name, among in {**numbers, **few}.items():
        frame[name] = chance.choice(list(among), rows).astype(float)
    day = 1 + np.arange(rows) % 28
    frame = frame.assign(month=month, day=day, weekday=1 + day % 7)
    return frame[frame["day"].isin(days)] if days else frame


def test_a_slow_detector_is_told_its_limit(judge: Any) -> None:
    detectors = judge.Detectors(LABS, 120.0, spent=121.0)
    rows = pd.DataFrame({"temp": [0.0]})
    with pytest.raises(Trouble, match="longer than 120 s in all"):
        detectors.ask("make", 0, rows)
    notes = judge.flow(detectors, rows, [judge.streams.Stream("calm", rows)])
    seen = SimpleNamespace(notes={"stays_quiet": [{**note, "seed": 1} for note in notes]}, spent=121.0)
    assert "a list of features" in verdict("18", "stays_quiet", {"others": seen})


def test_after_some_streams_that_end_in_trouble_no_more_are_begun(judge: Any) -> None:
    detectors = judge.Detectors(LABS, 120.0)
    for _ in range(judge.TROUBLES):
        detectors.end(trouble=True)
    with pytest.raises(Trouble, match="had to be ended"):
        detectors.ask("make", 0, pd.DataFrame())


# Lab 19

Calls = Sequence[Sequence[Any]]


class Fed:
    """A detector of a program's, in this process."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make, self.detector = make, make()
        self.other: Fed | None = None

    def new(self) -> None:
        self.detector, self.other = self.make(), None

    def beside(self, calls: Calls) -> tuple[int, bool]:
        self.other = self.other or Fed(self.make)
        return self.other.feed(calls)

    def feed(self, calls: Calls) -> tuple[int, bool]:
        for number, (call, *values) in enumerate(calls, 1):
            if getattr(self.detector, call)(*values) and call == "labelled":
                return number, True
        return len(calls), False


def drawn(seed: int) -> Any:
    """Flights with probabilities that are as spread as those of real days."""
    flights = loaded("19", "flights")
    found = flights.Flights.__new__(flights.Flights)
    found.rng = np.random.default_rng(seed)
    found.probabilities = np.clip(found.rng.beta(1.5, 4, 20_000), flights.LOWEST, flights.HIGHEST)
    found.names = [f"flight {number}" for number in range(20_000)]
    found.groups = dict.fromkeys(("calm", "storm", "unsure", "busy", "any"), np.arange(20_000))
    found.groups["safe"] = np.argsort(found.probabilities)[:1000]
    return found


def program(variant: str) -> Callable[[], Any]:
    lab = resolve("19")
    (found,) = [each for each in (*solutions(lab), *wrongs(lab)) if f"{each.kind}/{each.name}" == variant]
    space: dict[str, Any] = {}
    exec(compile(texts(found)["detector.py"], "detector.py", "exec"), space)
    return space["Detector"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("solution/likelihood-ratio", ""),
        ("wrong/finds_the_drift--metronome", "before the drift"),
        ("wrong/finds_the_drift--a-coin", "before the drift"),
        ("wrong/finds_the_drift--window-of-fifty", "before the drift"),
        ("wrong/finds_the_drift--average-since-the-start", "an alarm within 600 labels"),
    ],
)
def test_an_alarm_that_comes_anyway_finds_no_drift(variant: str, expected: str) -> None:
    streams, flights = loaded("19", "streams"), drawn(7)
    seen = [each.seen() for each in streams.finds(Fed(program(variant)), flights, flights.rng)]
    said = verdict("19", "finds_the_drift", {"driven": {"tests": {"finds": {"streams": seen}}}})
    assert expected in said
    assert bool(said) == bool(expected)


@pytest.mark.parametrize(
    ("variant", "test", "check", "expected"),
    [
        ("solution/likelihood-ratio", "slow", "waits_for_bad_news", ""),
        ("wrong/waits_for_bad_news--gives-up-a-little-early", "slow", "waits_for_bad_news", "no alarm while"),
        ("solution/likelihood-ratio", "quiet", "keeps_quiet", ""),
        ("wrong/keeps_quiet--evidence-of-all-detectors", "quiet", "keeps_quiet", "no alarm while"),
        ("wrong/keeps_quiet--a-table-for-all-detectors", "quiet", "keeps_quiet", "no alarm while"),
        ("wrong/keeps_quiet--who-comes-first", "quiet", "keeps_quiet", "an alarm within 600"),
        ("solution/likelihood-ratio", "busy", "follows_busy_days", ""),
        ("wrong/follows_busy_days--no-flight-is-that-safe", "busy", "follows_busy_days", "no alarm while"),
        ("solution/likelihood-ratio", "slow", "waits_for_bad_news", ""),
        ("wrong/waits_for_bad_news--one-prediction-too-few", "slow", "waits_for_bad_news", "no alarm while"),
        ("solution/likelihood-ratio", "over", "starts_over", ""),
        ("wrong/starts_over--a-new-model-on-probation", "over", "starts_over", "an alarm within 600"),
        ("wrong/starts_over--once-and-no-more", "over", "starts_over", "no alarm while"),
    ],
)
def test_labels_may_take_their_time_and_another_stream_go_wrong(
    variant: str, test: str, check: str, expected: str
) -> None:
    streams, flights = loaded("19", "streams"), drawn(5)
    seen = [each.seen() for each in streams.TESTS[test](Fed(program(variant)), flights, flights.rng)]
    tests = {"finds": {"streams": []}, test: {"streams": seen}}
    said = verdict("19", check, {"driven": {"tests": tests}})
    assert said.startswith(expected)
    assert bool(said) == bool(expected)
    assert [each["about"] for each in seen].count(streams.BESIDE) == (test == "quiet")


def test_the_clock_goes_as_in_life(tmp_path: Path) -> None:
    (tmp_path / "detector.py").write_text(DETECTOR_THAT_SAYS_THE_TIME)
    text = (LABS / "19-accuracy-drift" / "checker" / "driver.py").read_text()
    calls = [["predicted", "a", 0.5], ["predicted", "b", 0.5]]
    program = f"{text}\nanswer(('new', []))\nanswer(('feed', {calls!r}))\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    for took in json.loads(done.stdout):
        assert 105 <= took < 106


DETECTOR_THAT_SAYS_THE_TIME = """
import json, time
from datetime import datetime, timezone
import datetime as dates
CLOCKS = (time.time, time.monotonic, time.perf_counter, time.time_ns, time.monotonic_ns, time.perf_counter_ns)
REAL = datetime(2013, 7, 1)
class Detector:
    def __init__(self):
        self.at, self.dates, self.real = None, [], REAL
    def predicted(self, flight, probability):
        before, self.at = self.at, [clock() for clock in CLOCKS]
        if before:
            took = [now - then for now, then in zip(self.at, before)]
            assert isinstance(self.dates[0], dates.datetime) and isinstance(self.real, datetime)
            for earlier, later in zip(self.dates, [datetime.now(), dates.datetime.now(timezone.utc), datetime.today()]):
                took.insert(0, (later - earlier).total_seconds())
        self.dates = [datetime.now(), datetime.now(timezone.utc), datetime.today()]
        if before:
            print(json.dumps([*took[:6], *(each / 1e9 for each in took[6:])]))
"""


@pytest.mark.parametrize("begins_itself", [False, True])
def test_who_replaces_a_model_need_not_wait_for_the_alarm(begins_itself: bool) -> None:
    sound: Any = program("solution/likelihood-ratio")

    class OnlyAtItsOwnAlarm(sound):  # type: ignore[misc]
        def __init__(self) -> None:
            sound.replaced(self)

        def replaced(self) -> None: ...

        def labelled(self, flight: str, late: bool) -> bool:
            if alarm := bool(super().labelled(flight, late)):
                sound.replaced(self)
            return alarm

    streams, flights = loaded("19", "streams"), drawn(11)
    make = OnlyAtItsOwnAlarm if begins_itself else sound
    seen = [each.seen() for each in streams.over(Fed(make), flights, flights.rng)]
    said = verdict("19", "starts_over", {"driven": {"tests": {"over": {"streams": seen}}}})
    assert [each["about"] for each in seen] == ["first", "second", "second", streams.UNHEARD, "second"]
    assert said == ("no alarm while the model is right" if begins_itself else "")
    assert [bool(each["alarms"]) for each in seen] == [False, False, False, False, begins_itself]


def test_a_drift_is_as_large_as_the_readme_says() -> None:
    flights = loaded("19", "flights")
    assert flights.LEAST > 5
    given = np.array([0.1, 0.5, 0.9])
    more, fewer = (flights.drifted(given, kind, 6.0) for kind in ("more", "fewer"))
    odds = given / (1 - given)
    assert more / (1 - more) == pytest.approx(6 * odds)
    assert fewer / (1 - fewer) == pytest.approx(odds / 6)
