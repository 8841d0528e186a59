"""Lab 03: what the learner's Dockerfile makes, built of a copy of the workspace in which the checker planted things.

It is built twice, the second time with another line in the source, and read layer by layer. Two pods run it: one with
all rights, for what the image does, and one as the platform runs it. All that is one run, which the checks share.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, is_ready, observe
from mlops_lab.measure.traffic.flights import difference, numbers

Object = dict[str, Any]

BUILD_IMAGE, RUN_IMAGE = "python-build:1", "python-run:1"
BUILT_WITHIN, SILENT = 300, 90  # s; the whole build, and what it may be silent for
LARGEST = 2_000_000_000  # bytes; a larger image is not pushed at all
UP_WITHIN = 60  # s, the pull included
ANSWER_WITHIN = 20  # s
SAME = 1e-6
ROWS, BATCHES = 80, 2  # the server looks up ten rows a second: a batch takes 8 s
BATCH_WITHIN = 45  # s
ENDED_WITHIN = 22  # s, of the 30 s that the platform grants
GRACE_OVER = 45  # s, after which the kubelet has killed what did not end
UNPACKED = 2  # times what the packages take unpacked: compiled modules and pip itself in a venv are in that
START = Path(__file__).parents[1] / "start"
PLATFORM = START / "platform" / "model.yaml"
GIVEN = ("service/app.py", "requirements.txt")
SOURCE, MODULE = "service/app.py", "numpy/__init__.py"
LABEL, PLAIN, STRICT = "mlops-lab/checker", "checker-plain", "checker-strict"
# What a kubelet says of a container that will never start; other reasons may pass, such as a Secret not yet seen.
HOPELESS = re.compile(
    r"runAsNonRoot|non-numeric|executable file not found|no such file|no command specified|permission denied|"
    r"not a directory|read-only file system",
    re.IGNORECASE,
)
NOT_OURS = re.compile(
    r"ErrImagePull|ImagePullBackOff|RegistryUnavailable|ContainerCreating|timed out|deadline exceeded|"
    r"reserve container name"
)
CHECKED_WITHIN = 540  # s for all that is measured
# Programs, and what one of them is told later in the same instruction.
INSTALLS = ((re.compile(r"\bpip3?\b"), re.compile(r"\b(?:install|sync|wheel)\b")),
            (re.compile(r"\buv\b"), re.compile(r"\b(?:install|sync)\b")))  # fmt: skip
SIZES = (
    "import pathlib, tarfile, zipfile\n"
    "folder = pathlib.Path('/wheels')\n"
    "print(sum(each.file_size for wheel in folder.glob('*.whl') for each in zipfile.ZipFile(wheel).infolist())\n"
    "    + sum(each.size for sdist in folder.glob('*.tar.gz') for each in tarfile.open(sdist)))\n"
)
MB = 1e6


@check(points=2, domains=("ckad/design-and-build",))
async def answers(lab: Lab) -> None:
    """The image builds without a network, and the server in it gives the model's own values on port 8080.

    A build may take 300 s, and be silent for 90 s. The pod runs as root here, and may write; it is ready within 60 s.
    """
    found = await lab.once(measured)
    built = found.built
    expect(
        Observation(
            bool(built.image),
            f"an image within {BUILT_WITHIN} s",
            f"{built.how or 'built'} after {built.seconds:.0f} s",
            built.seconds,
            built.lines[-12:],
        )
    ).because(
        "RUN runs while the image is built, and must end; what is to run in the container is said by CMD or ENTRYPOINT"
        if built.how.startswith(("not done", "nothing printed", "printed"))
        else "the builder stops at the first instruction that fails, and its last lines say which. COPY --from copies "
        "from another stage, all other COPY from the folder, without what .dockerignore names. A build has no network: "
        "pip finds the packages in python-build:1"
    )
    size = observe("size of the image, in MB", found.built.bytes / MB, at_most(LARGEST / MB))
    expect(size).because("a node would pull an image of this size for minutes: it is not even tried here")
    expect(found.plain.up).because(
        "the container's command is what CMD or ENTRYPOINT says. If it ended, its log above says why: a package that "
        "is not found was installed in another stage, or where this Python does not look. If it runs and is not ready, "
        "it does not listen on port 8080 of the pod's address: 127.0.0.1 is reached from inside the pod only"
    )
    answer = found.predicted
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
        "the server and the model's package are given: run service.app:app as it is"
    )
    apart = difference(answer.fields_if_any.get("probabilities"), lab.traffic.hidden_rows(20).probabilities("v1"))
    expect(observe("largest difference from the model's own probabilities", apart, at_most(SAME))).because(
        "the server and the model's package are given: run service.app:app as it is"
    )


@check(points=3, needs=answers, domains=("ckad/environment-configuration-and-security", "ckad/design-and-build"))
async def runs_without_rights(lab: Lab) -> None:
    """As the platform runs it, it is ready and answers: not as root, without capabilities, its file system read-only.

    The pod has `runAsNonRoot: true` and no `runAsUser`: who it is, the image says.
    """
    found = await lab.once(measured)
    expect(found.strict.up).because(
        "with runAsNonRoot the kubelet looks who the image's USER is, and refuses root. It does not look into the "
        "image, so a name tells it nothing: USER must be a number. What that user reads and runs must be open to "
        "it (/root is not), and nothing can be written, as readOnlyRootFilesystem says"
    )
    answer = found.strictly_predicted
    heard = [answer.error or answer.text[:200]]
    expect(observe("status of POST /predict (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
        "the same image answers when it runs as root: what it needs for an answer, this user may not read or write"
    )


@check(points=3, needs=answers, domains=("ckad/environment-configuration-and-security",))
async def keeps_secrets_out(lab: Lab) -> None:
    """Neither a token of `.env` nor `.lab/kubeconfig` is in the image: in no layer, nor in what describes it.

    The checker has put tokens of its own into a copy of your folder before it built that.
    """
    found = await lab.once(measured)
    expect(nothing_of(found.content, SECRETS)).because(
        "an image is the sum of its layers, and whoever may pull it reads them all: docker save writes them out. A "
        "file that a later instruction deletes is still in the layer that brought it, and ENV and ARG stand in the "
        "configuration and the history. What .dockerignore names never gets to the builder; a secret comes when the "
        "container starts, from the Secret that the Deployment names"
    )


@check(points=2, needs=answers, domains=("ckad/design-and-build",))
async def leaves_the_rest_out(lab: Lab) -> None:
    """Of the folder only what the server needs is in the image: no `.git`, no `__pycache__`, no notebooks.

    The checker has put files of its own there, at the top and in the subfolder of the sources.
    """
    found = await lab.once(measured)
    expect(nothing_of(found.content, REST)).because(
        "COPY takes whole folders, with what lies hidden in them. A pattern of .dockerignore counts from the top of "
        "the folder: dir matches only there, **/dir at any depth. Or turn it round: * leaves all out, and !path "
        "lets in what is needed"
    )


@check(points=3, needs=answers, domains=("ckad/design-and-build",))
async def is_small(lab: Lab) -> None:
    """All layers together hold no more than python-run:1, and twice what packages and source take unpacked.

    The checker measures that in the same run: the layers of python-run:1, and the packages in python-build:1.
    """
    found = await lab.once(measured)
    limit = found.base + UNPACKED * found.packages
    expect(
        Observation(
            found.content.size <= limit,
            f"at most {limit / MB:.0f} MB ({found.base / MB:.0f} of python-run:1, and {UNPACKED:g} times "
            f"{found.packages / MB:.0f} of packages and source)",
            f"{found.content.size / MB:.0f} MB",
            found.content.size,
            largest(found.content),
        )
    ).because(
        "each instruction that writes makes a layer, and the image is all of them: what a later one deletes still "
        "counts, and a file whose owner or mode is changed is written again, whole. What only the build needs (pip, "
        "the compiler, the wheels) stays in a stage of its own, from which COPY --from takes the result"
    )


@check(points=2, needs=answers, domains=("ckad/design-and-build",))
async def installs_once(lab: Lab) -> None:
    """When a line of the source changes, the packages are not installed again.

    The checker adds a comment to `service/app.py` and builds a second time, at once.
    """
    found = await lab.once(measured)
    again = found.again
    expect(
        Observation(
            bool(again.image),
            "an image the second time, too",
            f"{again.how or 'built'} after {again.seconds:.0f} s",
            evidence=again.lines[-12:],
        )
    ).because("the first build of the same folder succeeded, and only a comment has come: see the builder's last lines")
    anew = tuple(" ".join(step.split())[:160] for step in again.ran if installs(step))
    moved = moved_layers(found.content, again.digests)
    expect(
        Observation(
            not anew and not moved,
            "the layers with the packages are those of the first build",
            f"{len(anew) or 'no'} installation ran again, {len(moved) or 'no'} layer with packages is another one",
            evidence=(*anew, *moved),
        )
    ).because(
        "the builder takes a layer from its cache as long as the instruction, the files that it copies, and all layers "
        "before it are the same; from the first difference on it makes all anew. So what changes rarely comes first: "
        "requirements.txt alone, the installation, and then the source"
    )


@check(
    points=3,
    needs=answers,
    domains=("ckad/observability-and-maintenance", "cka/workloads-and-scheduling", "cka/troubleshooting"),
)
async def finishes_what_it_began(lab: Lab) -> None:
    """A pod that is deleted answers the batches that it has begun, and has ended 22 s later at the latest.

    Two batches of 80 flights, which take 8 s, are under way when the pod is deleted. The platform grants it 30 s.
    """
    found = await lab.once(measured)
    drain = found.drain
    expect(drain.begun).because(
        "the server says in GET /healthz how many batches it is at, and by that the checker deletes the pod in the "
        "midst of them. The server is given: run service.app:app as it is"
    )
    for answer in drain.answers:
        heard = [answer.error or answer.text[:200]]
        expect(observe("status of POST /batch (0: no answer)", answer.status, equal_to(200), evidence=heard)).because(
            "when a pod is deleted, process 1 of its container gets SIGTERM, or what STOPSIGNAL in the Dockerfile "
            "names. uvicorn then takes no new connections and finishes what it has begun; it waits for that as long as "
            "--timeout-graceful-shutdown says, and without that option to the end. SIGKILL ends it at once"
        )
        apart = difference(answer.fields_if_any.get("probabilities"), lab.traffic.hidden_rows(ROWS).probabilities("v1"))
        expect(observe("largest difference from the model's own probabilities", apart, at_most(SAME))).because(
            "the server is given: run service.app:app as it is"
        )
    seen = "still running" if drain.ended is None else f"ended after {drain.ended:.0f} s"
    expect(
        Observation(
            drain.ended is not None and drain.ended <= ENDED_WITHIN,
            f"the container has ended {ENDED_WITHIN} s after the pod was deleted",
            seen,
            drain.ended,
            (f"the image's command: {command(found.content)}",),
        )
    ).because(
        "process 1 did not act on SIGTERM, and was killed when the grace period was over. A shell that started the "
        "server and waits for it is process 1: it has no handler for SIGTERM, and does not pass it on. In the exec "
        'form, CMD ["program", "argument"], the program is process 1; a script hands its place over with exec'
    )


SECRETS = ("the token of .env", "the token that .env had before", ".lab/kubeconfig")
REST = (".git/config", "service/__pycache__", "__pycache__ at the top", "notebooks")


@dataclass
class Pod:
    """A pod of the checker's that runs the image: whether it came up, and its node's word about why not."""

    up: Observation


@dataclass
class Drain:
    """What became of a pod that was deleted at work.

    Attributes:
        begun: it said that it was at work.
        answers: to the batches.
        ended: s until its container had ended; None: never.
    """

    begun: Observation
    answers: list[Any]
    ended: float | None


@dataclass
class Found:
    """All that was measured; what comes after a failure is not there."""

    built: Any
    plain: Pod | None = None
    strict: Pod | None = None
    predicted: Any = None
    strictly_predicted: Any = None
    content: Any = None
    base: int = 0
    packages: int = 0
    again: Any = None
    drain: Drain | None = None


async def measured(lab: Lab) -> Any:
    """Build, read, run and end it; leaves nothing in the namespace."""
    # First of all: whether the cluster answers. A build takes a while, and is nobody's fault if it does not.
    await lab.objects.find("Namespace")
    began = time.monotonic()
    with lab.work.copy() as apart, lab.work.workshop() as shop:
        for name in (BUILD_IMAGE, RUN_IMAGE):
            await lab.time.in_thread(shop.bring, f"{lab.platform.registry}/{name}")
        planted = plant(apart.folder, lab.work.folder)
        found = Found(await lab.time.in_thread(shop.build, apart.folder, within=BUILT_WITHIN, silent=SILENT))
        if not found.built.image or found.built.bytes > LARGEST:
            return found
        both = [
            asyncio.create_task(part)
            for part in (ran(lab, shop, found), looked_into(lab, shop, found, apart.folder, planted, began))
        ]
        try:
            await asyncio.gather(*both)
        finally:
            for part in both:
                part.cancel()
            await asyncio.gather(*both, return_exceptions=True)
    return found


def installs(step: str) -> bool:
    """Does an instruction install packages? The source itself may be one, without what it needs."""
    told = any((tool := program.search(step)) and word.search(step, tool.end()) for program, word in INSTALLS)
    return told and "--no-deps" not in step


def plant(workspace: Path, original: Path) -> dict[str, bytes]:
    """Put what can be recognised into a copy of the workspace; what to look for, by a name for the report."""
    marks = {name: f"mark-{uuid.uuid4().hex}" for name in (*SECRETS, *REST)}
    marks.pop(SECRETS[1])
    with contextlib.suppress(OSError, UnicodeDecodeError):
        had = re.search(r"^ARCHIVE_TOKEN=(\S{8,})", (original / ".env").read_text(encoding="utf-8"), re.MULTILINE)
        marks |= {SECRETS[1]: had[1]} if had else {}
    files = {
        ".env": f"ARCHIVE_TOKEN={marks[SECRETS[0]]}\n",
        ".lab/kubeconfig": f"# {marks[SECRETS[2]]}\n",
        ".git/config": f"[remote]\n\turl = {marks[REST[0]]}\n",
        "service/__pycache__/old.cpython-311.pyc": marks[REST[1]],
        "__pycache__/old.cpython-311.pyc": marks[REST[2]],
        "notebooks/sample.csv": marks[REST[3]],
        **{name: (START / name).read_text(encoding="utf-8") for name in GIVEN},
    }
    for name, text in files.items():
        put(workspace, name, text)
    return {name: mark.encode() for name, mark in marks.items()}


def put(workspace: Path, name: str, text: str) -> None:
    """Write a file of the copy, whatever is in its place: a file for a folder, a link out of the copy, no right to."""
    *folders, file = [workspace / part for part in (*reversed(Path(name).parents), name)]
    for folder in folders:
        if not (inside(workspace, folder) and folder.is_dir()):
            folder.unlink(missing_ok=True)
            folder.mkdir()
        folder.chmod(folder.stat().st_mode | 0o700)
    if inside(workspace, file) and file.is_file():
        file.chmod(file.stat().st_mode | 0o600)
    elif file.is_symlink() or not file.is_dir():
        file.unlink(missing_ok=True)
    else:
        shutil.rmtree(file)
    file.write_text(text, encoding="utf-8")


def inside(workspace: Path, file: Path) -> bool:
    """Is it in the copy? A link may lead out of it, to what is not a copy."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(workspace))


