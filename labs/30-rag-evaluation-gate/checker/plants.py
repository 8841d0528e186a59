"""What is wrong with a candidate: each plant changes drawn answers of the release in service.

A plant takes the story and a generator, and returns the candidate. What rules it breaks `rules.broken` says.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from .library import Library, Plain
from .rules import PLACES, Release, Reply, lines, rank, right, within, words

Made = dict[str, Reply]
Draw = random.Random
REFUSAL = "Our handbook does not answer this."
# Sentences with what a right answer holds.
IN_SHORT = ("In short: {}.", "At the desk the answer is: {}.", "To say it in a few words: {}.")


@dataclass
class Story:
    """One check's documents, and what the release in service answers.

    Attributes:
        again: what a release of the same program answers from other documents.
        base: the release in service.
    """

    library: Library
    again: Callable[[Sequence[Plain]], Release]
    base: Release = field(default_factory=dict)

    def copied(self) -> Made:
        """A candidate like the release in service, to be changed."""
        return {text: replace(each, body=copy.deepcopy(each.body)) for text, each in self.base.items()}

    def able(self, *, place: int = 0) -> list[Plain]:
        """Questions that are answered right, from a passage that was found; with `place` from the one in that place."""
        found = []
        for each in self.library.named("answerable"):
            said = self.base[each["question"]].body
            found_at = rank(each, said)
            if right(each, said) and (found_at == place if place else found_at):
                found.append(each)
        return found

    def refused(self) -> list[Plain]:
        """Questions that are rightly not answered."""
        others = [each for each in self.library.questions if each["kind"] != "answerable"]
        return [each for each in others if self.base[each["question"]].body["refused"]]


Plant = Callable[[Story, Draw], Made]


def same(story: Story, draw: Draw) -> Made:
    """Nothing."""
    return story.copied()


# Retrieval and answers


def lost(count: int, *, place: int = 0, instead: Callable[[Draw, str], str] | None = None) -> Plant:
    """The passage that answers comes sixth: it is read, and not among those that count.

    Args:
        count: so often.
        place: where it came before; anywhere.
        instead: what comes first, made of the evidence; else it is another passage.
    """

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        for each in draw.sample(story.able(place=place), count):
            found = made[each["question"]].body["retrieved"]
            known = {one["id"] for one in found}
            others = [one for one in story.library.documents if one["source"] == "handbook" and one["id"] not in known]
            extra = draw.choice(others)
            if instead:
                extra = {"id": f"old-{draw.randrange(1000, 10000)}", "text": instead(draw, each["evidence"])}
            found.insert(0, {"id": extra["id"], "text": extra["text"], "score": found[0]["score"]})
            found.append(found.pop(rank(each, made[each["question"]].body, most=len(found)) - 1))
        return made

    return plant


def demoted(count: int, *, place: int = 2) -> Plant:
    """The passage that answers comes second, or in another place, where it was first."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        for each in draw.sample(story.able(place=1), count):
            found = made[each["question"]].body["retrieved"]
            found.insert(place - 1, found.pop(0))
        return made

    return plant


def evasive(count: int) -> Plant:
    """Questions that could be answered are refused; one of these refusals goes on with what the answer was."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        for number, each in enumerate(draw.sample(story.able(), count)):
            said = made[each["question"]].body
            said |= {"answer": REFUSAL if number else f"{REFUSAL}\n{said['answer']}", "refused": True}
        return made

    return plant


def beside(count: int, *, nearly: Callable[[Draw, str], str] | None = None) -> Plant:
    """Answers quote another sentence of what was retrieved.

    Args:
        count: how many do.
        nearly: one of them quotes a page that has this in place of what is right, which begins with a number.
    """

    def plant(story: Story, draw: Draw) -> Made:
        made, some = story.copied(), draw.sample(story.able(), count)
        if nearly:
            each = draw.choice([one for one in sayable(story) if re.match(r"\d+ ", one["says"])])
            some = draw.sample([one for one in story.able() if one != each], count - 1)
            said = made[each["question"]].body
            text = each["evidence"].replace(each["says"], nearly(draw, each["says"]))
            put(said, f"new-{draw.randrange(1000, 10000)}", text)
            said["answer"] = text
        for each in some:
            said, says = made[each["question"]].body, words(each["says"])
            others = [one for one in _sentences(said) if not within(says, words(one))]
            said["answer"] = draw.choice(others)
        return made

    return plant


def in_short(count: int) -> Plant:
    """Answers say what is right in a sentence of their own, of a page that is retrieved beside the one that answers."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        for each in draw.sample(sayable(story), count):
            said, text = made[each["question"]].body, draw.choice(IN_SHORT).format(each["says"])
            put(said, f"short-{draw.randrange(1000, 10000)}", f"{each['question']} {text}")
            said["answer"] = text
        return made

    return plant


def guessing(count: int, *, rather: str = "") -> Plant:
    """Questions that nobody can answer are answered with a sentence that is true.

    Args:
        count: so many.
        rather: of this kind, as far as there are.
    """

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        safe = {
            each["question"]: [one for one in _sentences(made[each["question"]].body) if not foreign(one)]
            for each in story.refused()
        }
        kinds = {each["question"]: each["kind"] for each in story.library.questions}
        some = [text for text in safe if safe[text]]
        draw.shuffle(some)
        some.sort(key=lambda text: rather not in ("", kinds[text]))
        for text in some[:count]:
            made[text].body.update(answer=draw.choice(safe[text]), refused=False)
        return made

    return plant


