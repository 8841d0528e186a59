"""What the CronJob's pods run, by their template."""

import re

from mlops_lab.checks import Observation
from mlops_lab.kube.client import Object

_STARTS = re.compile(r"\bpython3( -\w+)* /program/report\.py\b")  # also with options, or in a shell


def what_runs(pod: Object, image: str, desk: str) -> Observation:
    """Whether a pod's container starts the given program in that image, with that address in DESK.

    A variable that comes from elsewhere, such as a ConfigMap, is not looked at: the report came to the desk.
    """
    first = pod["containers"][0]
    words = " ".join([*(first.get("command") or []), *(first.get("args") or [])])
    given = [each["value"] for each in first.get("env") or [] if each["name"] == "DESK" and "value" in each]
    other = [f"image {first['image']}"] if first["image"].partition("@")[0] != image else []
    other += [f"command {words[:80] or 'none'}"] if not _STARTS.search(words) else []
    other += [f"DESK={each}" for each in given if each != desk]
    wanted = f"image {image}, command python3 /program/report.py, DESK={desk}"
    return Observation(not other, wanted, ", ".join(other) or "they are", what="what its pods run")