async def looked_into(
    lab: Lab, shop: Any, found: Found, workspace: Path, planted: dict[str, bytes], began: float
) -> None:
    """Read the layers, measure what they are compared with, and build once more with a changed line."""
    base, build = (f"{lab.platform.registry}/{name}" for name in (RUN_IMAGE, BUILD_IMAGE))
    given = (*await lab.time.in_thread(shop.digests, base), *await lab.time.in_thread(shop.digests, build))
    content = await lab.time.in_thread(shop.content, found.built.image, planted, given)
    found.content = content
    own = set(await lab.time.in_thread(shop.digests, base))
    if own and own <= {layer.digest for layer in content.layers}:
        found.base = sum(layer.size for layer in content.layers if layer.digest in own)
    else:
        found.base = (await lab.time.in_thread(shop.content, base)).size
    unpacked = int(await lab.time.in_thread(shop.printed, build, "python3", "-c", SIZES))
    found.packages = unpacked + sum(file.stat().st_size for file in (START / "service").rglob("*.py"))
    source = workspace / SOURCE
    source.write_text(f"{source.read_text(encoding='utf-8')}# {uuid.uuid4().hex}\n", encoding="utf-8")
    left = max(UP_WITHIN, min(BUILT_WITHIN, began + CHECKED_WITHIN - time.monotonic()))
    found.again = await lab.time.in_thread(shop.build, workspace, within=left, silent=SILENT)


