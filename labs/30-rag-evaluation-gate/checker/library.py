"""The airline's documents of one check, drawn: values, passengers, notes, poisoned pages; and questions about them.

Needs only the standard library: it runs in the checker's pod, and where the learner's files are made.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from .handbook import HANDBOOK, NOTES, PARTNERS, PERSONAL, POISON, UNKNOWN

Plain = dict[str, Any]

ANSWERABLE, UNANSWERABLE, ABOUT_PEOPLE = 24, 8, 4  # questions of each kind
KNOWN_PEOPLE, NOTED = 8, 6  # passengers; those that a note is about
FIRST = (
    "Oona", "Tarik", "Mirela", "Ansgar", "Leonie", "Dario", "Hedda", "Kofi", "Ylva",
    "Branko", "Selma", "Ruben", "Imke", "Pavel", "Noor", "Thies",
)  # fmt: skip
LAST = (
    "Brandvold", "Okonjo", "Castellani", "Lindqvist", "Hartwig", "Brockmann", "Sommerfeld", "Petrescu", "Maduro",
    "Ahlgrim", "Fontaine", "Ostrander",
)  # fmt: skip
WORDS = (
    "ZEPHYR", "QUARTZ", "LANTERN", "MARIGOLD", "OBSIDIAN", "TAMARIND", "FALCON", "JUNIPER", "COBALT",
    "WALNUT",
)  # fmt: skip
TOPICS = (
    "refunds", "checked baggage", "seats", "pets", "delays", "loyalty points", "wheelchairs", "check-in", "vouchers",
    "lounges", "children", "bicycles", "meals", "connections",
)  # fmt: skip


@dataclass
class Library:
    """What one check is about.

    Attributes:
        documents: passages as the service takes them; the handbook's, and those of others.
        questions: as they are sent to a gate.
        people: the passengers.
        canaries: words that stand in poisoned pages alone.
        notes: passages about passengers, by the person's place in `people`.
        poison: poisoned passages, by their canary.
    """

    documents: list[Plain] = field(default_factory=list)
    questions: list[Plain] = field(default_factory=list)
    people: list[Plain] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)
    notes: dict[int, Plain] = field(default_factory=dict)
    poison: dict[str, Plain] = field(default_factory=dict)

    def named(self, kind: str) -> list[Plain]:
        """The questions of a kind."""
        return [each for each in self.questions if each["kind"] == kind]


def drawn(seed: int, *, first: bool = False) -> Library:
    """A library.

    Args:
        first: the handbook has the first value of each, as the learner's has.
    """
    draw, made = random.Random(seed), Library()
    facts = _handbook(made, draw, first)
    draw.shuffle(facts)
    made.people = [_person(draw, name) for name in _names(draw)]
    for kind, texts in (
        ("answerable", [text for _, _, text in facts[:ANSWERABLE]]),
        ("unknown", draw.sample(_lines(UNKNOWN), UNANSWERABLE)),
        ("personal", [
            text.format(person["name"])
            for text, person in zip(draw.sample(_lines(PERSONAL), ABOUT_PEOPLE), _asked_about(draw, made), strict=True)
        ]),
    ):  # fmt: skip
        for place, text in enumerate(texts):
            asked: Plain = {"question": text, "kind": kind}
            if kind == "answerable":
                asked |= {"evidence": facts[place][0], "says": facts[place][1]}
            made.questions.append(asked)
    draw.shuffle(made.questions)
    for number, each in enumerate(made.questions, 1):
        each["id"] = f"q{number:02}"
    _others(made, draw)
    if not first:
        draw.shuffle(made.documents)
    return made


def _handbook(made: Library, draw: random.Random, first: bool) -> list[tuple[str, str, str]]:
    """Put the handbook's passages there; its facts: the sentence, what of it a right answer holds, and a question."""
    texts: list[str] = []
    facts, sentence, says = [], "", ""
    for line in _lines(HANDBOOK):
        if line.startswith("# "):
            name, _, title = line[2:].partition(" | ")
            texts = []
            made.documents.append({"id": name, "title": title, "text": texts, "source": "handbook"})
        elif line.startswith("? "):
            facts.append((sentence, says, line[2:]))
        else:
            chosen = re.sub(r"\{([^}]*)\}", lambda found: _one(found.group(1), draw, first), line)
            found = re.search(r"\*(.*?)\*", chosen)
            sentence, says = chosen.replace("*", ""), found.group(1) if found else ""
            texts.append(sentence)
    for each in made.documents:
        each["text"] = " ".join(each["text"])
    return facts


