"""A person who wishes to be forgotten, and what is left of them: in answers, lines, files and logs."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.inside import printed
from mlops_lab.kit.pods import lasting, name
from mlops_lab.kube.client import Object

from .records import Kept
from .scenario import pods_of_it
from .service import Trail, digest

SEARCHED, LOGGED = 64 << 20, 8 << 20  # bytes of files, and of a log, that are looked through
SIGNS = ("", ":", "|", "-", " ", "/")  # between what a digest is made of
APART = 16  # digits of 32 or more in which two salts differ at least
SHORT = 4  # characters below which a value says nothing about anybody
# Prints what is found where, a line each. Words and folders come in the command, since nothing of it stays anywhere.
_LOOK = r"""
import base64, bz2, json, lzma, os, re, sys, time, zlib
words, folders = json.loads(base64.b64decode(sys.argv[1])), sys.argv[2:]
left = most = {searched}
tries, end, far, wide = 20_000, time.monotonic() + 10, 256 << 10, 1 << 20
kinds = (
    (rb"\x1f\x8b\x08|x[\x01\x5e\x9c\xda]", lambda: zlib.decompressobj(47)),
    (rb"BZh[1-9]1AY&SY", bz2.BZ2Decompressor),
    (rb"\xfd7zXZ\x00", lzma.LZMADecompressor),
)


def unpacked(content):
    for _, begin in kinds:
        found, rest = b"", content
        try:
            while rest and len(found) < most:
                part = begin()
                found += part.decompress(rest, most)
                rest = part.unused_data
        except Exception:
            pass  # it is nothing of that kind, or was still written to
        yield found


def inside(content):  # what begins behind the first byte, such as a value in a database's file
    global tries
    for sign, begin in kinds:
        for match in re.finditer(sign, content):
            if not match.start():
                continue
            tries -= 1
            if tries < 0 or time.monotonic() > end:
                return
            part, found = begin(), b""
            try:
                for at in range(match.start(), match.start() + far, 256):
                    found += part.decompress(content[at : at + 256], wide)
                    if part.eof or at >= len(content) or len(found) >= wide:
                        break
            except Exception:
                pass  # no more of it follows
            yield found


for folder in folders:
    for place, _, files in os.walk(folder):
        for each in files:
            path, told = os.path.join(place, each), set()
            for word in words:
                if word in path:
                    print(word, "in the name of", path)
            try:
                if os.path.islink(path) or not os.path.isfile(path) or left <= 0:
                    continue
                with open(path, "rb") as file:
                    content = file.read(left)
            except OSError:
                continue
            left -= len(content)
            for looked in ((content,), unpacked(content), inside(content)):
                for form in looked:
                    for word in words:
                        if word.encode() in form or word.encode("utf-16-le") in form:
                            told.add(f"{word} in {path} {'' if form is content else '(packed)'}")
            for line in sorted(told):
                print(line)
"""


@dataclass(frozen=True)
class Person:
    """Somebody, with what was decided about them."""

    kept: list[Kept]

    @property
    def number(self) -> str:
        """By which the bank knows them."""
        return str(self.kept[0].application["person"])

    @property
    def words(self) -> list[str]:
        """What must not be found anywhere: the number, both names, the salts."""
        names = str(self.kept[0].application["name"]).split()
        return [self.number, *names, *(str(each.fields["salt"]) for each in self.kept)]


async def in_files(lab: Lab, words: list[str]) -> list[str]:
    """Where in the pods' own files words are found."""
    found: list[str] = []
    for pod in await pods_of_it(lab):
        known = {each["name"] for each in pod["spec"].get("volumes") or []
                 if "persistentVolumeClaim" in each or "emptyDir" in each or "ephemeral" in each}  # fmt: skip
        for container in lasting(pod):
            mounts = [each["mountPath"] for each in container.get("volumeMounts") or [] if each["name"] in known]
            told = base64.b64encode(json.dumps(words).encode()).decode()
            program = _LOOK.replace("{searched}", str(SEARCHED))
            seen = await printed(
                lab, pod, "python3", "-c", program, told, "/tmp", *mounts, container=container["name"], within=30
            )
            found += seen.lines
    return found


async def in_log(lab: Lab, words: list[str]) -> list[str]:
    """Which words the pods have logged."""
    found: list[str] = []
    for pod in await pods_of_it(lab):
        for container in lasting(pod):
            text = await lab.objects.logs(name(pod), container["name"], tail=None, limit=LOGGED)
            found += [f"{word} in the log of container {container['name']}" for word in words if word in text]
    return found


