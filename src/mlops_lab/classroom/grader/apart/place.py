"""A pod for one program of a learner's: made, given files and a command, heard, and gone."""

from __future__ import annotations

import base64
import binascii
import io
import itertools
import json
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import packing
from mlops_lab.classroom.grader import names
from mlops_lab.classroom.grader.apart import inside
from mlops_lab.classroom.operator.walls import to_addresses
from mlops_lab.kube.client import Kube, Object, Objects
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.execs import Beyond, ExecStream
from mlops_lab.measure.pods import script
from mlops_lab.measure.pods.evidence import evidence, pod_state
from mlops_lab.measure.pods.removal import remove

_READY_WITHIN = 120.0  # s; a busy node starts pods slowly
_ALONE_WITHIN = 60.0  # s; no program of a learner's runs yet
_GRACE = 30.0  # s beside a program's own limit, for files in and out
_FEW = 64 << 10  # bytes
_ANSWER = 32 << 20  # bytes: files, output, and what stands around them
_ROOM, _MEMORY, _CORES = "256Mi", "1Gi", "1"
_DNS = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]


@dataclass(frozen=True)
class Ran:
    """How a program ended.

    Attributes:
        code: its exit code, negative for a signal's number; None if its time was over.
        output: the last 64 KiB of what it printed.
        written: an archive of files that it made or changed, as `packing.files` takes it; empty without such.
        trouble: why it could not be started, in words.
    """

    code: int | None
    output: str
    seconds: float
    written: bytes = b""
    trouble: str = ""


@dataclass(frozen=True)
class Place:
    """Where a submission's programs run.

    Attributes:
        namespace: in which there is nothing but these pods.
        image: by the name that the cluster knows, with Python, kubectl and what learners' programs import.
        hides: folders of the image that they find empty.
        packages: what their PYTHONPATH is.
        api: addresses and ports of the API server, for programs that the task lets talk to it.
        dns: the cluster's DNS pods by their labels, and addresses of caches on the nodes.
    """

    kube: Kube
    namespace: str
    image: str
    hides: Sequence[str] = ()
    packages: str = ""
    api: Sequence[tuple[str, int]] = ()
    dns: Mapping[str, str] = field(default_factory=dict)
    dns_addresses: Sequence[str] = ()

    def run(
        self,
        folder: Path,
        words: Sequence[str],
        *,
        within: float,
        env: Mapping[str, str] | None = None,
        kubeconfig: str = "",
        files: bool = True,
        stop: threading.Event | None = None,
    ) -> Ran:
        """Run a program of a folder in a pod.

        Args:
            words: the program, relative to the folder (or `kubectl`), and its arguments.
            within: seconds for the program itself.
            env: all that it knows beside where programs are. Namespaces of http addresses in it can be reached.
            kubeconfig: for a program that talks to the API server; without one that can't be reached.
            files: bring back what it writes.
            stop: ends the wait for the pod.

        Raises:
            LabError: the pod could not run; nothing of that is the program's doing.
        """
        name = f"program-{uuid.uuid4().hex[:8]}"
        objects = self.objects(name, within, env or {}, talks=bool(kubeconfig))
        try:
            self.kube.apply(objects)
            self._wait(name, stop)
            self._see_alone(name)
            began = time.monotonic()
            with self.kube.exec(name, self.namespace, ["python3", "/checker/inside.py"]) as stream:
                _tell(stream, folder, words, within, env or {}, kubeconfig, files)
                try:
                    return _heard(stream.lines(within=within + _GRACE, most=_ANSWER))
                except Beyond as beyond:
                    return self._ended(name, _Silent(beyond.message, None), time.monotonic() - began)
                except (_Silent, LabError) as silence:
                    return self._ended(name, silence, time.monotonic() - began)
        finally:
            remove(self.kube, objects)

    def objects(self, name: str, within: float, env: Mapping[str, str], *, talks: bool) -> Objects:
        """What is made for one program: the file that runs it, a policy, and the pod, in this order."""
        files = {"inside.py": Path(inside.__file__).read_text("utf-8")}
        variables = {"PROGRAMS_PATH": self.packages} if self.packages else {}
        lives = _READY_WITHIN + within + 2 * _GRACE
        made = script.objects(
            name, self.image, ["sleep", str(int(lives))], files, variables, lives, script.Apart(hides=self.hides)
        )
        for item in made:
            item["metadata"] = {**item["metadata"], "namespace": self.namespace}
            item["metadata"]["labels"] = {**item["metadata"]["labels"], names.APART: name}
        config, policy, pod = made
        policy["spec"] |= {"podSelector": {"matchLabels": {names.APART: name}}, "egress": self._ways(env, talks=talks)}
        (container,) = pod["spec"]["containers"]
        container["resources"] = {
            "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "32Mi"},
            "limits": {"cpu": _CORES, "memory": _MEMORY, "ephemeral-storage": _ROOM},
        }
        for volume in pod["spec"]["volumes"]:
            if "emptyDir" in volume:
                volume["emptyDir"] = {"sizeLimit": _ROOM}
        return [config, policy, pod]

    def _ways(self, env: Mapping[str, str], *, talks: bool) -> Objects:
        """Whom the pod reaches: nobody, but for the API server and parts of the platform where the task says so."""
        hosts = [urlsplit(value).hostname or "" for value in env.values() if value.startswith(("http://", "https://"))]
        parts = sorted({host.split(".")[1] for host in hosts if "." in host})
        ways: Objects = []
        if parts:
            wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": parts}
            ways.append({"to": [{"namespaceSelector": {"matchExpressions": [wanted]}}]})
            system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
            caches = [{"ipBlock": {"cidr": each}} for each in self.dns_addresses]
            ways.append({"to": [{**system, "podSelector": {"matchLabels": dict(self.dns)}}, *caches], "ports": _DNS})
        if talks:
            ways += to_addresses(self.api)
        return ways

    def _wait(self, name: str, stop: threading.Event | None) -> None:
        def begun(pod: Object | None) -> bool | None:
            phase = (pod or {}).get("status", {}).get("phase")
            return True if pod is None or phase in ("Running", "Succeeded", "Failed") else None

        done, pod = self.kube.wait("Pod", name, self.namespace, begun, within=_READY_WITHIN, stop=stop)
        if not done or (pod or {}).get("status", {}).get("phase") != "Running":
            raise LabError(
                f"the pod for a program does not run: {pod_state(pod) if pod else 'it is gone'}",
                "see what is wrong with the cluster: lab status",
                "\n".join(evidence(self.kube, "Pod", name, self.namespace)),
            )

    def _see_alone(self, name: str) -> None:
        """A pod may begin before the network knows its policy."""
        with self.kube.exec(name, self.namespace, ["python3", "/checker/inside.py", inside.ALONE]) as stream:
            said = [line for line in stream.lines(within=_ALONE_WITHIN, most=_FEW) if line]
        if said != [inside.ALONE]:
            raise LabError(
                f"the pod for a program reaches port {inside.FORBIDDEN} of the cluster's name server",
                "see whether this cluster's network keeps NetworkPolicies: docs/class-grading.md",
                "\n".join(said),
            )

    def _ended(self, name: str, silence: Exception, seconds: float) -> Ran:
        """What it means that nothing was said: the program's doing, as long as the pod and its node are well.

        Raises:
            LabError: the environment's.
        """
        try:
            pod = self.kube.get("Pod", name, self.namespace)
        except NotFound as gone:
            raise LabError("the pod for a program is gone", "it is graded again") from gone
        status = pod.get("status") or {}
        ended = [(each.get("state") or {}).get("terminated") or {} for each in status.get("containerStatuses") or []]
        if any(each.get("reason") == "OOMKilled" for each in ended):
            return Ran(-9, f"killed: it used more than {_MEMORY} of memory", seconds)
        if status.get("reason") == "Evicted" and _own_room(str(status.get("message", ""))):
            return Ran(-9, f"killed: it wrote more than {_ROOM}", seconds)
        if status.get("phase") == "Running" and isinstance(silence, _Silent):
            return Ran(silence.code, f"killed: {silence}", seconds)
        raise LabError(
            f"the pod for a program {pod_state(pod)}", "see what is wrong with the cluster: lab status", str(silence)
        ) from silence


