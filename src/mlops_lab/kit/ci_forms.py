"""The commands that a CI system takes from its file: GitHub Actions, GitLab CI, Jenkins.

Only what is run is read, in order: no variables are put in, no conditions followed, and nothing is run here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

FILES = ("github-actions.yaml", "gitlab-ci.yaml", "Jenkinsfile")
_LONGEST = 64 << 10  # characters of a file
_MOST_BRACKETS = 500
# sh '...', sh('...'), sh(script: '...', label: '...') and sh label: '...', script: '...'
_SH = re.compile(
    r"""\bsh\b\s*+(?:\(\s*+)?(?:(?!script\b)\w++\s*+:\s*+(?:'[^'\n]*+'|"[^"\n]*+"|\w++)\s*+,\s*+){0,4}+"""
    r"""(?:script\s*+:\s*+)?(?:'''(.+?)'''|\"\"\"(.+?)\"\"\"|'(.+?)'|"(.+?)")""",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?m)^[ \t]*+//.*$")
# Keywords of the file itself; what is run before and after each job sets it up, and is none of its steps.
_NO_JOBS = {
    "stages", "variables", "workflow", "include", "default", "image", "spec", "services", "cache", "before_script",
    "after_script",
}  # fmt: skip


def github(text: str) -> list[str]:
    """What `run` of the jobs' steps says.

    Raises:
        ValueError: it is no such file.
    """
    jobs = _mapping(_loaded(text).get("jobs"), "jobs")
    steps = [step for job in jobs.values() for step in _list(_mapping(job, "a job").get("steps"), "steps")]
    return _commands(step["run"] for step in steps if isinstance(step, dict) and "run" in step)


def gitlab(text: str) -> list[str]:
    """What `script` of the jobs says, the hidden ones left out, and no `before_script`; raises as `github`."""
    jobs = [job for name, job in _loaded(text).items() if name not in _NO_JOBS and not str(name).startswith(".")]
    scripts = [_mapping(job, "a job").get("script") for job in jobs]
    return _commands(
        each for script in scripts for each in ([script] if isinstance(script, str) else _list(script or [], "script"))
    )


def jenkins(text: str) -> list[str]:
    """What the `sh` steps of a declarative pipeline say; raises as `github`."""
    text = _COMMENT.sub("", _short(text))
    if text.count("{") != text.count("}") or not re.search(r"\bpipeline\s*\{", text):
        raise ValueError("no pipeline { ... } whose braces are closed")
    return _commands(next(filter(None, found)) for found in _SH.findall(text))


FORMS: dict[str, Callable[[str], list[str]]] = dict(zip(FILES, (github, gitlab, jenkins), strict=True))


def _loaded(text: str) -> dict[Any, Any]:
    try:
        return _mapping(yaml.safe_load(_short(text)), "the file")
    except (yaml.YAMLError, RecursionError) as trouble:
        raise ValueError(f"no YAML: {str(trouble).splitlines()[0][:100]}") from trouble


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"more than {_LONGEST} characters")
    if text.count("[") + text.count("{") > _MOST_BRACKETS:  # each level that is open makes reading slower
        raise ValueError(f"more than {_MOST_BRACKETS} brackets")
    return text


def _mapping(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no mapping")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return value


def _commands(found: Any) -> list[str]:
    lines = [line.strip() for each in found for line in str(each).strip().splitlines()]
    return [line for line in lines if line]
