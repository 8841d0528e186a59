"""A compiled pipeline that was compiled on another day, whose later steps find no days' files in their image, or are
never from the cache; and which of its tasks are steps.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlops_lab.base import entries
from mlops_lab.kit.compiled_pipelines import tasks

from .run import Plain

DAYS, VOLUME = "/data/flights", "mlops-lab-no-days"
READS_DAYS = "prepare"
# Of days, then of months, and then of weeks: where two begin alike, the first is meant.
DATES = (
    "%Y-%m-%d", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d", "%Y_%m_%d", "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%Y", "%d/%m/%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
    "%y%m%d", "%y-%m-%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%Y-%j", "%Y%j", "%Y.%j",
    "%Y-%m", "%Y%m", "%Y.%m", "%Y/%m", "%Y_%m", "%m.%Y", "%m-%Y", "%m/%Y", "%b %Y", "%B %Y",
    "%G-W%V", "%GW%V", "%G-%V", "%Y-W%V", "%YW%V", "%Y-%V", "%Y-W%W", "%Y-%W", "%Y-W%U", "%Y-%U", "%V/%G", "%V/%Y",
)  # fmt: skip
LATER = timedelta(32)  # always in another week, and in another month
LARGEST = 1 << 20  # bytes that are read of a file


def texts(folder: Path, without: str) -> Iterator[str]:
    """What the learner has written; no virtual environment, which has more files than memory has room for.

    Args:
        without: the name of files that programs make.
    """
    for file in entries.files(folder):
        if file.name != without:
            with contextlib.suppress(OSError, ValueError):  # no text, or not to be read
                yield entries.text(file, LARGEST)


def some_days_later(spec: Plain, own: Iterable[str]) -> Plain:
    """The pipeline with a later day's date where it has today's by UTC, or its month or week, whatever the time zone.

    Args:
        own: the learner's `texts`; a date that stands in one of them is none of the compilation.
    """
    text, today = json.dumps(spec, ensure_ascii=False), datetime.now(UTC).date()
    written, later = "\n".join(own), dict[str, str]()
    for form in DATES:
        if (day := today.strftime(form)) not in written:
            later.setdefault(day, (today + LATER).strftime(form))
    # At once, lest what has become another date is taken for one again; (?!) is found nowhere.
    text = re.sub("|".join(map(re.escape, later)) or "(?!)", lambda each: later[each[0]], text)
    found: Plain = json.loads(text)
    return found


def without_days(spec: Plain) -> Plain:
    """The pipeline with an empty folder over the days in each step but `prepare`: what they know, they have read.

    That is no part of what KFP compares for its cache.
    """
    whole = copy.deepcopy(spec if "pipeline_spec" in spec else {"pipeline_spec": spec, "platform_spec": {}})
    found = executors(whole["pipeline_spec"])
    kept = found.pop(READS_DAYS, set())
    at: Any = whole.setdefault("platform_spec", {})
    for name in ("platforms", "kubernetes", "deploymentSpec", "executors"):
        at = at.setdefault(name, {})
    for label in sorted(set().union(*found.values()) - kept):
        mounts = at.setdefault(label, {}).setdefault("emptyDirMounts", [])
        mounts.append({"volumeName": VOLUME, "mountPath": DAYS})
    return whole


def uncached(spec: Plain) -> Plain:
    """The pipeline with no step but `prepare` from the cache; nothing else in it is changed."""
    whole = copy.deepcopy(spec)
    pipeline = whole.get("pipeline_spec", whole)
    for each in (pipeline.get("root") or {}, *(pipeline.get("components") or {}).values()):
        for name, task in ((each.get("dag") or {}).get("tasks") or {}).items():
            if name != READS_DAYS:
                task["cachingOptions"] = {}
    return whole


def executors(pipeline: Plain) -> dict[str, set[str]]:
    """The labels of the executors that run a task of each name, wherever in the pipeline it is."""
    components = pipeline.get("components") or {}
    found: dict[str, set[str]] = {}
    for each in (pipeline.get("root") or {}, *components.values()):
        for name, task in ((each.get("dag") or {}).get("tasks") or {}).items():
            component = components.get((task.get("componentRef") or {}).get("name")) or {}
            if label := component.get("executorLabel"):
                found.setdefault(name, set()).add(label)
    return found


def names_of_steps(spec: Plain) -> set[str]:
    """The names that tasks have which run in a pod, wherever in the pipeline they are; those it shows, too."""
    pipeline = spec.get("pipeline_spec", spec)
    components = pipeline.get("components") or {}
    known = (pipeline.get("deploymentSpec") or {}).get("executors") or {}
    steps, others = set[str](), set[str]()
    for name, task in tasks(pipeline):
        component = components.get((task.get("componentRef") or {}).get("name")) or {}
        runs = "container" in (known.get(component.get("executorLabel")) or {})
        (steps if runs else others).update({name, str((task.get("taskInfo") or {}).get("name") or name)})
    return steps - others