async def ran(lab: Lab, shop: Any, found: Found) -> None:
    """Run the image in two pods, ask both, and delete one of them while it works."""
    await lab.time.in_thread(shop.push, found.built.image)
    async with pods(lab, found.built.image):
        plain, strict = await asyncio.gather(up(lab, PLAIN), up(lab, STRICT))
        found.plain, found.strict = Pod(plain), Pod(strict)
        if not plain.ok:
            return
        body = lab.traffic.hidden_rows(20).body
        found.predicted = await asked(lab, PLAIN, body)
        if strict.ok:
            found.strictly_predicted = await asked(lab, STRICT, body)
        if found.predicted.status == 200:
            found.drain = await drained(lab)


@contextlib.asynccontextmanager
async def pods(lab: Lab, image: str) -> AsyncIterator[None]:
    """The two pods with a Service each and a Secret, while the block runs."""
    secret = {"name": f"checker-{uuid.uuid4().hex[:8]}", "labels": {LABEL: "secret"}}
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"ARCHIVE_TOKEN": uuid.uuid4().hex}}
    ]
    deployment = yaml.safe_load(PLATFORM.read_text(encoding="utf-8").split("\n---\n")[0])
    for name in (PLAIN, STRICT):
        objects += of_platform(deployment, name, image, secret["name"])
    await cleared(lab)  # what an interrupted run has left
    try:
        await lab.objects.apply(objects)
        yield
    finally:
        await cleared(lab)


