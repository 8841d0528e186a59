"""What browsers and platforms are not granted."""

from __future__ import annotations

from mlops_lab.base.errors import LabError


class Refused(LabError):
    """What a browser or a platform has asked for is not granted.

    Args:
        status: of HTTP.
    """

    def __init__(self, message: str, hint: str, status: int = 403) -> None:
        super().__init__(message, hint)
        self.status = status
