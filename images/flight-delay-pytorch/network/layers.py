"""The network: what a flight's numbers are, and the layers that make one of them."""

from __future__ import annotations

import torch
from torch import nn

# An hour or a weekday is no amount: training finds numbers for each. The month is left one: numbers for each month and
# weekday would let it learn single days by heart, of which others tell nothing.
ROUND = {"weekday": 7, "hour": 24}
_SIZE, _WIDTH, _LEFT_OUT = 8, 32, 0.1


class Network(nn.Module):  # type: ignore[misc] # torch is in the image only
    """A perceptron. What comes in are the numbers that `server.features.encode` makes, in the order of `features`.

    Args:
        features: their names.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, features: list[str]) -> None:
        super().__init__()
        self._round = [(features.index(name), many) for name, many in ROUND.items() if name in features]
        self.register_buffer("mean", torch.zeros(len(features)))
        self.register_buffer("scale", torch.ones(len(features)))
        self.tables = nn.ModuleList(nn.Embedding(many, _SIZE) for _, many in self._round)
        width = len(features) + _SIZE * len(self._round)
        self.layers = nn.Sequential(
            nn.Dropout(_LEFT_OUT), nn.Linear(width, _WIDTH), nn.ReLU(), nn.Dropout(_LEFT_OUT), nn.Linear(_WIDTH, 1)
        )

    def forward(self, flights: torch.Tensor) -> torch.Tensor:
        """Numbers of shape (flights, features) to the logarithms of the odds of being late, of shape (flights)."""
        whole = [
            table(flights[:, at].long().clamp(0, many - 1))
            for (at, many), table in zip(self._round, self.tables, strict=True)
        ]
        found: torch.Tensor = self.layers(torch.cat([(flights - self.mean) / self.scale, *whole], dim=1)).squeeze(1)
        return found
