"""The checker's own pods, made of the Deployment's template: what is done to each, and what becomes of it."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab, LabError, Observation, absent, is_ready
from mlops_lab.kit.host_names import drawn_name
from mlops_lab.kit.pods import restarts
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

QUICK, USUAL, SLOW = 2, 20, 45  # s that loading the model takes
LISTENS_WITHIN = 60  # s beyond the load, for imports while much else starts on the machine
READY_WITHIN = 15  # s from when a pod listens
TOLD_WITHIN = 3  # s more until the API server tells what the kubelet has found, on a busy machine too
OUT_WITHIN = 15  # s in which requests may still go to a pod that can't answer; also until one that can again is back
RESTARTED_WITHIN = 40  # s from the hang until there is a new container
RENEWALS = 2  # containers at most that are waited for, one after the other, until a pod that hung is ready
HANGS, BACK_OFF = 2, 10  # times; s that the kubelet itself waits before a container's second restart
BUSY = 10  # s
UNREADY = RESTARTED_WITHIN + 5  # s: who restarts what hangs in time and asks /readyz for it restarts this, too
LOOK_EVERY = 0.5  # s
LOG = 1 << 20  # bytes of a log, from its beginning
# Asked in a pod: what it answers about the feature store.
ASK = """
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=5).status)
except urllib.error.HTTPError as refusal:
    print(refusal.code)
