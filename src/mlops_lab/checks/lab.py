"""The `lab` object: all that a check may touch, bound to the lab's namespace and workspace.

A check names the objects that the task fixes (`model`), and never a namespace, host or port of the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.checks import current
from mlops_lab.checks.check import Check
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.trace import Trace
from mlops_lab.checks.watched import Watched, followed
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.traffic.report import LATE_AT_MOST

if TYPE_CHECKING:
    from mlops_lab.measure.cluster.autoscaler_metrics import Use
    from mlops_lab.measure.images.builds import Workshop
    from mlops_lab.measure.pods.containers import Reading
    from mlops_lab.measure.pods.cpu_time import CpuClock
    from mlops_lab.measure.pods.own_pod import OwnPod
    from mlops_lab.measure.pods.script import Output
    from mlops_lab.measure.services.pipelines import Pipelines
    from mlops_lab.measure.services.port_forwards import Ways
    from mlops_lab.measure.services.tracking import Tracking
    from mlops_lab.measure.traffic.flights import HiddenRows
    from mlops_lab.measure.traffic.http import Answer
    from mlops_lab.measure.traffic.load import Load
    from mlops_lab.platform.dashboard.prometheus import Prometheus

T = TypeVar("T")
# s that what a check began may take to put things back once nobody waits for it.
_CLEARED_UP_WITHIN = 30.0
# s between two looks whether the learner's program has ended
_LOOK_EVERY = 0.02
# s; what it printed has been read by then, whoever else may still print
_READ_WITHIN = 1.0
# s; watchers have heard by then of what a program changed last
_HEARD_AFTER = 1.0


@dataclass(frozen=True)
class Command:
    """The learner's own command after its end: exit code (None: it was killed at its limit), output, seconds."""

    code: int | None
    output: str
    seconds: float

    def observed(self, right: bool, expected: str) -> Observation:
        """Whether it ended as expected, with how it did and its last lines; the value is the seconds it took."""
        how = "stopped by the checker" if self.code is None else f"exit code {self.code}"
        lines = tuple(self.output.splitlines()[-5:])
        return Observation(right, expected, f"{how} after {self.seconds:.0f} s", self.seconds, lines)


