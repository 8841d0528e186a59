"""The end of a container's log."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.logs import last_lines
from mlops_lab.kube.errors import Unreachable

POD = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}, {"name": "proxy"}]}}


def read(pod: Any, text: str | LabError | None, **more: Any) -> tuple[list[str], list[tuple[str, str | None, int]]]:
    """The last lines, and whose log was asked for; text None, or trouble, is a log that can't be had."""
    read: list[tuple[str, str | None, int]] = []

    async def logs(pod: str, container: str | None, *, tail: int) -> str:
        read.append((pod, container, tail))
        if text is None:
            raise LabError("a container name must be specified", "")
        if isinstance(text, LabError):
            raise text
        return text

    lab = cast(Lab, SimpleNamespace(objects=SimpleNamespace(logs=logs)))
    return asyncio.run(last_lines(lab, pod, **more)), read


def test_the_first_container_is_read_without_colours_and_in_lines_of_bounded_width() -> None:
    lines, asked = read(POD, "\x1b[31mERROR\x1b[0m  \n" + "x" * 500, count=2)
    assert lines == ["ERROR", "x" * 160]
    assert asked == [("model-1", "server", 2)]
    assert read(POD, "x" * 500, width=200)[0] == ["x" * 200]


def test_a_container_is_read_by_its_name_and_a_pod_by_its_own() -> None:
    assert read(POD, "on", container="proxy")[1] == [("model-1", "proxy", 4)]
    assert read("model-2", "on")[1] == [("model-2", None, 4)]


def test_a_log_that_is_not_there_yet_has_no_lines() -> None:
    assert read(POD, None)[0] == []


@pytest.mark.parametrize("trouble", [LabError("status 503", "", transient=True), Unreachable("no answer", "")])
def test_a_log_that_decides_is_not_empty_because_the_cluster_is_away(trouble: LabError) -> None:
    assert read(POD, trouble)[0] == []
    with pytest.raises(LabError, match=trouble.message):
        read(POD, trouble, judged=True)
    assert read(POD, None, judged=True)[0] == [], "it has not begun"
