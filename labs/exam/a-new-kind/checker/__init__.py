"""The checks."""

import re

from mlops_lab.checks import absent, at_least, check, equal_to, expect, holds, observe
from mlops_lab.kit.kubectl import kubectl, printed
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .trials import RIGHT, WRONG, fourth, refused, tried

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture", "ckad/environment-configuration-and-security")


@check(points=1, domains=_DOMAINS)
async def kind_is_known(lab: TaskLab) -> None:
    """The cluster knows the kind by its names, and its objects are in Namespaces."""
    name = f"{D.plural}.{D.group}"
    found = await lab.objects.named("CustomResourceDefinition", name).now()
    if found is None:
        expect(absent(f"a CustomResourceDefinition {name}", "there is none")).because(
            "a CustomResourceDefinition is called after its plural and its group, with a dot between them"
        )
    assert found is not None
    spec = found["spec"]
    names = spec["names"]
    short = names.get("shortNames") or []
    expect(holds(D.short in short, f"short name {D.short}", f"short names: {', '.join(short) or 'none'}")).because(
        "short names stand in `names`, beside kind and plural"
    )
    expect(observe("kind, scope", f"{names['kind']}, {spec['scope']}", equal_to(f"{D.kind}, Namespaced"))).because(
        "the scope says whether objects are in Namespaces, and can't be changed afterwards"
    )
    served = [str(each["name"]) for each in spec["versions"] if each.get("served")]
    expect(holds("v1" in served, "version v1 is served", f"served: {', '.join(served)}")).because(
        "a version is asked for in apiVersion, behind the group"
    )
    ready = await lab.objects.named("CustomResourceDefinition", name).until(
        lambda it: _established(it or {}),
        expected="is established",
        shown=lambda it: "established" if _established(it or {}) else "not established",
        within=10,
    )
    expect(ready).because("kubectl describe crd says what is wrong with the names or the schema")


@check(points=3, needs=kind_is_known, domains=_DOMAINS)
async def refuses_what_is_wrong(lab: TaskLab) -> None:
    """The API server takes objects that are right, fills in what is not said, and refuses those that are wrong."""
    for name, spec in RIGHT.items():
        given = await tried(lab, name, spec)
        expect(holds(not given.refused, f"{spec} is accepted", f"{spec} is refused: {given.refused}")).because(
            "the least and the greatest number are allowed, and so is each of the choices"
        )
        paused = given.spec.get("paused")
        wanted = bool(spec.get("paused", False))
        expect(holds(paused is wanted, f"paused is then {wanted}", f"of {spec} paused is then {paused}")).because(
            "a `default` in the schema is filled in where nothing is said"
        )
    definition = await lab.objects.named("CustomResourceDefinition", f"{D.plural}.{D.group}").present()
    wrong = WRONG | fourth(definition)
    gone = await refused(lab, {name: spec for name, (_, spec) in wrong.items()})
    accepted = [said for name, (said, _) in wrong.items() if name not in gone]
    expect(holds(not accepted, f"{len(wrong)} wrong objects are refused", f"accepted: {', '.join(accepted)}")).because(
        "the schema says of each field its type and its limits, and `required`, beside `properties`, which must be "
        "there: kubectl create --dry-run=server shows what the API server says of an object"
    )


@check(points=2, needs=kind_is_known, domains=_DOMAINS)
async def first_is_shown(lab: TaskLab) -> None:
    """The first object is there, and kubectl shows it with its column by the short name."""
    found = printed(await kubectl(lab, "get", D.short, D.first, "-o", "json"))
    spec = found.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    seen = f"{D.number} {spec.get(D.number)}, {D.choice} {spec.get(D.choice)}" if found else "it is not there"
    expect(observe(f"{D.kind} {D.first}", seen, equal_to(f"{D.number} {D.value}, {D.choice} {D.two}"))).because(
        "an object of the new kind is made like any other: apiVersion is the group and the version"
    )
    lines = (await kubectl(lab, "get", D.short, D.first)).output.strip().splitlines()
    expect(observe("lines that kubectl get prints", len(lines), at_least(2))).because(
        f"kubectl get {D.short} {D.first} shows the object"
    )
    # By its place: a cell of another column may be empty, and warnings may stand before the table.
    head, column = next((line for line in lines if line.startswith("NAME ")), lines[0]), D.column.upper()
    at = re.search(rf"(?<!\S){re.escape(column)}(?!\S)", head)
    right = at is not None and lines[-1][at.start() :].partition(" ")[0] == D.two
    expect(holds(right, f"column {column} shows {D.two}", f"columns: {head}")).because(
        "an entry of additionalPrinterColumns has a name and a jsonPath, which begins with a dot"
    )


def _established(item: dict) -> bool:  # type: ignore[type-arg]
    conditions = (item.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
