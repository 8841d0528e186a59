"""What the three files of CI say, also in forms that the kit does not know.

A Jenkinsfile may be scripted, with `node { ... }` in place of `pipeline { ... }`. A job of GitLab's may have its script
from another one, by `extends` or `!reference`, and lists within it, as anchors leave them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from mlops_lab.kit import ci_forms

_NODE = re.compile(r"^[^/\n]*\bnode\s*(?:\([^\n]*\)\s*)?\{", re.MULTILINE)
_PIPELINE = re.compile(r"^[^/\n]*\bpipeline\s*\{", re.MULTILINE)
_LONGEST, _MOST_BRACKETS = 64 << 10, 500  # of a text, before it is read: as the kit has it
_DEEPEST, _MOST = 11, 1000  # levels (of GitLab's own limits), and parts of one script


class _Reference(list[Any]):
    """`!reference [job, keyword]`."""


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's own tag."""


def _referred(loader: _Loader, node: yaml.SequenceNode) -> _Reference:
    return _Reference(loader.construct_sequence(node))


_Loader.add_constructor("!reference", _referred)


def jenkins(text: str) -> list[str]:
    """What the `sh` steps say; raises ValueError if it is no pipeline."""
    scripted = _NODE.search(text) and not _PIPELINE.search(text)
    return ci_forms.jenkins(f"pipeline {{}}\n{text}" if scripted else text)


def gitlab(text: str) -> list[str]:
    """What `script` of the jobs says, wherever they have it from; raises ValueError if it is no such file."""
    short = len(text) <= _LONGEST and text.count("[") + text.count("{") <= _MOST_BRACKETS
    try:
        jobs = yaml.load(text, _Loader) if short else None
    except (yaml.YAMLError, RecursionError):
        jobs = None
    if not isinstance(jobs, dict):
        return ci_forms.gitlab(text)  # which says what is wrong
    plain: dict[str, Any] = {}
    for name, job in jobs.items():
        script = _script(job, jobs)
        parts = [*_parts(script, jobs, [])] if isinstance(script, list) else script
        plain[str(name)] = {"script": parts} if isinstance(job, dict) else None
    return ci_forms.gitlab(yaml.safe_dump(plain))


FORMS: dict[str, Callable[[str], list[str]]] = ci_forms.FORMS | {"gitlab-ci.yaml": gitlab, "Jenkinsfile": jenkins}


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
