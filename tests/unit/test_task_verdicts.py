"""What tasks' checkers say where no mistake of theirs shows it: what has to do with times, and right ways to write."""

from __future__ import annotations

import asyncio
import base64
import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mlops_lab.labs.checker import load
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.made_up import NothingThere, Room, made_up_lab

Loaded = Callable[[str], ModuleType]
LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)
IMAGE = "localhost:5001/flight-delay:v1"


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """The checker of a task that is drawn."""
    return lambda task: load(render(named(task, bank()), 3, "spaceless", tmp_path / task))


@pytest.mark.parametrize(
    ("more", "said"), [(-1, ""), (0, ""), (1, "token abcdef is good for"), (20, "token abcdef is")]
)
def test_a_token_is_good_for_as_long_as_it_was_made_for(loaded: Loaded, more: int, said: str) -> None:
    """None of these is good any more now."""
    checker = loaded("join-a-node")
    end = LONG_AGO + timedelta(hours=checker.D.hours + more)
    words = {"token-id": "abcdef", "expiration": end.isoformat()}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in words.items()}
    found = checker._too_long({"metadata": {"creationTimestamp": LONG_AGO.isoformat()}, "data": data})
    assert found.startswith(said) and bool(found) == bool(said)


@pytest.mark.parametrize(
    ("ago", "hours", "said"),
    [
        (65, 24.0, ""),
        (6000, 8760.0, ""),
        (5, 24.0, "there is none, and her certificate began 5 min ago"),
        (65, 1.1, "there is none, and her certificate is good for 1.1 h"),
    ],
)
def test_a_request_is_cleared_away_an_hour_after_its_certificate_was_issued(
    loaded: Loaded, ago: int, hours: float, said: str
) -> None:
    cleared = importlib.import_module(f"{loaded('a-user-with-a-certificate').__name__}.kubeconfig").cleared
    begins = LONG_AGO - timedelta(minutes=ago)
    made = SimpleNamespace(not_valid_before_utc=begins, not_valid_after_utc=begins + timedelta(hours=hours))
    found = cleared(made, LONG_AGO)
    assert found.startswith(said) and bool(found) == bool(said)
    assert cleared(None, LONG_AGO)


@pytest.mark.parametrize(
    ("right", "container"),
    [
        (True, {"command": ["python3", "/program/report.py"]}),
        (True, {"args": ["python3", "-u", "/program/report.py"], "env": [{"name": "DESK", "valueFrom": {}}]}),
        (True, {"command": ["sh", "-c"], "args": ["exec /usr/bin/python3 /program/report.py\n"]}),
        (True, {"command": ["sh", "-c", "python3 /program/report.py && echo sent; exit $?"]}),
        (True, {"command": ["sh", "-c", "python3 /program/report.py > /dev/stdout 2>&1 || exit 1"]}),
        (True, {"command": ["bash", "-c", "set -eu\npython3 /program/report.py\necho sent"]}),
        (True, {"command": ["sh", "-ec", "python3 /program/report.py; echo sent"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py || true"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py; echo sent"]}),
        (False, {"command": ["sh", "-c", "python3 /program/report.py 2>&1 | tee /tmp/log"]}),
        (False, {"command": ["sh", "-c", "until python3 /program/report.py; do sleep 1; done"]}),
        (False, {"command": ["sh", "-ec", "python3 /program/report.py || python3 /program/report.py"]}),
        (False, {"command": ["python3", "-c", "import urllib.request"]}),
        (False, {"command": ["python3", "/program/report.py"], "env": [{"name": "DESK", "value": "http://10.0.0.1"}]}),
        (False, {"command": ["python3", "/program/report.py"], "image": "localhost:5001/flight-delay:v2"}),
    ],
)
def test_what_a_cronjob_runs_may_be_written_in_several_ways(loaded: Loaded, right: bool, container: Any) -> None:
    what_runs = loaded("every-so-often").what_runs
    assert what_runs({"containers": [{"image": IMAGE} | container]}, IMAGE, "http://desk").ok is right


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("5 3 * * 1-5", "05 3 ? * mon-fri", True),
        ("5 3 * * 1-5", "5 3 1-31 * 1-5", False),
        ("5 3 2 * *", "5 3 2 * 0-6", False),
        ("5 3 2 * 1", "5 3 2 * 1", True),
        ("5 3 2 * 1", "5 3 2 * *", False),
        ("*/15 6-12 * * *", "0,15,30,45 6-12 1-31 1-12 0-6", True),
        ("*/15 6-12 * * *", "*/15 6-12 1-31 * *", True),
        ("5 3 */1 * 1-5", "5 3 * * 1-5", True),
        ("5 3 */2 * 1-5", "5 3 1-31/2 * 1-5", True),
    ],
)
def test_a_schedule_may_be_written_in_several_ways(loaded: Loaded, one: str, other: str, same: bool) -> None:
    meaning = loaded("every-so-often").meaning
    assert (meaning(one) == meaning(other)) is same and meaning(one) is not None


@pytest.mark.parametrize(("seconds", "right"), [(-60, True), (0, True), (1, False)])
def test_a_pod_that_was_made_anew_is_younger_than_the_rollout(loaded: Loaded, seconds: int, right: bool) -> None:
    def made(after: int, image: str) -> Any:
        when = (LONG_AGO + timedelta(seconds=after)).isoformat()
        spec = {"template": {"spec": {"containers": [{"image": f"localhost:5001/flight-delay:{image}"}]}}}
        return {"metadata": {"creationTimestamp": when}, "spec": spec}

    class Objects(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            async def now() -> Any:
                return made(seconds, "v1")

            return Room(now=now)

        async def all(self, kind: str, selector: str = "") -> list[Any]:
            return [made(-90, "v1"), made(0, "v2.0"), made(100, "v2")]

    lab: Any = made_up_lab(objects=Objects())
    seen = asyncio.run(loaded("image-that-cannot-be-pulled").older_than_the_rollout(lab, "caller"))
    assert seen.ok is right
