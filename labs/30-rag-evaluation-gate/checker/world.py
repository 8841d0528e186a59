"""The releases as services, and what was asked of them; led by JSON lines, each answered with one.

Runs in a pod of the checker's until its input ends; its last argument is the port. The sentence model is the image's,
the service's program that of the lab (answers.py).
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from . import cases, library
from .library import Plain
from .plants import Story
from .rules import ANSWERS_WITHIN, Release, Reply, measured

SECOND_PIECE = 0.8  # s at most between an answer's halves, of those that come in time
AGAIN = "/again"  # at the end of the address to which a redirect leads, where all is as it should be
LATE_PIECES = 4  # of an answer that comes too late: between two of them there is never so long a silence

answers: Any = importlib.import_module("answers")  # the lab's own, from the learner's first files
_known: dict[str, Any] = {}  # vectors by text: releases share most of theirs


def embed(texts: Sequence[str]) -> Any:
    """As `minilm.embed`, each text once."""
    if new := list(dict.fromkeys(text for text in texts if text not in _known)):
        _known.update(zip(new, importlib.import_module("minilm").embed(new), strict=True))
    return np.stack([_known[text] for text in texts])


def story(seed: int, *, first: bool = False) -> Story:
    """What one check is about, and the release in service."""
    drawn = library.drawn(seed, first=first)

    def again(documents: Sequence[Plain]) -> Release:
        service = answers.Answerer(list(documents), embed)
        return {each["question"]: Reply(service.ask(each["question"])) for each in drawn.questions}

    made = Story(drawn, again)
    made.base = again(drawn.documents)
    return made


class World:
    """All releases by the word in their address."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.asked: dict[str, Counter[str]] = {}
        self._stories: list[Story] = []

    def do(self, said: dict[str, Any]) -> dict[str, Any]:
        """What the checker says.

        `begin`: a seed; the story is drawn, and another one for some cases. `case`: the place of a case, its seed, a
        name and the words in the two addresses: the release is made, and what a gate is sent is the answer, with
        `metrics` beside it. `host` comes before the words in the addresses. `seen`: the word of a release; what it was
        asked and what it said, with what stands around a passenger's name in the question.
        """
        if "begin" in said:
            self._stories = [story(said["begin"]), story(said["begin"] + 1)]
            return {"questions": [len(each.library.questions) for each in self._stories]}
        if "seen" in said:
            word = said["seen"]
            names = [each["name"] for one in self._stories for each in one.library.people]
            replies = {
                text: {"answer": each.body["answer"], "ids": [one["id"] for one in each.body["retrieved"]],
                       "wait": each.wait, "asked": self.asked[word][text],
                       "around": next((text.split(name) for name in names if name in text), [])}
                for text, each in self.releases[word].items() if each.valid
            }  # fmt: skip
            return {"replies": replies}
        one = self._stories[cases.of_others(said["case"])]
        draw = random.Random(said["seed"])
        made = cases.made(one, cases.CASES[said["case"]], draw)
        for word, release in ((said["candidate"], made.candidate), (said["before"], made.before)):
            self.releases[word], self.asked[word] = release, Counter()
        host = said["host"]
        sent = cases.body(one, said["name"], f"{host}/{said['candidate']}", f"{host}/{said['before']}")
        questions = one.library.questions
        valid = all(each.valid for each in made.candidate.values())
        return {"body": sent, "metrics": measured(questions, made.candidate) if valid else {}}

    def answer(self, path: str, question: object) -> Reply:
        """What a release answers."""
        before, _, rest = path.partition("/ask")
        word = before.strip("/")
        release = self.releases.get(word)
        if release is None:
            return Reply({"detail": "no such release"}, 404)
        if not isinstance(question, str) or question not in release:
            return Reply(
                {"answer": "Our handbook does not answer this.", "refused": True, "retrieved": [], "tokens": 9}
            )
        self.asked[word][question] += 1
        reply = release[question]
        recovered = reply.at_first and self.asked[word][question] > 1
        return replace(reply, status=200, wait=0.0, share=1.0) if rest == AGAIN or recovered else reply


def pauses(wait: float) -> Sequence[float]:
    """Seconds before each piece of an answer that takes so long."""
    if wait >= ANSWERS_WITHIN:
        return [wait / LATE_PIECES] * LATE_PIECES
    halfway = min(wait / 2, SECOND_PIECE)
    return [wait - halfway, halfway] if wait else [0.0]


def serve(world: World, port: int) -> ThreadingHTTPServer:
    """Begin to answer; returns at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.say(Reply({"status": "ready"}))

        def do_POST(self) -> None:
            try:
                said = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                question = said.get("question") if isinstance(said, dict) else None
            except ValueError:
                question = None
            reply = world.answer(self.path, question)
            self.say(reply, pauses(reply.wait))

        def say(self, reply: Reply, waits: Sequence[float] = (0.0,)) -> None:
            """The body in as many pieces as there are waits, each after one; status and header before the first."""
            text = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
            time.sleep(waits[0])
            if reply.share < 1:
                self.close_connection = True
            if reply.share == 0:
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if 300 <= reply.status < 400:
                self.send_header("Location", self.path.rstrip("/") + AGAIN)
            self.end_headers()
            for wait in waits[1:]:
                text, begin = text[len(text) // 2 :], text[: len(text) // 2]
                self.wfile.write(begin)
                time.sleep(wait)
            self.wfile.write(text[: int(len(text) * reply.share)])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """A gate that hangs up is no news."""

    server = Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Serve, and do what is said until the input ends."""
    world = World()
    serve(world, int(sys.argv[-1]))
    for line in sys.stdin:
        print(json.dumps(world.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
