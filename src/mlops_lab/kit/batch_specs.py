"""What the specs of Jobs and CronJobs say: by whose clock they run, and which failures count."""

from __future__ import annotations

from mlops_lab.kube.client import Object


def other_clock(cronjob: Object) -> str:
    """The timeZone of a CronJob's spec where that is another one than UTC, which a cluster's clocks have; else nothing.

    https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones
    """
    zone = str(cronjob.get("timeZone") or "UTC")
    return "" if zone.upper() in ("UTC", "ETC/UTC") else zone


def not_counted(job: Object) -> list[Object]:
    """The rules of a Job's podFailurePolicy by which a pod that fails does not just count for backoffLimit.

    A pod that is taken off its node may be ignored: no program failed.
    https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
    """
    return [each for each in (job.get("podFailurePolicy") or {}).get("rules") or [] if not _counts(each)]


def _counts(rule: Object) -> bool:
    taken_off = {each["type"] for each in rule.get("onPodConditions") or []} == {"DisruptionTarget"}
    return rule["action"] == "Count" or (rule["action"] == "Ignore" and taken_off)
