"""The commands that a CI system takes from its file: GitHub Actions, GitLab CI, Jenkins.

Only what is run is read, in order: no variables are put in, no conditions followed, and nothing is run here. A
Jenkinsfile may be scripted, with `node { ... }` in place of `pipeline { ... }`; a job of GitLab's may have its script
from another one, by `extends` or `!reference`, and lists within it, as anchors leave them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

FILES = ("github-actions.yaml", "gitlab-ci.yaml", "Jenkinsfile")
_LONGEST = 64 << 10  # characters of a file
_MOST_BRACKETS = 500
_DEEPEST, _MOST = 11, 1000  # levels (of GitLab's own limits), and parts of one script
# sh '...', sh('...'), sh(script: '...', label: '...') and sh label: '...', script: '...'
_SH = re.compile(
    r"""\bsh\b\s*+(?:\(\s*+)?(?:(?!script\b)\w++\s*+:\s*+(?:'[^'\n]*+'|"[^"\n]*+"|\w++)\s*+,\s*+){0,4}+"""
    r"""(?:script\s*+:\s*+)?(?:'''(.+?)'''|\"\"\"(.+?)\"\"\"|'(.+?)'|"(.+?)")""",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?m)^[ \t]*+//.*$")
_PIPELINE = re.compile(r"\bpipeline\s*\{|^[^/\n]*\bnode\s*(?:\([^\n]*\)\s*)?\{", re.MULTILINE)
# Keywords of the file itself; what is run before and after each job sets it up, and is none of its steps.
_NO_JOBS = {
    "stages", "variables", "workflow", "include", "default", "image", "spec", "services", "cache", "before_script",
    "after_script",
}  # fmt: skip


class _Reference(list[Any]):
    """`!reference [job, keyword]`."""


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's own tag."""


def _referred(loader: _Loader, node: yaml.SequenceNode) -> _Reference:
    return _Reference(loader.construct_sequence(node))


_Loader.add_constructor("!reference", _referred)


def github(text: str) -> list[str]:
    """What `run` of the jobs' steps says.

    Raises:
        ValueError: it is no such file.
    """
    jobs = _mapping(_loaded(text).get("jobs"), "jobs")
    steps = [step for job in jobs.values() for step in _list(_mapping(job, "a job").get("steps"), "steps")]
    return _commands(step["run"] for step in steps if isinstance(step, dict) and "run" in step)


def gitlab(text: str) -> list[str]:
    """What `script` of the jobs says, wherever they have it from; raises as `github`.

    The hidden jobs are left out, and every `before_script`.
    """
    found = _loaded(text)
    jobs = {name: job for name, job in found.items() if name not in _NO_JOBS and not str(name).startswith(".")}
    scripts = [_script(_mapping(job, "a job"), found) for job in jobs.values()]
    return _commands(
        each
        for script in scripts
        for each in ([script] if isinstance(script, str) else _parts(_list(script or [], "script"), found, []))
    )


def jenkins(text: str) -> list[str]:
    """What the `sh` steps of a pipeline say, be it declarative or scripted; raises as `github`."""
    text = _COMMENT.sub("", _short(text))
    if text.count("{") != text.count("}") or not _PIPELINE.search(text):
        raise ValueError("no pipeline { ... } whose braces are closed")
    return _commands(next(filter(None, found)) for found in _SH.findall(text))


FORMS: dict[str, Callable[[str], list[str]]] = dict(zip(FILES, (github, gitlab, jenkins), strict=True))


def _script(job: Any, jobs: dict[Any, Any], deep: int = 0) -> Any:
    """A job's own script, or that of the last one that it extends."""
    if not isinstance(job, dict) or deep > _DEEPEST:
        return None
    if job.get("script") is not None:
        return job["script"]
    others = job.get("extends") or []
    names = others if isinstance(others, list) else [others]
    found = (_script(jobs.get(each), jobs, deep + 1) for each in reversed(names) if isinstance(each, str))
    return next((each for each in found if each is not None), None)


def _parts(script: Any, jobs: dict[Any, Any], seen: list[Any], deep: int = 0) -> Iterator[Any]:
    """The lines of a script, as its lists and references have them in order."""
    seen.append(script)
    if deep > _DEEPEST or len(seen) > _MOST:
        raise ValueError("a script whose lists or references have no end")
    if isinstance(script, _Reference):
        found: Any = jobs
        for key in script:
            found = found.get(key) if isinstance(found, dict) and isinstance(key, str) else None
        yield from _parts(found or [], jobs, seen, deep + 1)
    elif isinstance(script, list):
        for each in script:
            yield from _parts(each, jobs, seen, deep + 1)
    else:
        yield script


def _loaded(text: str) -> dict[Any, Any]:
    try:
        return _mapping(yaml.load(_short(text), _Loader), "the file")
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