def of_platform(deployment: Object, name: str, image: str, secret: Any) -> list[Object]:
    """A pod as the platform makes it, or for `PLAIN` with all rights, and a Service for it."""
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    spec["restartPolicy"] = "Never"
    (server,) = spec["containers"]
    server["image"] = image
    server["env"][0]["valueFrom"]["secretKeyRef"]["name"] = secret
    if name == PLAIN:
        spec["securityContext"], server["securityContext"] = {"runAsUser": 0}, {}
    meta = {"name": name, "labels": {LABEL: name}}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": {LABEL: name}, "ports": ports}},
    ]


async def cleared(lab: Lab) -> None:
    """Remove the checker's objects, and wait until its pods are gone."""
    for kind in ("Service", "Secret"):
        for item in await lab.objects.all(kind, LABEL):
            await lab.objects.delete(kind, item["metadata"]["name"])
    for name in (PLAIN, STRICT):
        if await lab.objects.named("Pod", name).now():
            await lab.objects.kill(name, grace=0)
            await lab.objects.gone("Pod", name, within=60)


async def up(lab: Lab, name: str) -> Observation:
    """Wait until the pod is ready, or never will be.

    Raises:
        LabError: no node has room for it, or its image does not come from the registry.
    """
    pod = lab.objects.named("Pod", name)
    seen = await pod.until(
        lambda item: is_ready(item) or bool(ended_or_refused(item)), expected="ready", shown=state, within=UP_WITHIN
    )
    item = await pod.now() or {}
    if is_ready(item):
        return seen
    waits = state(item)
    if "nodeName" not in item.get("spec", {}) or NOT_OURS.search(waits):
        raise LabError(f"the checker's pod {name} does not start: {waits}", "see how the cluster is: lab status")
    log = await last_lines(lab, name)
    return Observation(False, seen.expected, waits, None, tuple(dict.fromkeys((*log, *seen.evidence))))


