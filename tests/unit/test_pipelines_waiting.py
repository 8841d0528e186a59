"""How long the embedded engine waits for a pod that does not start, by a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from embedded import waiting
from embedded.pods import Seen
from embedded.settings import Settings

NO_ROOM = {"reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}
MISSING = {"reason": "ErrImagePull", "message": "not found"}


class Site:
    """A pending pod, which is looked at each second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds, self.told = 0.0, ["Scheduled: to worker"]
        monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        self.patience = waiting.Patience(Settings(), self)  # type: ignore[arg-type]

    def events(self, name: str) -> list[str]:
        return self.told

    def stays(self, seconds: int, *events: str, **state: Any) -> str:
        """Why it is given up in that state, if it is."""
        self.told += events
        for _ in range(seconds):
            self.seconds += 1
            if why := self.patience.hopeless(Seen("pod", "Pending", **state)):
                return why
        return ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_a_pod_without_room_is_given_up_with_the_schedulers_words(site: Site) -> None:
    assert site.stays(300, f"FailedScheduling: {NO_ROOM['message']}", **NO_ROOM) == ""
    told = site.stays(5, **NO_ROOM)
    assert told == f"not started within 301 s: Unschedulable: {NO_ROOM['message']}"


def test_an_image_that_is_still_pulled_is_waited_for(site: Site) -> None:
    assert site.stays(2000, 'Pulling: Pulling image "large:1"') == ""
    assert site.stays(60, "Failed: Failed to pull image", **MISSING) == ""
    told = site.stays(5, **MISSING)
    assert told == "not started within 61 s: ErrImagePull: not found (Failed: Failed to pull image)"


def test_what_failed_to_be_pulled_is_not_waited_for_while_it_is_tried_again(site: Site) -> None:
    assert "not started within 61 s" in site.stays(65, 'Pulling: Pulling image "lost:1"', **MISSING)


@pytest.mark.parametrize("events", [("FailedMount: no such claim",), ("Pulling: a", "Pulled: a in 2 s")])
def test_a_pod_that_does_not_start_for_another_reason_is_given_up_with_the_last_event(
    site: Site, events: tuple[str, ...]
) -> None:
    assert site.stays(300, *events) == ""
    assert site.stays(5) == f"not started within 301 s: Pending ({events[-1]})"


def test_the_time_that_an_image_may_fail_begins_when_it_fails(site: Site) -> None:
    assert site.stays(200, **NO_ROOM) == ""
    assert site.stays(60, "Failed: Failed to pull image", **MISSING) == "", "once is no reason"
    assert site.stays(100, "Pulling: again") == "" == site.stays(60, **MISSING), "it came in between"
    assert "not started within 61 s: ErrImagePull" in site.stays(5, **MISSING)


def test_a_name_that_no_image_can_have_is_not_waited_for(site: Site) -> None:
    assert "InvalidImageName: not a name" in site.stays(1, reason="InvalidImageName", message="not a name")


def test_a_pod_that_is_gone_is_forgotten(site: Site) -> None:
    assert site.stays(300, **NO_ROOM) == ""
    site.patience.forget({"another"})
    assert site.stays(300, **NO_ROOM) == ""
