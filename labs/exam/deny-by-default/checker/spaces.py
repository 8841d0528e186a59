"""Namespaces that are not the task's: what labels somebody has given one meanwhile."""

from mlops_lab.tasks.lab import TaskLab

_OWN = "kubernetes.io/metadata.name"  # which the API server writes


async def labelled_since(lab: TaskLab, namespace: str) -> list[str]:
    """The labels that were written on a namespace since the task began, by what the API server says of its fields.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    spaces = [await lab.objects.named("Namespace", each).present() for each in (lab.namespace, namespace)]
    own, other = (each["metadata"] for each in spaces)
    written = [each for each in other.get("managedFields") or [] if each.get("time", "") >= own["creationTimestamp"]]
    fields = [((each.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:labels") or {} for each in written]
    keys = {key.removeprefix("f:") for each in fields for key in each if key.startswith("f:")}
    return sorted((keys & (other.get("labels") or {}).keys()) - {_OWN})
