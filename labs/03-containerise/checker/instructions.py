"""What the learner's Dockerfile says, instruction by instruction: what installs packages, and what the engine fetches
for it, images included.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import pairwise, takewhile
from pathlib import PurePosixPath

from .planting import START

COMMANDS = re.compile(r"[;&|\n()]")
WORDS = re.compile(r"[\s\"',\[\]{}]+")
INSTALLERS = re.compile(r"(?:.*/)?(?:pip[\d.]*|uv)")
ORDERS = {"install", "sync", "wheel", "add"}  # what makes an installer install, and what makes it do something else
OTHER_ORDERS = {
    "uninstall",
    "remove",
    "download",
    "list",
    "show",
    "check",
    "freeze",
    "config",
    "cache",
    "inspect",
    "venv",
}
WHEEL_FOLDER = ("-w", "--wheel-dir", "-d", "--dist-dir")  # of pip wheel, and of bdist_wheel
REQUIREMENTS = "requirements.txt"
LIST = re.compile(r"-r.*|--requirements?(?:=.*)?")
ARCHIVES = (".whl", ".tar.gz", "*")
PACKAGES = {line.partition("==")[0] for line in (START / REQUIREMENTS).read_text(encoding="utf-8").split()}
REFERENCE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?:(?P<sign>:?[-+])(?P<other>[^${}]*)|[^${}]*)\})")
NESTED = 3  # references within each other's defaults
VALUE = re.compile(r"\b(\w+)[= ]\s*(\S+)")


def installs(step: str, packages: Collection[str] = PACKAGES, own: Collection[str] = ()) -> bool:
    """Does an instruction install packages? The source itself may be one, without what it needs.

    Args:
        packages: names of those that are given.
        own: folders with wheels of the source alone, as `own_wheels` finds them.
    """
    return any(_installs(WORDS.split(command), packages, own) for command in COMMANDS.split(step))


def _installs(words: list[str], packages: Collection[str], own: Collection[str]) -> bool:
    """Does one command do so? A program's first order is what it does; names of packages come behind it."""
    program = next((at for at, word in enumerate(words) if INSTALLERS.fullmatch(word)), None)
    if program is None:
        return any(word.endswith("pip-sync") for word in words)
    order = next((word for word in words[program:] if word in ORDERS or word in OTHER_ORDERS), "")
    behind = words[program:]
    return order in ORDERS and ("--no-deps" not in words or any(_given(word, packages, own) for word in behind))


def _given(word: str, packages: Collection[str], own: Collection[str]) -> bool:
    """Does a word name packages that are given: one of them, a list, or the archive of one, wherever that lies?"""
    if word.endswith(REQUIREMENTS) or LIST.fullmatch(word):
        return True
    folder, _, file = word.rpartition("/")
    if not file.endswith(ARCHIVES):
        return distribution(re.split(r"[=<>~!;@]", word)[0]) in packages
    if "*" not in file:
        return distribution(file) in packages
    begins = distribution(file.partition("*")[0])
    return (
        word.startswith("/")
        and PurePosixPath(folder).name not in own
        and any(f"{name}-".startswith(begins) for name in packages)
    )


def distribution(file: str) -> str:
    """The name of a package, from its own or an archive's: `flight-delay` from `flight_delay-1.0.tar.gz`."""
    return re.split(r"-(?=\d)", file.lower().replace("_", "-"))[0]


def own_wheels(dockerfile: str, packages: Collection[str] = PACKAGES) -> set[str]:
    """The last names of folders in which a Dockerfile puts wheels of the source alone; what installs them may do so."""
    own: set[str] = set()
    others: set[str] = set()
    for word, rest in _instructions(dockerfile):
        for command in COMMANDS.split(rest) if word == "RUN" else ():
            words = WORDS.split(command.replace("=", " "))
            if "wheel" in words or "bdist_wheel" in words:
                into = others if _installs(WORDS.split(command), packages, ()) else own
                into.update(PurePosixPath(to).name for flag, to in pairwise(words) if flag in WHEEL_FOLDER)
    return own - others


def fetches(dockerfile: str) -> list[str]:
    """The ADD instructions that fetch something: the engine does it, which has a network when the build has none."""
    known: dict[str, str] = {}
    found = []
    for word, rest in _instructions(dockerfile):
        resolved = _resolved(rest, known)
        if word in ("ARG", "ENV"):
            known.update(_values(resolved))
        elif word == "ADD" and re.search(r"\w://|\bgit@", resolved):
            found.append(f"{word} {' '.join(rest.split())}"[:160])
    return found


def from_elsewhere(dockerfile: str, registry: str) -> list[str]:
    """The images of FROM, COPY --from and RUN --mount that are in another registry: the engine pulls those, too.

    A stage of the file's own is none, by name or number, nor is `scratch`. What a line `# syntax=` names is not pulled:
    it is a comment for the engine's own builder.
    """
    known: dict[str, str] = {}
    stages, begun = {"scratch"}, False
    ours = f"{registry.rstrip('/')}/"
    found = []
    for word, rest in _instructions(dockerfile):
        words = [each.strip("\"'") for each in _resolved(rest, known).split()]
        flags = list(takewhile(lambda each: each.startswith("--"), words))
        named = words[len(flags) :]
        images = []
        if word == "ARG" and not begun:  # FROM knows none of those behind the first one
            known.update(_values(" ".join(words)))
        elif word == "FROM" and (len(named) == 1 or [each.upper() for each in named[1:2]] == ["AS"]):
            images = named[:1]
        elif word in ("COPY", "RUN"):
            options = [each for flag in flags for each in re.split("--mount=|--|,", flag)]
            images = [each.removeprefix("from=").strip("\"'") for each in options if each.startswith("from=")]
        for image in images:
            own = image.isdigit() or image.lower() in stages or image.startswith(ours)
            if re.match(r"\w", image) and not own:  # of what is no name of an image the builder tells
                found.append(image[:160])
        if word == "FROM":
            begun = True
            stages.update(each.lower() for each in named[2:3])
    return list(dict.fromkeys(found))


def _instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile, also those behind ONBUILD: the word, and what comes behind it in one line."""
    escape = "`" if re.match(r"(?i)\s*#\s*escape\s*=\s*`", dockerfile) else "\\"
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for step in re.sub(rf"{re.escape(escape)}[ \t]*\n", " ", "\n".join(lines)).splitlines():
        word, rest = [*re.sub(r"(?i)^\s*ONBUILD\s+", "", step).split(None, 1), "", ""][:2]
        yield word.upper(), rest


def _values(rest: str) -> dict[str, str]:
    """The values that ARG or ENV gives."""
    return {name: value.strip("\"'") for name, value in VALUE.findall(rest)}


def _resolved(rest: str, known: Mapping[str, str]) -> str:
    """What comes behind an instruction's word, with values in place of references; the innermost come first."""
    for _ in range(NESTED):
        rest = REFERENCE.sub(partial(_value, known), rest)
    return rest


def _value(known: Mapping[str, str], reference: re.Match[str]) -> str:
    """What stands in place of `$NAME`, `${NAME:-default}` or `${NAME:+another}`."""
    value, sign = known.get(reference["plain"] or reference["name"], ""), reference["sign"] or ""
    if sign.endswith("+"):
        return reference["other"] if value else ""
    return value or reference["other"] or ""
