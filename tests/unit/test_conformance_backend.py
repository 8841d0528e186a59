"""The conformance suite's own view of an engine, against answers as the real backend gives them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import kfp_server_api
import pytest

from tests.conformance.conftest import Backend, states


def run(*tasks: tuple[str | None, str | None]) -> Any:
    rows = [SimpleNamespace(display_name=name, state=state) for name, state in tasks]
    return SimpleNamespace(state="SUCCEEDED", run_details=SimpleNamespace(task_details=rows))


class Client:
    """Answers one after another; the last again and again."""

    def __init__(self, refusal: str, *answers: Any) -> None:
        self.answers, self.refusal = list(answers), refusal
        self._run_api = SimpleNamespace(api_client=SimpleNamespace(call_api=self.ask))

    def ask(self, path: str, method: str, **_: Any) -> Any:
        error = kfp_server_api.ApiException(404)
        error.body = self.refusal
        raise error

    def wait_for_run_completion(self, run: str, timeout: int, sleep_duration: float) -> None:
        assert timeout == 300

    def get_run(self, run: str) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("refusal", "real"),
    [
        ('{"code": 5, "message": "Not Found", "details": []}', True),
        ('{"error": "run x not found", "code": 5, "message": "run x not found", "details": []}', False),
    ],
)
def test_which_engine_answers(refusal: str, real: bool) -> None:
    assert Backend(Client(refusal), slow=True).real is real  # type: ignore[arg-type]


def test_a_run_is_looked_at_until_its_tasks_have_settled() -> None:
    answers = [
        *[SimpleNamespace(state="SUCCEEDED", run_details=None)] * 2,
        run(("root", "SUCCEEDED"), ("write", "RUNNING"), (None, None)),
        run(("root", "SUCCEEDED"), ("write", "SUCCEEDED"), (None, None)),
        run(("root", "SUCCEEDED"), ("write", "SUCCEEDED"), (None, None), ("read", "SUCCEEDED")),
    ]
    seen = Backend(Client("Not Found", *answers), slow=True).finish("key")  # type: ignore[arg-type]
    assert states(seen) == {"root": ["SUCCEEDED"], "write": ["SUCCEEDED"], "read": ["SUCCEEDED"]}


def test_tasks_that_never_settle_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with pytest.raises(AssertionError, match="the tasks of a run that has ended"):
        Backend(Client("Not Found", run(("write", "RUNNING"))), slow=True).finish("key")  # type: ignore[arg-type]
