"""The network as the server's model: loaded beside the running server, and asked for probabilities."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from server.features import encode
from server.model import Model, NotLoaded


class Trained(Model):
    """As `server.model.Model`, from the folder that `network.train` wrote."""

    def _load(self) -> None:
        began = time.monotonic()
        try:
            time.sleep(self._delay)
            import torch

            from network.layers import Network

            network = Network(list(self.metadata["features"]))
            network.load_state_dict(torch.load(self._folder / "model.pt"))
            network.eval()
            network(torch.zeros(1, len(self.metadata["features"])))  # once now, not for the first request
            self._bundle = {"network": network}
            self.load_seconds = time.monotonic() - began
        except Exception as trouble:  # a broken file can raise anything; the server must live to tell
            self._state = f"the model can't be loaded: {type(trouble).__name__}: {trouble}"

    def probabilities(self, rows: Sequence[Mapping[str, Any]]) -> list[float]:
        """For each flight the probability of an arrival 15 minutes late or later; raises as the forest's."""
        if not self._bundle:
            raise NotLoaded(self._state)
        import torch

        said = self.metadata
        numbers = torch.tensor(encode(rows, said["features"], said["categories"], said["defaults"]))
        with torch.inference_mode():
            found: list[float] = torch.sigmoid(self._bundle["network"](numbers)).tolist()
        return found
