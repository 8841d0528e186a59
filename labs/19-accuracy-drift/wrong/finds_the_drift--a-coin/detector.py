"""Is the model still right? Who knows."""

import random


class Detector:
    """Alarms once in two hundred labels, by chance."""

    def predicted(self, flight, probability):
        pass

    def labelled(self, flight, late):
        return random.random() < 1 / 200

    def replaced(self):
        pass