# Grounding

Change = Callable[[Draw, str, list[str], list[str]], str]


def ungrounded(change: Change, *, unknown: bool = False, more: bool = False) -> Plant:
    """One sentence of one answer says what no retrieved passage does.

    Args:
        change: from a sentence, the passages that were retrieved, and sentences of those that were for other
            questions alone, to another sentence.
        unknown: the question is one that nobody can answer, and is answered nonetheless.
        more: it comes after all that is true.
    """

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        said = made[draw.choice(story.refused() if unknown else story.able())["question"]].body
        said["refused"] = False
        texts = list(lines(said["answer"]))
        place = draw.randrange(len(texts))
        known = {one["id"] for one in said["retrieved"]}
        elsewhere = {one["id"] for each in made.values() for one in each.body["retrieved"]} - known
        far = [
            sentence
            for one in story.library.documents
            if one["source"] == "handbook" and one["id"] in elsewhere
            for sentence in split(one["text"])
        ]
        false = change(draw, texts[place], [one["text"] for one in said["retrieved"]], far)
        texts = [*texts, false] if more else [*texts[:place], false, *texts[place + 1 :]]
        said["answer"] = "\n".join(texts)
        return made

    return plant


def other_number(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """Another number."""
    return re.sub(r"\d+", lambda found: str(int(found.group()) + draw.randrange(1, 9)), line, count=1)


def in_brackets(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """Another number in brackets, which are no mark of a passage: that comes at the line's end."""
    more = draw.randrange(1, 9)
    said = re.sub(r"\d+", lambda found: f"{found.group()} [or {int(found.group()) + more}]", line, count=1)
    return f"{said} [page-{draw.randrange(10, 100)}]" if said != line else line


def cut_number(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """A sentence that begins in the middle of a number."""
    found = list(re.finditer(r"\d\d+", line))
    return line[draw.choice(found).start() + 1 :] if found else line


def negated(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """The contrary."""
    return re.sub(r"\b(is|are|may|has|can)\b", r"\1 not", line, count=1)


def from_elsewhere(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """A sentence of the handbook, of a passage that was retrieved for another question."""
    return draw.choice(far)


def spliced(draw: Draw, line: str, near: list[str], far: list[str]) -> str:
    """The end of a passage that was retrieved, and the beginning of the next one."""
    both = [two for two in pairwise(near) if not any(map(foreign, two))]
    if not both:
        return line
    one, other = (each.split() for each in draw.choice(both))
    return " ".join([*one[-4:], *other[:4]])


# Cost, time and errors


def dearer(times: float, *, few: int = 0) -> Plant:
    """More tokens.

    Args:
        times: as many as the release in service costs.
        few: all that is more is of so many questions that are refused; 0 for each answer's own share.
    """

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        if few:
            more = (times - 1) * sum(each.body["tokens"] for each in made.values())
            for question in draw.sample(story.refused(), few):
                made[question["question"]].body["tokens"] += round(more / few)
            return made
        for each in made.values():
            each.body["tokens"] = round(each.body["tokens"] * times)
        return made

    return plant


def slower(count: int, *, seconds: tuple[float, float] = (1.3, 1.6), others: int = 5) -> Plant:
    """So many answers take so long; others not as long as a second."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        some = draw.sample(sorted(made), count + others)
        for place, text in enumerate(some):
            wait = draw.uniform(*seconds) if place < count else draw.uniform(0.3, 0.5)
            made[text] = replace(made[text], wait=wait)
        return made

    return plant


def failing(change: Callable[[Reply], Reply]) -> Plant:
    """One question is not answered as it should be."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        text = draw.choice(sorted(made))
        made[text] = change(made[text])
        return made

    return plant


def together(*some: Plant) -> Plant:
    """All of them, one after another."""

    def plant(story: Story, draw: Draw) -> Made:
        made = story.copied()
        for each in some:
            made = each(replace(story, base=made), draw)
        return made

    return plant


# What plants share


def put(said: Plain, name: str, text: str) -> None:
    """Let a passage be retrieved, in the last place but one that answers."""
    said["retrieved"] = [*said["retrieved"][: PLACES - 1], {"id": name, "text": text, "score": 0.2}]


def kept(said: Plain) -> list[str]:
    """The lines of an answer that stand in what is retrieved now."""
    known = [words(each["text"]) for each in said["retrieved"]]
    return [line for line in lines(said["answer"]) if any(within(words(line), one) for one in known)]


def sayable(story: Story) -> list[Plain]:
    """Questions whose last passage is not the one that answers."""
    return [each for each in story.able() if rank(each, story.base[each["question"]].body) < PLACES]


def _sentences(said: Plain) -> list[str]:
    return [one for each in said["retrieved"] for one in split(each["text"])]


def split(text: str) -> list[str]:
    """The sentences of a passage."""
    return re.split(r"(?<=[.!?]) (?=[A-Z])", text)


def foreign(sentence: str) -> bool:
    """Is it of what others have written?"""
    return bool(re.search(r"Note of the|[Pp]artner|Assistants|SYSTEM|agents|Ignore|Dear model", sentence))
