"""Answers that are none: each plant lets one question be answered in another way than the task describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .plants import Draw, Made, Plant, Story, failing
from .rules import Reply

FIELDS = ("answer", "refused", "tokens", "retrieved")
PASSAGE = ("id", "text", "score")
NO_OBJECT = ("[]", "null", '"busy"', "5")  # JSON, all of it


def status(*some: int) -> Plant:
    """It has one of these, and is all right otherwise."""
    return _drawn(lambda draw: draw.choice(some), lambda reply, chosen: replace(reply, status=chosen))


def text(*some: str) -> Plant:
    """Its body is one of these."""
    return _drawn(lambda draw: draw.choice(some), lambda reply, chosen: replace(reply, body=chosen))


def late(seconds: float) -> Plant:
    """Its end comes after so many seconds the first time alone."""
    return failing(lambda reply: replace(reply, wait=seconds, at_first=True))


def broken_off(share: float) -> Plant:
    """It ends after so much of it the first time alone; with 0 it never begins."""
    return failing(lambda reply: replace(reply, share=share, at_first=True))


def at_first(status: int) -> Plant:
    """It has this status the first time alone, and is all right whenever it is asked again."""
    return failing(lambda reply: replace(reply, status=status, at_first=True))


def without(name: str) -> Plant:
    """It lacks this field, and no other."""
    return failing(lambda reply: Reply({key: value for key, value in reply.body.items() if key != name}))


def refused_in_words(story: Story, draw: Draw) -> Made:
    """`refused` is a text, which looks like true or false and is neither."""
    return _with(lambda draw, body: {"refused": str(body["refused"]).lower()})(story, draw)


def tokens_as_text(story: Story, draw: Draw) -> Made:
    """`tokens` is a text, which looks like the number."""
    return _with(lambda draw, body: {"tokens": str(body["tokens"])})(story, draw)


def tokens_as_true(story: Story, draw: Draw) -> Made:
    """`tokens` is true, which some languages take for 1."""
    return _with(lambda draw, body: {"tokens": True})(story, draw)


def score_as_text(story: Story, draw: Draw) -> Made:
    """The score of a passage is a text, which looks like the number."""

    def change(draw: Draw, body: dict[str, Any]) -> dict[str, Any]:
        found, place = list(body["retrieved"]), draw.randrange(len(body["retrieved"]))
        found[place] = found[place] | {"score": str(found[place]["score"])}
        return {"retrieved": found}

    return _with(change)(story, draw)


def null(name: str) -> Plant:
    """This field is null."""
    return _with(lambda draw, body: {name: None})


def other_type(story: Story, draw: Draw) -> Made:
    """A field is of another type, though all that it says is there."""

    def change(draw: Draw, body: dict[str, Any]) -> dict[str, Any]:
        return draw.choice((
            {"answer": body["answer"].splitlines()},
            {"retrieved": {each["id"]: each for each in body["retrieved"]}},
            {"retrieved": [each["text"] for each in body["retrieved"]]},
        ))  # fmt: skip

    return _with(change)(story, draw)


def passage(name: str, instead: dict[str, Any]) -> Plant:
    """A passage has this instead of a field."""

    def change(draw: Draw, body: dict[str, Any]) -> dict[str, Any]:
        found, place = list(body["retrieved"]), draw.randrange(len(body["retrieved"]))
        kept = {key: value for key, value in found[place].items() if key != name}
        found[place] = kept | instead
        return {"retrieved": found}

    return _with(change)


def _with(change: Callable[[Draw, dict[str, Any]], dict[str, Any]]) -> Plant:
    """Some of its fields are others."""
    return lambda story, draw: failing(lambda reply: Reply(reply.body | change(draw, reply.body)))(story, draw)


def _drawn(choose: Callable[[Draw], Any], change: Callable[[Reply, Any], Reply]) -> Plant:
    def plant(story: Story, draw: Draw) -> Made:
        chosen = choose(draw)
        return failing(lambda reply: change(reply, chosen))(story, draw)

    return plant
