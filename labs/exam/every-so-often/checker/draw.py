"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names; when it is due, in words and as a schedule, and where; what goes before what; and the numbers.

    `slip` is a schedule as one who mistakes a field would write it.
    """

    cronjob: str
    desk: str
    program: str
    word: str
    when: str
    schedule: str
    slip: str
    city: str
    zone: str
    policy: str
    then: str
    late: int
    good: int
    bad: int
    tries: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    cronjob, desk, program, word = words(random, 4)
    when, schedule, slip = _when(random)
    city, zone = random.choice(
        [("Zurich", "Europe/Zurich"), ("Tokyo", "Asia/Tokyo"), ("Lima", "America/Lima"), ("Nairobi", "Africa/Nairobi")]
    )
    policy, then = random.choice(
        [("Forbid", "the next one is left out"), ("Replace", "the one before is given up for the next one")]
    )
    good, bad = random.sample([2, 4, 5, 6, 7], 2)
    return Drawn(
        f"{cronjob}-report", f"{desk}-desk", f"{program}-program", word, when, schedule, slip, city, zone, policy, then,
        random.randrange(60, 600, 20), good, bad, random.choice([1, 2, 3]),
    )  # fmt: skip


def _when(random: Random) -> tuple[str, str, str]:
    # No hour is one of the minutes, so that the two mistaken for each other mean something else.
    hour, minute = random.choice([3, 4, 6, 7, 8, 13, 18, 21]), random.choice([5, 10, 20, 35, 40, 50])
    if (kind := random.randrange(3)) == 0:
        return (
            f"at {hour}:{minute:02} from Monday to Friday",
            f"{minute} {hour} * * 1-5",
            f"{hour} {minute % 24} * * 1-5",
        )
    if kind == 1:
        day = random.randrange(2, 7)
        return (
            f"at {hour}:{minute:02} on day {day} of each month",
            f"{minute} {hour} {day} * *",
            f"{minute} {hour} * {day} *",
        )
    every, begin = random.choice([10, 15, 20]), random.randrange(5, 9)
    end = begin + random.randrange(6, 10)
    words_ = f"every {every} minutes from {begin}:00 on, the last time at {end}:{60 - every}"
    return words_, f"*/{every} {begin}-{end} * * *", f"{every} {begin}-{end} * * *"
