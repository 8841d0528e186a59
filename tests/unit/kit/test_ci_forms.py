"""What CI systems would run, by their files."""

from __future__ import annotations

import time
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


@pytest.mark.parametrize("step", [
    "sh 'a'", "sh('a')", 'sh "a"', "sh(script: 'a')", "sh script: 'a'", "sh(script: 'a', label: 'Check')",
    "sh(label: 'Check', script: 'a')", "sh label: 'Check', script: \"a\"", "sh(returnStdout: true, script: '''a''')",
])  # fmt: skip
def test_a_step_of_jenkins_may_name_what_it_is_given(step: str) -> None:
    assert jenkins(f"pipeline {{ stages {{ stage('x') {{ steps {{ {step} }} }} }} }}") == ["a"]


@pytest.mark.parametrize(("read", "text"), [
    (github, "a: ["), (github, "[1]"), (github, "jobs: 3"), (github, "jobs: {a: {steps: 7}}"), (gitlab, "check: 3"),
    (gitlab, "check: {script: true}"), (gitlab, "check: {script: 3}"),
    (gitlab, "- a"), (gitlab, "a: " + "[" * 3000), (jenkins, "sh 'a'"), (jenkins, "pipeline { sh 'a'"),
    (jenkins, "x" * 100_000),
])  # fmt: skip
def test_what_is_none_of_them_is_an_error_that_says_so(read: Callable[[str], list[str]], text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(text)


@pytest.mark.parametrize("piece", ["sh" + " " * 60_000, "sh(a: b, " * 6_000, "sh(a : 'x" * 6_000, "sh " + "a" * 60_000])
def test_a_pipeline_of_blanks_is_soon_read(piece: str) -> None:
    began = time.process_time()
    assert jenkins(f"pipeline {{ {piece} }}") == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize("more", [
    "before_script: [git config --global --add safe.directory '*']", "after_script: [x]", "before_script: x",
    "services: [docker:dind]", "cache: [{paths: [x]}]", "cache: {paths: [x]}", "image: x", "default: {image: x}",
    "stages: [x]",
])  # fmt: skip
def test_what_sets_all_jobs_up_is_no_job(more: str) -> None:
    assert gitlab(f"{more}\ncheck: {{before_script: [x], script: [a], after_script: [y]}}\n") == ["a"]


def test_a_step_may_be_anything() -> None:
    assert github("jobs: {a: {steps: [3, {run: 4}, {}]}}") == ["4"]
    assert gitlab("a: {script: [3, [b]]}") == ["3", "b"]


@pytest.mark.parametrize("text", [
    "node {\n checkout scm\n stage('Check') { sh 'a' }\n}", "node('git') { sh(script: 'a') }", "node{sh 'a'}",
    "// a pipeline { }\npodTemplate(yaml: 'x') {\n  node(POD_LABEL) {\n    container('git') { sh \"a\" }\n  }\n}\n",
    "#!groovy\nnode ('x && y') {\r\n  sh '''\r\n    a\r\n  '''\r\n}\r\n",
    "pipeline { agent { node { label 'git' } }\n stages { stage('x') { steps { sh 'a' } } } }",
])  # fmt: skip
def test_a_jenkinsfile_may_be_scripted(text: str) -> None:
    assert jenkins(text) == ["a"]


@pytest.mark.parametrize("text", ["sh 'a'", "// node { }\nsh 'a'", "node { sh 'a'", "stage('x') { sh 'a' }"])
def test_a_jenkinsfile_without_a_node_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no pipeline"):
        jenkins(text)


@pytest.mark.parametrize("text", [
    "check: {script: [a, b]}", "check: {script: [[a], b]}", ".x: {script: [a, b]}\ncheck: {extends: .x}",
    ".y: &lines\n  - a\ncheck:\n  script:\n    - *lines\n    - b\n", ".x: &x {script: [a, b]}\ncheck:\n  <<: *x\n",
    ".x: {script: [a]}\ncheck:\n  script:\n    - !reference [.x, script]\n    - b\n",
    ".x: {script: [a, b]}\ncheck:\n  script: !reference [.x, script]\n  rules: [!reference [.x, rules]]\n",
    ".x: {script: c}\n.z: {extends: .x, script: [a, b]}\ncheck: {extends: [.x, .z], image: x}",
    "stages: [x]\r\nvariables: {A: b}\r\ncheck:\r\n  script: |\r\n    a\r\n    b\r\n",
])  # fmt: skip
def test_a_job_of_gitlabs_may_have_its_script_from_another(text: str) -> None:
    assert gitlab(text) == ["a", "b"]


@pytest.mark.parametrize("text", [
    "check: 3", "check: {script: true}", "- a", "a: [", "a: " + "[" * 3000, "x: {script: [!reference [x, script]]}",
    "x" * 100_000, "check: {script: !reference x}",
    ".a: {script: &a [*a, b]}\ncheck: {script: [" + "*a, " * 200 + "b]}",
])  # fmt: skip
def test_what_is_no_file_of_gitlabs_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        gitlab(text)
