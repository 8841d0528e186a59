"""The checks: what the kernel says of the containers' processes."""

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit.drawn import drawn as drawn_now
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .inside import looked_at, noted

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/environment-configuration-and-security",)


@check(points=2, domains=_DOMAINS)
async def runs_as_its_user(lab: TaskLab) -> None:
    """The containers' processes run as the user and the group; as root the kubelet would not start them."""
    for each in await lab.once(looked_at):
        seen = f"user {each.user}, group {each.group}"
        expect(observe(f"{each.name} runs as", seen, equal_to(f"user {D.user}, group {D.group}"))).because(
            "runAsUser and runAsGroup of a container go before those of its pod, and both before the image's"
        )
        expect(
            holds(each.never_root, "the kubelet starts it only if that is not root", "runAsNonRoot is not true")
        ).because(
            "runAsNonRoot makes the kubelet refuse a container whose user is 0, whoever changes the image or the user"
        )


@check(points=1, domains=_DOMAINS)
async def root_is_read_only(lab: TaskLab) -> None:
    """The containers' root filesystem is mounted so that nobody can write to it."""
    for each in await lab.once(looked_at):
        expect(observe(f"/ of {each.name} is mounted", each.root, equal_to("ro"))).because(
            "a user's rights are one thing, a filesystem that takes no writes is another: readOnlyRootFilesystem is "
            "said of each container"
        )


@check(points=2, domains=_DOMAINS)
async def has_no_powers(lab: TaskLab) -> None:
    """The processes can gain no capability and no privileges, and a seccomp profile filters their system calls."""
    for each in await lab.once(looked_at):
        expect(observe(f"capabilities that {each.name} has or can gain", each.capabilities, equal_to("none"))).because(
            "CapBnd in /proc/self/status bounds what a process can gain; capabilities.drop with ALL empties it, and a "
            "user that is not root alone does not"
        )
        expect(holds(each.no_new_privileges, "it can't gain privileges", "NoNewPrivs is 0")).because(
            "allowPrivilegeEscalation: false sets the kernel's no_new_privs, with which setuid programs gain nothing"
        )
        expect(observe("its seccomp profile", each.seccomp, equal_to("RuntimeDefault"))).because(
            "where nothing is said, the kubelet of most clusters runs containers without one"
        )


@check(points=2, needs=root_is_read_only, domains=_DOMAINS)
async def still_notes_visits(lab: TaskLab) -> None:
    """Behind its Service it answers, and a visit is in its notes, in the file where they were."""
    path = f"/{drawn_now(lab, 'visit').randrange(10**6)}"
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, path), within=15)
    expect(observe("status of a visit", answer.status, equal_to(200), evidence=[answer.shown])).because(
        f"the program writes to {D.folder}/{D.notes}: a volume has to be mounted there, which its user may write to"
    )
    expect(holds(path in answer.text.splitlines(), "the visit is in the notes", f"they are: {answer.shown}")).because(
        "the program is to run as before"
    )
    expect(await noted(lab, path)).because(
        "where the program writes was not to change, but what is there: a volume that its user may write to"
    )
