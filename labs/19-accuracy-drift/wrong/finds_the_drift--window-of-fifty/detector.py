"""Is the model still right? The mean error of the last fifty flights."""

from collections import OrderedDict, deque

PATIENCE = 210  # flights predicted since: by then a label is there, also a late flight's, or it never comes
WINDOW, LIMIT = 50, 0.06


class Detector:
    """Follows the flights in the order of their predictions, each once, when its label has had time to come."""

    def __init__(self):
        self.replaced()

    def replaced(self):
        self.waiting = OrderedDict()  # flight: what was predicted, and whether it was late
        self.errors = deque(maxlen=WINDOW)

    def predicted(self, flight, probability):
        self.waiting[flight] = (probability, None)
        if len(self.waiting) > PATIENCE:
            _, (probability, late) = self.waiting.popitem(last=False)
            if late is not None:
                self.errors.append(late - probability)

    def labelled(self, flight, late):
        if flight in self.waiting:
            self.waiting[flight] = (self.waiting[flight][0], late)
        return len(self.errors) == WINDOW and abs(sum(self.errors) / WINDOW) > LIMIT
