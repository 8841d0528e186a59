"""What the CronJob's pods run, by their template."""

import re
from collections.abc import Sequence

from mlops_lab.checks import Observation
from mlops_lab.kube.client import Object

_PROGRAM = "/program/report.py"
_TRY = 10  # s: the program waits 5 s for an answer, and a pod takes a moment to begin
_STARTS = re.compile(rf"\bpython3( -\w+)* {re.escape(_PROGRAM)}\b")  # also with options, or in a shell
_REDIRECTED = re.compile(r"\d?>>?\s*&?[^\s;|&]+")
_LOOP = re.compile(r"\bdo\b")
_STRICT = re.compile(r"\s-[a-z]*e[a-z]*\b")  # set -e, sh -ec: a shell that ends with the first command that fails
# What may stand behind the program, so that a shell fails when that does.
_BEHIND = re.compile(r"\s*(&&[^;|&\n]*)?(\|\|\s*exit [1-9]\d*|[;\n]\s*exit \$\?)?\s*")
_BEHIND_IF_STRICT = re.compile(r"[^|&]*")


def what_runs(pod: Object, image: str, desk: str) -> Observation:
    """Whether a pod's container starts the given program in that image, with that address in DESK.

    A variable that comes from elsewhere, such as a ConfigMap, is not looked at: the report came to the desk.
    """
    first = pod["containers"][0]
    said = [*(first.get("command") or []), *(first.get("args") or [])]
    words = " ".join(said)
    given = [each["value"] for each in first.get("env") or [] if each["name"] == "DESK" and "value" in each]
    other = [f"image {first['image']}"] if first["image"].partition("@")[0] != image else []
    other += [f"command {words[:80] or 'none'}"] if not _STARTS.search(words) else []
    other += [] if _fails_with_it(said) else ["a shell that may end well though the program fails, or starts it again"]
    other += [f"DESK={each}" for each in given if each != desk]
    wanted = f"image {image}, command python3 /program/report.py, DESK={desk}"
    return Observation(not other, wanted, ", ".join(other) or "they are", what="what its pods run")


def starts(container: Object) -> bool:
    """Does a container start the given program?"""
    return bool(_STARTS.search(" ".join([*(container.get("command") or []), *(container.get("args") or [])])))


def short_of_tries(job: Object, tries: int) -> str:
    """What gives a Job other tries than its backoffLimit; empty if nothing does."""
    pod = job["template"]["spec"]
    all_of_them = _TRY * (tries + 1) + 10 * (2**tries - 1)  # 10 s before the second one, and twice as long each time
    one_pod = all_of_them if pod.get("restartPolicy") == "OnFailure" else _TRY
    for item, needed, whose in ((job, all_of_them, "Job"), (pod, one_pod, "pod")):
        deadline = item.get("activeDeadlineSeconds")
        if deadline is not None and deadline < needed:
            return f"activeDeadlineSeconds of its {whose}: {deadline}, its tries may take {needed} s"
    rules = (job.get("podFailurePolicy") or {}).get("rules") or []
    other = [str(each["action"]) for each in rules if each.get("onExitCodes") and each["action"] != "Count"]
    return f"podFailurePolicy: {', '.join(other)}" if other else ""


def _fails_with_it(words: Sequence[str]) -> bool:
    """Does a command start the program once, and fail when that fails? Without a shell it does."""
    text = next((each for each in words if _STARTS.search(each)), "")
    behind = _REDIRECTED.sub("", text.partition(_PROGRAM)[2])
    if _PROGRAM in behind or _LOOP.search(text):
        return False
    strict = _STRICT.search(" ".join(words).partition(_PROGRAM)[0]) and _BEHIND_IF_STRICT.fullmatch(behind)
    return bool(strict or _BEHIND.fullmatch(behind))
