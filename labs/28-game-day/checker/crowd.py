"""Passengers and crew, on a schedule: what they ask, whether it was right, and what was handed in on board.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import threading
import time
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Any

from .feeds import Feeds

KINDS = ("page", "forecast", "recommend", "air", "records")
WORKERS = {"page": 48}  # at once; of the other kinds
OTHERS = 16
WITHIN = 2.0  # s in which an answer has to come
LARGEST = 1 << 20  # bytes of an answer that are read
AWAY = "not available"
HTML = ("text/html", "application/xhtml+xml")
TRIES, AGAIN_AFTER = 40, 2.0  # of a record that was not taken, s
TWICE = 0.25  # of the records that were taken are handed in once more
MONTHS = 12
ELEMENTS = ("forecast", "recommendations")  # of the page, by their ids
# Elements whose end tag may be left out, and those that end them: https://html.spec.whatwg.org/multipage/syntax.html
ENDED_BY = {
    "p": ("p",), "li": ("li",), "dt": ("dt", "dd"), "dd": ("dt", "dd"),
    "td": ("td", "th", "tr"), "th": ("td", "th", "tr"), "tr": ("tr",),
}  # fmt: skip


class Right:
    """What is right in each state of the data, computed anew from its rows."""

    def __init__(self, feeds: Feeds, models: Any) -> None:
        self.models = models
        both = zip(feeds.rows["exchange"], feeds.rows["bookings"], strict=True)
        self.of = [(models.fit_forecast(one), models.fit_recommender(two)) for one, two in both]
        self.codes = {row["dest"] for each in feeds.rows["bookings"] for row in each}
        self.prices = [models.forecast(one, MONTHS) for one, _ in self.of]
        self.passengers = sorted({row["passenger"] for row in feeds.rows["bookings"][0]})

    def forecast(self, said: Any, months: int, states: list[int]) -> bool:
        """Whether these are the next months' prices."""
        return any(_same(said, self.prices[state][:months]) for state in states)

    def recommended(self, said: Any, passenger: str, states: list[int]) -> bool:
        """Whether these are the destinations for a passenger."""
        return any(said == self.models.recommend(self.of[state][1], passenger) for state in states)


def _same(said: Any, right: list[dict[str, Any]]) -> bool:
    """Are these the right months' prices, to a thousandth?"""
    if not isinstance(said, list) or len(said) != len(right):
        return False
    for one, other in zip(said, right, strict=True):
        price = one.get("price") if isinstance(one, dict) else None
        if not isinstance(price, (int, float)) or isinstance(price, bool) or one.get("month") != other["month"]:
            return False
        if not abs(price) < 1e9 or abs(price - other["price"]) > other["price"] / 1000:
            return False
    return True


