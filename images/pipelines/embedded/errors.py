"""Errors as the KFP API gives them: the JSON of the gRPC gateway, with the HTTP code that belongs to the gRPC code."""

from __future__ import annotations

from typing import Any

# Name: (gRPC code, HTTP code), from google.rpc.Code and grpc-gateway's HTTPStatusFromCode.
_CODES = {
    "INVALID_ARGUMENT": (3, 400),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 507),  # here always the volume, so not 429, which clients take for "too many requests"
    "TOO_LARGE": (8, 413),  # no name of its own in google.rpc.Code
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAUTHENTICATED": (16, 401),
}


class ApiError(Exception):
    """What a request is answered with when it can't be done.

    Args:
        name: a name of google.rpc.Code, such as NOT_FOUND, or TOO_LARGE.
        message: one line for the user.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.code, self.status = _CODES[name]

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": self.message, "code": self.code, "message": self.message, "details": []}


def invalid(message: str) -> ApiError:
    """The request itself is wrong."""
    return ApiError("INVALID_ARGUMENT", message)


def missing(kind: str, key: str) -> ApiError:
    """There is no object of that id."""
    return ApiError("NOT_FOUND", f"{kind} {key} not found")