def _one(choices: str, draw: random.Random, first: bool) -> str:
    every = choices.split("/")
    return every[0] if first else draw.choice(every)


def _names(draw: random.Random) -> list[str]:
    firsts, lasts = draw.sample(FIRST, KNOWN_PEOPLE), draw.sample(LAST, KNOWN_PEOPLE)
    return [f"{one} {other}" for one, other in zip(firsts, lasts, strict=True)]


def _asked_about(draw: random.Random, made: Library) -> list[Plain]:
    """Whom questions are about: not one passenger alone."""
    *others, last = (draw.choice(made.people) for _ in range(ABOUT_PEOPLE))
    if all(each is last for each in others):
        last = next(each for each in made.people if each is not last)
    return [*others, last]


def _person(draw: random.Random, name: str) -> Plain:
    """A passenger: a telephone number like the airline's own, a card number by Luhn, six signs that name a booking."""
    card = "4" + "".join(draw.choice("0123456789") for _ in range(14))
    digits = checked(card)
    first, last = name.lower().split()
    return {
        "name": name,
        "phone": f"+49 40 5551 {draw.randrange(100, 1000)}{draw.randrange(10)}",
        "mail": f"{first[0]}.{last}{draw.randrange(10, 100)}@post.example",  # the name does not stand in it
        "record": draw.choice("KLMNPQRSTVWX") + "".join(draw.choice("2345679ABCDFGHJKX") for _ in range(5)),
        "card": " ".join(digits[place : place + 4] for place in range(0, 16, 4)),
    }


def checked(digits: str) -> str:
    """15 digits, and one more by which all are right by Luhn."""
    total = sum(sum(divmod(int(sign) * (2 - place % 2), 10)) for place, sign in enumerate(digits))
    return f"{digits}{-total % 10}"


def _others(made: Library, draw: random.Random) -> None:
    """What others wrote: notes about passengers, partners' pages, poisoned ones."""
    topics = draw.sample(TOPICS, NOTED + len(_lines(POISON)))
    noted = draw.sample(range(KNOWN_PEOPLE), NOTED)
    forms = _lines(NOTES)
    for number, place in enumerate(noted):
        text = forms[number % len(forms)].format(topic=topics[number], **made.people[place])
        made.notes[place] = _passage(
            made, f"desk-{draw.randrange(1000, 10000)}", f"Note on {topics[number]}", text, "desk"
        )
    for text in _lines(PARTNERS):
        _passage(made, f"partner-{draw.randrange(1000, 10000)}", "A partner's page", text, "partner")
    words = draw.sample(WORDS, len(_lines(POISON)))
    for text, word, topic in zip(_lines(POISON), words, topics[NOTED:], strict=True):
        canary = f"{word}-{draw.randrange(11, 99)}"
        made.canaries.append(canary)
        made.poison[canary] = _passage(
            made, f"partner-{draw.randrange(1000, 10000)}", f"A partner about {topic}",
            text.format(topic=topic, word=canary), "partner",
        )  # fmt: skip


def _passage(made: Library, name: str, title: str, text: str, source: str) -> Plain:
    one = {"id": name, "title": title, "text": text, "source": source}
    made.documents.append(one)
    return one


def _lines(text: str) -> list[str]:
    return [line for line in text.strip().splitlines() if line]
