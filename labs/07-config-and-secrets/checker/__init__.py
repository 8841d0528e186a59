"""Lab 07: what partners are answered with which key, before and after the checker has changed Secret and ConfigMap.

The checker plays the vault and the analysts, and puts both objects back as it found them. No report shows a key.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, observe
from mlops_lab.measure.traffic.flights import difference

Object = dict[str, Any]
T = TypeVar("T")

HEADER = "X-API-Key"
SECRET, KEY = "api-key", "key"
SETTINGS, THRESHOLD = "settings", "threshold"
REFUSED = (401, 403)
LETTERS = 16  # of a key, at least: shorter ones are guessed, and found where they only look alike

READY_WITHIN = 120  # s, for pods that were applied just before
FOLLOWED_WITHIN = 60  # s from a change of Secret or ConfigMap until every pod goes by it
BACK_WITHIN = 20  # s for the way back where the way forth was no success
HURRY_EVERY = 3  # s
RATE, LATE = 10, 3.0  # requests a second with each key; s that they may leave late: no latencies are measured
BEFORE, QUIET = 3, 3  # s of load before the change, and s of nothing but right answers that end the wait
DOMAINS = ("ckad/environment-configuration-and-security",)


@check(points=1, owns="model", domains=(*DOMAINS, "ckad/services-and-networking"))
async def lets_partners_in(lab: Lab) -> None:
    """With the key of Secret `api-key`, POST /predict is answered with v1's probabilities, whichever pod answers.

    The checker waits up to 120 s until the pods of Deployment `model` are ready, takes the entry `key` of the Secret
    (white space at its ends is not part of it), and asks for 40 flights that you don't see. What was applied just
    before has 60 s to come into force.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -k ., then kubectl get deployments"
        )
    expect(await deployment.rolled_out(within=READY_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up (a Secret or ConfigMap that is not there, say), "
        "kubectl logs what the server says about it"
    )
    key = (await lab.once(keys)).current

    asked = "each of 20 requests with the Secret's key is answered with 200"
    found = await followed(
        lab, lambda: statuses(lab, key), lambda seen: set(seen) == {200}, expected=asked, shown=in_words
    )
    expect(found).because(await why_not_let_in(lab, found.value))
    hidden = lab.traffic.hidden_rows(40)
    given = (await answered(lab, hidden.body, key)).fields().get("probabilities")
    apart = difference(given, hidden.probabilities("v1"))
    expect(observe("largest difference from the probabilities of model v1", apart, at_most(1e-6))).because(
        "the answer has `probabilities`, one for each flight, as the server that you began with gives them"
    )


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def keeps_others_out(lab: Lab) -> None:
    """Without a key, or with any other one, the answer is 401 or 403.

    Tried are: no key, an empty one, the first character and the first half of the right one, the right one and a
    character more, the right one in other case, one that the checker makes up, and the one that was in the source.
    """
    known = await lab.once(keys)
    body = lab.traffic.hidden_rows(1).body
    answers = await asyncio.gather(*(answered(lab, body, key) for key in known.others.values()))
    statuses_of = {what: answer.status for what, answer in zip(known.others, answers, strict=True)}
    wrong = {what: status for what, status in statuses_of.items() if status not in REFUSED}
    expect(
        Observation(
            not wrong,
            "401 or 403 for every other key",
            ", ".join(f"{status} with {what}" for what, status in wrong.items()) or f"{len(answers)} others refused",
        )
    ).because(why_let_in(wrong))
    telling = [what for what, answer in zip(known.others, answers, strict=True) if known.current in answer.text]
    expect(
        Observation(
            not telling,
            "no refusal that has the right key in it",
            f"the answer with {telling[0]} has it" if telling else "none has it in it",
        )
    ).because("what the server says to somebody whom it refuses, everybody can read")


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def follows_the_threshold(lab: Lab) -> None:
    """`late` is true from the `threshold` of ConfigMap `settings` on, and within 60 s from another one if that changes.

    The checker puts another threshold in, between the probabilities of 40 flights, and later the old one again.
    """
    settings = await lab.objects.named("ConfigMap", SETTINGS).now()
    there = ", ".join(sorted(each["metadata"]["name"] for each in await lab.objects.all("ConfigMap")))
    found = f"ConfigMap {SETTINGS}" if settings else f"ConfigMaps here: {there}"
    expect(Observation(settings is not None, f"a ConfigMap named {SETTINGS}", found)).because(
        "the analysts change it by this name. Kustomize's generators put a hash behind a name, unless "
        "disableNameSuffixHash is set in the generator's options"
    )
    assert settings is not None
    text = (settings.get("data") or {}).get(THRESHOLD)
    now = number(text)
    expect(
        Observation(
            now is not None, f"a number as its entry {THRESHOLD}", "no such entry" if text is None else str(text)[:80]
        )
    ).because("a ConfigMap's values are text; this one is a probability, such as 0.3")
    expect(changeable(settings)).because(IMMUTABLE)
    assert now is not None
    own = lab.traffic.hidden_rows(40).probabilities("v1")
    expect(await judged_by(lab, own, now)).because(
        "a flight is late when its probability is the threshold or more; `late` has true or false for each flight, in "
        f"their order. The ConfigMap says {text}: kubectl get configmap {SETTINGS} -o yaml"
    )
    new = other_threshold(own, now)
    try:
        await put(lab, "ConfigMap", SETTINGS, THRESHOLD, new)
        seen = await judged_by(lab, own, float(new))
    finally:
        await put_back(lab, "ConfigMap", SETTINGS, THRESHOLD, text)
    expect(seen).because(
        f"the ConfigMap said {new} then, and the server went by something else: "
        + await why_not_followed(lab, "ConfigMap", SETTINGS)
    )
    await judged_by(lab, own, now, within=BACK_WITHIN)


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def key_only_in_the_secret(lab: Lab) -> None:
    """The key is in no process's environment or command line, and in no other object of the namespace.

    The checker looks into every container that runs (/proc/*/environ, /proc/*/cmdline, env), and through ConfigMaps,
    Deployments, ReplicaSets, Pods, StatefulSets, DaemonSets, Jobs, CronJobs and Services; for the key and its base64.
    """
    signs = forms((await lab.once(keys)).current)
    processes = [place for pod in await lab.objects.all("Pod") for place in await in_processes(lab, pod, signs)]
    expect(
        Observation(
            not processes,
            "the key in no environment and no command line",
            processes[0] if processes else "in no environment and no command line",
            evidence=tuple(processes[1:8]),
        )
    ).because(
        "a process hands its environment on to all that it starts, and whoever runs env, reads /proc or gets a crash "
        "report sees it. It is also made once, when the container starts, and never changes after that: a rotated key "
        "would not arrive. A Secret can be mounted as a volume, and read there"
    )
    objects = [place for kind in KINDS for item in await lab.objects.all(kind) for place in in_object(item, signs)]
    expect(
        Observation(
            not objects,
            f"the key in no object but Secret {SECRET}",
            objects[0] if objects else "in no other object",
            evidence=tuple(objects[1:8]),
        )
    ).because(
        "who may read Secrets is decided apart from who may read everything else; ConfigMaps and pod templates are "
        "read by many, and lie in repositories. A key that has been there is known: take it out, and put another one "
        "into the Secret. Old ReplicaSets (kubectl get replicasets) keep old templates, and the annotation "
        "last-applied-configuration keeps what kubectl apply was given, whatever kubectl edit, patch or set env have "
        "changed since: take the key out of your file, and apply that again"
    )


@check(points=3, needs=key_only_in_the_secret, owns="model", domains=(*DOMAINS, "ckad/deployment"))
async def serves_the_new_key(lab: Lab) -> None:
    """When the Secret changes, every pod takes the new key within 60 s, and after the next change the one after it.

    10 requests a second with the new key and 10 with the old one show it: within that time those with the new key are
    all answered with 200. The checker changes nothing but the Secret, has the kubelets look for it, and then puts the
    old key back, which has 60 s too.
    """
    secret = await lab.objects.named("Secret", SECRET).now() or {}
    expect(changeable(secret)).because(IMMUTABLE)
    rotation = await lab.once(rotated)
    expect(rotation.served).because(await why_not_followed(lab, "Secret", SECRET))
    expect(rotation.served_again).because(
        "the first change was served and the second was not: vaults change keys again and again. See whether what "
        "follows the Secret goes on after a change (kubectl logs), and whether the pods are well (kubectl get pods)"
    )


@check(points=1, needs=serves_the_new_key, owns="model", domains=DOMAINS)
async def refuses_the_old_key(lab: Lab) -> None:
    """Within 60 s of a change, too, the key from before it is answered with 401 or 403 by every pod (the same run)."""
    expect((await lab.once(rotated)).refused).because(
        "a key is changed because somebody may have it who should not. The new one has to take the place of the old "
        "one; where it is added to those that are known, or the old one stays in some cache, nothing is won"
    )


@check(points=2, needs=serves_the_new_key, owns="model", domains=("ckad/deployment",))
async def loses_no_request(lab: Lab) -> None:
    """While the key changes, every request is answered: with 200, or with 401 or 403 (the same run).

    A request opens a connection of its own. It is lost if no connection is made, if no answer comes within 10 s, or if
    the answer has another status.
    """
    expect((await lab.once(rotated)).lost).because(
        "somebody let the pods go that answered: a container that ends by itself is away until it has started and "
        "loaded its model, and all pods see the change at about the same time. Either a running process takes the new "
        "key, or pods are replaced as in an update: a new one is ready before an old one goes (kubectl get pods: see "
        "RESTARTS and AGE)"
    )


@check(points=2, needs=lets_partners_in, owns="model", domains=("ckad/observability-and-maintenance",))
async def logs_no_key(lab: Lab) -> None:
    """No container's log has a key in it: not the right one, not one that was refused; plain or as base64.

    Looked for are the Secret's key, the key that it was changed to, the one that was in the source, and one that the
    checker made up and was refused with. After a restart the log from before it is read too.
    """
    known = await lab.once(keys)
    body = lab.traffic.hidden_rows(1).body
    for key in (known.current, known.stranger):
        await answered(lab, body, key)
    await lab.time.pause(1)
    signs = {
        "the Secret's key": known.current,
        "the key that the Secret was changed to": known.new,
        "the key that was in the source": burnt(),
        "a key that was refused": known.stranger,
    }
    found = [place for pod in await lab.objects.all("Pod") for place in await in_logs(lab, pod, signs)]
    expect(
        Observation(
            not found, "no key in any log", found[0] if found else "no key in any log", evidence=tuple(found[1:8])
        )
    ).because(
        "logs are collected, kept for long, and read by many. That a key is there is worth a line, and which one it is "
        "nobody needs to know. A refused key is no exception: it is yesterday's, or tomorrow's, or that of another "
        "service with a letter mistyped"
    )


IMMUTABLE = (
    "`immutable: true` protects against changes, and can't be taken back: the API server refuses each change, so the "
    "object must be deleted and made anew. It suits objects whose name changes with their content"
)
BURNT = (
    "that key is in the repository's history and in the logs of months: whoever wants it has it. Partners get another "
    "one, and the old one has to go from the server, as a fallback too"
)
PLAIN = "base64 is only how the API writes a Secret down: a mounted file, or a variable, has the key as it is."
KINDS = (
    "ConfigMap", "Deployment", "ReplicaSet", "Pod", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service",
)  # fmt: skip
PART, LINES = 1 << 20, 2000  # of a log the first bytes are read, and the last lines (as many bytes at most)
MARK = "mlops-lab/look-again"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What the processes of a container were given. Where there is no shell, nobody dumps an environment with one.
LOOK = r"""
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
    echo "== $file"
    tr '\0' '\n' < $file | head -c 100000
    echo
done 2>/dev/null
echo "== env"
env
"""
LOOK_WITHIN = 30  # s


@dataclass(frozen=True)
class Keys:
    """The Secret's key, the one that the checker changes it to, and others that nobody was given.

    Attributes:
        stored: the Secret's entry as it is, in base64.
        stranger: one that was never right.
        others: what must be refused, by what it is; None is no header at all.
    """

    current: str
    stored: str
    new: str
    stranger: str
    others: Mapping[str, str | None]


@dataclass(frozen=True)
class Rotation:
    """What two changes of the Secret brought about: to the new key, and back."""

    served: Observation
    served_again: Observation
    refused: Observation
    lost: Observation


@dataclass(frozen=True)
class Turn:
    """One change: seconds until only the one key was served, and the other was refused everywhere; None for never.

    Attributes:
        now, before: the last answers with the one, and with the other.
    """

    served: float | None
    refused: float | None
    now: Counter[int]
    before: Counter[int]


async def keys(lab: Lab) -> Keys:
    """Read the Secret, and make up the keys of this run."""
    secret = await lab.objects.named("Secret", SECRET).now()
    there = ", ".join(sorted(each["metadata"]["name"] for each in await lab.objects.all("Secret"))) or "none"
    seen = f"Secrets here: {there}" if secret is None else f"Secret {SECRET}"
    expect(Observation(secret is not None, f"a Secret named {SECRET}", seen)).because(
        "the vault writes the key into this Secret, by this name; you make the first one (kubectl create secret "
        "generic --help, or a secretGenerator in kustomization.yaml). Kustomize's generators put a hash behind a name, "
        "unless disableNameSuffixHash is set in the generator's options"
    )
    data = (secret or {}).get("data") or {}
    seen = f"entry {KEY}" if KEY in data else f"its entries: {', '.join(sorted(data)) or 'none'}"
    expect(Observation(KEY in data, f"an entry {KEY} in Secret {SECRET}", seen)).because(
        f"kubectl create secret generic {SECRET} --from-file={KEY}=FILE names the entry; the part before = is its name"
    )
    stored = str(data[KEY])
    try:
        key = base64.b64decode(stored).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    whole = re.fullmatch(r"[!-~]+", key) is not None
    seen = "printable" if whole else "it has other characters" if key else "it is empty, or no text"
    right = "in the Secret" if key == burnt() else "gone"
    expect(Observation(whole, "a key of printable ASCII", seen)).because(
        "the key travels in a header, which can carry no line ends, and other characters badly"
    )
    expect(observe("characters of the key", len(key), at_least(LETTERS))).because(
        "a short key is guessed. openssl rand -hex 16, or uuidgen, makes one that is not"
    )
    expect(observe("the key that was in the source", right, equal_to("gone"))).because(BURNT)
    made, stranger = (secrets.token_hex(12) for _ in range(2))
    others = {
        "no key": None,
        "an empty key": "",
        "the right key's first character": key[0],
        "the right key's first half": key[: len(key) // 2],
        "the right key and a character more": f"{key}x",
        "a key of the checker's": stranger,
        "the key that was in the source": burnt(),
    }
    if key.swapcase() != key:
        others["the right key in other case"] = key.swapcase()
    return Keys(key, stored, made, stranger, others)


def burnt() -> str:
    """The key that the server has in its source when the learner begins."""
    found = re.search(r'^API_KEY = "(.+)"$', (Path(__file__).parents[1] / "start" / "server.py").read_text(), re.M)
    assert found
    return found[1]


async def rotated(lab: Lab) -> Rotation:
    """Change the Secret to the new key and back, with requests that come with the one and with the other."""
    known = await lab.once(keys)
    body, whole = lab.traffic.hidden_rows(1).body, BEFORE + 2 * (FOLLOWED_WITHIN + QUIET) + 10

    def load(key: str) -> Any:
        headers = {HEADER: key}
        return lab.traffic.load("model", rate=RATE, duration=whole, body=body, headers=headers, late_at_most=LATE)

    async with hurried(lab), load(known.new) as new, load(known.current) as old:
        await lab.time.pause(BEFORE)
        try:
            await put(lab, "Secret", SECRET, KEY, base64.b64encode(known.new.encode()).decode())
            forth = await turned(lab, new, old, FOLLOWED_WITHIN)
        finally:
            await put_back(lab, "Secret", SECRET, KEY, known.stored)
        if well := forth.served is not None and forth.refused is not None:
            back = await turned(lab, old, new, FOLLOWED_WITHIN)
        else:  # nothing more is judged; but what follows begins with a key that is served
            back = await turned(lab, old, new, BACK_WITHIN, one_is_enough=True)
    first, second = (
        ("the new key", "the old key"),
        ("the old key, which was put back,", "the new key, taken away again,"),
    )
    last = (back, *second) if well else (forth, *first)
    return Rotation(
        let_in(forth, first[0]),
        let_in(last[0], last[1]),
        kept_out(last[0], last[2]),
        all_answered(new.report, old.report),
    )


async def turned(lab: Lab, now: Any, before: Any, within: float, *, one_is_enough: bool = False) -> Turn:
    """Wait until, for some seconds, the one load is let in everywhere and the other one refused everywhere."""
    began = now.elapsed
    served = refused = None
    while True:
        passed = now.elapsed - began
        one, other = recent(now), recent(before)
        if passed > QUIET and min(one.total(), other.total()) >= RATE:  # a second of answers
            served = served or (passed - QUIET if set(one) == {200} else None)
            refused = refused or (passed - QUIET if set(other) <= set(REFUSED) else None)
        if (served and (refused or one_is_enough)) or passed > within + QUIET:
            return Turn(served, refused, one, other)
        await lab.time.pause(0.5)


def recent(load: Any) -> Counter[int]:
    """The statuses of the requests of the last seconds."""
    return Counter(load.seen.window(load.elapsed - QUIET, load.elapsed).statuses)


def let_in(turn: Turn, what: str) -> Observation:
    """Whether a key was served by every pod in time."""
    late = f"after {FOLLOWED_WITHIN} s: {in_words(turn.now)}"
    seen = f"{what} is served after {turn.served:.0f} s" if turn.served else late
    return Observation(turn.served is not None, f"{what} is answered with 200 within {FOLLOWED_WITHIN} s", seen)


def kept_out(turn: Turn, what: str) -> Observation:
    """Whether a key was refused by every pod in time."""
    late = f"after {FOLLOWED_WITHIN} s: {in_words(turn.before)}"
    seen = f"{what} is refused after {turn.refused:.0f} s" if turn.refused else late
    return Observation(turn.refused is not None, f"{what} is refused within {FOLLOWED_WITHIN} s", seen)


def all_answered(*reports: Any) -> Observation:
    """No request was answered otherwise than with yes or no; else how many were, and how."""
    sent, lost, kinds = 0, 0, Counter[str]()
    for report in reports:
        sent += report.sent
        bad = {status: many for status, many in report.statuses.items() if status not in (0, 200, *REFUSED)}
        kinds += Counter({f"status {status}": many for status, many in bad.items()}) + report.errors
        lost += sum(bad.values()) + report.statuses.get(0, 0)
    return Observation(
        lost == 0,
        f"all of {sent} requests answered with 200, 401 or 403",
        f"{lost} of {sent} were not" if lost else f"all of {sent} requests answered",
        lost,
        tuple(f"{many} x {kind}" for kind, many in kinds.most_common(5)),
    )


async def put(lab: Lab, kind: str, name: str, entry: str, value: Any) -> None:
    """Change one entry of a Secret (in base64) or ConfigMap, and nothing else."""
    await lab.objects.patch(kind, name, {"data": {entry: value}})


async def put_back(lab: Lab, kind: str, name: str, entry: str, value: Any) -> None:
    """As `put`; tried again, since what the checker changed must not stay."""
    for _ in range(2):
        with contextlib.suppress(LabError):
            return await put(lab, kind, name, entry, value)
        await lab.time.pause(2)
    return await put(lab, kind, name, entry, value)


@contextlib.asynccontextmanager
async def hurried(lab: Lab) -> AsyncIterator[None]:
    """Have the kubelets look every few seconds whether mounted objects have changed, rather than every minute or so.

    A kubelet looks whenever its pod changes in any way; here in an annotation, which is gone at the end.
    """
    enough = asyncio.Event()

    async def hurry() -> None:
        turn = 0
        while not enough.is_set():
            turn += 1
            with contextlib.suppress(LabError):  # if it lasts, what is measured meanwhile says so
                await mark(lab, str(turn))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), HURRY_EVERY)

    task = asyncio.create_task(hurry())
    try:
        yield
    finally:
        enough.set()  # not cancelled: a request that is under way would come after the last one
        await task
        await mark(lab, None)


