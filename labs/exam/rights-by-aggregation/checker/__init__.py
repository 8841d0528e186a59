"""The checks."""

from mlops_lab.checks import absent, check, expect, holds
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .gathering import GROUP, TRIALS, gets, has_no_more, one_that_comes, rights_of

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_KNOWN_WITHIN = 8.0  # s until the API server has heard of a rule
_NOT_WANTED = ("watch", "create", "update", "patch", "delete", "deletecollection")
_PARTS = {
    D.one: {("", "pods", "get"), ("", "pods", "list"), ("", "pods/log", "get"), ("", "pods/log", "list")},
    D.two: {("batch", D.resource, verb) for verb in ("get", "create", "delete")},
}


@check(points=2, domains=_DOMAINS)
async def gathers_rights(lab: TaskLab) -> None:
    """The team's ClusterRole has the rights of both, and of one with the label that comes later; and no others."""
    await _there(lab, "ClusterRole", D.team)
    for name, rights in _PARTS.items():
        part = await _there(lab, "ClusterRole", name)
        expect(holds(rights_of(part) == rights, f"ClusterRole {name} as it was", "it has other rules")).because(
            "the rules of both were to stay"
        )
        expect(await gets(lab, rights, f"has the rights of {name}")).because(
            "what is gathered are the rules of ClusterRoles with the label: kubectl get clusterroles --show-labels"
        )
    must(
        await has_no_more(lab, {each for rights in _PARTS.values() for each in rights}),
        "what any of the clusterRoleSelectors selects is gathered: one more of them, or the label on one more "
        "ClusterRole, gives the team what is not its own",
    )
    async with one_that_comes(lab) as seen:
        expect(seen).because(
            "an aggregationRule selects ClusterRoles by their labels and the values of these, and a controller copies "
            "their rules, then and whenever they change; rules that are written by hand stay what they are"
        )


@check(points=2, needs=gathers_rights, domains=_DOMAINS)
async def user_in_one_namespace(lab: TaskLab) -> None:
    """The user has the team's rights in the Namespace, also such as come later; in no other one, and no others."""
    asked = {
        ("list", "pods", "", "", ""): True,
        ("get", "pods", "", "log", ""): True,
        ("create", D.resource, "batch", "", ""): True,
        ("delete", "pods", "", "", ""): False,
        ("get", "secrets", "", "", ""): False,
        ("create", "rolebindings", "rbac.authorization.k8s.io", "", ""): False,
        ("watch", "pods", "", "", ""): False,
        ("list", "configmaps", "", "", ""): False,
        ("list", "nodes", "", "", "*"): False,
        **{("list", "pods", "", "", each): False for each in (D.other, "default")},
        **{("create", D.resource, "batch", "", each): False for each in (D.other, "default")},
        ("list", "pods", "", "", "*"): False,
    }
    await _as_wanted(lab, D.user, (), asked, f"user {D.user} has the team's rights here, and in no other Namespace")
    await _as_wanted(lab, "somebody-else", (), {("list", "pods", "", "", ""): False}, "another user has none of them")
    async with one_that_comes(lab) as gathered:
        must(gathered, "the team's ClusterRole is to get it, and by that the user")
        seen = await lab.time.eventually(
            lambda: lab.allowed(D.user, "get", TRIALS, group=GROUP, groups=("system:authenticated",)), bool,
            expected=f"user {D.user} may do what a ClusterRole of the team's says that is made now",
            shown=lambda may: f"{D.user} {'may' if may else 'may not'}", within=_KNOWN_WITHIN,
        )  # fmt: skip
        must(seen, f"a binding to {D.team} gives all that is gathered there; one to its parts gives theirs alone")


@check(points=2, domains=_DOMAINS)
async def group_in_the_cluster(lab: TaskLab) -> None:
    """Members of the group may get and list nodes and volumes of the cluster, and nothing else."""
    role, _ = [await _there(lab, kind, D.viewer) for kind in ("ClusterRole", "ClusterRoleBinding")]
    both = ("nodes", "persistentvolumes")
    asked = {
        **{(verb, each, "", "", "*"): True for each in both for verb in ("get", "list")},
        **{(verb, each, "", "", "*"): False for each in both for verb in _NOT_WANTED},
        ("get", "nodes", "", "proxy", "*"): False,
        **{(verb, "nodes", "metrics.k8s.io", "", "*"): False for verb in ("get", "list")},
        ("list", "pods", "", "", "*"): False,
        ("list", "pods", "", "", ""): False,
        ("list", "persistentvolumeclaims", "", "", ""): False,
        ("list", "storageclasses", "storage.k8s.io", "", "*"): False,
    }
    said = f"group {D.group} may look at nodes and volumes, and no more"
    await _as_wanted(lab, "somebody-of-it", (D.group,), asked, said)
    await _as_wanted(lab, D.group, (), {("list", "nodes", "", "", "*"): False}, "nobody else may, whatever his name")
    more = {f"{verb} {what}" for _, what, verb in rights_of(role) if what not in both or verb not in ("get", "list")}
    more |= {str(url) for rule in role.get("rules") or [] for url in rule.get("nonResourceURLs") or []}
    expected = f"ClusterRole {D.viewer} says get and list of {' and '.join(both)}"
    must(holds(not more, expected, f"also {', '.join(sorted(more))}"), "it was to say this and nothing else")


async def _as_wanted(
    lab: TaskLab, who: str, groups: tuple[str, ...], asked: dict[tuple[str, str, str, str, str], bool], expected: str
) -> None:
    wrong = []
    for (verb, resource, group, subresource, namespace), wanted in asked.items():
        may = await lab.allowed(
            who, verb, resource, group=group, subresource=subresource, namespace=namespace,
            groups=(*groups, "system:authenticated"),
        )  # fmt: skip
        if may is not wanted:
            where = {"": "", "*": " of the cluster"}.get(namespace, f" in {namespace}")
            kind = f"{resource}.{group}" if group else resource
            what = f"{kind}/{subresource}" if subresource else kind
            wrong.append(f"{'may' if may else 'may not'} {verb} {what}{where}")
    expect(holds(not wrong, expected, "; ".join(wrong[:4]), evidence=wrong[4:])).because(
        "a ClusterRole says what may be done, a binding who may and where: a RoleBinding in its own Namespace, a "
        "ClusterRoleBinding in all of them and on what is in none; users and groups are told apart by the subject's "
        "kind. Ask as somebody: kubectl auth can-i --as and --as-group"
    )


async def _there(lab: TaskLab, kind: str, name: str) -> Object:
    found = await lab.objects.named(kind, name).now()
    if found is None:
        expect(absent(f"a {kind} named {name}", "there is none")).because("the task has it by this name")
    assert found is not None
    return found
