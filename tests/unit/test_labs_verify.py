"""`lab verify` on a stage that tells what it is told to: each gate shown failing, trouble, resuming, and the record."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import NotApplied, Variant
from mlops_lab.proof.content import content_of
from mlops_lab.proof.ledger import Done, Ledger
from mlops_lab.proof.proofs import proofs
from mlops_lab.proof.skeleton import make
from mlops_lab.proof.verify import steps, verify
from tests.new_labs import filled

CHECK = "two_pods_are_ready"
MISTAKES = [*(f"{CHECK}--mistake-{number}" for number in range(2, 6)), f"{CHECK}--one-replica"]


class ToldStage:
    """A stage whose verdicts come from a function of what was put to work last (None: nothing)."""

    def __init__(self, verdict: Callable[[str | None], Verdict]) -> None:
        self.verdict = verdict
        self.at_work: str | None = None
        self.calls: list[str] = []
        self.left: list[str] = []
        self.problems: list[str] = []
        self.cleared = 0
        self.mistakes: list[str] = []

    def fresh(self) -> None:
        self.at_work = None
        self.calls.append("fresh")

    def reset(self) -> None:
        self.at_work = None
        self.calls.append("reset")

    def work(self, variant: Variant) -> None:
        self.at_work = variant.name
        self.calls.append(variant.name)

    def checked(self, mistake: str = "") -> list[Result]:
        self.mistakes.append(mistake)
        return [Result(CHECK, "Two pods.", self.verdict(self.at_work), 2, evidence=("a line",))]

    def objects(self) -> list[str]:
        return ["deployments/seed", *(self.left if "kustomize" in self.calls else [])]

    def checked_in_outage(self, *, begun: bool) -> list[Result]:
        return [Result(CHECK, "Two pods.", self.verdict("outage begun" if begun else "outage"), 2)]

    def healthy(self, within: float) -> list[str]:
        self.calls.append("healthy")
        return self.problems

    def clear(self) -> None:
        self.cleared += 1


def honest(work: str | None) -> Verdict:
    if work is None or work == "start" or "--" in work:
        return Verdict.FAIL
    return Verdict.ERROR if work.startswith("outage") else Verdict.PASS


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return Exercise(filled(make("10-scale", tmp_path / "labs")), "10", "scale")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "state/verify.json")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_lab.proof.verify._SETTLED_WITHIN", 0.0)


def outcomes(done: list[Done]) -> dict[str, str]:
    return {each.step: each.outcome for each in done}


def run(exercise: Exercise, ledger: Ledger, stage: ToldStage, **options: Any) -> list[Done]:
    return verify(exercise, lambda lab, checks: stage, ledger, **options)


def test_an_honest_lab_goes_through_every_step_and_is_verified(exercise: Exercise, ledger: Ledger) -> None:
    stage = ToldStage(honest)
    done = run(exercise, ledger, stage)
    assert [each.step for each in done] == [
        "form",
        "start",
        "start, applied",
        "solution kustomize",
        "solution kustomize, then reset",
        "solution manifests",
        "solution manifests, then reset",
        *(f"wrong {mistake}" for mistake in MISTAKES),
        "outage",
    ]
    assert set(outcomes(done).values()) == {"honest"}
    # Each solution is put to work on a fresh stage, both times.
    assert stage.calls[:3] == ["fresh", "fresh", "start"]
    assert stage.calls[3:11] == ["fresh", "kustomize", "fresh", "kustomize", "reset", "fresh", "manifests", "fresh"]
    # Only the verification of a mistake names a check.
    assert stage.mistakes == ["", "", "", "", "", "", *[CHECK] * 5]
    assert stage.cleared == 1
    kept = ledger.read()["labs"]["10-scale"]
    assert kept["verified"]
    assert kept["steps"]["start"]["results"][0]["evidence"] == ["a line"]


@pytest.mark.parametrize(
    ("work", "lie", "step", "said"),
    [
        (None, Verdict.PASS, "start", "gives 2 points for nothing done"),
        ("start", Verdict.PASS, "start, applied", "gives 2 points for start/ applied as it is"),
        ("kustomize", Verdict.FAIL, "solution kustomize", "is fail, not pass"),
        ("kustomize", Verdict.FAIL, "solution kustomize, then reset", "is fail, not pass"),
        (f"{CHECK}--one-replica", Verdict.PASS, f"wrong {CHECK}--one-replica", "is pass, not fail"),
        ("outage", Verdict.FAIL, "outage", "paused before the checks: two_pods_are_ready is fail"),
        ("outage begun", Verdict.PASS, "outage", "as the checks begin: two_pods_are_ready is pass"),
    ],
)
def test_each_gate_fails_for_a_lab_that_breaks_it(
    exercise: Exercise, ledger: Ledger, work: str | None, lie: Verdict, step: str, said: str
) -> None:
    done = run(exercise, ledger, ToldStage(lambda at_work: lie if at_work == work else honest(at_work)))
    bad = {each.step: each.says for each in done if each.outcome == "dishonest"}
    assert step in bad
    assert any(said in sentence for sentence in bad[step])
    assert not ledger.read()["labs"]["10-scale"]["verified"]


def test_how_long_a_lab_took_is_known_also_when_it_has_changed_since(exercise: Exercise, ledger: Ledger) -> None:
    assert ledger.seconds() == {}
    for number in (1, 2):
        ledger.keep(exercise.slug, "a key", Done(f"step {number}", "honest", seconds=1.5), wanted=[])
    assert ledger.seconds() == {exercise.slug: 3.0}


def test_what_a_reset_leaves_behind_is_dishonest(exercise: Exercise, ledger: Ledger) -> None:
    stage = ToldStage(honest)
    stage.left = ["configmaps/forgotten"]
    done = run(exercise, ledger, stage, only=["reset"])
    assert done[0].says == ["left behind: configmaps/forgotten"]
    assert outcomes(done)["solution kustomize, then reset"] == "dishonest"


def test_a_lab_that_is_not_whole_is_dishonest(exercise: Exercise, ledger: Ledger) -> None:
    (exercise.folder / "README.md").unlink()
    (exercise.folder / "hints.md").write_text("none")
    (done,) = run(exercise, ledger, ToldStage(honest), only=["form"])
    assert done.outcome == "dishonest"
    assert "there is no README.md" in done.says
    assert "## 1, ## 2 and ## 3" in done.says[0]


def test_an_error_is_tried_again_when_the_cluster_is_well(exercise: Exercise, ledger: Ledger) -> None:
    seen: list[str | None] = []

    def once_in_trouble(work: str | None) -> Verdict:
        seen.append(work)
        return Verdict.ERROR if len(seen) == 1 else honest(work)

    stage = ToldStage(once_in_trouble)
    assert outcomes(run(exercise, ledger, stage, only=["start"])) == {"start": "honest", "start, applied": "honest"}
    assert stage.calls == ["fresh", "healthy", "fresh", "fresh", "start"]


def test_lasting_trouble_is_the_environments_not_the_labs(exercise: Exercise, ledger: Ledger) -> None:
    stage = ToldStage(lambda work: Verdict.ERROR)
    done, _ = run(exercise, ledger, stage, only=["start"])
    assert (done.outcome, len(done.results)) == ("environment", 1)
    stage.problems = ["node worker is not Ready"]
    done, _ = run(exercise, ledger, stage, only=["start"])
    assert "node worker is not Ready" in done.says

    def refuses(variant: Variant) -> None:
        raise LabError("kubectl failed", "read it", "no quota")

    stage = ToldStage(honest)
    stage.work = refuses  # type: ignore[method-assign]
    done = run(exercise, ledger, stage, only=["solutions"])[0]
    assert (done.outcome, done.says) == ("environment", ["kubectl failed; read it", "no quota"])


def test_resume_goes_on_after_an_interruption_and_repeats_what_was_not_honest(
    exercise: Exercise, ledger: Ledger
) -> None:
    stage = ToldStage(honest)

    def interrupt(step: Any, done: Done | None, number: int, of: int) -> None:
        if step.name == "solution manifests" and done is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(exercise, ledger, stage, tell=interrupt)
    assert stage.cleared == 1
    stage = ToldStage(lambda work: Verdict.FAIL if work == "manifests" else honest(work))
    done = run(exercise, ledger, stage, resume=True)
    assert stage.calls.count("kustomize") == 1  # only for the outage
    assert outcomes(done)["solution manifests"] == "dishonest"
    assert len(done) == 13
    assert done[3].results[0].verdict is Verdict.PASS
    stage = ToldStage(honest)
    assert set(outcomes(run(exercise, ledger, stage, resume=True)).values()) == {"honest"}
    assert (stage.calls.count("manifests"), stage.calls.count("kustomize")) == (2, 0)
    assert ledger.read()["labs"]["10-scale"]["verified"]

    def no_stage(lab: Exercise, checks: list[Check]) -> ToldStage:
        raise AssertionError("nothing is left to do")

    assert len(verify(exercise, no_stage, ledger, resume=True)) == 13


def test_a_changed_lab_is_verified_anew(exercise: Exercise, ledger: Ledger) -> None:
    run(exercise, ledger, ToldStage(honest))
    before = content_of(exercise)
    checker = exercise.folder / "checker" / "__init__.py"
    checker.write_text(checker.read_text() + "\n# changed\n")
    assert content_of(exercise).key != before.key
    stage = ToldStage(honest)
    run(exercise, ledger, stage, resume=True, only=["start"])
    assert stage.calls == ["fresh", "fresh", "start"]
    assert not ledger.read()["labs"]["10-scale"]["verified"]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("README.md", []),
        (f"wrong/{CHECK}--mistake-3/notes.txt", [f"{CHECK}--mistake-3"]),
        ("wrong/another_one--slow/notes.txt", ["another_one--slow"]),
        ("solution/manifests/notes.txt", ["start", *["manifests"] * 2, *MISTAKES, "kustomize"]),
        ("solution/kustomize/notes.txt", ["start", *["kustomize"] * 2, "kustomize"]),
        ("start/notes.txt", ["start", *["kustomize"] * 2, *["manifests"] * 2, *MISTAKES, "kustomize"]),
    ],
)
def test_what_few_steps_rest_on_is_proved_anew_by_those(
    exercise: Exercise, ledger: Ledger, changed: str, again: list[str]
) -> None:
    run(exercise, ledger, ToldStage(honest))
    file = exercise.folder / changed
    file.parent.mkdir(exist_ok=True)
    file.write_text("another\n")
    stage = ToldStage(honest)
    done = run(exercise, ledger, stage, resume=True)
    assert [each for each in stage.calls if each not in ("fresh", "reset", "healthy")] == again
    assert len(done) == 13 + ("another_one" in changed)
    assert ledger.steps(exercise.slug, content_of(exercise).key).keys() == {each.step for each in done}


def test_a_step_rests_on_what_was_there_when_its_verification_began(exercise: Exercise, ledger: Ledger) -> None:
    class Changing(ToldStage):
        def clear(self) -> None:
            (exercise.folder / "start/notes.txt").write_text("another\n")

        def work(self, variant: Variant) -> None:
            super().work(variant)
            if self.at_work == "manifests":
                self.clear()

    assert len(run(exercise, ledger, Changing(honest))) == 13
    assert list(ledger.steps(exercise.slug, content_of(exercise).key)) == []


def test_a_start_that_kubectl_refuses_scores_nothing_all_the_same(exercise: Exercise, ledger: Ledger) -> None:
    stage = ToldStage(honest)

    def refuses(variant: Variant) -> None:
        raise NotApplied("kubectl failed", "read it")

    stage.work = refuses  # type: ignore[method-assign]
    assert outcomes(run(exercise, ledger, stage, only=["start"])) == {"start": "honest", "start, applied": "honest"}


def test_a_start_that_was_not_applied_proves_nothing(exercise: Exercise, ledger: Ledger) -> None:
    stage = ToldStage(honest)

    def fails(variant: Variant) -> None:
        raise LabError("the registry does not answer", "lab up")

    stage.work = fails  # type: ignore[method-assign]
    done = outcomes(run(exercise, ledger, stage, only=["start"]))
    assert done["start, applied"] == "environment"


def test_what_a_lab_says_that_its_start_earns_is_fine_and_has_to_be_so(exercise: Exercise, ledger: Ledger) -> None:
    with (exercise.folder / "lab.toml").open("a") as file:
        file.write(f'[start_earns]\n{CHECK} = "two pods are what it begins with"\n')
    (done,) = run(exercise, ledger, ToldStage(honest), only=["start"])[1:]
    assert done.says == [f"{CHECK} is fail, though [start_earns] in lab.toml says that it passes"]
    stage = ToldStage(lambda work: Verdict.PASS if work == "start" else honest(work))
    assert outcomes(run(exercise, ledger, stage, only=["start"])) == {"start": "honest", "start, applied": "honest"}


def test_where_nothing_can_be_applied_the_start_is_looked_at_once(exercise: Exercise) -> None:
    names = [step.name for step in steps(exercise, only=["start"])]
    assert names == ["start", "start, applied"]
    (exercise.folder / "start/model.yaml").rename(exercise.folder / "start/seed.yaml")
    (exercise.folder / "start/train.py").touch()
    assert [step.name for step in steps(exercise, only=["start"])] == ["start"]


@pytest.mark.parametrize(
    ("of", "only", "wanted"),
    [
        (["wrong/two_pods_are_ready--one-replica"], [], ["wrong two_pods_are_ready--one-replica"]),
        (["solution/manifests"], [], ["solution manifests", "solution manifests, then reset"]),
        (["solution/manifests"], ["reset"], ["solution manifests, then reset"]),
        (["solution/manifests", "wrong/two_pods_are_ready--mistake-3"], ["wrong"],
         ["wrong two_pods_are_ready--mistake-3"]),
    ],
)  # fmt: skip
def test_one_variant(exercise: Exercise, ledger: Ledger, of: list[str], only: list[str], wanted: list[str]) -> None:
    done = run(exercise, ledger, ToldStage(honest), of=of, only=only)
    assert outcomes(done) == dict.fromkeys(wanted, "honest")


def test_a_variant_that_is_not_there_is_refused(exercise: Exercise) -> None:
    with pytest.raises(UsageError) as refused:
        steps(exercise, of=["wrong/two_pods_are_ready--one-replicas"])
    assert "wrong/two_pods_are_ready--one-replica" in refused.value.hint
    with pytest.raises(UsageError, match="none of form"):
        steps(exercise, of=["solution/manifests"], only=["form"])


def test_solutions_of_a_lab_that_has_one(exercise: Exercise, ledger: Ledger) -> None:
    shutil.rmtree(exercise.folder / "solution/kustomize")
    done = run(exercise, ledger, ToldStage(honest), only=["solutions"])
    names = ["solution manifests", "solution manifests, then reset"]
    assert outcomes(done) == dict.fromkeys(names, "honest")
    (form,) = run(exercise, ledger, ToldStage(honest), only=["form"])
    assert form.says == ["it has 1 solutions; at least 2 that differ are needed"]


def test_a_mistake_over_a_solution_that_is_not_there(exercise: Exercise, ledger: Ledger) -> None:
    """The form says so in one sentence, its own step too, and every other step is done."""
    name = "two_pods_are_ready--mistake-3"
    (exercise.folder / "wrong" / name / "variant.toml").write_text('from = "solution/nosuch"\nbecause = "It is."\n')
    done = {each.step: each for each in run(exercise, ledger, ToldStage(honest))}
    (said,) = done["form"].says
    assert f"{name}/variant.toml: there is no solution 'solution/nosuch'" in said and "write from =" in said
    assert (done[f"wrong {name}"].outcome, done[f"wrong {name}"].says) == ("dishonest", [said])
    assert {each.outcome for step, each in done.items() if step not in ("form", f"wrong {name}")} == {"honest"}
    assert not ledger.read()["labs"]["10-scale"]["verified"]


def test_what_is_proved_is_written_beside_the_lab(exercise: Exercise, ledger: Ledger) -> None:
    run(exercise, ledger, ToldStage(honest), only=["form", "start"])
    assert proofs(exercise) == {}
    run(exercise, ledger, ToldStage(honest), once=True)
    known = proofs(exercise)
    assert {form: proof.steps for form, proof in known.items()} == {"short": 4}
    assert known["short"].content == content_of(exercise)
    run(exercise, ledger, ToldStage(honest), resume=True)
    assert {form: proof.steps for form, proof in proofs(exercise).items()} == {"whole": 13, "short": 4}
    # A proof that turns out not to hold is taken back; one of other content stays, as what it is.
    run(exercise, ledger, ToldStage(lambda work: Verdict.PASS), only=["wrong"])
    assert proofs(exercise) == {}
    run(exercise, ledger, ToldStage(honest))
    before = proofs(exercise)
    (exercise.folder / "README.md").write_text("# Another\n")
    run(exercise, ledger, ToldStage(lambda work: Verdict.PASS), only=["wrong"])
    assert proofs(exercise) == before


def test_without_resume_old_results_are_forgotten_first(exercise: Exercise, ledger: Ledger) -> None:
    run(exercise, ledger, ToldStage(honest))

    def fails(lab: Exercise, checks: list[Check]) -> ToldStage:
        raise LabError("no cluster", "lab up")

    with pytest.raises(LabError):
        verify(exercise, fails, ledger, only=["start"])
    known = ledger.read()["labs"]["10-scale"]
    assert "start" not in known["steps"]
    assert not known.get("verified")


async def _nothing(lab: Any) -> None: ...


def test_the_short_form_has_one_solution_and_the_mistake_that_shows_first(exercise: Exercise) -> None:
    (exercise.folder / "wrong/a_later_one--slow").mkdir()
    order = [Check(name, name, _nothing, 1) for name in (CHECK, "a_later_one")]
    assert [step.name for step in steps(exercise, order, once=True)] == [
        "form",
        "start",
        "solution kustomize, then reset",
        f"wrong {CHECK}--mistake-2",
    ]
    assert steps(exercise, order[::-1], once=True)[-1].name == "wrong a_later_one--slow"
    assert [step.name for step in steps(exercise, only=["outage"])] == ["outage"]


def _keep(file: Path, lab: str) -> None:
    for number in range(20):
        Ledger(file).keep(lab, "key", Done(f"step {number}", "honest"), wanted=[])


def test_two_verifications_at_once_keep_both_results(ledger: Ledger) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_keep, args=(ledger.file, lab)) for lab in ("04-a", "10-b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    whole = json.loads(ledger.file.read_text())
    assert {lab: len(entry["steps"]) for lab, entry in whole["labs"].items()} == {"04-a": 20, "10-b": 20}


def test_a_damaged_result_file_is_begun_anew(ledger: Ledger) -> None:
    ledger.file.parent.mkdir()
    ledger.file.write_text("[1, 2")
    assert ledger.read() == {"labs": {}}
    ledger.keep("a", "key", Done("start", "honest"), wanted=["start"])
    assert ledger.read()["labs"]["a"]["verified"]
