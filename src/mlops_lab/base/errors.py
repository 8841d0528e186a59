"""The three kinds of thing that go wrong, and the exit code of each.

`Failure` is the learner's work; `LabError` is the environment and always says what to do next;
any other exception is a bug and shows its traceback.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of the `lab` command."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3


class Failure(Exception):
    """The learner's work does not do what a check asks for.

    Args:
        expected: what the check looked for, as the learner reads it.
        seen: what was there instead.
        why: the likely reason, in terms of how Kubernetes (or the tool at hand) behaves.
    """

    def __init__(self, expected: str, seen: str, why: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}: {why}")
        self.expected = expected
        self.seen = seen
        self.why = why


class LabError(Exception):
    """The environment has a problem; it is not the learner's fault.

    Args:
        message: one line that says what is wrong.
        hint: one line that says what to do next.
        detail: longer evidence, such as the end of a command's output; may be empty.
        transient: it may be over in a moment, such as a status 503: who waits for something asks again.
    """

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, message: str, hint: str, detail: str = "", *, transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.transient = transient

    @property
    def brief(self) -> str:
        """The message, and in brackets the last line of the evidence, where that is more than the command."""
        last = self.detail.strip().rpartition("\n")[2]
        return f"{self.message} ({last})" if last and not last.startswith("$ ") else self.message


class UsageError(LabError):
    """The command was asked for something that does not exist or cannot be read (exit code 2)."""

    exit_code = ExitCode.USAGE


def transient_status(status: int) -> bool:
    """Whether an HTTP status says that the server has trouble of its own, or too much to do."""
    return status == 429 or status >= 500


def broken_connection(error: BaseException) -> bool:
    """Whether a connection was refused or lost (as by a server that starts again), and not just silent for too long."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ConnectionError):
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return seen is not None