async def last_lines(lab: Lab, name: str) -> list[str]:
    """The end of the container's log; nothing if it has none."""
    try:
        return [line[:200] for line in (await lab.objects.logs(name, tail=6)).splitlines()]
    except LabError:
        return []


async def asked(lab: Lab, name: str, body: Any) -> Any:
    """POST /predict, again for a moment while the nodes have not heard of the pod."""
    end = time.monotonic() + ANSWER_WITHIN
    while True:
        answer = await lab.traffic.post(name, "/predict", body, within=ANSWER_WITHIN)
        if answer.status or time.monotonic() > end:
            return answer
        await lab.time.pause(1)


async def drained(lab: Lab) -> Drain:
    """Begin batches, delete the pod when the server says that it is at them, and see both to their end.

    Raises:
        LabError: the machine was too busy: the batches had ended before the pod was told to.
    """
    body = lab.traffic.hidden_rows(ROWS).body

    async def batch() -> tuple[Any, float]:
        answer = await lab.traffic.post(PLAIN, "/batch", body, within=BATCH_WITHIN)
        return answer, time.monotonic()

    under_way = [asyncio.create_task(batch()) for _ in range(BATCHES)]
    try:
        begun = await under_way_at(lab, 1, within=12)
        if begun.ok:  # both, if one process has them; with more each tells of its own
            await under_way_at(lab, BATCHES, within=2)
        if not begun.ok and begun.value.status == 200 and numbers([begun.value.fields_if_any.get("batches")]) is None:
            return Drain(begun, [], None)
        if not begun.ok:
            raise LabError(f"the batches did not begin: {begun.seen}", "the machine is busy: try again")
        since = time.monotonic()
        await lab.objects.kill(PLAIN)
        over, _ = await asyncio.gather(has_ended(lab), asyncio.wait(under_way))
        heard = [task.result() for task in under_way]
        # The kubelet hears of it within a second; a batch that was done by then proves nothing.
        if any(answer.status == 200 and at < since + 2 for answer, at in heard):
            raise LabError("the batches were done before the pod was told to end", "the machine is busy: try again")
        return Drain(begun, [answer for answer, _ in heard], None if over is None else over - since)
    finally:
        for task in under_way:
            task.cancel()


