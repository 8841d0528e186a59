"""Is the model still right? ADWIN (river) on an error that is 0 on average as long as it is."""

from collections import deque

from river.drift import ADWIN

COMES_WITHIN = 210  # flights predicted since; the label of a late one takes longest
SETTINGS = {"delta": 1e-4, "clock": 8, "grace_period": 60, "min_window_length": 30}


class Detector:
    """Joins labels to predictions by flight; looks at a flight when all labels of its time have had their chance."""

    def __init__(self):
        self.replaced()

    def replaced(self):
        self.order, self.probability, self.late = deque(), {}, {}
        self.window = ADWIN(**SETTINGS)
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
        """Late flights, less what the model itself expects."""
        self.window.update(late - said)
        self.alarm = self.alarm or self.window.drift_detected