"""
BUSY_ALREADY = "the event loop does something else"  # what server.py says to a drill then
LABEL, LOAD = "mlops-lab/checker", "MODEL_LOAD_SECONDS"
LATE = (
    "a pod is ready once its startup probe and then its readiness probe have succeeded; they ask when "
    "initialDelaySeconds and periodSeconds let them. A pod that is restarted while it starts is never ready"
)


@dataclass
class Copy:
    """A pod of the checker's, made of the Deployment's template, and what became of it.

    Attributes:
        load: s that its model takes to load.
        begun, why: it was ready, and its incident has begun; if not, why.
        prompt: whether its first container was ready soon after it had loaded; None: it ended before.
        away: it was made to answer 503 before it could be ready.
        cut_short: that its incident was ended before its time; None: it was not.
        since: time.monotonic of its creation, then of its incident.
        asked: time.monotonic when it was told to begin its incident; None: it was not yet.
        out, back, ended: s since then until it was not ready, ready again, and had a new container; None: never.
        renewals, before: new containers that it has had, now and until then.
        earlier: `ended` of the incidents before this one.
        events: what the kubelet said of it.
    """

    lab: Lab
    name: str
    container: str
    load: int
    since: float
    begun: Observation
    why: str = LATE
    ready: bool = False
    out: float | None = None
    back: float | None = None
    ended: float | None = None
    renewals: int = 0
    before: int = 0
    earlier: tuple[float, ...] = ()
    away: bool = False
    prompt: Observation | None = None
    asked: float | None = None
    cut_short: Observation | None = None
    events: tuple[str, ...] = ()

    async def look(self) -> None:
        """See how it is now, and note what is new."""
        pod = await self.lab.objects.named("Pod", self.name).now()
        if pod is None:
            raise LabError(f"the checker's own pod {self.name} is gone", "check again")
        passed, self.ready = time.monotonic() - self.since, is_ready(pod)
        self.renewals = max(self.renewals, restarts(pod))
        if self.ended is None and self.renewals > self.before:
            self.ended = passed
        if self.out is None and not self.ready:
            self.out = passed
        elif self.out is not None and self.back is None and self.ready:
            self.back = passed

    async def look_for_restart(self) -> None:
        """See whether it was restarted after all; whether it was ready in time stays as it was noted."""
        noted = self.ready, self.out, self.back
        await self.look()
        self.ready, self.out, self.back = noted

    async def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Look at it for so long, or until something holds."""
        end = time.monotonic() + seconds
        while True:
            await self.look()
            if until() or time.monotonic() > end:
                return
            await self.lab.time.pause(LOOK_EVERY)

    async def start(self) -> bool:
        """Wait until it has loaded and is ready; False if it never is, or is restarted before.

        One that is ready too late has its incident all the same: that it is late `prompt` says.

        Raises:
            LabError: the machine was too slow to load the model.
        """
        await self.watch(self.load - LOOK_EVERY, lambda: self.ended is not None)
        await self.loads()  # it may have been ready too early
        await self.watch(READY_WITHIN + TOLD_WITHIN, lambda: self.ready or self.ended is not None)
        in_time = self.ready
        if not in_time:
            left = self.since + self.load + LISTENS_WITHIN - time.monotonic()
            await self.watch(left, lambda: self.ready or self.ended is not None)
        what, said = f"pod that loads for {self.load} s", await events(self.lab, self.name)
        expected = f"a {what} is ready within {READY_WITHIN} s after that"
        if self.prompt is None and self.ended is None:
            late = "ready" if in_time else "ready later" if self.ready else "not ready"
            self.prompt = Observation(in_time, expected, late, None, said, what, timed=True)
        seen = "restarted before it was ready" if self.ended is not None else "ready" if self.ready else "not ready"
        self.begun = Observation(seen == "ready", expected, seen, None, said, what)
        return self.begun.ok

    async def loads(self) -> None:
        """Wait until the server has loaded its model, or its container has ended.

        Raises:
            LabError: the machine was too slow to load the model.
        """
        within = self.load + LISTENS_WITHIN
        while self.ended is None and not await self.listens():
            if time.monotonic() - self.since > within:
                raise LabError(
                    f"a model that loads for {self.load} s was not loaded after {within} s",
                    "the machine is too busy; close what else runs on it and check again",
                )
            await self.watch(LOOK_EVERY)

    async def renewed(self) -> bool:
        """Note when the container that hung has ended, and wait until the next one is ready; False if it is not."""
        self.earlier += (self.ended,) if self.ended is not None else ()
        return await self.anew()

    async def anew(self) -> bool:
        """Wait until the container that has come in place of one that ended is ready; False if it is not in time.

        On a busy machine that one may end, too, before it is ready: then the next one is waited for.
        """
        for _ in range(RENEWALS):
            self.since, self.ended, self.before, self.ready = time.monotonic(), None, self.renewals, False
            if await self.start():
                return True
            if self.ended is None:
                break
        return False

    async def leave(self) -> None:
        """Leave the Service: a pod whose incident is over gets no more requests, whatever becomes of it."""
        pod = await self.lab.objects.named("Pod", self.name).present()
        labels = {each: None for each in pod["metadata"]["labels"] if each != LABEL}
        await self.lab.objects.patch("Pod", self.name, {"metadata": {"labels": labels}})

    async def listens(self) -> bool:
        """Whether the server says that it has loaded its model."""
        try:
            return "listening" in await self.lab.objects.logs(self.name, self.container, tail=None, limit=LOG)
        except LabError:  # its container comes up, and has no log yet
            return False

    async def drill(self, *words: str) -> bool:
        """Begin an incident in it; False if the pod does not know how.

        Raises:
            LabError: the server was too busy to begin it in time; it may do so any moment.
        """
        self.asked = time.monotonic()
        done = await self.lab.objects.run_in(self.name, "python3", "/lab/drill.py", *words, container=self.container)
        code, said = done.code, " ".join([*done.lines, done.errors])[-300:].strip()
        self.since, self.out, self.back = time.monotonic(), None, None
        if BUSY_ALREADY in said:
            raise LabError(
                f"the server in {self.name} did not come to {words[0]}: its event loop had other work for 5 s",
                "the machine is too busy; close what else runs on it and check again",
            )
        if code != 0:
            expected = f"python3 /lab/drill.py {' '.join(words)} in a pod says ok"
            # The server answers at once; where it does not, or its container ends meanwhile, the machine may be why.
            self.begun = Observation(False, expected, f"exit code {code}: {said}", timed="error:" not in said)
            self.why = "server.py and drill.py are given, and lie in /lab: leave them as they are"
        return code == 0

    async def stays_away(self, seconds: float) -> None:
        """See whether it still answers 503, as it was made to for so many seconds; `cut_short` says if not."""
        with contextlib.suppress(LabError):  # its container may be ending just now
            done = await self.lab.objects.run_in(self.name, "python3", "-c", ASK, container=self.container)
            passed = time.monotonic() - (self.since if self.asked is None else self.asked)
            await self.look()
            if self.ended is None and passed < seconds and done.lines == ["200"]:
                expected = f"a pod answers 503 for {seconds:g} s, as drill.py has made it to"
                self.cut_short = Observation(False, expected, f"200 after {passed:.0f} s", passed, timed=False)

    def restarted(self, when: str, probes: Sequence[str]) -> Observation:
        """Whether its container lived on."""
        seen = "not restarted" if self.ended is None else f"restarted after {self.ended:.0f} s"
        # On a starved machine loading takes long, and a probe's answer comes late.
        return Observation(
            self.ended is None, f"no restart {when}", seen, self.ended, (*probes, *self.events), timed=True
        )

    def stayed(self, how: str) -> str:
        """How long it stayed in the Service, in words."""
        return f"the pod that {how} was " + (
            "ready all the time" if self.out is None else f"ready for {self.out:.0f} s"
        )

    def returned(self, probes: Sequence[str]) -> Observation:
        """Whether it was ready again in time, where it lived on."""
        seen = (
            "ready again"
            if self.back is not None
            else "restarted"
            if self.ended is not None
            else "ready all the time"
            if self.out is None and self.ready
            else "not ready by then"
        )
        return Observation(
            seen != "not ready by then",
            f"a pod that answers again is ready within {OUT_WITHIN} s",
            seen,
            evidence=tuple(probes),
        )


