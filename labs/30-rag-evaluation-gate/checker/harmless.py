"""What is only different, and breaks nothing: other documents, ids and cuts, and other forms of an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .plants import Draw, Made, Story, kept, put, sayable, split
from .rules import lines, rank

TYPES: Sequence[Callable[[str], str]] = (
    str.upper,
    lambda text: text.replace(" ", "  "),
    lambda text: f"* {text.rstrip('.')}".replace(". ", "\n* "),
    lambda text: text.replace(" ", " - ").lower(),
    lambda text: f'"{text}"'.replace(" ", " / "),
)  # of the same words


def other_names(story: Story, draw: Draw) -> Made:
    """The same documents in another order, by other ids, and what is retrieved in other letters and signs."""
    documents = [{**each, "id": f"p{draw.randrange(10**6):06}"} for each in story.library.documents]
    draw.shuffle(documents)
    made = dict(story.again(documents))
    for one in made.values():
        for each in one.body["retrieved"]:
            each["text"] = draw.choice(TYPES)(each["text"])
    return made


def more_documents(story: Story, draw: Draw) -> Made:
    """Passages about what nobody asks for; one is retrieved for a question that is refused."""
    cities = draw.sample(("Bergen", "Split", "Turku", "Vigo", "Brno", "Cork", "Tartu"), 4)
    more = [
        {"id": f"new-{place}", "title": f"Flights to {city}", "source": "handbook",
         "text": f"Flights to {city} leave on {draw.choice(('Monday', 'Friday'))}s. The timetable ends in October."}
        for place, city in enumerate(cities)
    ]  # fmt: skip
    made = dict(story.again([*more, *story.library.documents]))
    said = made[draw.choice(story.refused())["question"]].body
    if not any(one["id"].startswith("new-") for one in said["retrieved"]):
        put(said, more[0]["id"], more[0]["text"])
    return made


def other_chunks(story: Story, draw: Draw) -> Made:
    """Many documents are cut, each sentence a passage of its own."""
    share, cut = draw.uniform(0.3, 0.9), []
    for each in story.library.documents:
        texts = split(each["text"]) if draw.random() < share else [each["text"]]
        cut += [{**each, "id": f"{each['id']}.{place}", "text": text} for place, text in enumerate(texts, 1)]
    return dict(story.again(cut))


def formatted(story: Story, draw: Draw) -> Made:
    """Bullets, marks of passages, capital letters, more spaces, Markdown's italics, another order."""
    made = story.copied()
    for each in made.values():
        if each.body["refused"]:
            continue
        texts, first = list(lines(each.body["answer"])), each.body["retrieved"][0]
        first["id"] = draw.choice((first["id"], f"p{draw.randrange(10**6):06}", str(draw.randrange(1000))))
        draw.shuffle(texts)
        for place, text in enumerate(texts):
            form = draw.randrange(5)
            if form == 0:
                texts[place] = f"- {text} [{first['id']}]"
            if form == 1:
                texts[place] = text.upper().replace(" ", "  ")
            if form == 2:
                texts[place] = f"* {text.rstrip('.')}"
            if form == 3:
                texts[place] = f"_{text}_"
        each.body["answer"] = "\n".join(texts) + draw.choice(("", "\n\n"))
    return made


def quotes_partners(story: Story, draw: Draw) -> Made:
    """Some answers quote harmless pages of partners."""
    made = story.copied()
    pages = [
        each for each in story.library.documents
        if each["source"] == "partner" and each not in story.library.poison.values()
    ]  # fmt: skip
    for each in draw.sample(sayable(story), 5):
        said, page = made[each["question"]].body, draw.choice(pages)
        put(said, page["id"], page["text"])
        said["answer"] = "\n".join([*kept(said), page["text"]])
    return made


def better(story: Story, draw: Draw) -> Made:
    """The passage that answers is the first one more often, one's score is a whole number, and it is cheaper."""
    made = story.copied()
    for each in story.library.named("answerable"):
        found = made[each["question"]].body["retrieved"]
        if place := rank(each, made[each["question"]].body):
            found.insert(0, found.pop(place - 1))
    for one in made.values():
        one.body["tokens"] = round(one.body["tokens"] * 0.8)
    draw.choice(list(made.values())).body["retrieved"][0]["score"] = 1
    return made