async def mark(lab: Lab, value: str | None) -> None:
    """Annotate the namespace's pods; None takes the annotation away."""
    for pod in await lab.objects.all("Pod"):
        if value or MARK in (pod["metadata"].get("annotations") or {}):
            change: Object = {"metadata": {"annotations": {MARK: value}}}
            await of_pod(lab, pod, lambda name: lab.objects.patch("Pod", name, change))  # noqa: B023 - called at once


async def of_pod(lab: Lab, pod: Object, look: Callable[[str], Awaitable[T]]) -> T | None:
    """What `look` says of a pod by its name; None if the pod went away meanwhile."""
    name = pod["metadata"]["name"]
    try:
        return await look(name)
    except LabError:
        there = await lab.objects.named("Pod", name).now()
        if there and there["metadata"]["uid"] == pod["metadata"]["uid"] and not leaving(there):
            raise
        return None


async def followed(
    lab: Lab,
    look: Callable[[], Awaitable[T]],
    test: Callable[[T], bool],
    *,
    expected: str,
    shown: Callable[[T], str],
    within: float = FOLLOWED_WITHIN,
) -> Observation:
    """As `lab.time.eventually`, with the kubelets hurried if it is not so at once."""
    if test(seen := await look()):
        return Observation(True, expected, shown(seen), seen)
    async with hurried(lab):
        return await lab.time.eventually(look, test, expected=expected, shown=shown, within=within)