@dataclass(eq=False)
class Lab:
    """One lab on one cluster.

    Attributes:
        kube: the connection; for what no method below covers.
        namespace: the lab's own.
        number: such as `10`.
        workspace: the folder with the learner's files.
        registry: the prefix of image names, such as `localhost:5001`.
        settings: the variables by which programs in the cluster find the platform; the ConfigMap `platform` has them.
        mistake: in the verification of a mistake, the check that it must fail; else empty.
    """

    kube: Kube
    namespace: str
    number: str
    workspace: Path
    registry: str
    settings: Mapping[str, str] = field(default_factory=dict)
    mistake: str = ""
    _memory: dict[Any, tuple[asyncio.Task[Any], Trace]] = field(default_factory=dict)
    _open: Ways | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)
    _programs: set[object] = field(default_factory=set)

    def deployment(self, name: str) -> Watched:
        """The Deployment of that name, there or not."""
        return self.object("Deployment", name)

    def object(self, kind: str, name: str) -> Watched:
        """The object of that kind and name, there or not."""
        current.trace().looked_at(kind, name)
        return Watched(self.kube, kind, name, self.namespace)

    async def objects(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind in the lab's namespace."""
        return await asyncio.to_thread(self.kube.list, kind, self.namespace, selector)

    async def pods_of(self, service: str) -> list[Object]:
        """The pods that a Service selects and that are not being deleted.

        Raises:
            Failure: there is no such Service.
        """
        labels = await self._selector(service)
        return alive(await self.objects("Pod", labels)) if labels else []

    async def pods_until(
        self,
        service: str,
        test: Callable[[list[Object]], bool],
        *,
        expected: str,
        shown: Callable[[list[Object]], str],
        within: float,
    ) -> Observation:
        """Watch the pods of `pods_of` until `test` holds for them all together.

        Args:
            expected: what is waited for, in the learner's words.
            shown: what is seen of the pods, in few words.

        Returns:
            The observation; its `value` is the pods as they were seen last.

        Raises:
            Failure: there is no such Service.
        """
        labels = await self._selector(service)

        def wait(condition: Callable[[list[Object]], bool | None], stop: threading.Event) -> Any:
            if not labels:  # a Service without a selector has no pods, however long one waits
                return condition([]), []
            return self.kube.wait_all("Pod", self.namespace, condition, selector=labels, within=within, stop=stop)

        done, pods, took = await followed(
            wait, lambda pods: test(alive(pods)), told=lambda pods: shown(alive(pods)), within=within
        )
        pods = alive(pods)
        return Observation(done, f"{expected} within {within:g} s", f"{shown(pods)} after {took:.0f} s", pods)

    def thorough(self, *checks: Check) -> bool:
        """Whether what these checks measure must be measured for as long as they say.

        It must, but for `lab verify` of a mistake in another check: what has passed by then may end earlier.
        """
        return not self.mistake or self.mistake in [item.name for item in checks]

    async def pod_metric(self, name: str) -> dict[str, float]:
        """A custom metric of the pods in the lab's namespace, as an autoscaler reads it; pods without it are left out.

        Args:
            name: in the custom metrics API, such as `http_requests_per_second`.
        """
        from mlops_lab.measure.cluster.autoscaler_metrics import custom_metric

        return await self.thread(custom_metric, self.kube, self.namespace, name)

    async def pod_cpu(self) -> dict[str, Use]:
        """The newest CPU figure of each pod in the lab's namespace, as an autoscaler reads it."""
        from mlops_lab.measure.cluster.autoscaler_metrics import cpu

        return await self.thread(cpu, self.kube, self.namespace)

    async def readings(self, pods: Sequence[Object]) -> dict[tuple[str, str], Reading]:
        """What containers use, by pod and container, as the kubelet saw it last; see `measure.pods.containers`."""
        from mlops_lab.measure.pods.containers import readings

        return await self.thread(readings, self.kube, pods)

    def image(self, tag: str) -> str:
        """The flight-delay image of a tag by the name that this cluster knows, such as `v2`."""
        return f"{self.registry}/flight-delay:{tag}"

    def hidden_rows(self, count: int) -> HiddenRows:
        """Flights that the learner never sees, with the probabilities that each model version gives."""
        from mlops_lab.measure.traffic.flights import hidden_rows

        return hidden_rows(count)

    async def post(
        self,
        service: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One POST with a JSON body to a Service, from inside the cluster.

        Raises:
            Failure: there is no such Service.
        """
        return await self._ask("POST", service, path, body, headers, port, within)

    async def get(
        self,
        service: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        port: int = 80,
        within: float = 10.0,
    ) -> Answer:
        """One GET to a Service, from inside the cluster; otherwise as `post`."""
        return await self._ask("GET", service, path, None, headers, port, within)

    @property
    def mlflow(self) -> Tracking:
        """The cluster's MLflow. Its methods block: `await lab.thread(lab.mlflow.runs, lab.namespace)`."""
        from mlops_lab.measure.services.tracking import Tracking

        return Tracking(self._ways())

    @property
    def pipelines(self) -> Pipelines:
        """The cluster's Kubeflow Pipelines; its methods block, as those of `mlflow`."""
        from mlops_lab.measure.services.pipelines import Pipelines

        return Pipelines(self._ways())

    def pipeline(self, file: str) -> dict[str, Any]:
        """A compiled pipeline in the workspace, as `lab.pipelines.start` takes it.

        Raises:
            Failure: there is no such file, or it is none.
        """
        from mlops_lab.measure.services.pipelines import LARGEST, package

        path = self.workspace / file
        try:
            if path.exists() and not path.is_file():  # a named pipe, say, of which reading has no end
                raise OSError(errno.EINVAL, "no regular file")
            with path.open(encoding="utf-8") as text:
                return package(text.read(LARGEST + 1))
        except (OSError, ValueError) as wrong:
            seen = f"{wrong.strerror}: {file}" if isinstance(wrong, OSError) else str(wrong).splitlines()[0]
            raise Unmet(
                Observation(False, f"a compiled pipeline {file} in the workspace", seen),
                "kfp.compiler.Compiler().compile(pipeline, package_path) writes it; a relative path is one from the "
                "folder that the program was started in",
            ) from wrong

    @property
    def prometheus(self) -> Prometheus:
        """The cluster's Prometheus; its methods block, as those of `mlflow`."""
        from mlops_lab.platform.dashboard.prometheus import Prometheus

        ways = self._ways()
        return Prometheus(lambda: ways.address("prometheus"), lambda: ways.lost("prometheus"), limit=self.kube.timeout)

    async def address(self, page: str) -> str:
        """Where a page of the platform (`mlflow`, `pipelines`, `prometheus`) answers on this machine for now."""
        return await self.thread(self._ways().address, page)

    async def thread(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function that blocks, beside the other checks; counted as waiting."""
        with current.waits():
            return await asyncio.to_thread(function, *arguments, **named)

    async def eventually(
        self,
        look: Callable[[], Awaitable[T]],
        test: Callable[[T], bool],
        *,
        expected: str,
        shown: Callable[[T], str],
        within: float,
        every: float = 1.0,
    ) -> Observation:
        """Look again and again until `test` holds for what is seen; for what no watch of the API server tells.

        Args:
            look: what to do each time, such as `lambda: lab.thread(lab.mlflow.runs, lab.namespace)`.
            expected: what is waited for, in the learner's words.
            shown: what is seen, in few words.
            within, every: seconds.

        Returns:
            The observation; its `value` is what was seen last.
        """
        import time

        began = time.monotonic()
        while True:
            seen = await look()
            took = time.monotonic() - began
            if (done := test(seen)) or took > within:
                return Observation(done, f"{expected} within {within:g} s", f"{shown(seen)} after {took:.0f} s", seen)
            current.say(shown(seen), within - took)
            await self.pause(every)

    async def first_answer(
        self,
        ask: Callable[[], Awaitable[Answer]],
        test: Callable[[Answer], bool] = lambda answer: answer.status == 200,
        *,
        within: float,
    ) -> Answer:
        """Ask until an answer passes: the nodes learn of a new endpoint a moment after its pod is ready.

        Args:
            ask: such as `lambda: lab.get("model", "/version")`.
            within: seconds.

        Returns:
            The first answer that passes, or the last one there was.
        """
        seen = await self.eventually(ask, test, expected="an answer", shown=lambda answer: answer.shown, within=within)
        answer: Answer = seen.value
        return answer

    async def script(
        self,
        image: str,
        *words: str,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str] | None = None,
        within: float,
    ) -> Output:
        """Run a program of the checker's in a pod, outside the lab's namespace; see `measure.pods.script`.

        Args:
            image: below the cluster's registry, such as `components:1`.
            words: the command, such as `"python3", "/checker/score.py"`.
            files: by name; they lie in /checker.
            env: beside the platform's own settings, such as MLFLOW_TRACKING_URI.

        Raises:
            LabError: the pod could not run, or did not end in time.
        """
        from mlops_lab.measure.pods.script import run_script

        stop = threading.Event()
        with current.waits():
            try:
                return await asyncio.to_thread(
                    run_script, self.kube, f"{self.registry}/{image}", list(words),
                    files=files, env={**self.settings, **(env or {})}, within=within, stop=stop,
                )  # fmt: skip
            finally:
                stop.set()

    @contextlib.asynccontextmanager
    async def own_pod(
        self,
        image: str,
        *words: str,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str] | None = None,
        readiness: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[OwnPod]:
        """A pod of the checker's with a program that stays while the block runs; outside the lab's namespace.

        Args:
            image, words, files, env: as for `script`.
            readiness: the container's readinessProbe; the block begins when the pod is ready.

        Raises:
            LabError: the pod did not become ready.
        """
        from mlops_lab.measure.pods.own_pod import OwnPod

        pod = OwnPod(self.kube, f"{self.registry}/{image}", words, files=files, env=env or {}, readiness=readiness)
        try:
            await self.thread(pod.start)
            yield pod
        finally:
            await asyncio.to_thread(pod.delete)

    @contextlib.asynccontextmanager
    async def cpu_clock(self, pods: Sequence[Object]) -> AsyncIterator[CpuClock]:
        """Reads the CPU time of all containers of these pods, exactly, while the block runs: `measure.pods.cpu_time`.

        Its `seconds()` blocks: `await lab.thread(clock.seconds)`.

        Raises:
            LabError: it cannot be read.
        """
        from mlops_lab.measure.pods.cpu_time import CpuClock

        clock = CpuClock(self.kube, pods)
        try:
            await self.thread(clock.open)
            yield clock
        finally:
            await asyncio.to_thread(clock.close)

    def _ways(self) -> Ways:
        from mlops_lab.measure.services.port_forwards import Ways

        with self._making:
            if self._open is None:
                self._open = Ways(self.kube)
            return self._open

    async def _ask(
        self,
        method: str,
        service: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None,
        port: int,
        within: float,
    ) -> Answer:
        from mlops_lab.measure.traffic.http import ask, encoded

        url = await self._url(service, path, port)
        with current.waits():
            answer = await ask(self.kube, method, url, body=body, headers=headers, within=within)
        current.trace().request(method, url, encoded(body), answer)
        return answer

    @contextlib.asynccontextmanager
    async def load(
        self,
        service: str,
        *,
        rate: float,
        body: Any,
        duration: float,
        path: str = "/predict",
        headers: Mapping[str, str] | None = None,
        ramp_to: float | None = None,
        port: int = 80,
        answer_within: float = 10.0,
        keepalive: bool = False,
        late_at_most: float = LATE_AT_MOST,
    ) -> AsyncIterator[Load]:
        """Open-loop load on a Service while the block runs.

        Args:
            rate: requests a second; with `ramp_to` the rate at the start, which then grows evenly to `ramp_to`.
            duration: seconds at most; leaving the block ends it earlier, `await load.finished()` waits for its end.
            headers: sent with each request.
            answer_within: seconds after which a request without an answer counts as failed.
            keepalive: reuse connections; without it each request opens its own, as from many clients.
            late_at_most: seconds that 99 of 100 requests may leave late before the load counts as not sent. A check
                of failures alone may allow more than one of latencies.

        Raises:
            Failure: there is no such Service.
            LabError: the load could not be sent on its schedule.
        """
        from mlops_lab.measure.traffic.load import Load

        url = await self._url(service, path, port)
        load = Load(
            self.kube,
            url,
            rate=rate,
            ramp_to=ramp_to,
            duration=duration,
            body=body,
            headers=headers,
            answer_within=answer_within,
            keepalive=keepalive,
            late_at_most=late_at_most,
        )
        growing = f" to {ramp_to:g}" if ramp_to is not None else ""
        planned = f"{rate:g}{growing} requests a second, for up to {duration:g} s"
        current.trace().load(url, planned, lambda: load.seen)
        with current.waits():
            async with load:
                yield load

    async def kill(self, pod: str) -> None:
        """Delete a pod as `kubectl delete pod` does, with its own grace period."""
        await asyncio.to_thread(self.kube.delete, "Pod", pod, self.namespace)

    async def workers(self, at_least: int = 2) -> list[Object]:
        """The nodes that take pods, by name; `LabError` with what to do if there are fewer than `at_least`."""
        from mlops_lab.measure.cluster.nodes import workers

        return await self.thread(workers, self.kube, at_least)

    @contextlib.asynccontextmanager
    async def cordoned(self, node: str) -> AsyncIterator[None]:
        """No new pods on a node while the block runs; see `measure.cluster.nodes`.

        Raises:
            LabError: the cluster is not well without that node: say, the others have no room for the lab's pods.
        """
        from mlops_lab.measure.cluster.environment import problems
        from mlops_lab.measure.cluster.nodes import cordoned

        async with cordoned(self.kube, node):
            yield
            if found := await self.thread(problems, self.kube, (), self.namespace):
                raise LabError(f"with node {node} out: {'; '.join(found)}", "see how the cluster is: lab status")

    async def evict(self, pod: str, *, dry_run: bool = False) -> str:
        """Ask for a pod's eviction as `kubectl drain` does; empty if it was granted, else why a budget refused it."""
        from mlops_lab.measure.cluster.nodes import evict

        return await self.thread(evict, self.kube, pod, self.namespace, dry_run=dry_run)

    async def command(self, *words: str, within: float, env: Mapping[str, str] | None = None) -> Command:
        """Run a program of the learner's, in the workspace, with a kubeconfig for the lab's namespace.

        Args:
            within: seconds, after which it is killed.
            env: variables beside those settings that are names. The platform's addresses are of use in the cluster
                only; what runs here gets them from `lab.address(...)`.

        Raises:
            Failure: the file is not there or cannot be started.
        """
        import time

        program = self.workspace / words[0]
        names = {key: value for key, value in self.settings.items() if not value.startswith("http")}
        environment = {
            **os.environ, **names, **(env or {}), "KUBECONFIG": str(self.workspace / ".lab" / "kubeconfig"),
        }  # fmt: skip
        began = time.monotonic()
        with current.waits(), self._running_program():
            try:
                process = await asyncio.create_subprocess_exec(
                    str(program), *words[1:], cwd=self.workspace, env=environment, stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            except OSError as trouble:
                raise Unmet(
                    Observation(False, f"a program {words[0]} in the workspace", f"{trouble.strerror}: {program}"),
                    "the checker starts it as the delivery pipeline would: it must exist, be executable (chmod +x) "
                    "and begin with a line such as #!/usr/bin/env python3",
                ) from trouble
            output, code = await _output(process, within)
        return Command(code, output, time.monotonic() - began)

    @contextlib.contextmanager
    def apart(self, without: str = "") -> Iterator[Lab]:
        """This lab with a copy of the workspace, for a program of the learner's that writes files.

        What is written into the workspace itself `lab watch` would take for the learner's doing, and check again.
        Sockets, pipes and devices are left out.

        Args:
            without: a file at its top that the program is to make, which is not copied.

        Raises:
            Failure: a file may not be read.
            LabError: it can't be copied for another reason.
        """
        import shutil
        import tempfile

        def left_out(folder: str, names: list[str]) -> set[str]:
            return _left_out(folder, names) | ({without} if Path(folder) == self.workspace else set())

        with tempfile.TemporaryDirectory(prefix="mlops-lab-") as folder:
            try:
                shutil.copytree(self.workspace, folder, symlinks=True, ignore=left_out, dirs_exist_ok=True)
            except OSError as trouble:
                told = str(trouble)
                if os.strerror(errno.EACCES) not in told:  # no room, say, or a file that an editor has just moved
                    raise LabError(f"the workspace can't be copied: {told[:300]}", "check again") from trouble
                raise Unmet(
                    Observation(False, "a workspace whose files can be read", told[:300]),
                    "the checker works on a copy of the folder. A file that a container wrote may belong to root: give "
                    "it to yourself (sudo chown), or take it out",
                ) from trouble
            yield replace(self, workspace=Path(folder))

    def workshop(self) -> Workshop:
        """A place to build images of the learner's Dockerfile, `with` the block; its methods block.

        Raises:
            LabError: no engine is here, or the cluster does not pull from this machine's registry.
        """
        from mlops_lab.measure.images.builds import Workshop

        return Workshop(self.registry, self.namespace)

    async def pause(self, seconds: float) -> None:
        """Sleep, counted as waiting and not as the checker's own time."""
        with current.waits():
            await asyncio.sleep(seconds)

    async def once(self, function: Callable[[Lab], Awaitable[T]]) -> T:
        """The result of `function(lab)`, run once however many checks ask for it; its exception likewise."""
        if function not in self._memory:
            apart = Trace()

            async def first() -> T:
                with current.traced(apart):
                    return await function(self)

            self._memory[function] = asyncio.create_task(first()), apart
        task, apart = self._memory[function]
        current.trace().shared.append(apart)
        with current.waits():
            result: T = await asyncio.shield(task)
        return result

    async def events(self, names: Sequence[tuple[str, str]]) -> list[str]:
        """The last events of objects, and of what bears their names before a hyphen, such as their pods.

        Args:
            names: kind and name of each.
        """
        from mlops_lab.measure.pods.evidence import recent

        return await asyncio.to_thread(recent, self.kube, self.namespace, names)

    async def end(self) -> None:
        """End what checks share (a load, say) and nobody waits for any more, let it put back what it changed, and
        close the ways to the platform."""
        for task, _ in self._memory.values():
            task.cancel()
        if self._memory:
            await asyncio.wait([task for task, _ in self._memory.values()], timeout=_CLEARED_UP_WITHIN)
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the ways to the platform."""
        if self._open is not None:
            self._open.close()

    @property
    def runs_program(self) -> bool:
        """Whether a program of the learner's runs (`command`), or did a second ago: what it changes, it was told to."""
        return bool(self._programs)

    @contextlib.contextmanager
    def _running_program(self) -> Iterator[None]:
        loop, program = asyncio.get_running_loop(), object()
        self._programs.add(program)
        try:
            yield
        finally:
            loop.call_later(_HEARD_AFTER, self._programs.discard, program)

    async def _selector(self, service: str) -> str:
        selector = (await self._service(service))["spec"].get("selector") or {}
        return ",".join(f"{key}={value}" for key, value in selector.items())

    async def _service(self, name: str) -> Object:
        current.trace().looked_at("Service", name)
        found = await asyncio.to_thread(self.kube.find, "Service", name, self.namespace)
        if found is None:
            names = sorted(item["metadata"]["name"] for item in await self.objects("Service"))
            raise Unmet(
                Observation(False, f"a Service named {name}", f"Services here: {', '.join(names) or 'none'}"),
                "clients reach the pods by the Service's name, so without it nothing can be asked",
            )
        return found

    async def _url(self, service: str, path: str, port: int) -> str:
        # The cluster IP rather than the name: what is measured is the service, not a DNS look-up per request.
        spec = (await self._service(service))["spec"]
        address = spec.get("clusterIP")
        offered = [each["port"] for each in spec.get("ports") or []]
        if port not in offered:
            raise Unmet(
                Observation(False, f"Service {service} on port {port}", f"its ports: {', '.join(map(str, offered))}"),
                "clients call the port of the Service; its targetPort may be another one",
            )
        host = address if address and address != "None" else f"{service}.{self.namespace}.svc"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Of a folder's entries those that no copy of the workspace needs or can have."""
    own = {".git", ".venv", "__pycache__"}

    def copied(path: Path) -> bool:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # an editor's, which has gone
            return False
        return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)

    return own | {name for name in names if name not in own and not copied(Path(folder, name))}


def alive(pods: list[Object]) -> list[Object]:
    """The pods that are not being deleted."""
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


async def _output(process: asyncio.subprocess.Process, within: float) -> tuple[str, int | None]:
    """What a program printed (the last 64 KiB) and its exit code, None if it had to be killed.

    What it leaves in the background is killed once it has ended, and holds nobody up.
    """
    import signal

    kept = bytearray()

    async def read() -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(8192):
            kept.extend(chunk)
            del kept[:-65536]

    async def ended() -> None:
        # Process.wait() may wait for the end of the output too, which a program in the background keeps open.
        while process.returncode is None:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(_LOOK_EVERY)

    reading = asyncio.create_task(read())
    code: int | None = None
    try:
        async with asyncio.timeout(within):
            await ended()
        code = process.returncode
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ended()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, _READ_WITHIN)
        process._transport.close()  # type: ignore[attr-defined]
    return kept.decode(errors="replace"), code
