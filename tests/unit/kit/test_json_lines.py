"""Lines that are JSON objects are found among whatever else a program prints."""

from __future__ import annotations

import pytest

from mlops_lab.kit.json_lines import json_object, json_objects


@pytest.mark.parametrize("line", ["", "ready", "[1]", '"text"', "7", "{", '{"a": }', "[" * 100_000])
def test_what_is_no_object_is_passed_over(line: str) -> None:
    assert json_object(line) is None


def test_objects_come_in_their_order() -> None:
    assert json_objects(['{"a": 1}', "started", '  {"b": {}}  ', "{}"]) == [{"a": 1}, {"b": {}}, {}]
