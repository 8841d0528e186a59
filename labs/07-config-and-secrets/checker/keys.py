"""The partners' key in the Secret, others that must not be taken for it, and requests with one of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import secrets
import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, Observation, at_least, equal_to, expect, holds, observe
from mlops_lab.kit.pods import every_container
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.presence import exists
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.measure.traffic.load import Load

from .why import BURNT, IMMUTABLE, NO_SECRET

SECRET, KEY = "api-key", "key"
HEADER = "X-API-Key"
REFUSED = (401, 403)
RATE, LATE = 10, 3.0  # requests a second with each key; s that they may leave late: no latencies are measured
LETTERS = 16  # of a key, at least: shorter ones are guessed, and found where they only look alike
LONG = 72  # as some vaults make them
# None that a log writes otherwise than it is (quotes, backslashes, < and > in JSON), so that a key is found there.
SIGNS = "-_.~!@#$%^*()+=/:;,?{}[]|"
WORD = re.compile(r"[!-~]{8,200}")  # what somebody may take for a key
QUOTED = re.compile(r"""["']([^\s"']{8,200})["']""")
MOST_WORDS = 80


@dataclass(frozen=True)
class Keys:
    """The Secret's key, two that the checker changes it to, and others that nobody was given.

    Attributes:
        stored: the Secret's entry as it is, in base64.
        new: one that has as few characters as a key may have, if the Secret's has not.
        longer: one that is long, to which it is changed then.
        stranger: one that was never right.
        others: what must be refused, by what it is; None is no header at all.
    """

    current: str
    stored: str
    new: str
    longer: str
    stranger: str
    others: Mapping[str, str | None]


async def read_keys(lab: Lab) -> Keys:
    """Read the Secret, and make up the keys of this run."""
    data = (await exists(lab, "Secret", SECRET, NO_SECRET, others=True)).get("data") or {}
    entries = f"its entries: {', '.join(sorted(data)) or 'none'}"
    expect(holds(KEY in data, f"an entry {KEY} in Secret {SECRET}", entries)).because(
        f"kubectl create secret generic {SECRET} --from-file={KEY}=FILE names the entry; the part before = is its name"
    )
    stored = str(data[KEY])
    try:
        key = base64.b64decode(stored).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    printable = re.fullmatch(r"[!-~]+", key) is not None
    otherwise = "it has other characters" if key else "it is empty, or no text"
    expect(holds(printable, "a key of printable ASCII", otherwise)).because(
        "the key travels in a header, which can carry no line ends, and other characters badly"
    )
    expect(observe("characters of the key", len(key), at_least(LETTERS))).because(
        "a short key is guessed. openssl rand -hex 16, or uuidgen, makes one that is not"
    )
    source = "in the Secret" if key == key_in_source() else "gone"
    expect(observe("the key that was in the source", source, equal_to("gone"))).because(BURNT)
    new, longer = (new_key(each if each != len(key) else each + 8) for each in (LETTERS, LONG))
    stranger = secrets.token_hex(12)
    others = {
        "no key": None,
        "an empty key": "",
        "the right key's first character": key[0],
        "the right key's first half": key[: len(key) // 2],
        "the right key's second half": key[len(key) // 2 :],
        "the right key without its first character": key[1:],
        "the right key behind another character": f"x{key}",
        "the right key behind another one and a comma": f"{stranger},{key}",
        "the right key before a comma and another one": f"{key},{stranger}",
        "the right key before a space and another one": f"{key} {stranger}",
        "the right key behind Bearer": f"Bearer {key}",
        "the right key in quotation marks": f'"{key}"',
        **nearly("the right key", key),
        "the right key with another first character": with_another(key, 0),
        "the right key with another character in the middle": with_another(key, len(key) // 2),
        "the right key in base64": base64.b64encode(key.encode()).decode(),
        "the right key and a letter that is not ASCII": key + secrets.choice("àçéñöøßü"),
        "a key of the checker's": stranger,
        "the key that was in the source": key_in_source(),
    }
    if key.swapcase() != key:
        others["the right key in other case"] = key.swapcase()
    around = [item for kind in ("Secret", "Pod", "ConfigMap") for item in await lab.objects.all(kind)]
    others |= lying_around(around, {key, *others.values()})
    return Keys(key, stored, new, longer, stranger, others)


def lying_around(items: Iterable[Object], known: Collection[str | None]) -> dict[str, str]:
    """What a server might take for a key beside the right one, by where it stands: one for tests, or for a colleague.

    Args:
        items: Secrets, ConfigMaps and pods.
        known: what need not be tried.
    """
    found: dict[str, str] = {}
    for where, text in (each for item in items for each in _texts(item)):
        for word in (text.strip(), *QUOTED.findall(text)):
            if WORD.fullmatch(word) and word not in known and word not in found.values() and len(found) < MOST_WORDS:
                found[f"what stands in {where} ({len(found) + 1})"] = word
    return found


def _texts(item: Object) -> Iterator[tuple[str, str]]:
    """The entries of a Secret or a ConfigMap, and the variables of a pod, each with where it stands."""
    kind = item.get("kind")
    for entry, text in (item.get("data") or {}).items():
        with contextlib.suppress(ValueError):
            plain = base64.b64decode(str(text)).decode() if kind == "Secret" else str(text)
            yield f"entry {entry} of {kind} {name_of(item)}", plain
    for container in every_container(item["spec"]) if kind == "Pod" else ():
        for each in container.get("env") or []:
            yield f"variable {each['name']} of pod {name_of(item)}", str(each.get("value") or "")


def nearly(name: str, key: str) -> dict[str, str]:
    """Keys that are another one at the end of a key alone, by what they are."""
    return {
        f"{name} with another last character": with_another(key, len(key) - 1),
        f"{name} without its last character": key[:-1],
        f"{name} and a character more": f"{key}x",
    }


def with_another(key: str, at: int) -> str:
    """A key with another character in one place."""
    return key[:at] + ("y" if key[at] == "x" else "x") + key[at + 1 :]


def new_key(length: int) -> str:
    """One as a vault makes it: of letters, digits and signs."""
    draw, letters = secrets.SystemRandom(), string.ascii_letters + string.digits
    signs = draw.sample(SIGNS, 4)
    found = signs + draw.choices(letters + SIGNS, k=length - len(signs))
    draw.shuffle(found)
    return "".join(found)


def expect_changeable(item: Object) -> None:
    """Let a Secret or ConfigMap that may not be changed at all fail."""
    expect(holds(not item.get("immutable"), f"a {item['kind']} that can be changed", "it is immutable")).because(
        IMMUTABLE
    )


def key_in_source() -> str:
    """The key that the server has in its source when the learner begins."""
    source = (Path(__file__).parents[1] / "start" / "server.py").read_text(encoding="utf-8")
    found = re.search(r'^API_KEY = "(.+)"$', source, re.MULTILINE)
    assert found
    return found[1]


def load(lab: Lab, key: str, *, duration: float) -> AbstractAsyncContextManager[Load]:
    """Requests with a key, for so many seconds at most."""
    body, headers = lab.traffic.hidden_rows(1).body, {HEADER: key}
    return lab.traffic.load("model", rate=RATE, duration=duration, body=body, headers=headers, late_at_most=LATE)


async def statuses(lab: Lab, key: str) -> Counter[int]:
    """The statuses of 20 requests with a key."""
    async with load(lab, key, duration=2) as requests:
        await requests.finished()
    return Counter(requests.report.statuses)


async def answered(lab: Lab, body: Any, key: str | None, *, service: str = "model") -> Answer:
    """The answer to a request with a key (None: without); asked again, twice at most, where none came."""
    headers = {} if key is None else {HEADER: key}
    answer = await lab.traffic.post(service, "/predict", body, headers=headers)
    for _ in range(2):
        if answer.status:
            break
        answer = await lab.traffic.post(service, "/predict", body, headers=headers)
    return answer


async def asked_with(lab: Lab, others: Mapping[str, str | None]) -> dict[str, Answer]:
    """The answers to requests with keys, by what each key is."""
    body = lab.traffic.hidden_rows(1).body
    given = await asyncio.gather(*(answered(lab, body, key) for key in others.values()))
    return dict(zip(others, given, strict=True))


def all_refused(answers: Mapping[str, Answer], expected: str) -> Observation:
    """Whether all of these are refusals; its value is the status of each that is none, by what its key is."""
    wrong = {what: answer.status for what, answer in answers.items() if answer.status not in REFUSED}
    seen = ", ".join(f"{status} with {what}" for what, status in wrong.items()) or f"{len(answers)} others refused"
    return Observation(not wrong, expected, seen, wrong)


async def ill_asked(lab: Lab, key: str) -> None:
    """Ask with a key for what there is no answer to: rows that are none, a body that is no JSON, another method, path.

    Whatever is answered is right.
    """
    headers = {HEADER: key}
    bodies: tuple[Any, ...] = ({}, [], {"rows": "none"}, {"rows": [{"hour": "late"}]}, "no JSON")
    asked: list[tuple[str, str, Any]] = [("POST", "/predict", each) for each in bodies]
    asked += [("GET", "/predict", None), ("POST", "/no-such-path", {})]
    await asyncio.gather(*(lab.traffic.request(how, "model", path, body, headers=headers) for how, path, body in asked))


def in_words(seen: Counter[int]) -> str:
    """Statuses with how many there were of each."""
    words = [f"{many} x {status or 'no answer'}" for status, many in sorted(seen.items())]
    return ", ".join(words) or "nothing was answered"