class _Silent(Exception):
    """A program has ended what runs it, or keeps it from speaking; `code` is what it ended with."""

    def __init__(self, how: str, code: int | None = -9) -> None:
        super().__init__(how)
        self.code = code


def _own_room(message: str) -> bool:
    """Was a pod evicted for what it wrote itself, and not since its node had no room?"""
    return "exceeds the limit" in message or "exceeds the total limit" in message or "exceeded its local" in message


def _tell(
    stream: ExecStream,
    folder: Path,
    words: Sequence[str],
    within: float,
    env: Mapping[str, str],
    kubeconfig: str,
    files: bool,
) -> None:
    packed = base64_lines(_packed(folder))
    asked = {
        "lines": len(packed), "words": list(words), "within": within, "env": dict(env), "kubeconfig": kubeconfig,
        "files": files,
    }  # fmt: skip
    stream.write(json.dumps(asked) + "\n")
    for line in packed:
        stream.write(line + "\n")


def base64_lines(content: bytes) -> list[str]:
    """Bytes in lines of text."""
    return [
        base64.b64encode(content[at : at + inside.LINE]).decode() for at in range(0, len(content), inside.LINE)
    ]  # fmt: skip


def _packed(folder: Path) -> bytes:
    """A folder's files as the pod takes them; hidden ones too, such as what the lab itself has laid there."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.USTAR_FORMAT) as to:
        for file in sorted(folder.rglob("*")):
            inner = file.relative_to(folder)
            if inner.parts[0] == ".lab" or not file.is_file() or file.is_symlink():
                continue
            entry = tarfile.TarInfo(inner.as_posix())
            entry.size, entry.mode = file.stat().st_size, 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as content:
                to.addfile(entry, content)
    return out.getvalue()


def _heard(lines: Iterator[str | None]) -> Ran:
    """What was said, as far as it has the form of an answer.

    Raises:
        _Silent: nothing that has it.
    """
    said = (line for line in lines if line)
    first = next(said, None)
    try:
        answer: dict[str, Any] = json.loads(first or "")
        code, seconds = answer["code"], float(answer["seconds"])
        output = base64.b64decode(answer["output"])[-inside.KEPT :].decode(errors="replace")
        number = int(answer["lines"])
        parts = [base64.b64decode(line) for line in itertools.islice(said, max(0, number))]
        trouble = str(answer["trouble"])[:500]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as other:
        raise _Silent("it ended what ran it") from other
    if not (code is None or isinstance(code, int)) or len(parts) != number:
        raise _Silent("it ended what ran it")
    return Ran(code, output, seconds, b"".join(parts), trouble)


def written(packed: bytes) -> list[packing.File]:
    """Files that a program has written, in bounds and by the same rules as what is handed in.

    Raises:
        packing.Refused: there is something else among them.
    """
    return packing.files(packed) if packed else []
