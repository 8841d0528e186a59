"""Play two fortnights to the detector: one in which the model is right, and one in which it goes wrong.

The flights are those of 1 to 14 July 2013. The probabilities are the shares of late flights of the same day, airport
and time of day; the labels are drawn from them, so the model is right about each flight, whatever the day was like.
"""

import collections
import csv
import gzip
import random
import time
from pathlib import Path

from detector import Detector

FOLDER = Path("/data/flights")
WRONG_FROM, ODDS = 4000, 5  # from this flight on, the odds of being late are so many times what the model says
ENOUGH = 1000  # labels of such flights
LOST, SLOW = 0.2, 150  # labels that never come; how many flights later a late flight's label comes


def flights():
    """Each flight's name and probability, in the order of departure."""
    found = []
    for day in range(1, 15):
        with gzip.open(FOLDER / f"2013-07-{day:02}.csv.gz", "rt") as text:
            rows = sorted(csv.DictReader(text), key=lambda row: int(row["hour"]))
        alike = collections.defaultdict(list)
        for row in rows:
            alike[row["origin"], int(row["hour"]) // 3].append(int(row["late"]))
        for row in rows:
            late = alike[row["origin"], int(row["hour"]) // 3]
            name = f"2013-07-{day:02} {row['hour']:>02}h {row['carrier']} {row['origin']}-{row['dest']} {len(found)}"
            found.append((name, (sum(late) + 3) / (len(late) + 12)))
    return found


def calls(drawn, wrong_from=None):
    """What the detector is told, in the order of time."""
    found = []
    for number, (flight, probability) in enumerate(drawn):
        found.append((number, "predicted", flight, probability, number))
        odds = probability / (1 - probability)
        if wrong_from is not None and number >= wrong_from:
            odds *= ODDS
        late = random.random() < odds / (1 + odds)
        comes = number + random.uniform(10, 60) + SLOW * late
        if random.random() >= LOST:
            # A late arrival is filed again with its cause, and once more when the minutes are agreed on.
            for again in range(3 if late else 1):
                found.append((comes + again * random.uniform(5, 30), "labelled", flight, late, number))
    return sorted(found)


def play(title, wrong_from=None):
    """One fortnight, up to the first alarm after the model went wrong; prints what happened."""
    detector, labels, false, wrong, found = Detector(), 0, [], set(), False
    began = time.process_time()
    for _, call, flight, value, number in calls(flights(), wrong_from):
        if call == "predicted":
            detector.predicted(flight, value)
            continue
        labels += 1
        if wrong_from is not None and number >= wrong_from:
            wrong.add(flight)
        if (alarm := detector.labelled(flight, value)) and wrong:
            found = True
        if found or len(wrong) == ENOUGH:
            break
        if alarm:
            false.append(labels)
            detector.replaced()
    print(f"{title}: {labels} labels in {time.process_time() - began:.1f} s")
    print(f"    false alarms: {len(false)}" + (f", the first at label {false[0]}" if false else ""))
    if wrong_from is not None:
        print(f"    {'alarm' if found else 'no alarm'} within {len(wrong)} labels of wrong predictions")


random.seed(19)
play("the model is right")
play("the model goes wrong", WRONG_FROM)