async def statuses(lab: Lab, key: str) -> Counter[int]:
    """The statuses of 20 requests with a key."""
    body, headers = lab.traffic.hidden_rows(1).body, {HEADER: key}
    async with lab.traffic.load("model", rate=RATE, duration=2, body=body, headers=headers, late_at_most=LATE) as load:
        await load.finished()
    return Counter(load.report.statuses)


async def answered(lab: Lab, body: Any, key: str | None) -> Any:
    """The answer to a request with a key (None: without); asked again, twice at most, where none came."""
    headers = {} if key is None else {HEADER: key}
    for _ in range(3):
        answer = await lab.traffic.post("model", "/predict", body, headers=headers)
        if answer.status:
            break
    return answer


async def judged_by(lab: Lab, own: list[float], threshold: float, within: float = FOLLOWED_WITHIN) -> Observation:
    """Whether `late` is right by a threshold, in 6 answers at once, so that more than one pod is asked."""
    key, body = (await lab.once(keys)).current, lab.traffic.hidden_rows(len(own)).body
    wanted = [None if abs(value - threshold) < 1e-9 else value >= threshold for value in own]

    def wrong_in(answer: Any) -> str:
        if answer.status != 200:
            return f"status {answer.status}" if answer.status else f"no answer: {answer.error}"
        late = answer.fields_if_any.get("late")
        if not isinstance(late, list) or len(late) != len(own) or not all(isinstance(one, bool) for one in late):
            return f"`late` is not {len(own)} times true or false"
        bad = sum(right is not None and one != right for one, right in zip(late, wanted, strict=True))
        return f"wrong for {bad} of {len(own)} flights" if bad else ""

    async def look() -> list[str]:
        return [wrong_in(each) for each in await asyncio.gather(*(answered(lab, body, key) for _ in range(6)))]

    return await followed(
        lab,
        look,
        lambda seen: not any(seen),
        expected=f"`late` is true from {threshold:g} on",
        shown=lambda seen: next(filter(None, seen), f"right for {len(own)} flights"),
        within=within,
    )