class Crowd:
    """All who ask.

    Attributes:
        targets: `host:port` by kind; a kind without one fails.
        rates: requests a second by kind.
        states: of the data, whose answers are right now.
        old: by kind the versions of the first of these; an answer that names another is of one of those after it.
        events: what came: [time, kind, right, parts that are away, version, what was wrong].
        taken: records that were taken on board, by id, and how often each was handed in.
        before: ids of records that were on the ground when the day began.
    """

    def __init__(self, right: Right, seed: int) -> None:
        self.right, self.draw, self.lock = right, random.Random(seed), threading.Lock()
        self.targets: dict[str, str] = {}
        self.rates: dict[str, float] = {}
        self.states = [0]
        self.old: dict[str, list[str]] = {}
        self.events: list[list[Any]] = []
        self.taken: dict[str, dict[str, Any]] = {}
        self.handed: dict[str, int] = {}
        self.before: set[str] = set()
        self.due: list[tuple[float, dict[str, Any], int]] = []
        self._next = {kind: time.monotonic() for kind in KINDS}

    def start(self) -> None:
        """Begin to ask, in threads."""
        for kind in KINDS:
            for _ in range(WORKERS.get(kind, OTHERS)):
                threading.Thread(target=self._go_on, args=(kind,), daemon=True).start()

    def _go_on(self, kind: str) -> None:
        while True:
            if not (wait := self._turn(kind)):
                with contextlib.suppress(Exception):  # a thread that ends would lower the rate
                    self.one(kind)
            else:
                time.sleep(min(wait, 0.2))

    def _turn(self, kind: str) -> float:
        """0 if a request is due now; else seconds until it may be."""
        with self.lock:
            now, rate = time.monotonic(), self.rates.get(kind, 0.0)
            if not rate:
                self._next[kind] = now
                return 0.2
            if self._next[kind] < now - 2:  # what could not be sent is not made up for
                self._next[kind] = now
            if self._next[kind] <= now:
                self._next[kind] += 1 / rate
                return 0.0
            return self._next[kind] - now

    def one(self, kind: str) -> None:
        """One request of a kind, and what became of it."""
        with self.lock:
            states, target, old = list(self.states), self.targets.get(kind, ""), self.old.get(kind, [])
            passenger = self.draw.choice(self.right.passengers)
            if self.draw.random() < 0.05:
                passenger = f"p-new-{self.draw.randrange(10**6)}"
            months = self.draw.randrange(1, MONTHS + 1)
            record = self._record() if kind == "records" else {}
        if kind == "records" and not record:
            return
        began = time.time()
        if kind == "records":
            status, text, _ = ask("POST", target, "/records", record)
            self._told(record, 200 <= status < 300)
            self._note(
                [began, kind, 200 <= status < 300, [], "", "" if 200 <= status < 300 else f"{status} {text[:60]!r}"]
            )
            return
        path = {"page": f"/?passenger={passenger}", "forecast": f"/forecast?months={months}"}
        status, text, media = ask("GET", target, path.get(kind, f"/recommendations?passenger={passenger}"))
        took = time.time() - began
        right, version = False, ""
        away: list[str] = []
        if status == 200 and kind == "page" and media.partition(";")[0].strip().lower() not in HTML:
            text = f"Content-Type {media}: {text}"
        elif status == 200:
            with contextlib.suppress(Exception):  # an answer may be anything, and what can't be judged is not right
                right, away, version = self.judged(kind, text, passenger, months, states, old)
        late = took > WITHIN
        wrong = (
            "" if right and not late else f"{took:.1f} s" if late and status in (0, 200) else f"{status} {text[:60]!r}"
        )
        self._note([round(began, 2), kind, right and not late, away, version, wrong])

    def judged(
        self, kind: str, text: str, passenger: str, months: int, states: list[int], old: Sequence[str] = ()
    ) -> tuple[bool, list[str], str]:
        """Whether a body is right, which parts of a page are away, and the version that it names.

        Args:
            old: the versions of the first of the states; with any, all others are of one of those after it.
        """
        if kind == "page":
            return (*page(text, self.right, passenger, states), "")
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return False, [], ""
        if not isinstance(said, dict):
            return False, [], ""
        version = str(said.get("version") or "")[:20]
        if old:
            states = states[:1] if version in old else states[1:]
        if kind == "forecast":
            return bool(version) and self.right.forecast(said.get("forecast"), months, states), [], version
        right = self.right.recommended(said.get("recommendations"), passenger, states)
        return right and (bool(version) or kind == "air"), [], version

    def _record(self) -> dict[str, Any]:
        """A record that is due once more, or a new one."""
        now = time.monotonic()
        for place, (when, record, tries) in enumerate(self.due):
            if when <= now:
                del self.due[place]
                self.handed[record["id"]] = tries + 1
                return record
        if not self.rates.get("records"):
            return {}
        identity = f"r-{self.draw.getrandbits(40):010x}"
        self.handed[identity] = 1
        what = self.draw.choice(("meal", "seat", "bag", "connection", "refund"))
        return {"id": identity, "passenger": self.draw.choice(self.right.passengers), "what": what,
                "seat": f"{self.draw.randrange(1, 40)}{self.draw.choice('ABCDEF')}"}  # fmt: skip

    def _told(self, record: dict[str, Any], taken: bool) -> None:
        """What becomes of a record that was handed in: kept, and perhaps handed in again."""
        with self.lock:
            tries = self.handed[record["id"]]
            if taken:
                twice = record["id"] not in self.taken and self.draw.random() < TWICE
                self.taken[record["id"]] = record
                if twice:
                    self.due.append((time.monotonic() + self.draw.uniform(0.1, 20.0), record, tries))
            elif record["id"] not in self.taken and tries < TRIES:
                self.due.append((time.monotonic() + AGAIN_AFTER, record, tries))

    def _note(self, event: list[Any]) -> None:
        with self.lock:
            self.events.append(event)


