"""Watch what a model is asked, and name the features that have drifted away from the reference."""

import pandas as pd


class Detector:
    """The watch over one stream.

    Args:
        reference: flights as they were when all was well, in no order.
    """

    def __init__(self, reference: pd.DataFrame) -> None:
        self.reference = reference

    def update(self, rows: pd.DataFrame) -> list[str]:
        """Take the next rows of the stream, any number of them.

        Returns:
            The names of the features that have drifted by now; none if all is well.
        """
        return []