def other_threshold(own: list[float], now: float) -> str:
    """One that turns the verdict on 8 flights or more, and is no flight's probability."""
    steps = sorted(set(own))
    between = [(low + high) / 2 for low, high in itertools.pairwise(steps) if high - low > 1e-3]
    far = [each for each in between if sum((one >= each) != (one >= now) for one in own) >= 8]
    return f"{secrets.choice(far):.5f}"


async def in_processes(lab: Lab, pod: Object, signs: tuple[str, ...]) -> list[str]:
    """Where in the processes of a pod's containers the key is, in words."""
    places: list[str] = []
    for container in [] if leaving(pod) else running(pod):
        where = f"pod {pod['metadata']['name']}, container {container}"

        async def look(name: str, container: str = container) -> list[str]:
            done = await lab.objects.run_in(name, "sh", "-c", LOOK, container=container, within=LOOK_WITHIN)
            return done.lines

        lines = await of_pod(lab, pod, look)
        if lines is None:
            continue
        seen: dict[str, str] = {}
        file = ""
        for line in lines:
            file = line.removeprefix("== ") if line.startswith("== ") else file
            if has(line, signs):
                what = "command line" if file.endswith("cmdline") else f"environment variable {line.partition('=')[0]}"
                seen.setdefault(what, f"{where}: {what} ({file})")
        places += seen.values()
    return places


