"""Does the model still tell the truth about the flights? An alarm when it does not."""

from collections import deque

WINDOW = 500  # predictions
APART = 0.15  # how far the mean of the last ones may be from that of the first ones


class Detector:
    """Hears of each prediction when it is made, and of each label when it comes."""

    def __init__(self):
        self.first, self.last = [], deque(maxlen=WINDOW)

    def predicted(self, flight: str, probability: float) -> None:
        """The model has told a passenger how likely this flight is to be late."""
        if len(self.first) < WINDOW:
            self.first.append(probability)
        self.last.append(probability)

    def labelled(self, flight: str, late: bool) -> bool:
        """The flight has arrived. Returns whether there is an alarm now."""
        if len(self.last) < WINDOW:
            return False
        return abs(sum(self.last) - sum(self.first)) / WINDOW > APART

    def replaced(self) -> None:
        """From now on another model makes the predictions."""
        self.__init__()