async def under_way_at(lab: Lab, batches: int, within: float) -> Observation:
    """Wait until the server says that it is at so many batches."""
    return await lab.time.eventually(
        lambda: lab.traffic.get(PLAIN, "/healthz"),
        lambda answer: at_least(batches)(answer.fields_if_any.get("batches")),
        expected="the batches are under way", shown=lambda answer: answer.text[:100], within=within, every=0.2,
    )  # fmt: skip


async def has_ended(lab: Lab) -> float | None:
    """When the container of the deleted pod had ended (time.monotonic); None: not in time."""

    def over(item: Object | None) -> bool | None:
        states = (item or {}).get("status", {}).get("containerStatuses") or []
        return True if item is None or any("terminated" in each.get("state", {}) for each in states) else None

    done, _ = await lab.objects.wait("Pod", PLAIN, over, within=GRACE_OVER)
    return time.monotonic() if done else None


def ended_or_refused(pod: Object | None) -> str:
    """Why it will never be ready; empty as long as it may."""
    for each in (pod or {}).get("status", {}).get("containerStatuses") or []:
        now = each.get("state", {})
        if ended := now.get("terminated"):
            return f"the container ended with exit code {ended['exitCode']}"
        waiting = now.get("waiting") or {}
        if HOPELESS.search(said := refusal(waiting)):
            return said
    return ""


def refusal(waiting: Object) -> str:
    """Why a container waits, in a line."""
    return f"{waiting.get('reason', 'waiting')}: {' '.join(str(waiting.get('message', '')).split())[:300]}".rstrip(": ")


def state(pod: Object | None) -> str:
    """How a pod stands, in words."""
    if not pod:
        return "no pod"
    if said := ended_or_refused(pod):
        return said
    for each in pod.get("status", {}).get("containerStatuses") or []:
        if waiting := each.get("state", {}).get("waiting"):
            return refusal(waiting)
        if "running" in each.get("state", {}):
            return "ready" if is_ready(pod) else "running, not ready"
    return str(pod.get("status", {}).get("phase", "unknown"))


def nothing_of(content: Any, names: Sequence[str]) -> Observation:
    """Whether the image holds nothing of what bears these names, and where if it does."""
    hits = [hit for hit in content.hits if hit.needle in names]
    kinds = sorted({hit.needle for hit in hits})
    return Observation(
        not hits,
        f"nothing of {', '.join(names)} in the image",
        f"found: {', '.join(kinds)}" if hits else f"nothing, in {len(content.layers)} layers",
        len(hits),
        tuple(dict.fromkeys(map(str, hits)))[:6],
    )


def largest(content: Any) -> tuple[str, ...]:
    """The largest layers, a line each."""
    most = sorted(content.layers, key=lambda layer: -layer.size)[:4]
    return tuple(f"{layer.size / MB:.0f} MB: {layer.made_by[:120] or 'no instruction is known'}" for layer in most)


def moved_layers(content: Any, digests: Sequence[str]) -> tuple[str, ...]:
    """The instructions whose layers hold packages and are not among the digests of another build."""
    holds = [layer for layer in content.layers if any(path.endswith(MODULE) for path in layer.files)]
    return tuple(f"another layer: {each.made_by[:140]}" for each in holds if each.digest not in digests)


def command(content: Any) -> str:
    """What the image runs, as its configuration has it."""
    config = content.config.get("config") or {}
    return " ".join(map(str, [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]))[:200]
