"""Is the model still right? A CUSUM test (Page, 1954) of its log loss, above what it lets expect itself."""

import math
from collections import OrderedDict

PATIENCE = 210  # flights predicted since: by then a label is there, also a late flight's, or it never comes
SLACK, LIMIT = 0.06, 40.0


class Detector:
    """Follows the flights in the order of their predictions, each once, when its label has had time to come."""

    def __init__(self):
        self.replaced()

    def replaced(self):
        self.waiting = OrderedDict()  # flight: what was predicted, and whether it was late
        self.excess = 0.0

    def predicted(self, flight, probability):
        self.waiting[flight] = (probability, None)
        if len(self.waiting) > PATIENCE:
            _, (probability, late) = self.waiting.popitem(last=False)
            if late is not None:
                self.learn(min(max(probability, 1e-6), 1 - 1e-6), late)

    def labelled(self, flight, late):
        if flight in self.waiting:
            self.waiting[flight] = (self.waiting[flight][0], late)
        return self.excess > LIMIT

    def learn(self, probability, late):
        """Add by how much the loss is higher than expected; what is lower counts until nothing is left."""
        loss = -math.log(probability if late else 1 - probability)
        expected = -probability * math.log(probability) - (1 - probability) * math.log(1 - probability)
        self.excess = max(0.0, self.excess + loss - expected - SLACK)
