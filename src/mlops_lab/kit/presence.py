"""What the task has the learner make: is it there, by its name?"""

from __future__ import annotations

from mlops_lab.checks import Lab, absent, expect
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object


async def exists(lab: Lab, kind: str, name: str, why: str, *, others: bool = False) -> Object:
    """The object of that kind and name.

    Args:
        why: what to say if it is not there: how it is made, or who needs it by this name.
        others: where it is not there, name those of its kind that are; for names that are easily another one.

    Raises:
        Failure: it is not there.
    """
    found = await lab.objects.named(kind, name).now()
    if found is None:
        seen = "there is none in this namespace"
        if others:
            seen = f"{kind}s here: {', '.join(sorted(map(name_of, await lab.objects.all(kind)))) or 'none'}"
        expect(absent(f"a {kind} named {name}", seen)).because(why)
    assert found is not None
    return found
