"""What the forges and git read: workflows that run the test command, forms, hooks, and fragments of the changelog."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

from mlops_lab.base.paths import project

ROOT = project()
BIN = Path(sys.executable).parent
GITHUB, GITLAB = ROOT / ".github", ROOT / ".gitlab"
FORMS = {"wrong-verdict": "Wrong-verdict", "bug": "Bug", "lab-idea": "Lab-idea"}  # GitHub's name: GitLab's
SCHEMAS = {
    ".github/workflows/test.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    **{f".github/ISSUE_TEMPLATE/{name}.yml": "vendor.github-issue-forms" for name in FORMS},
}
KEPT = ("mlops-lab/build", "mlops-lab/go", "go-build", "uv")  # below the user's cache folder
_FRAGMENT = re.compile(r"(\d+|\+[a-z0-9-]+)\.(added|changed|fixed|removed)(\.\d+)?\.md")
_NO_ISSUE = re.compile(rf"(?!\d){_FRAGMENT.pattern}")


def run(*words: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """A program of the environment's, or git; without what a surrounding git or its user's settings would tell it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, check=False, cwd=cwd,
        env={**kept, **alone, **env},
    )  # fmt: skip


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


def faults(name: str, whole: dict[str, Any]) -> list[str]:
    """What a file's schema finds wrong with its content."""
    schema = get_builtin_schema(SCHEMAS[name])
    return [error.message for error in validator_for(schema)(schema).iter_errors(whole)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_file_is_what_its_forge_reads(name: str) -> None:
    whole = loaded(name)
    assert faults(name, whole) == []
    # A word that the forge does not know is seen, so the schema has looked.
    job = whole.get("test") or whole.get("jobs", {}).get("test") or whole
    job["skript"] = 1
    assert faults(name, whole) != []


def test_no_form_or_workflow_is_left_out() -> None:
    there = {str(file.relative_to(ROOT)) for file in GITHUB.rglob("*.yml")} | {".gitlab-ci.yml"}
    assert there == SCHEMAS.keys()
    assert {file.stem for file in (GITLAB / "issue_templates").iterdir()} == set(FORMS.values())


def test_both_workflows_run_the_test_command_and_keep_what_builds_made() -> None:
    job = loaded(".github/workflows/test.yml")["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["scripts/test"]
    (kept,) = [step["with"]["path"] for step in job["steps"] if str(step.get("uses")).startswith("actions/cache@")]
    assert {f"~/.cache/{folder}" for folder in KEPT} <= set(kept.split())
    other = loaded(".gitlab-ci.yml")["test"]
    assert other["script"] == ["scripts/test"]
    home = other["variables"]["XDG_CACHE_HOME"].removeprefix("$CI_PROJECT_DIR/")
    assert {f"{home}/{folder}" for folder in KEPT} <= set(other["cache"]["paths"])
    assert job["timeout-minutes"] <= 120 and other["timeout"] == "2h"


@pytest.mark.parametrize("name", FORMS)
def test_gitlabs_templates_ask_what_githubs_forms_ask(name: str) -> None:
    form = loaded(f".github/ISSUE_TEMPLATE/{name}.yml")
    text = (GITLAB / "issue_templates" / f"{FORMS[name]}.md").read_text()
    fields = [each["attributes"] for each in form["body"] if each["type"] != "markdown"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [field["label"] for field in fields]
    for field in fields:
        assert str(field.get("description", "")) in text
        assert all(f"- {option}\n" in text for option in field.get("options", ()))
    assert f"/label ~{form['labels'][0]}" in text


def test_a_change_is_described_alike_on_both_forges() -> None:
    assert (GITHUB / "pull_request_template.md").read_text() == (
        GITLAB / "merge_request_templates" / "Default.md"
    ).read_text()


def test_linters_stand_in_one_list_and_the_test_command_begins_with_it() -> None:
    commands = (ROOT / "scripts" / "test").read_text().splitlines()
    assert "scripts/lint" in commands
    linters = ("ruff", "lint-imports", "mypy", "shellcheck")
    assert [line for line in commands if re.match(rf"({'|'.join(linters)})\b", line)] == []


def test_hooks_are_the_projects_own_and_fetch_nothing() -> None:
    config = loaded(".pre-commit-config.yaml")
    assert [each["repo"] for each in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {each["language"] for each in hooks} == {"system"}
    assert {each["entry"]: each["stages"] for each in hooks} == {
        "scripts/lint": ["pre-commit"], "scripts/commit-subject": ["commit-msg"],
    }  # fmt: skip
    done = run("pre-commit", "validate-config", ROOT / ".pre-commit-config.yaml")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the project's hooks, and a linter that finds fault with a file named `bad`."""
    folder = tmp_path / "repository"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy2(ROOT / ".pre-commit-config.yaml", folder)
    shutil.copy2(ROOT / "scripts" / "commit-subject", folder / "scripts")
    (folder / "scripts" / "lint").write_text("#!/bin/sh\nif [ -e bad ]; then echo 'bad is there'; exit 1; fi\n")
    (folder / "scripts" / "lint").chmod(0o755)
    run("git", "init", "--quiet", cwd=folder)
    run("git", "config", "user.name", "A Learner", cwd=folder)
    run("git", "config", "user.email", "learner@forge.example", cwd=folder)
    assert run("pre-commit", "install", cwd=folder, PRE_COMMIT_HOME=str(tmp_path / "home")).returncode == 0
    return folder


def test_a_commit_is_made_when_linters_and_subject_are_well_and_not_else(repository: Path) -> None:
    def commit(subject: str) -> subprocess.CompletedProcess[str]:
        run("git", "add", "--all", cwd=repository)
        home = str(repository.parent / "home")
        return run("git", "commit", "--message", subject, cwd=repository, PRE_COMMIT_HOME=home)

    (repository / "bad").write_text("")
    refused = commit("scripts: a file that is bad")
    assert refused.returncode != 0 and "bad is there" in refused.stdout + refused.stderr
    (repository / "bad").rename(repository / "good")
    refused = commit("A file that is good")
    assert refused.returncode != 0 and "does not begin with its scope" in refused.stdout + refused.stderr
    done = commit("scripts: a file that is good")
    assert done.returncode == 0, done.stdout + done.stderr
    assert run("git", "log", "--format=%s", cwd=repository).stdout == "scripts: a file that is good\n"


def misnamed(names: Iterable[str], address: str) -> list[str]:
    """Those that no release takes, or whose number would link to an issue of a repository that is nowhere yet."""
    form = _NO_ISSUE if urlsplit(address).hostname == "forge.example" else _FRAGMENT
    return [name for name in names if not form.fullmatch(name)]


def test_a_fragment_has_an_issues_number_only_where_a_forge_has_issues() -> None:
    names = ["42.fixed.md", "42.fixed.1.md", "+word.added.md", "+word.added.1.md", "word.added.md", "+word.new.md"]
    assert misnamed(names, "https://github.com/owner/mlops-lab") == names[4:]
    assert misnamed(names, "https://forge.example/owner/mlops-lab") == names[:2] + names[4:]


def test_fragments_of_the_changelog_have_names_that_a_release_takes() -> None:
    files = [file for file in (ROOT / "changes").iterdir() if file.name != "README.md"]
    address = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Issues"]
    assert misnamed([file.name for file in files], address) == []
    assert [file.name for file in files if not file.read_text().strip()] == []
    done = run(BIN / "towncrier", "build", "--draft", "--version", "9.9.9", "--date", "2030-01-02")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "## 9.9.9 (2030-01-02)" in done.stdout
    said = " ".join(done.stdout.split())
    for file in files:
        assert " ".join(file.read_text().split()) in said, file.name


def test_a_release_takes_the_fragments_and_keeps_the_history(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / "changes").mkdir()
    shutil.copy2(ROOT / "changes" / "README.md", tmp_path / "changes")
    for name in ("7.fixed.md", "+word.added.md", "8.changed.md", "8.removed.md"):
        (tmp_path / "changes" / name).write_text(f"What {name} says.\n")
    before = (ROOT / "CHANGELOG.md").read_text()
    head, marker, history = before.partition("<!-- towncrier release notes start -->\n")
    assert marker and history.count("\n## ") >= 1
    done = run(BIN / "towncrier", "build", "--yes", "--version", "9.9.9", "--date", "2030-01-02", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = (tmp_path / "CHANGELOG.md").read_text()
    assert after.startswith(head + marker) and after.endswith(history.lstrip("\n"))
    new = after.removeprefix(head + marker).removesuffix(history.lstrip("\n"))
    assert re.findall(r"^#+ .+$", new, re.MULTILINE) == [
        "## 9.9.9 (2030-01-02)", "### Added", "### Changed", "### Fixed", "### Removed",
    ]  # fmt: skip
    assert "- What 7.fixed.md says. ([#7](" in new and "- What +word.added.md says.\n" in new
    assert [file.name for file in (tmp_path / "changes").iterdir()] == ["README.md"]
