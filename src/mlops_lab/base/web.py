"""What the handlers of all servers of this project do alike."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError, RequestHandler

from mlops_lab.base.errors import LabError


class LogsBugs(RequestHandler):
    """A handler that logs only what is a bug: who asked for something else gets an answer that says what is wrong."""

    def log_exception(self, *given: Any) -> None:
        """See the class."""
        if not isinstance(given[1], HTTPError | LabError):
            super().log_exception(*given)
