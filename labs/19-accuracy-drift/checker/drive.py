"""Draw streams of predictions and labels, give them to the learner's detector, and say when it alarmed.

Runs in a pod of the checker's; the last line printed is the answer as JSON. The probabilities are those that a table of
late shares (by day, time of day and airport) gives for flights of real days. The labels are drawn from them, so the
model is right by construction, until a drift begins. What the detector does wrong is part of the answer; an exit code
other than 0 is not its fault.
"""

import collections
import contextlib
import csv
import ctypes
import gzip
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE, FOLDER = Path(__file__).parent, Path("/data/flights")
WITHIN = int(os.environ.get("LABELS", "600"))  # labels of drifted flights, after which an alarm is too late
SHOWN = 2 * WITHIN  # how far a stream goes on, to tell late from never
FORGIVEN = 50  # in the first test: labels for each alarm before the drift
DRAWN, PRIOR = 60, 15  # days; flights of the day's own share that each cell of the table gets
LOWEST, HIGHEST = 0.02, 0.95
MORE, FEWER = 2.0, -2.5  # in log odds
BATCH = 400  # calls at once
ANSWERS_WITHIN = 20.0  # s for a batch
STARTS_WITHIN = 150.0  # s for the imports
CPU_SECONDS = 90.0  # for all tests together: 0.25 ms and more for each call
IDLE_SECONDS = 30.0  # in which it neither computed nor waited for the CPU
LINE = 1 << 16  # bytes of an answer at most
TROUBLES = 3  # tests that end in trouble, after which no more are begun
STRANGE = "the detector's process did not keep to its own side of the pipe"
PR_SET_DUMPABLE = 4


class Trouble(Exception):
    """What the detector does that ends the test: what was seen, and lines that explain it."""

    def __init__(self, seen, lines=()):
        super().__init__(seen)
        self.seen, self.lines = seen, list(lines)


@dataclass
class Feed:
    """How labels come.

    Attributes:
        delay: they come so many predictions later, at least and at most.
        more: a late flight's comes so many later still.
        lost: the share that never comes.
        again: how many times a late flight's label is repeated.
    """

    delay: tuple = (10, 60)
    more: int = 0
    lost: float = 0.0
    again: int = 0


IN_ORDER, MIXED, AGAIN, LOST, SLOW = (
    Feed(delay=(35, 35)), Feed(), Feed(again=2), Feed(lost=0.5), Feed(more=150)
)  # fmt: skip


class Flights:
    """Flights of days that are drawn, each with the share of late ones among its like: the model's probability."""

    def __init__(self, rng, folder):
        self.rng, self.names, probabilities, shares = rng, [], [], []
        for file in rng.choice(sorted(folder.glob("*.csv.gz")), DRAWN, replace=False):
            with gzip.open(file, "rt") as text:
                rows = list(csv.DictReader(text))
            cells = collections.defaultdict(list)
            for row in rows:
                cells[cell(row)].append(int(row["late"]))
            share = sum(int(row["late"]) for row in rows) / len(rows)
            table = {key: (sum(late) + PRIOR * share) / (len(late) + PRIOR) for key, late in cells.items()}
            day = file.name.partition(".")[0]
            for row in rows:
                self.names.append(f"{day} {int(row['hour']):02}h {row['carrier']} {row['origin']}-{row['dest']}")
                probabilities.append(table[cell(row)])
                shares.append(share)
        self.probabilities = np.clip(probabilities, LOWEST, HIGHEST)
        by_day = np.argsort(shares, kind="stable")
        tenth = len(by_day) // 10
        busy = by_day[-tenth:]
        storm = busy[self.probabilities[busy] > np.median(self.probabilities[busy])]
        self.groups = {"calm": by_day[: 5 * tenth], "storm": storm, "busy": busy, "any": by_day}

    def draw(self, count, group=""):
        """Names, each given once, and probabilities; of no group: a third from busy days, the others from any."""
        chosen = self.rng.choice(self.groups[group or "any"], count)
        if not group:
            chosen = np.where(self.rng.random(count) < 1 / 3, self.rng.choice(self.groups["busy"], count), chosen)
        tokens = self.rng.integers(1 << 30, 1 << 34, count)
        names = [f"{self.names[number]} {token:09x}" for number, token in zip(chosen, tokens, strict=True)]
        return names, self.probabilities[chosen]

    def events(self, flights, feed, *, drift=None, kind="", start=0.0):
        """The stream of some flights, in order: (time, call, flight, value, whether the flight is a drifted one).

        Args:
            drift: from which flight on the labels are drawn otherwise.
            kind: more of them are late than the model says, or fewer, or others.
            start: when the first prediction is made; one prediction is made in each unit of time.
        """
        rng, (names, given) = self.rng, flights
        true, first = given.copy(), len(given) if drift is None else drift
        true[first:] = drifted(given[first:], kind)
        late = rng.random(len(given)) < true
        comes = rng.uniform(*feed.delay, len(given)) + feed.more * late
        lost = rng.random(len(given)) < feed.lost
        found = []
        for number, name in enumerate(names):
            made, label = start + number, bool(late[number])
            found.append((made, "predicted", name, float(given[number]), number >= first))
            times = [] if lost[number] else [made + comes[number]]
            for _ in range(feed.again if label and times else 0):
                times.append(times[-1] + rng.uniform(*feed.delay))
            found += [(when, "labelled", name, label, number >= first) for when in times]
        return sorted(found, key=lambda event: event[0])