class Parts(HTMLParser):
    """The texts of a page's elements by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag not in ("br", "img", "meta", "link", "input", "hr") and len(self._open) < 200:
            name = dict(attrs).get("id") or ""
            while self._open and self._ends(*self._open[-1], tag, name):
                self._open.pop()
            self._open.append((tag, name))
            if name:
                self.texts.setdefault(name, "")

    @staticmethod
    def _ends(last: str, named: str, tag: str, name: str) -> bool:
        """Does an element end, whose end tag is left out, where another begins? None of the two is in the other one."""
        both = named in ELEMENTS and name in ELEMENTS
        return last in ENDED_BY and (both or tag in ENDED_BY[last])

    def handle_endtag(self, tag: str) -> None:
        """An element ends, and what was left open in it."""
        if tag in [each for each, _ in self._open]:
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text, which is of all elements that are open."""
        for _, name in self._open:
            if name:
                self.texts[name] += f" {data}"


def elements(text: str) -> dict[str, str] | None:
    """The texts of a page's two elements by their ids; None if it can't be read."""
    parser = Parts()
    try:
        parser.feed(text)
    except (ValueError, RecursionError, AssertionError):
        return None
    return {name: " ".join(parser.texts.get(name, "").split()) for name in ELEMENTS}


def page(text: str, right: Right, passenger: str, states: list[int]) -> tuple[bool, list[str]]:
    """Whether each part of a page is right, in one of the states, or says that it is away, and which are."""
    if (texts := elements(text)) is None:
        return False, []
    away = [name for name, said in texts.items() if AWAY in said.lower()]
    numbers = re.findall(r"(?<!\d)\d+\.\d+", texts["forecast"].replace(",", ""))
    codes = sorted(each for each in re.findall(r"\b[A-Z]{3}\b", texts["recommendations"]) if each in right.codes)
    dests = [sorted(right.models.recommend(right.of[state][1], passenger)) for state in states]
    shown = {
        "forecast": numbers in [[f"{right.prices[state][0]['price']:.2f}"] for state in states],
        "recommendations": codes in dests,
    }
    return all(ok or name in away for name, ok in shown.items()), away


def ask(
    method: str,
    target: str,
    path: str,
    body: Any = None,
    within: float = WITHIN + 1.0,
    largest: int = LARGEST,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, str, str]:
    """One request: status, body and Content-Type; status 0 and the trouble if no answer came in time."""
    if not target:
        return 0, "there is no such Service", ""
    connection = http.client.HTTPConnection(target, timeout=within)
    try:
        content = None if body is None else json.dumps(body)
        own = {"Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, content, own | dict(headers))
        answer = connection.getresponse()
        text = _read(answer, within, largest).decode(errors="replace")
        return answer.status, text, str(answer.headers.get("Content-Type", "none"))
    except (OSError, ValueError, http.client.HTTPException) as trouble:
        return 0, f"{type(trouble).__name__}: {trouble}", ""
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, within: float, largest: int) -> bytes:
    """The body, as far as it comes in time; a socket's own limit begins anew with each byte."""
    found, end = b"", time.monotonic() + within
    while len(found) < largest and time.monotonic() < end:
        piece = answer.read1(65536)
        if not piece:
            break
        found += piece
    return found
