"""`python -m network`: the flight-delay server, with the same settings as `python -m server`, round the network."""

from __future__ import annotations

from server import __main__ as server

from network.model import Trained

server.Model = Trained  # type: ignore[misc]

if __name__ == "__main__":
    server.main()
