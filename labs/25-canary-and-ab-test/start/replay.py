"""Play canaries to judge.py: python3 replay.py

Of two kinds only: the candidate is as the stable model, or it has more errors. The checker has ten, and plays some
without outcomes, too. It is yours, change it as you like; the checker does not read it.
"""

import math
import random
from collections import Counter

from judge import Judge

LOOKS, EVERY, RATE, SHARE = 36, 5, 60, 0.1
TIMES = 40


def model(count, errors, median=0.05):
    """Answers [failed, seconds] and outcomes [probability, late] of so many requests."""
    answers, outcomes = [], []
    for _ in range(count):
        failed = random.random() < errors
        answers.append([failed, random.lognormvariate(math.log(median), 0.4)])
        if not failed:
            probability = 1 / (1 + math.exp(-random.gauss(-1.1, 1.2)))
            outcomes.append([probability, random.random() < probability])
    return {"answers": answers, "outcomes": outcomes}


def verdict(more_errors):
    """What the judge says of one canary, and at which look."""
    judge = Judge()
    for number in range(1, LOOKS + 1):
        count = sum(random.random() < SHARE for _ in range(RATE * EVERY))
        said = judge.look(model(RATE * EVERY - count, 0.01), model(count, 0.01 + more_errors))
        if said is not None:
            return said, number
    return "never decided", LOOKS


for title, more_errors in (("the same", 0.0), ("5 points more errors", 0.05)):
    found = [verdict(more_errors) for _ in range(TIMES)]
    said = ", ".join(f"{count} {what}" for what, count in Counter(what for what, _ in found).most_common())
    print(f"{title}: {said}; after {sum(number for _, number in found) / TIMES:.0f} looks on average")
