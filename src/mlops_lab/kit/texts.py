"""A text file that the learner writes into the workspace."""

from __future__ import annotations

from mlops_lab.base import entries
from mlops_lab.checks import Lab, absent, expect

_MOST = 1 << 20  # bytes


def lines_of(lab: Lab, name: str, why: str) -> list[str]:
    """The file's lines, without spaces around them and without empty ones.

    Args:
        why: what to say if it is not there: what belongs into it.

    Raises:
        Failure: it is not there, is no text, or the workspace holds what is no file.
    """
    try:
        text = entries.text(lab.work.folder / name, _MOST)
    except OSError as wrong:
        seen = wrong.strerror or str(wrong)
    except UnicodeDecodeError:
        seen = "what is in it is not UTF-8 text"
    else:
        return [line.strip() for line in text.splitlines() if line.strip()]
    expect(absent(f"a text file {name} in the task's folder", f"{name}: {seen}")).because(why)
    raise AssertionError("unreachable")