def cell(row):
    return int(row["hour"]) // 3, row["origin"]


def drifted(given, kind):
    """What the probabilities really are, where the model gives these."""
    if kind == "others":  # as many as before: the flights that seemed safest are those that are late
        order, true = np.argsort(given), np.empty_like(given)
        true[order] = given[order][::-1]
        return true
    odds = np.log(given / (1 - given)) + (MORE if kind == "more" else FEWER)
    return 1 / (1 + np.exp(-odds))


class Host:
    """The learner's detector, in a process of its own.

    Args:
        used: the seconds of CPU and of idleness so far, which it adds to.
    """

    def __init__(self, used, folder=HERE):
        there, asked = os.pipe()
        answered, here = os.pipe()
        self._asked, self._answered, self._kept, self._printed = asked, answered, b"", b""
        self._used, self._ran, self.pid, self.calls = used, (0.0, 0.0), None, 0
        self._process = subprocess.Popen(
            [sys.executable, str(folder / "host.py"), str(there), str(here)], pass_fds=(there, here), cwd="/tmp",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        os.close(there)
        os.close(here)
        threading.Thread(target=self._drain, daemon=True).start()
        if "ready" not in self._read(STARTS_WITHIN, "the import of detector.py"):
            raise Trouble("detector.py could not be imported")

    def begin(self):
        """A process for one test."""
        left = CPU_SECONDS - self._used["cpu"]
        if left < 1:
            raise Trouble(f"not begun: the tests before used the {CPU_SECONDS:.0f} s of CPU that there are for all")
        self.calls = 0
        self._write({"seconds": int(left) + 1})
        self.pid = self._read(ANSWERS_WITHIN, "the start of a test").get("pid")
        if not isinstance(self.pid, int):
            raise Trouble(STRANGE)
        self._ran = ran(self.pid)

    def new(self):
        """A new Detector."""
        self._ask({"do": "new"}, "Detector()")

    def feed(self, events):
        """Make calls until one alarms: how many were made, and whether the last one did."""
        answer = self._ask({"do": "feed", "events": events}, f"{len(events)} calls")
        made, alarm = answer.get("made"), answer.get("alarm")
        if not isinstance(made, int) or not 0 < made <= len(events) or not isinstance(alarm, bool):
            raise Trouble(STRANGE)
        self.calls += made
        return made, alarm

    def end(self):
        """The end of a test."""
        self._write({"do": "end"})
        until = time.monotonic() + ANSWERS_WITHIN
        while "ended" not in self._read(ANSWERS_WITHIN, "the end of a test", raising=False):
            if time.monotonic() > until:
                raise Trouble(STRANGE, self.printed)

    def close(self):
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def printed(self):
        """The last lines that the detector printed."""
        return [line[:160] for line in self._printed.decode(errors="replace").splitlines()[-3:]]

    def memory(self):
        """Bytes that are the process's own."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
            return int(status.partition("RssAnon:")[2].split()[0]) << 10
        except (OSError, IndexError):
            raise Trouble("the detector's process ended", self.printed) from None

    def _ask(self, what, named):
        began, own = time.monotonic(), ran("self")
        self._write(what)
        answer = self._read(ANSWERS_WITHIN, named)
        wall, own = time.monotonic() - began, [now - before for now, before in zip(ran("self"), own, strict=True)]
        now, before = ran(self.pid), self._ran
        self._ran = now
        self._used["cpu"] += now[0] - before[0]
        self._used["idle"] += max(0.0, wall - sum(own) - (sum(now) - sum(before)))
        if self._used["cpu"] > CPU_SECONDS:
            raise Trouble(f"stopped: with the tests before it has used {CPU_SECONDS:.0f} s of CPU")
        if self._used["idle"] > IDLE_SECONDS:
            raise Trouble(f"stopped: it has slept, or waited for something, for {IDLE_SECONDS:.0f} s in all")
        return answer

    def _write(self, what):
        try:
            data = json.dumps(what).encode() + b"\n"
            while data:
                _, ready, _ = select.select([], [self._asked], [], ANSWERS_WITHIN)
                if not ready:
                    raise Trouble(f"it took no calls for {ANSWERS_WITHIN:.0f} s", self.printed)
                data = data[os.write(self._asked, data[: 1 << 12]) :]
        except BrokenPipeError:
            raise Trouble("the detector's process ended", self.printed) from None

    def _read(self, within, named, *, raising=True):
        """One answer; raises for any that is none."""
        until = time.monotonic() + within
        while b"\n" not in self._kept:
            ready, _, _ = select.select([self._answered], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Trouble(f"no answer within {within:.0f} s to {named}", self.printed)
            data = os.read(self._answered, LINE)
            self._kept += data
            if not data or len(self._kept) > LINE:
                raise Trouble("the detector's process ended" if not data else "the answer is too long", self.printed)
        line, _, self._kept = self._kept.partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Trouble(STRANGE, self.printed)
        if raising:
            self._look(answer)
        return answer

    def _look(self, answer):
        if "raised" in answer:
            lines = answer["lines"] if isinstance(answer.get("lines"), list) else []
            lines = [str(each)[:200] for each in lines[:3]]
            raise Trouble(f"it raised {str(answer['raised'])[:300]}", lines or self.printed)
        if "returned" in answer:
            raise Trouble(f"labelled returned {str(answer['returned'])[:80]} ({str(answer.get('kind'))[:40]})")
        if "ended" in answer:
            killed = answer["ended"] in (-signal.SIGXCPU, -signal.SIGKILL)
            how = f"it was killed: there are {CPU_SECONDS:.0f} s of CPU for all tests" if killed else "it ended itself"
            raise Trouble(f"{how} (exit code {answer['ended']})", self.printed)

    def _drain(self):
        """Read what the detector prints, however much it is, and keep the end."""
        while data := os.read(self._process.stdout.fileno(), LINE):
            self._printed = (self._printed + data)[-2000:]


def ran(pid):
    """The seconds that a process's main thread was on a CPU, and those that it waited for one."""
    try:
        used, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(used) / 1e9, int(waited) / 1e9


class Stream:
    """One stream on its way through a detector.

    Attributes:
        labels, drifted: how many came, repeated ones too; how many drifted flights have theirs.
        false: the labels, by number, at which there was an alarm before the first drifted flight had its label.
        found: how many drifted flights had theirs at the first alarm after that.
    """

    def __init__(self, host, about):
        self.host, self.about, self.calls = host, about, 0
        self.labels, self.false, self.found, self.before, self._drifted = 0, [], None, None, set()

    @property
    def drifted(self):
        return len(self._drifted)

    def told(self):
        """The facts, as they go into the answer."""
        return {
            "about": self.about, "labels": self.labels, "before": self.before, "drifted": self.drifted,
            "false": self.false[:20], "alarms": len(self.false), "found": self.found,
        }  # fmt: skip

    def run(self, events, *, each=lambda: None, goes_on=False):
        """Feed events until an alarm, or their end, or it is too late; when the last one was.

        Args:
            each: called after each batch.
            goes_on: an alarm before the drift is noted and followed by replaced().
        """
        place, last = 0, 0.0
        while place < len(events) and self.drifted < SHOWN:
            batch = events[place : place + BATCH]
            made, alarm = self.host.feed([event[1:4] for event in batch])
            last = batch[made - 1][0]
            for _, call, flight, _, is_drifted in batch[:made]:
                if call == "labelled":
                    self.labels += 1
                    if is_drifted:
                        self.before = self.labels - 1 if self.before is None else self.before
                        self._drifted.add(flight)
            place += made
            each()
            if not alarm:
                continue
            if self._drifted:
                self.found = self.drifted
                break
            self.false.append(self.labels)
            if not goes_on or len(self.false) > 5 + self.labels / FORGIVEN:
                break
            self.host.feed([["replaced"]])
        return last


def finds(host, flights, rng):
    """Drifts after histories of several lengths; alarms before are forgiven, if they are not many."""
    for before in rng.permutation([500, 1500, 3000, 6000]):
        stream = Stream(host, "more")
        host.new()
        drawn = flights.draw(before + 2 * SHOWN)
        stream.run(flights.events(drawn, IN_ORDER, drift=before, kind="more"), goes_on=True)
        yield stream


def quiet(host, flights, rng):
    """Nothing happens, for 10,000 labels."""
    for _ in range(2):
        stream = Stream(host, "")
        host.new()
        stream.run(flights.events(flights.draw(10_000), MIXED))
        yield stream


def then_drift(host, flights, feed, before):
    """A stream with a feed of its own, and a drift at its end."""
    stream = Stream(host, "more")
    host.new()
    stream.run(flights.events(flights.draw(before + 3 * SHOWN), feed, drift=before, kind="more"))
    return stream


def again(host, flights, rng):
    """Labels of late flights come three times."""
    yield then_drift(host, flights, AGAIN, 2500)


def lost(host, flights, rng):
    """Every other label never comes."""
    yield then_drift(host, flights, LOST, 6000)


def blocks(host, flights, feed):
    """Calm and busy days in turn, as the model says they are, and at last a drift."""
    stream = Stream(host, "more")
    host.new()
    drawn = [flights.draw(700, group) for group in ("calm", "storm") * 3] + [flights.draw(2 * SHOWN)]
    whole = [name for names, _ in drawn for name in names], np.concatenate([given for _, given in drawn])
    stream.run(flights.events(whole, feed, drift=6 * 700, kind="more"))
    return stream


def busy(host, flights, rng):
    """Labels come as they do."""
    yield blocks(host, flights, MIXED)


def slow(host, flights, rng):
    """The labels of late flights come later."""
    yield blocks(host, flights, SLOW)


def kinds(host, flights, rng):
    """Drifts that are not just more late flights."""
    for kind in rng.permutation(["fewer", "others"] * 2):
        stream = Stream(host, str(kind))
        host.new()
        stream.run(flights.events(flights.draw(1500 + 2 * SHOWN), MIXED, drift=1500, kind=str(kind)))
        yield stream


def over(host, flights, rng):
    """A drift; at the alarm the model is replaced, and labels for the old one still come; later another drift."""
    stream = Stream(host, "first")
    host.new()
    events = flights.events(flights.draw(1000 + 2 * SHOWN), MIXED, drift=1000, kind="more")
    last = stream.run(events)
    yield stream
    if stream.found is None:
        return
    host.feed([["replaced"]])
    stream = Stream(host, "second")
    left = [(*event[:4], False) for event in events if event[0] > last and event[1] == "labelled"]
    made = {event[2] for event in events if event[0] <= last and event[1] == "predicted"}
    left = [event for event in left if event[2] in made]
    drawn = flights.draw(2500 + 2 * SHOWN)
    fresh = flights.events(drawn, MIXED, drift=2500, kind="more", start=last)
    stream.run(sorted(left + fresh, key=lambda event: event[0]))
    yield stream


def small(host, flights, rng):
    """100,000 predictions without a label, then 40,000 with one, and at last a drift. Alarms are not judged before."""
    stream, most = Stream(host, "more"), []
    host.new()
    never = Feed(lost=1.0)
    for feed, count in ((MIXED, 5000), (never, 5000)):
        stream.run(flights.events(flights.draw(count), feed), goes_on=True)
    first = host.memory()
    for feed in [never] * 20 + [MIXED] * 8:
        stream.run(flights.events(flights.draw(5000), feed), each=lambda: most.append(host.memory()), goes_on=True)
    stream.run(flights.events(flights.draw(2 * SHOWN), MIXED, drift=0, kind="more"), goes_on=True)
    stream.grown = max(most) - first
    yield stream


TESTS = {each.__name__: each for each in (finds, quiet, again, lost, busy, slow, kinds, over, small)}
FIRST = ("finds", "quiet")  # without these the others say nothing


def passed(name, told):
    """Is it worth going on to the others?"""
    if told.get("trouble"):
        return False
    if name == "finds":
        return all(stream["found"] is not None and stream["found"] <= WITHIN for stream in told["streams"])
    return not any(stream["alarms"] for stream in told["streams"])


def run(host, flights, rng, name):
    """One test; what was seen."""
    told = {"streams": []}
    try:
        host.begin()
        for stream in TESTS[name](host, flights, rng):
            told["streams"].append(stream.told())
            if hasattr(stream, "grown"):
                told["grown"] = stream.grown
        host.end()
    except Trouble as trouble:
        told |= {"trouble": trouble.seen, "lines": trouble.lines, "calls": host.calls}
    return told


def main():
    """Test the detector that lies beside this file."""
    # Another process of this user can't read this one's memory, nor write where it prints.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rng = np.random.default_rng()
    flights, found, host, used = Flights(rng, FOLDER), {}, None, {"cpu": 0.0, "idle": 0.0}
    for name in TESTS:
        if sum("trouble" in told for told in found.values()) >= TROUBLES:
            found[name] = {"streams": [], "trouble": f"not begun: {TROUBLES} tests before had to be ended", "calls": 0}
            continue
        try:
            host = host or Host(used)
        except Trouble as trouble:
            found[name] = {"streams": [], "trouble": trouble.seen, "lines": trouble.lines, "calls": 0}
            if name in FIRST:
                break
            continue
        began = time.monotonic()
        found[name] = run(host, flights, rng, name)
        found[name]["seconds"] = round(time.monotonic() - began, 2)
        if name in FIRST and not passed(name, found[name]):
            break
        if found[name].get("trouble"):  # its process may be anywhere
            host.close()
            host = None
    if host:
        host.close()
    print(json.dumps({"tests": found, "used": used}))


if __name__ == "__main__":
    main()