def in_lines(trail: Trail, words: list[str]) -> list[str]:
    """Which words stand in lines of the trail."""
    return [f"{word} in line {number}" for number, line in enumerate(trail.lines, trail.first)
            for word in words if word.encode() in line or word.encode() in plain(line)]  # fmt: skip


def plain(line: bytes) -> bytes:
    """A line without JSON's own escapes."""
    return json.dumps(json.loads(line), ensure_ascii=False).encode(errors="replace")


def values_of(value: Any) -> Iterable[str]:
    """All values in a line that may tell who it was, as texts."""
    if isinstance(value, dict):
        for each in value.values():
            yield from values_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from values_of(each)
    elif not isinstance(value, bool) and len(text := str(value)) >= SHORT:
        yield text


def recognised(old: Object, new: Object, others: list[Object]) -> Observation:
    """Whether a new line tells that somebody was here before.

    Args:
        old, new: lines of decisions about the same person with the same data; in between they were erased.
        others: lines of decisions about others.
    """
    usual = {value for each in others for value in values_of(each)}
    common = sorted(set(values_of(old)) & set(values_of(new)) - usual)
    fields = [key for key in new if set(values_of(new[key])) & set(common)]
    seen = f"{', '.join(fields)}: {common[0][:60]} again" if common else "the lines have nothing of their own in common"
    return Observation(
        not common, "after the erasure the same application leaves a line that has nothing of the old one's", seen,
        timed=False,
    )  # fmt: skip


def guessable(person: Person, others: list[Kept]) -> Observation:
    """Whether a salt is one: each another, and not made of what else is known."""
    salts = [str(each.fields["salt"]).lower() for each in (*person.kept, *others)]
    near = next(((one, two) for one, two in combinations(salts, 2) if alike(one, two)), None)
    said = f"two decisions with the same salt, or nearly: {near[0][:40]} and {near[1][:40]}" if near else ""
    for each in (*person.kept, *others):
        if made_of := derived(each):
            said = made_of
    return Observation(not said, "a salt that is drawn for each decision", said or f"{len(salts)} salts, all others")


def alike(one: str, two: str) -> bool:
    """Do two salts differ in few digits only, as those of a clock or a counter? Drawn ones do so once in 10^9 times."""
    return len(one) == len(two) and sum(a != b for a, b in zip(one, two, strict=True)) < APART


def derived(kept: Kept) -> str:
    """What a salt was made of, if it is the digest of something that is known; empty if it seems to be drawn."""
    fields = kept.fields
    application = fields["application"]
    parts = [*(str(fields[key]) for key in ("decision", "at", "model", "code")), application["person"],
             application["name"], json.dumps(application), json.dumps(application, sort_keys=True),
             json.dumps(application, separators=(",", ":"), sort_keys=True)]  # fmt: skip
    joined = [sign.join(each) for many in (2, 3) for each in product(parts[:6], repeat=many) for sign in SIGNS]
    joined += [sign.join(each) for pair in product(parts[6:], parts) for each in (pair, pair[::-1]) for sign in SIGNS]
    rest = {key: value for key, value in fields.items() if key != "salt"}
    for whole in (rest, {key: value for key, value in rest.items() if key != "code"}):
        for ordered, apart in product((False, True), (None, (",", ":"))):
            joined.append(json.dumps(whole, sort_keys=ordered, separators=apart))
    salt = str(fields["salt"]).lower()
    for space, text in product((uuid.NAMESPACE_OID, uuid.NAMESPACE_URL, uuid.NAMESPACE_DNS), parts):
        if salt in (uuid.uuid5(space, text).hex, uuid.uuid3(space, text).hex):
            return f"a salt that is the UUID of what the record or the trail says: {text[:50]}"
    for text in (*parts, *joined):
        for kind in ("sha256", "md5", "sha1", "sha512", "blake2b"):
            made = hashlib.new(kind, text.encode()).hexdigest()
            if made.startswith(salt[: len(made)]) or salt in made:
                return f"a salt that is the {kind} of what the record or the trail says: {text[:50]}"
    plain = salt == digest(b"") or salt == str(fields["decision"]).replace("-", "").lower() or len(set(salt)) < 6
    return f"salt {salt[:40]}" if plain else ""
