"""Descriptions of a registered model's versions, and what their lines say."""

from mlops_lab.tasks.lab import TaskLab


async def descriptions(lab: TaskLab) -> dict[str, str]:
    """Each version's description, by its number."""
    return {str(each["version"]): str(each.get("description") or "") for each in await lab.platform.mlflow.versions()}


def said(text: str) -> dict[str, list[str]]:
    """What a text's lines of the form `key: value` say; marks of a list or of code around them don't count."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, colon, value = line.strip().lstrip("-*# ").partition(":")
        if colon:
            found.setdefault(key.strip(" `*_").lower(), []).append(value.strip(" `*_"))
    return found
