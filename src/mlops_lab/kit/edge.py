"""Requests to Traefik, as a client from outside sends them: for a host's name, over TLS too, with headers.

They come from a pod of the checker's own in the lab's namespace: what answers depends on the request's Host header and
on the name that TLS asks for, which requests by a Service's name don't have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.cluster.traefik import HOST
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.objects import phase

_RUNS_WITHIN = 60.0  # s
_PORTS = ("80", "443")
# In the checker's pod: asks what it is told in JSON, and prints what came back. No redirect is followed.
_ASK = """
import concurrent.futures, hashlib, http.client, json, socket, ssl, sys
server, asks = sys.argv[1], json.loads(sys.argv[2]) * int(sys.argv[3])
plain_port, tls_port = map(int, sys.argv[4:6])
try:
    server = socket.gethostbyname(server)
except OSError:
    pass  # each request says so
def one(ask):
    said = {"status": 0, "text": "", "headers": {}, "error": "", "certificate": ""}
    try:
        if ask["tls"]:
            trust = ssl.create_default_context(cadata=ask["trust"] or None)
            trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if not ask["trust"]:
                trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            plain = socket.create_connection((server, tls_port), 5)
            client = http.client.HTTPSConnection(ask["host"], timeout=5)
            client.sock = trust.wrap_socket(plain, server_hostname=ask["host"])
            said["certificate"] = hashlib.sha256(client.sock.getpeercert(True)).hexdigest()
        else:
            client = http.client.HTTPConnection(server, plain_port, timeout=5)
        client.request("GET", ask["path"], headers={"Host": ask["host"], **ask["headers"]})
        answer = client.getresponse()
        said["status"], said["text"] = answer.status, answer.read(4000).decode(errors="replace")
        said["headers"] = {name.lower(): value for name, value in answer.getheaders()}
    except Exception as trouble:
        said["error"] = f"{type(trouble).__name__}: {trouble}"
    return said
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(one, asks))))
"""


@dataclass(frozen=True)
class Ask:
    """A GET request.

    Attributes:
        host: the name that it is for.
        headers: beside Host.
        tls: to port 443.
        trust: with TLS, the certificate that must be shown, as PEM; empty trusts any.
    """

    host: str
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: bool = False
    trust: str = ""

    def __str__(self) -> str:
        more = "".join(f", {name}: {value}" for name, value in self.headers.items())
        return f"GET {'https' if self.tls else 'http'}://{self.host}{self.path}{more}"


@dataclass(frozen=True)
class Said:
    """What came back; status 0 if nothing did, and `error` says why."""

    status: int
    text: str
    headers: Mapping[str, str]
    error: str
    certificate: str

    @property
    def fields(self) -> dict[str, Any]:
        """The members of the JSON object that the body is; none if it is anything else."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def shown(self) -> str:
        """The answer in a line."""
        if not self.status:
            return f"no answer ({self.error[:120]})"
        where = f", to {self.headers['location']}" if "location" in self.headers else ""
        return f"status {self.status}{where}, {' '.join(self.text[:100].split())!r}"


async def asked(
    lab: Lab,
    asks: Sequence[Ask],
    right: Callable[[Sequence[Said]], str],
    *,
    expected: str,
    name: str,
    within: float,
    times: int = 1,
) -> Observation:
    """Send requests, side by side, until what comes back is right.

    Args:
        right: what is wrong with the answers, in words; empty if nothing is.
        expected: what is wanted of them.
        name: of the checker's pod; each check has its own.
        within: seconds; a route that was made a moment ago is served a moment later.
        times: how often all of them are sent each time; `right` gets the answers of all.

    Returns:
        The observation; its `value` is the answers that came last.

    Raises:
        Failure: the namespace takes no pods any more.
        LabError: the checker's pod does not run.
    """

    async def look() -> list[Said]:
        words = json.dumps([{**vars(ask), "headers": dict(ask.headers)} for ask in asks])
        try:
            done = await lab.objects.run_in(name, "python3", "-c", _ASK, HOST, words, str(times), *_PORTS, within=60)
        except Refused as refused:  # the pod is there: that no command may be run in it is the cluster's rule
            raise LabError(refused.message, refused.hint, transient=refused.transient) from refused
        if done.code != 0 or not done.lines:
            raise LabError(f"the checker's client printed {done.errors[-200:]!r}", "check again")
        return [Said(**each) for each in json.loads(done.lines[-1])]

    try:
        async with standing(lab, [_pod(name, lab.platform.image("v1"))], grace=0):
            must(await _runs(lab, name), "a pod like any other must be able to start in the task's namespace")
            return await lab.time.eventually(
                look, lambda said: not right(said), expected=expected, shown=lambda said: right(said) or expected,
                within=within,
            )  # fmt: skip
    except (NotFound, Refused) as refused:
        if refused.transient:
            raise
        expect(absent("the namespace is there and takes pods", refused.message)).because(
            "the checker's requests come from a pod of its own in the task's namespace"
        )
        raise


async def _runs(lab: Lab, name: str) -> Observation:
    return await lab.objects.named("Pod", name).until(
        lambda pod: phase(pod) == "Running", expected="the checker's own pod runs", shown=phase, within=_RUNS_WITHIN
    )


def _pod(name: str, image: str) -> Object:
    container = {
        "name": "client", "image": image, "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }  # fmt: skip
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
