"""Northmere Airways' question-answering service: looks for passages that fit, and answers with sentences of these.

There is no language model in it: an answer is made of sentences of the handbook, word for word, and the same question
gets the same answer each time. Passages that others have written (notes of the complaints desk, partners' pages) may be
retrieved, and are never quoted. A release is this program, its documents and its settings.

    python3 answers.py            # serves documents.json on port 8080; SETTINGS='{"passages": 3}' changes something
"""

import json
import os
import re
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SETTINGS = {
    "passages": 5,  # that are retrieved
    "sentences": 3,  # of an answer, at most
    "enough": 0.55,  # cosine between question and sentence, below which a question is not answered
    "sources": ["handbook"],  # that may be quoted
}
REFUSAL = "Our handbook does not answer this."


def sentences(text):
    """A passage's sentences."""
    return re.split(r"(?<=[.!?]) (?=[A-Z])", text)


class Answerer:
    """Answers from some documents.

    Args:
        documents: [{"id": ..., "title": ..., "text": ..., "source": ...}, ...].
        embed: texts to rows of length 1.
        settings: what differs from `SETTINGS`.
    """

    def __init__(self, documents, embed, settings=None):
        import faiss

        self._documents, self._embed = documents, embed
        self._settings = {**SETTINGS, **(settings or {})}
        rows = embed([f"{each['title']}. {each['text']}" for each in documents])
        self._index = faiss.IndexFlatIP(rows.shape[1])
        self._index.add(rows)
        self._sentences = [sentences(each["text"]) for each in documents]
        rows = embed(
            [f"{each['title']}. {one}" for each, some in zip(documents, self._sentences, strict=True) for one in some]
        )
        self._rows, begin = [], 0
        for some in self._sentences:
            self._rows.append(rows[begin : begin + len(some)])
            begin += len(some)

    def ask(self, question):
        """The answer: lines of one sentence each, and what was retrieved, the best first."""
        row = self._embed([question])
        scores, places = self._index.search(row, self._settings["passages"])
        best = []
        for place in map(int, places[0]):
            if place >= 0 and self._documents[place]["source"] in self._settings["sources"]:
                fits = self._rows[place] @ row[0]
                best += zip(map(float, fits), self._sentences[place], strict=True)
        best = sorted(best, reverse=True)[: self._settings["sentences"]]
        refused = not best or best[0][0] < self._settings["enough"]
        lines = [REFUSAL] if refused else [text for fit, text in best if fit > best[0][0] - 0.15]
        found = [
            {
                "id": self._documents[place]["id"],
                "text": self._documents[place]["text"],
                "score": round(float(score), 4),
            }
            for score, place in zip(scores[0], map(int, places[0]), strict=True)
            if place >= 0
        ]
        words = [question, *lines, *(each["text"] for each in found)]
        return {
            "answer": "\n".join(lines),
            "refused": refused,
            "retrieved": found,
            "tokens": sum(len(each.split()) for each in words),
        }


@lru_cache
def service():
    """The release that this process is."""
    from minilm import embed

    documents = json.loads(Path(__file__).with_name("documents.json").read_text(encoding="utf-8"))
    return Answerer(documents, embed, json.loads(os.environ.get("SETTINGS") or "{}"))


class Handler(BaseHTTPRequestHandler):
    """POST /ask {"question": "..."}; GET anything: it is ready."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        service()
        self.say(200, {"status": "ready"})

    def do_POST(self):
        try:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["question"]
        except (KeyError, TypeError, ValueError):
            return self.say(422, {"detail": 'the body is {"question": "..."}'})
        return self.say(200, service().ask(str(question)))

    def say(self, status, what):
        text = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    service()
    ThreadingHTTPServer(("", 8080), Handler).serve_forever()