async def in_logs(lab: Lab, pod: Object, signs: Mapping[str, str]) -> list[str]:
    """Which keys are in the logs of a pod's containers, in words."""
    places = []
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        runs = [False] if "waiting" not in (each.get("state") or {}) else []
        for previous in [*runs, True] if each.get("restartCount") else runs:

            async def look(name: str, container: str = each["name"], previous: bool = previous) -> str:
                async def part(tail: int | None) -> str:
                    return await lab.objects.logs(name, container, tail=tail, previous=previous, limit=PART)

                with contextlib.suppress(LabError) if previous else contextlib.nullcontext():  # it may be gone
                    return await part(None) + await part(LINES)
                return ""

            text = await of_pod(lab, pod, look) or ""
            places += [
                f"{what} in the log of pod {pod['metadata']['name']}, container {each['name']}"
                + (", before its restart" if previous else "")
                for what, key in signs.items()
                if has(text, forms(key))
            ]
    return places


def in_object(item: Object, signs: tuple[str, ...]) -> Iterator[str]:
    """Where in an object the key is, in words."""

    def inside(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, one in value.items():
                if key == LAST_APPLIED:  # most of it is in the object too
                    continue
                named = has(str(key), signs)
                place = "(an entry with the key as its name)" if named else str(key)
                place = f"{path}.{place}" if path else place
                if named:
                    yield place
                yield from inside(one, place)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                yield from inside(one, f"{path}[{index}]")
        elif isinstance(value, str) and has(value, signs):
            yield path

    whose = f"{item['kind']} {item['metadata']['name']}"
    places = list(inside(item, ""))
    applied = (item["metadata"].get("annotations") or {}).get(LAST_APPLIED, "")
    if not places and has(applied, signs):
        places = [f"metadata.annotations.{LAST_APPLIED}"]
    return (f"{whose}: {path}" for path in places)


def forms(key: str) -> tuple[str, ...]:
    """A key as it is, and as base64 shows it (to the last whole group, as a line end may have been encoded too)."""
    encoded = base64.b64encode(key.encode()).decode()
    return key, encoded.rstrip("=")[: len(key) // 3 * 4]


def has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)


def running(pod: Object) -> list[str]:
    """The names of a pod's containers that run."""
    found = (pod.get("status") or {}).get("containerStatuses") or []
    return [each["name"] for each in found if "running" in (each.get("state") or {})]


def leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def changeable(item: Object) -> Observation:
    """Whether a Secret or ConfigMap may be changed at all."""
    fixed = bool(item.get("immutable"))
    return Observation(
        not fixed,
        f"a {item.get('kind', 'Secret')} that can be changed",
        "it is immutable" if fixed else "it can be changed",
    )


def number(text: Any) -> float | None:
    """A plain number from a ConfigMap's text, or None."""
    try:
        return float(text) if abs(float(text)) < 1e9 else None
    except (TypeError, ValueError):
        return None


def in_words(seen: Counter[int]) -> str:
    """Statuses with how many there were of each."""
    words = [f"{many} x {status or 'no answer'}" for status, many in sorted(seen.items())]
    return ", ".join(words) or "nothing was answered"


async def why_not_let_in(lab: Lab, seen: Counter[int]) -> str:
    """What usually explains that the Secret's key is not served."""
    if any(status in seen for status in REFUSED):
        stored = base64.b64decode((await lab.once(keys)).stored)
        line = "The entry ends with a line end, as echo and editors make it: is that left out of the comparison? "
        return (
            "the server compares with something else than the Secret's key. "
            + (line if stored != stored.strip() else "")
            + f"{PLAIN} Compare what the server reads with kubectl get secret {SECRET} -o 'jsonpath={{.data.{KEY}}}' | "
            "base64 -d"
        )
    if 0 in seen:
        return (
            "no answer: nobody listens where the Service sends to, or the server hangs. The Service's targetPort must "
            "be the port that the server listens on: kubectl get endpointslices, kubectl logs deploy/model"
        )
    return (
        "kubectl logs deploy/model has the exception behind a status 500. A file that can't be read? With mode 0400 a "
        "Secret's file is its owner's, which is root, and the server is another user; securityContext.fsGroup gives it "
        f"to a group. An error in decoding? {PLAIN}"
    )


def why_let_in(wrong: Mapping[str, int]) -> str:
    """What usually explains that other keys are not refused."""
    if all(status == 422 or status >= 500 or not status for status in wrong.values()):
        return (
            "that is neither served nor refused. 422 is FastAPI's answer where a header that the function needs is "
            "missing: a default value leaves the decision to you. Behind a 500 is an exception, and kubectl logs "
            "deploy/model has it: what does the comparison do with None?"
        )
    if any(what in wrong for what in ("no key", "an empty key")):
        return (
            "who has no key must be refused like who has a wrong one. Look at what the comparison does with a header "
            "that is missing or empty: each text begins with the empty one, and `if key and ...` lets whoever has none "
            "through"
        )
    if "the key that was in the source" in wrong:
        return BURNT
    return (
        "only the whole key is the key: compare for equality, and as hmac.compare_digest does, which takes as long for "
        "a key that is nearly right. Where a part is enough, it can be found bit by bit"
    )


async def why_not_followed(lab: Lab, kind: str, name: str) -> str:
    """What in the pods explains that a change of a Secret or ConfigMap does not reach the server."""
    reference, source, volume = (
        ("secretKeyRef", "secretRef", ("secret", "secretName"))
        if kind == "Secret"
        else ("configMapKeyRef", "configMapRef", ("configMap", "name"))
    )
    env = parts = mounted = False
    for pod in await lab.objects.pods_of("model"):
        spec = pod["spec"]
        volumes = {
            each["name"] for each in spec.get("volumes") or [] if (each.get(volume[0]) or {}).get(volume[1]) == name
        }
        for each in spec["containers"]:
            refers = [((one.get("valueFrom") or {}).get(reference) or {}).get("name") for one in each.get("env") or []]
            refers += [(one.get(source) or {}).get("name") for one in each.get("envFrom") or []]
            mounts = [one for one in each.get("volumeMounts") or [] if one["name"] in volumes]
            env, mounted = env or name in refers, mounted or bool(mounts)
            parts = parts or any(one.get("subPath") for one in mounts)
    if parts:
        return (
            f"the {kind} is mounted with subPath. That is a file from when the container started, and is never brought "
            "up to date; a volume that is mounted as a whole folder is"
        )
    if mounted:
        return (
            f"the {kind} is mounted, and the kubelet brings its files up to date (ls -l in the mounted folder shows "
            "when), so the server goes by what it has read before. When does it read: once, or when it needs to know?"
        )
    if env:
        return (
            f"the {kind} is in environment variables. A process gets its environment when it starts, and nobody can "
            "change it after that; files of a mounted volume are brought up to date"
        )
    return (
        f"nothing in the pods refers to {kind} {name}: so the server goes by what is in its program or somewhere else. "
        "kubectl get deployment model -o yaml shows volumes and environment"
    )
