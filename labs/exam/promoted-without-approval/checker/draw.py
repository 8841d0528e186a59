"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

_PEOPLE = ("ada", "barbara", "grace", "hedy", "joan", "karen", "lynn", "margaret", "radia", "sophie")
_TRAINED, _APPROVED = "trained.by", "approved.by"
_BAD = ("none", "self", "other")  # kinds of versions that are not approved


@dataclass(frozen=True)
class Drawn:
    """Names, the reviewers, the versions' tags, the version in service, the newest approved one, the unapproved ones.

    `missing` are the versions that nobody at all has approved, a part of the unapproved ones.
    """

    reviewers: str
    record: str
    alias: str
    reason: str
    people: list[str]
    versions: list[dict[str, str]]
    now: int
    best: int
    unapproved: str
    missing: str


def draw(random: Random) -> Drawn:
    """Draw them.

    Above the newest approved version there is one of each kind that is not; one of these serves, and the version before
    it is none that is approved. Below it there are such as are approved and such as are not.
    """
    reviewers, record, reason = words(random, 3)
    names = random.sample(_PEOPLE, len(_PEOPLE))
    judges, others = names[:3], names[3:]
    best = random.choice((3, 4))
    above, more = random.sample(_BAD, 3), random.sample(_BAD, best - 2)
    kinds = [*random.sample(("good", *more), best - 1), "good", *above]
    versions = [_tags(kind, judges, others, random) for kind in kinds]
    return Drawn(
        f"{reviewers}-reviewers", f"{record}-findings", random.choice(("production", "live", "champion", "serving")),
        f"{reason}-{random.randrange(100, 999)}", sorted(judges), versions, random.randrange(best + 2, best + 4), best,
        _numbers(kinds, _BAD), _numbers(kinds, ("none",)),
    )  # fmt: skip


def _numbers(kinds: list[str], wanted: tuple[str, ...]) -> str:
    return ",".join(str(number) for number, kind in enumerate(kinds, 1) if kind in wanted)


def _tags(kind: str, judges: list[str], others: list[str], random: Random) -> dict[str, str]:
    """Who trained a version and who approved it: a reviewer, nobody, the same reviewer, somebody else."""
    trainer, another = random.sample(others, 2)
    judge = random.choice(judges)
    if kind == "none":
        return {_TRAINED: random.choice((trainer, judge))}
    if kind == "self":
        return {_TRAINED: judge, _APPROVED: judge}
    return {_TRAINED: trainer, _APPROVED: judge if kind == "good" else another}