@contextlib.asynccontextmanager
async def copies(lab: Lab, template: Object, **loads: int) -> AsyncIterator[dict[str, Copy]]:
    """Pods of the Deployment's template, by what is done to each, with the seconds that their models take to load.

    Nothing about a pod says what will be done to it, and its name is such as those of the Deployment have: a probe may
    be a program, and read names and labels.
    """
    await cleared(lab)
    made, pods = {}, []
    for what, load in loads.items():
        name, spec = drawn_name("model"), copy.deepcopy(template["spec"])
        server = serving(spec)
        others = [each for each in server.get("env") or [] if each["name"] != LOAD]
        server["env"] = [*others, {"name": LOAD, "value": str(load)}]
        meta = {"name": name, "labels": {**template["metadata"].get("labels", {}), LABEL: "copy"}}
        not_yet = absent(f"a pod that loads for {load} s is ready soon after", "not looked at")
        made[what] = Copy(lab, name, server["name"], load, time.monotonic(), not_yet)
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    # No grace: a pod that hangs would use up all of it.
    async with standing(lab, pods, grace=0):
        yield made


async def cleared(lab: Lab) -> None:
    """Delete what a run that was cut off has left; it stands behind the learner's Service."""
    for left in await lab.objects.all("Pod", LABEL):
        await lab.objects.kill(left["metadata"]["name"], grace=0)


async def events(lab: Lab, pod: str) -> tuple[str, ...]:
    """What the kubelet said of a pod's probes: first what it restarted, then which probe failed."""
    found = await lab.objects.events(pod, "Pod")
    said = [each for each in found if each.get("reason") in ("Unhealthy", "Killing")]
    lines = [f"{each['reason']}: {' '.join(str(each.get('message', '')).split())[:160]}" for each in said]
    return tuple(sorted(lines, key=lambda line: ("Killing" not in line, "Readiness" in line))[:3])


def serving(spec: Object) -> Object:
    """The container that loads the model."""
    named = [each for each in spec["containers"] if any(env["name"] == LOAD for env in each.get("env") or [])]
    found: Object = (named or spec["containers"])[0]
    return found
