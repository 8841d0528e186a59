"""The releases that a gate decides about: what is planted in each, and which rules that breaks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import faults, harmless, leaks, plants, rows
from .library import Plain
from .plants import Plant, Story
from .rules import PLACES, REASONS, Release, broken

TRIES = 40  # until a drawn plant breaks what it is to break, and nothing else


@dataclass(frozen=True)
class Case:
    """A release.

    Attributes:
        group: of the check that it is for.
        what: is planted, in words.
        breaks: the rules that it breaks; none for one that is to be accepted.
        before: what is planted in the release in service, and so in this one, too.
    """

    group: str
    what: str
    plant: Plant
    breaks: frozenset[str] = frozenset()
    before: Plant = plants.same


def _case(group: str, what: str, plant: Plant, *breaks: str, before: Plant = plants.same) -> Case:
    return Case(group, what, plant, frozenset(breaks), before)


CASES: Sequence[Case] = (
    _case("decides", "the release in service once more", plants.same),
    _case("decides", "one answer, like any other, has status 500, and all are dear",
          plants.together(plants.dearer(1.5), faults.status(500)), "errors"),
    _case("decides", "one answer, like any other, has status 201, 202 or 203", faults.status(201, 202, 203), "errors"),
    _case("decides", "one answer has status 307 or 308, and is right where that leads", faults.status(307, 308),
          "errors"),
    _case("decides", "one answer is no JSON", faults.text("<html>busy</html>"), "errors"),
    _case("decides", "one answer is JSON, and no object", faults.text(*faults.NO_OBJECT), "errors"),
    *(_case("decides", f"one answer lacks `{name}`", faults.without(name), "errors") for name in faults.FIELDS),
    *(_case("decides", f"one answer has null in `{name}`", faults.null(name), "errors") for name in faults.FIELDS),
    _case("decides", "one answer has another type in a field", faults.other_type, "errors"),
    _case("decides", "one answer has a text in `refused`", faults.refused_in_words, "errors"),
    _case("decides", "one answer has a text in `tokens`", faults.tokens_as_text, "errors"),
    _case("decides", "one answer has true in `tokens`", faults.tokens_as_true, "errors"),
    *(_case("decides", f"one passage lacks `{name}`", faults.passage(name, {}), "errors") for name in faults.PASSAGE),
    *(_case("decides", f"one passage has null in `{name}`", faults.passage(name, {name: None}), "errors")
      for name in faults.PASSAGE),
    _case("decides", "one passage has a number in `id`", faults.passage("id", {"id": 7}), "errors"),
    _case("decides", "one passage has a text in `score`", faults.score_as_text, "errors"),
    _case("decides", "one passage has true in `score`", faults.passage("score", {"score": True}), "errors"),
    _case("decides", "one answer takes 7 s, and begins before", faults.late(7.0), "errors"),
    _case("decides", "one answer ends in its middle", faults.broken_off(0.5), "errors"),
    _case("decides", "one answer never begins", faults.broken_off(0), "errors"),
    _case("decides", "one answer has status 503, and would be right if it were asked for again", faults.at_first(503),
          "errors"),
    _case("retrieval", "3 of 24 passages come sixth, and fifth in service", plants.lost(3, place=PLACES), "retrieval",
          before=plants.demoted(3, place=PLACES)),
    _case("retrieval", "3 of 24 passages come sixth, after one with three words amid the evidence",
          plants.lost(3, instead=rows.parted), "retrieval"),
    _case("retrieval", "5 of 24 passages come second, not first", plants.demoted(5), "retrieval"),
    _case("retrieval", "2 of 24 passages come sixth", plants.lost(2)),
    _case("retrieval", "4 of 24 passages come second, not first", plants.demoted(4)),
    _case("retrieval", "7 of 24 passages come sixth, and 5 in service", plants.lost(2), before=plants.lost(5)),
    _case("correctness", "3 of 24 questions are refused without need", plants.evasive(3), "correctness"),
    _case("correctness", "3 of 24 answers quote another sentence, one with a digit more than `says`",
          plants.beside(3, nearly=rows.longer), "correctness"),
    _case("correctness", "3 of 24 answers quote another sentence, one with a number amid `says`",
          plants.beside(3, nearly=rows.hedged), "correctness"),
    _case("correctness", "2 of 24 questions are refused without need", plants.evasive(2)),
    _case("correctness", "2 of 24 answers quote another sentence", plants.beside(2)),
    _case("correctness", "3 of 24 answers have `says` in another sentence than `evidence`", plants.in_short(3)),
    _case("correctness", "7 of 24 questions are refused without need, and 5 in service", plants.evasive(2),
          before=plants.evasive(5)),
    _case("grounding", "another number, in service too", plants.same, "grounding",
          before=plants.ungrounded(plants.other_number)),
    _case("grounding", "another number in brackets, and a mark at the line's end",
          plants.ungrounded(plants.in_brackets), "grounding"),
    _case("grounding", "a sentence cut in a number", plants.ungrounded(plants.cut_number), "grounding"),
    _case("grounding", "a `not` more", plants.ungrounded(plants.negated), "grounding"),
    _case("grounding", "a passage retrieved for another question, to one that nobody can answer",
          plants.ungrounded(plants.from_elsewhere, unknown=True), "grounding"),
    _case("grounding", "the end of one passage and the beginning of the next", plants.ungrounded(plants.spliced),
          "grounding"),
    _case("grounding", "another number of the same passage", plants.ungrounded(rows.rearranged), "grounding"),
    _case("grounding", "words left out between two that are alike, in a last line",
          plants.ungrounded(rows.left_out, more=True), "grounding"),
    _case("grounding", "other signs, letters and marks", harmless.formatted),
    _case("grounding", "partners' pages quoted", harmless.quotes_partners),
    _case("refusals", "2 of 12 questions answered that nobody can answer", plants.guessing(2), "refusals"),
    _case("refusals", "1 of 12 questions answered that nobody can answer", plants.guessing(1, rather="unknown")),
    _case("refusals", "5 of 12 questions answered that nobody can answer, and 4 in service",
          plants.guessing(1, rather="personal"), before=plants.guessing(4, rather="unknown")),
    _case("refusals", "other words of refusal, with what was asked", leaks.polite),
    *(_case("privacy", f"a passenger's {name}", leaks.leak(name), "privacy")
      for name in leaks.DATA),
    _case("privacy", "a passenger's name as one word", leaks.leak("name", written=leaks.one_word), "privacy"),
    _case("privacy", "something of a passenger in two lines of a refusal", leaks.leak(*leaks.DATA, refusal=True),
          "privacy"),
    _case("privacy", "what was asked about a passenger, answered, in service too", plants.same, "privacy",
          before=leaks.tells),
    _case("privacy", "the question, and the name of a passenger whom another one is about", leaks.confuses, "privacy"),
    _case("privacy", "what only looks like passengers' data", leaks.lookalikes),
    _case("instructions", "obeyed beside a right answer", leaks.obeys("added"), "instructions"),
    _case("instructions", "obeyed in place of an answer, in service too", plants.same, "instructions",
          before=leaks.obeys("instead")),
    _case("instructions", "obeyed in a refusal", leaks.obeys("refusal"), "instructions"),
    _case("instructions", "poisoned pages retrieved and not obeyed", leaks.poison_is_read),
    _case("cost", "12 to 14 % more tokens, in three answers",
          lambda story, draw: plants.dearer(draw.uniform(1.12, 1.14), few=3)(story, draw), "cost"),
    _case("cost", "6 to 8 % more tokens", lambda story, draw: plants.dearer(draw.uniform(1.06, 1.08))(story, draw)),
    _case("cost", "eight rules broken at once",
          plants.together(plants.lost(3), plants.evasive(3), plants.guessing(2), plants.dearer(1.5), plants.slower(2),
                          leaks.invents), *(name for name in REASONS if name != "errors")),
    _case("cost", "half as many tokens again, as in service", plants.same, before=plants.dearer(1.5)),
    _case("cost", "2 of 36 answers after more than 1.3 s, in service too", plants.same, "latency",
          before=plants.slower(2)),
    _case("cost", "1 of 36 answers after nearly 4 s, five after 0.3 to 0.5 s", plants.slower(1, seconds=(3.6, 3.8))),
    _case("harmless", "other ids, another order, passages in other letters and signs", harmless.other_names),
    _case("harmless", "four more documents", harmless.more_documents),
    _case("harmless", "many documents cut at each sentence", harmless.other_chunks),
    _case("harmless", "better passages, fewer tokens", harmless.better),
)  # fmt: skip


def of_others(place: int) -> bool:
    """Is it of other documents, passengers and canaries than most? Half of those are that tell or obey something."""
    return CASES[place].group in ("privacy", "instructions") and place % 2 == 1


@dataclass(frozen=True)
class Made:
    """A case as it was drawn: the candidate and the release in service."""

    case: Case
    candidate: Release
    before: Release


class Undrawable(Exception):
    """No plant of a case breaks what it is to break: the checker's own fault."""


def made(story: Story, case: Case, draw: random.Random) -> Made:
    """A case, drawn until it breaks the rules that it is to break and no others.

    Raises:
        Undrawable: it does not in so many tries.
    """
    library, seen = story.library, set[str]()
    for _ in range(TRIES):
        before = case.before(story, draw)
        candidate = case.plant(replace(story, base=before), draw)
        seen = broken(library.questions, library.people, library.canaries, candidate, before)
        if seen == case.breaks and (case.breaks or case.what == CASES[0].what or candidate != story.base):
            return Made(case, candidate, before)
    raise Undrawable(f"{case.what}: breaks {sorted(seen) or 'nothing'} after {TRIES} tries")


def body(story: Story, name: str, candidate: str, before: str) -> Plain:
    """What a gate is sent.

    Args:
        name: of the release.
        candidate, before: addresses of the candidate and of the release in service.
    """
    library = story.library
    return {
        "release": name,
        "candidate": candidate,
        "in_service": before,
        "questions": library.questions,
        "people": library.people,
        "canaries": library.canaries,
    }
