"""What CI systems would run, by their files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlops_lab.kit.ci_forms import FILES, FORMS, github, gitlab, jenkins

GITHUB = """
jobs:
  one:
    steps:
      - uses: actions/checkout@v4
      - run: a
      - run: |
          b
          c
"""


def test_the_commands_are_those_of_each_form_in_order() -> None:
    assert github(GITHUB) == ["a", "b", "c"]
    assert gitlab("stages: [x]\n.hidden: {script: [no]}\ncheck: {script: [a, b]}\nmore: {script: c}\n") == [
        "a",
        "b",
        "c",
    ]
    text = "pipeline { stages {\n// sh 'no'\nstage('x') { steps { sh 'a'\nsh(\"b\")\nsh '''\n  c\n''' } } } }"
    assert jenkins(text) == ["a", "b", "c"]
    assert tuple(FORMS) == FILES


@pytest.mark.parametrize(("read", "text"), [
    (github, "a: ["), (github, "[1]"), (github, "jobs: 3"), (github, "jobs: {a: {steps: 7}}"), (gitlab, "check: 3"),
    (gitlab, "- a"), (gitlab, "a: " + "[" * 3000), (jenkins, "sh 'a'"), (jenkins, "pipeline { sh 'a'"),
    (jenkins, "x" * 100_000),
])  # fmt: skip
def test_what_is_none_of_them_is_an_error_that_says_so(read: Callable[[str], list[str]], text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(text)


def test_a_step_may_be_anything() -> None:
    assert github("jobs: {a: {steps: [3, {run: 4}, {}]}}") == ["4"]
    assert gitlab("a: {script: [3, [b]]}") == ["3", "['b']"]
