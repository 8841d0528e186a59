"""Is the model still right? CUSUM tests (Page, 1954) of what it says against three other things that may be true."""

import math
from collections import OrderedDict

PATIENCE = 210  # flights predicted since: by then a label is there, also a late flight's, or it never comes
# What else may be true: so many times the odds that the model says; and one share of late flights for all of them.
ODDS, SHARE = (2.5, 0.4), 0.25
# A false alarm comes once in e^18 labels or less often: E[run length] >= e^limit (Lorden, 1971), divided by the tests.
LIMIT = 18.0


class Detector:
    """Follows the flights in the order of their predictions, each once, when its label has had time to come."""

    def __init__(self):
        self.evidence = [0.0] * (len(ODDS) + 1)
        self.replaced()

    def replaced(self):
        self.waiting = OrderedDict()  # flight: what was predicted, and whether it was late

    def predicted(self, flight, probability):
        self.waiting[flight] = (probability, None)
        if len(self.waiting) > PATIENCE:
            _, (probability, late) = self.waiting.popitem(last=False)
            if late is not None:
                self.learn(min(max(probability, 1e-6), 1 - 1e-6), late)

    def labelled(self, flight, late):
        if flight in self.waiting:
            self.waiting[flight] = (self.waiting[flight][0], late)
        return max(self.evidence) > LIMIT

    def learn(self, probability, late):
        """Add how much likelier this label is under each alternative; what speaks for the model sinks to 0."""
        others = [times * probability / (1 - probability + times * probability) for times in ODDS] + [SHARE]
        for number, other in enumerate(others):
            ratio = other / probability if late else (1 - other) / (1 - probability)
            self.evidence[number] = max(0.0, self.evidence[number] + math.log(ratio))
