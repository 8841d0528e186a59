"""Is the model still right? ADWIN (river) on two errors that are 0 on average as long as it is."""

from collections import deque
from math import log

from river.drift import ADWIN

COMES_WITHIN = 210  # flights predicted since; the label of a late one takes longest
# delta bounds the chance of a false alarm at a look; it is small, for there is a look at every 8th label.
SETTINGS = {"delta": 1e-4, "clock": 8, "grace_period": 60, "min_window_length": 30}


class Detector:
    """Joins labels to predictions by flight; looks at a flight when all labels of its time have had their chance."""

    def __init__(self):
        self.replaced()

    def replaced(self):
        self.order, self.probability, self.late = deque(), {}, {}
        self.windows = {"late": ADWIN(**SETTINGS), "loss": ADWIN(**SETTINGS)}
        self.alarm = False

    def predicted(self, flight, probability):
        self.order.append(flight)
        self.probability[flight] = probability
        while len(self.order) > COMES_WITHIN:
            oldest = self.order.popleft()
            said, late = self.probability.pop(oldest), self.late.pop(oldest, None)
            if late is not None:
                self.compare(said, late)

    def labelled(self, flight, late):
        if flight in self.probability:
            self.late[flight] = late
        return self.alarm

    def compare(self, said, late):
        """What was seen less what the model itself expects: of late flights, and of log loss."""
        said = min(max(said, 1e-6), 1 - 1e-6)
        loss = -log(said) if late else -log(1 - said)
        expected = -said * log(said) - (1 - said) * log(1 - said)
        for name, error in (("late", late - said), ("loss", loss - expected)):
            self.windows[name].update(error)
            self.alarm = self.alarm or self.windows[name].drift_detected
