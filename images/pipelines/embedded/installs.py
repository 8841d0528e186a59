"""What to do when a step ends because the packages that it installs at its start can't be had.

A component of the SDK begins with `python3 -m pip install`, for its `packages_to_install` and for kfp itself. Where
nothing can be downloaded that works for what the image has already. Pip's own last words say neither who asked for the
package nor what would help.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

_INSTALLS = "python3 -m pip install"
_END = 8192  # characters of output: pip's last words, however long the names in them
_ABSENT = re.compile(r"^ERROR: No matching distribution found for (?P<package>.{1,200}?)\s*$", re.MULTILINE)
_FAILED = re.compile(
    r"^(ERROR: (Could not install packages|Failed to build)"
    r"|error: (connection-failed|externally-managed-environment)\b)",
    re.MULTILINE,
)
_NO_PIP = re.compile(r"No module named pip\s*$")
_TRACEBACK = "Traceback (most recent call last)"  # of the function, which began, so pip had done its work
_ABOUT = "docs/pipelines.md, Packages that a step needs"


def explained(why: str, wanted: dict[str, Any], output: str) -> str:
    """The reason why a step failed, with what to do if it failed to install something; at most 2000 characters.

    Args:
        why: what its launcher said.
        wanted: the attempt's, as the driver asked for it.
        output: what it printed.
    """
    more = advice(wanted["command"], wanted["image"], output)
    return f"{why[:1000].rstrip('.')}. {more}"[:2000] if more else why[:2000]


def advice(command: list[str], image: str, output: str) -> str:
    """What to add to the reason why a step failed; empty unless it failed to install something.

    Args:
        command: the task's.
        image: the task's.
        output: what it printed.
    """
    end = output[-_END:]
    if not any(_INSTALLS in word for word in command) or _TRACEBACK in end:
        return ""
    if _NO_PIP.search(end):
        return (
            f"The step installs packages when it starts (the SDK's kfp, packages_to_install), and {image} has no pip. "
            f"Name an image that has it, such as components:1, or one that has kfp and all packages, with "
            f"install_kfp_package=False and without packages_to_install ({_ABOUT})"
        )
    found = _ABSENT.search(end)
    package = found["package"] if found else ""
    if package.startswith("kfp=="):
        ours = version("kfp")
        return (
            f"The SDK that compiled this pipeline has each step install {package}; {image} does not have that, and the "
            f"cluster could not download it. components:1 has kfp {ours}: compile with that version (pip install "
            f"kfp=={ours}), or set install_kfp_package=False and name an image that has kfp ({_ABOUT})"
        )
    if found or _FAILED.search(end):
        return (
            f"The step installs {package or 'packages'} when it starts (packages_to_install), and that could not be "
            f"downloaded. Put it into an image, name that as base_image and leave packages_to_install out; or name a "
            f"package index that the cluster reaches: pip_index_urls ({_ABOUT})"
        )
    return ""
