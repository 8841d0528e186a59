"""Lab 03: what its checks make of many batches at once, of a pod with nothing to do, and of one without a token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Observation
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, made_up_lab


@pytest.mark.parametrize(("failed", "right"), [(0, True), (6, True), (7, False), (52, False)])
def test_of_many_batches_at_once_nearly_all_are_answered(failed: int, right: bool) -> None:
    rows = tuple(Request(at / 40, 0, 1.0, 503 if at < failed else 200, "v1", "") for at in range(60))

    async def finished() -> LoadReport:
        return LoadReport(rows, 60, 60, 0, 2.5)

    @contextlib.asynccontextmanager
    async def load(pod: str, **given: Any) -> AsyncIterator[Any]:
        assert (pod, given["path"], given["rate"] * given["duration"]) == ("checker-plain", "/batch", 60)
        yield SimpleNamespace(finished=finished)

    lab = made_up_lab("03", traffic=NoTraffic(load=load))
    found = asyncio.run(loaded("03", "beside").crowded(lab, "checker-plain"))
    assert (found.ok, found.seen) == (right, f"{failed} failed")
    assert found.expected == "at most 6 of 60 batches failed, some 40 at once"
    assert found.evidence == ((f"{failed} x status 503",) if failed else ())


@pytest.mark.parametrize(
    ("after", "seen"), [(1.0, "ended after 1 s"), (16.0, "ended after 16 s"), (None, "still running")]
)
def test_a_pod_with_nothing_to_do_ends_at_once(after: float | None, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, killed = loaded("03", "beside"), []

    async def kill(pod: str, grace: int | None = None) -> None:
        killed.append((pod, grace))

    async def ended(*given: Any) -> tuple[float | None, Any]:
        return (None if after is None else 1000.0 + after), {}

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(module, "has_ended", ended)
    found = asyncio.run(module.idle_end(made_up_lab("03", objects=NothingThere(kill=kill)), "checker-plain"))
    assert (found.ok, found.seen, killed) == (after == 1.0, seen, [("checker-plain", None)])


def test_a_pod_that_nobody_gives_a_token_has_none_and_all_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    module, made = loaded("03", "pods"), []

    async def apply(objects: Any) -> None:
        made.extend(objects)

    async def up(lab: Any, name: str) -> Observation:
        return Observation(False, "ready", f"{name}: the container ended with exit code 1")

    monkeypatch.setattr(module, "up", up)
    seen = asyncio.run(module.without_token(made_up_lab("03", objects=NothingThere(apply=apply)), "image"))
    assert not seen.ok and [each["kind"] for each in made] == ["Pod"]
    spec = made[0]["spec"]
    assert spec["containers"][0]["env"] == [] and spec["securityContext"] == {"runAsUser": 0}
    (pod, _) = module.of_platform("checker-strict", "image", "a-secret")
    assert pod["spec"]["hostname"].startswith("model-") and "checker" not in pod["spec"]["hostname"]
    given = pod["spec"]["containers"][0]
    assert given["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "a-secret", "key": "ARCHIVE_TOKEN"}
    assert given["securityContext"]["readOnlyRootFilesystem"] and pod["spec"]["securityContext"]["runAsNonRoot"]
