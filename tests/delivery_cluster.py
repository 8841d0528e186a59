"""Lab 29 on this machine: an API server, kubelet and Services, played as far as the lab needs them, and a `Lab` on it.

Pods are processes, each at an address of its own on the loopback network; a Service is a small TCP proxy. Server-side
apply merges mappings, takes away what its manager leaves out, and replaces lists. The learner's programs and the Git
server are processes, too.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import hashlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from mlops_lab.base.paths import project
from mlops_lab.checks import LabError
from mlops_lab.checks.rooms.time import Time
from mlops_lab.kit.given import in_manifests
from mlops_lab.labs.variants import Variant, lay_out
from mlops_lab.measure.pods.script import Output
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import Room, made_up_lab
from tests.unit.cluster_in_memory import merged

LAB = project() / "labs" / "29-delivery-by-git"
IMAGES = ("localhost:5001/flight-delay:v1", "localhost:5001/flight-delay:v2")
KINDS = {"api/v1": ("ConfigMap", "Secret", "Service", "Pod"), "apis/apps/v1": ("Deployment",)}
PORT = 8080
_subnets = itertools.count(os.getpid() % 200 * 250 + 300)
Object = dict[str, Any]
Key = tuple[str, str]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def address() -> str:
    number = next(_subnets)
    return f"127.{1 + number // 62500 % 100}.{number // 250 % 250}.{number % 250 + 2}"


class Running:
    """A pod's process."""

    def __init__(self, pod: Object, cluster: Cluster) -> None:
        self.address, self.folder, self.process = address(), Path(tempfile.mkdtemp(dir=cluster.folder)), None
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.ended, self.ready, self.began = False, False, time.monotonic()
        self.process: subprocess.Popen[bytes] | None = None
        self.refused = ""

    def step(self, pod: Object, cluster: Cluster) -> None:
        container = pod["spec"]["containers"][0]
        if self.process is None:
            self.state = self._start(pod, container, cluster)
            return
        if self.process.poll() is not None:
            self.ended, self.ready = True, False
            self.state = {"terminated": {"exitCode": self.process.returncode, "reason": "Error"}}
            return
        probe = container["readinessProbe"]["httpGet"]
        port = PORT if probe["port"] == "http" else probe["port"]
        try:
            with urllib.request.urlopen(f"http://{self.address}:{port}{probe['path']}", timeout=2):
                self.ready = True
        except OSError:
            self.ready = False

    def _start(self, pod: Object, container: Object, cluster: Cluster) -> Object:
        if container["image"] not in IMAGES:
            old = time.monotonic() - self.began > 3
            return {"waiting": {"reason": "ImagePullBackOff" if old else "ErrImagePull", "message": "not found"}}
        environment = {**os.environ, "HOST": self.address}
        for each in container.get("env", []):
            if "value" in each:
                environment[each["name"]] = each["value"]
                continue
            reference = each["valueFrom"]["secretKeyRef"]
            secret = cluster.items.get(("Secret", reference["name"]))
            if secret is None:
                return {"waiting": {"reason": "CreateContainerConfigError", "message": f"secret {reference['name']}"}}
            environment[each["name"]] = base64.b64decode(secret["data"][reference["key"]]).decode()
        for volume in pod["spec"]["volumes"]:
            found = cluster.items.get(("ConfigMap", volume["configMap"]["name"]))
            if found is None:
                return {"waiting": {"reason": "ContainerCreating"}}
            for name, text in found["data"].items():
                (self.folder / name).write_text(text)
        if container["command"][0] != "python3":
            return {"waiting": {"reason": "RunContainerError", "message": f"{container['command'][0]}: not found"}}
        environment["MODEL"] = str(self.folder / "model.json")
        words = [sys.executable, "-u", str(self.folder / "server.py")]
        with (self.folder / "log").open("wb") as out:
            self.process = subprocess.Popen(words, env=environment, stdout=out, stderr=out)
        return {"running": {"startedAt": "2026-11-28T09:00:00Z"}}

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


def left_out(found: Object, before: Object, now: list[Object]) -> None:
    """Take away what a manager gave before, and nobody gives now."""
    for name, value in before.items():
        there = [each[name] for each in now if name in each]
        if not there:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(found.get(name), dict):
            left_out(found[name], value, [each for each in there if isinstance(each, dict)])


class Server(ThreadingHTTPServer):
    """Clients that are killed are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class Cluster:
    """Objects of one namespace, and what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.items = folder, dict[Key, Object]()
        self.given = dict[Key, dict[str, Object]]()  # what each manager has applied last
        self.running, self.lock, self.over = dict[str, Running](), threading.RLock(), threading.Event()
        self.numbers, self.leaving = itertools.count(1), list[tuple[float, Running]]()
        self.server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.proxies: dict[str, tuple[str, Any]] = {}
        for target in (lambda: self.server.serve_forever(0.05), self._control):
            threading.Thread(target=target, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for one in [*self.running.values(), *(each for _, each in self.leaving)]:
                one.kill()
        for _, server in self.proxies.values():
            server.close()

    # What the API server does

    def apply(self, item: Object, dry: bool = False, manager: str = "") -> Object:
        with self.lock:
            key = (item["kind"], item["metadata"]["name"])
            old = self.items.get(key)
            given = self.given.get(key, {}) if old else {}
            found = merged(copy.deepcopy(old) if old else {"status": {}}, item)
            others = [each for name, each in given.items() if name != manager]
            left_out(found, given.get(manager, {}), [item, *others])
            if not dry:
                self.given[key] = {**given, manager: copy.deepcopy(item)}
            if "stringData" in found:
                coded = {
                    name: base64.b64encode(text.encode()).decode() for name, text in found.pop("stringData").items()
                }
                found["data"] = {**found.get("data", {}), **coded}
            return found if dry else self.put(found)

    def put(self, item: Object) -> Object:
        with self.lock:
            key = (item["kind"], item["metadata"]["name"])
            old = self.items.get(key)
            meta = item["metadata"]
            meta["uid"] = old["metadata"]["uid"] if old else f"uid-{next(self.numbers)}"
            meta["generation"] = old["metadata"]["generation"] if old else 0
            if old is None or old.get("spec") != item.get("spec"):
                meta["generation"] += 1
            if item["kind"] == "Service" and "clusterIP" not in item["spec"]:
                item["spec"]["clusterIP"] = self._proxied(meta["name"])
            self.items[key] = item
            return item

    def delete(self, kind: str, name: str, grace: int | None = None) -> bool:
        with self.lock:
            found = self.items.pop((kind, name), None)
            if kind == "Pod" and name in self.running:
                one = self.running.pop(name)
                self.leaving.append((time.monotonic() + (1.5 if grace is None else 0), one))
            return found is not None

    def labelled(self, kind: str, selector: str = "") -> list[Object]:
        wanted = [each.split("=") for each in selector.split(",") if each]
        with self.lock:
            found = [item for key, item in self.items.items() if key[0] == kind]
            return copy.deepcopy([
                item for item in found
                if all((item["metadata"].get("labels") or {}).get(key) == value for key, value in wanted)
            ])  # fmt: skip

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer()

            def do_PATCH(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def do_DELETE(self) -> None:
                self.answer()

            def answer(self) -> None:
                url, size = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                merge = "merge-patch" in self.headers.get("Content-Type", "")
                status, found = cluster.asked(self.command, url.path, query, json.loads(body) if body else None, merge)
                content = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        return Handler

    def asked(self, method: str, path: str, query: dict[str, str], body: Any, merge: bool = False) -> tuple[int, Any]:
        root, _, rest = path.strip("/").partition("/namespaces/")
        _, plural, name, *more = [*rest.split("/"), "", ""]
        kind = next((each for each in KINDS.get(root, ()) if f"{each.lower()}s" == plural), None)
        if kind is None:
            return 404, {"message": "the server could not find the requested resource"}
        with self.lock:
            if method == "GET" and not name:
                return 200, {"items": self.labelled(kind, query.get("labelSelector", ""))}
            if method == "GET" and more[0] == "log":
                return 200, "its last line"
            ports = (body.get("spec") or {}).get("ports", []) if method == "PATCH" else []
            if any(each["port"] > 65535 for each in ports):
                return 422, {"message": "spec.ports[0].port: Invalid value: must be between 1 and 65535, inclusive"}
            if method == "POST":
                there = (kind, body["metadata"]["name"]) in self.items
                return (409, {"message": "it is there"}) if there else (201, self.apply(body))
            if merge and (kind, name) in self.items:
                return 200, self.put(merged(copy.deepcopy(self.items[kind, name]), body))
            if method == "PATCH" and not merge:
                return 200, self.apply(body, "dryRun" in query, query.get("fieldManager", ""))
            found = self.items.get((kind, name))
            if found is None:
                return 404, {"message": f"{plural} {name} not found"}
            if method == "DELETE":
                self.delete(kind, name)
                return 200, {}
            return 200, copy.deepcopy(found)

    # What controllers and the kubelet do

    def _control(self) -> None:
        while not self.over.wait(0.1):
            with self.lock:
                for item in [item for key, item in self.items.items() if key[0] == "Deployment"]:
                    self._deployment(item)
                owners = {item["metadata"]["uid"] for key, item in self.items.items() if key[0] == "Deployment"}
                for pod in self.labelled("Pod"):
                    owner = pod["metadata"].get("ownerReferences")
                    if owner and owner[0].get("deployment", "") not in ("", *owners):
                        self.delete("Pod", pod["metadata"]["name"])
                pods = [(name, copy.deepcopy(item)) for (kind, name), item in self.items.items() if kind == "Pod"]
                late = [each for each in self.leaving if each[0] < time.monotonic()]
                self.leaving = [each for each in self.leaving if each not in late]
            for _, one in late:
                one.kill()
            for name, pod in pods:
                if "owned" in pod["metadata"]:
                    continue
                with self.lock:
                    one = self.running.setdefault(name, Running(pod, self))
                one.step(pod, self)
                with self.lock:
                    if ("Pod", name) in self.items:
                        self.items["Pod", name]["status"] = self._status(one)
                    else:
                        one.kill()

    @staticmethod
    def _status(one: Running) -> Object:
        phase = "Failed" if one.ended else "Running" if "running" in one.state else "Pending"
        return {
            "phase": phase, "podIP": one.address,
            "conditions": [{"type": "Ready", "status": str(one.ready)}],
            "containerStatuses": [{
                "name": "server", "image": "", "imageID": "", "ready": one.ready, "restartCount": 0, "state": one.state,
                "lastState": {},
            }],
        }  # fmt: skip

    def _deployment(self, item: Object) -> None:
        name, spec, meta = item["metadata"]["name"], item["spec"], item["metadata"]
        template = spec["template"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
        pods = [
            pod for pod in self.labelled("Pod")
            if (pod["metadata"].get("ownerReferences") or [{}])[0].get("deployment") == meta["uid"]
        ]  # fmt: skip
        new = [pod for pod in pods if pod["metadata"]["hash"] == digest]
        old = [pod for pod in pods if pod["metadata"]["hash"] != digest]
        wanted = spec.get("replicas", 1)
        ready = [pod for pod in pods if _ready(pod)]
        if len(new) < wanted and len(pods) < wanted + (1 if old else wanted):
            labels = template["metadata"]["labels"]
            owner = {"kind": "ReplicaSet", "name": f"{name}-{digest}", "controller": True, "deployment": meta["uid"]}
            pod = {
                "apiVersion": "v1", "kind": "Pod", "spec": copy.deepcopy(template["spec"]), "status": {},
                "metadata": {
                    "name": f"{name}-{digest}-{next(self.numbers)}", "labels": labels, "hash": digest,
                    "ownerReferences": [owner],
                },
            }  # fmt: skip
            self.put(pod)
        for pod in [*[each for each in old if not _ready(each)], *[each for each in old if _ready(each)]]:
            if not _ready(pod) or len(ready) > wanted:
                ready = [each for each in ready if each is not pod]
                self.delete("Pod", pod["metadata"]["name"])
        for pod in new[wanted:]:
            self.delete("Pod", pod["metadata"]["name"])
        item["status"] = {
            "observedGeneration": meta["generation"], "replicas": len(pods), "updatedReplicas": len(new),
            "availableReplicas": len(ready), "readyReplicas": len(ready),
        }  # fmt: skip

    # Services

    def _proxied(self, service: str) -> str:
        if service in self.proxies:
            self.proxies.pop(service)[1].close()
        listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.proxies[service] = (f"127.0.0.1:{listening.getsockname()[1]}", listening)
        threading.Thread(target=self._serve, args=(service, listening), daemon=True).start()
        return self.proxies[service][0]

    def _serve(self, service: str, listening: socket.socket) -> None:
        for number in itertools.count():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(service, client, number), daemon=True).start()

    def _pass(self, service: str, client: socket.socket, number: int) -> None:
        with self.lock:
            spec = self.items.get(("Service", service), {}).get("spec", {})
            chosen = ",".join(f"{key}={value}" for key, value in spec.get("selector", {}).items())
            ends = [pod for pod in self.labelled("Pod", chosen) if _ready(pod)] if chosen else []
        port = spec.get("ports", [{}])[0].get("targetPort")
        if not ends:
            client.close()
            return
        host = ends[number % len(ends)]["status"]["podIP"]
        try:
            server = socket.create_connection((host, PORT if port == "http" else port), timeout=15)
        except OSError:
            client.close()
            return
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()
        client.close()
        server.close()


def _ready(pod: Object) -> bool:
    return any(each == {"type": "Ready", "status": "True"} for each in pod["status"].get("conditions", []))


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


class Objects(Room):
    """`lab.objects` on such a cluster."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self.cluster, self.place = cluster, place

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            with self.cluster.lock:
                return copy.deepcopy(self.cluster.items.get((kind, name)))

        return SimpleNamespace(now=now, present=now)

    def deployment(self, name: str) -> Any:
        return self.named("Deployment", name)

    async def service(self, name: str) -> Object:
        found: Object = await self.named("Service", name).now() or {"spec": {"clusterIP": "none", "ports": []}}
        return found

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        return self.cluster.labelled(kind, selector)

    async def apply(self, objects: Any) -> None:
        for item in objects:
            self.cluster.apply(copy.deepcopy(item))

    async def patch(self, kind: str, name: str, patch: Object) -> Object:
        with self.cluster.lock:
            return self.cluster.put(merged(copy.deepcopy(self.cluster.items[kind, name]), patch))

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.cluster.delete(kind, name, grace)

    async def recent_events(self, names: Any) -> list[str]:
        return []

    async def kill(self, pod: str, grace: int | None = None) -> None:
        if pod.removesuffix("-1") in self.place.processes:
            self.place.restart(pod)
        else:
            self.cluster.delete("Pod", pod, grace)


class Place:
    """A variant's programs, the Git server, and a lab that finds them."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        self.folder, self.cluster = folder, Cluster(folder)
        self.work = folder / "work"
        lay_out(variant, self.work)
        self.port, self.processes = free_port(), dict[str, Any]()
        files = in_manifests(LAB / "start", "ConfigMap", "first-commit")["data"]
        for name, text in {**files, **in_manifests(LAB / "start", "ConfigMap", "git-server")["data"]}.items():
            (folder / name).write_text(text)
        (folder / "repositories").mkdir()
        self.repository = f"http://127.0.0.1:{self.port}/delays.git"
        self.environment = {
            **os.environ, "REPOSITORY": self.repository, "API": self.cluster.url,
            "PRIVATE_KEY": str(folder / "key.pem"),
            "PYTHONDONTWRITEBYTECODE": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        self._start(
            "git",
            [sys.executable, str(folder / "serve.py")],
            PORT=str(self.port),
            REPOSITORIES=str(folder / "repositories"),
        )
        first = {"FILES": str(folder), "KEY_FILE": str(folder / "key.pem")}
        subprocess.run([sys.executable, folder / "first.py"], env=self.environment | first, check=True, timeout=60)
        coded = base64.b64encode((folder / "key.pem").read_bytes()).decode()
        kept = {"kind": "Secret", "metadata": {"name": "delivery-key"}, "data": {"private.pem": coded}}
        self.cluster.put(kept)
        account = folder / "account"
        account.mkdir()
        for name, text in {"token": "t", "ca.crt": "", "namespace": "lab"}.items():
            (account / name).write_text(text)
        self.environment["ACCOUNT"] = str(account)
        self._programs()

    def _programs(self) -> None:
        """Each Deployment's program, in a folder with what its ConfigMap holds."""
        listed = yaml.safe_load((self.work / "kustomization.yaml").read_text())
        given = {each["name"]: each["files"] for each in listed.get("configMapGenerator", [])}
        for name in listed["resources"]:
            for item in yaml.safe_load_all((self.work / name).read_text()):
                if item["kind"] != "Deployment":
                    continue
                spec = item["spec"]["template"]["spec"]
                app = item["metadata"]["name"]
                home = self.folder / f"program-{app}"
                home.mkdir()
                for volume in spec["volumes"]:
                    for file in given.get(volume.get("configMap", {}).get("name"), []):
                        shutil.copy(self.work / file, home / Path(file).name)
                command = spec["containers"][0]["command"]
                self._start(app, [sys.executable, str(home / Path(command[-1]).name)], CLONE=str(home / "clone"))
                pod = {
                    "kind": "Pod", "apiVersion": "v1", "spec": spec, "status": {},
                    "metadata": {
                        "name": f"{app}-1", "labels": {"app": app}, "owned": True,
                        "ownerReferences": [{"kind": "ReplicaSet", "controller": True}],
                    },
                }  # fmt: skip
                self.cluster.items["Pod", f"{app}-1"] = pod

    def _start(self, name: str, words: list[str], **more: str) -> None:
        out = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(words, env=self.environment | more, stdout=out, stderr=out)
        self.processes[name] = (process, words, more)

    def restart(self, pod: str) -> None:
        name = pod.removesuffix("-1")
        process, words, more = self.processes[name]
        process.kill()
        process.wait()
        if "CLONE" in more:
            shutil.rmtree(more["CLONE"], ignore_errors=True)
        self._start(name, words, **more)

    def close(self) -> None:
        for process, *_ in self.processes.values():
            process.kill()
            process.wait()
        self.cluster.close()

    def lab(self, mistake: str) -> Any:
        """A lab whose rooms lead here."""
        place = self

        class Traffic(Room):
            async def host(self, service: str) -> str:
                if service == "git":
                    return f"127.0.0.1:{place.port}"
                return place.cluster.proxies[service][0] if service in place.cluster.proxies else "127.0.0.1:1"

            async def get(self, service: str, path: str, **more: Any) -> Answer:
                return await asyncio.to_thread(_get, await self.host(service), path)

        class Programs(Room):
            @contextlib.asynccontextmanager
            async def pod(self, image: str, *words: str, files: Any, env: Any) -> AsyncIterator[Any]:
                with tempfile.TemporaryDirectory(dir=place.folder) as folder:
                    for name, content in files.items():
                        (Path(folder) / name).write_bytes(content)
                    yield SimpleNamespace(talk=lambda *words: talk(words, folder, env), address="127.0.0.1")

            async def apart(self, image: str, *words: str, files: Any, within: float) -> Output:
                with tempfile.TemporaryDirectory(dir=place.folder) as folder:
                    for name, content in files.items():
                        (Path(folder) / name).write_text(content)
                    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                    env = {**os.environ, "GIVEN": f"{folder}/given.json", "PATH": path}
                    command = [sys.executable, *(each.replace("/checker", folder) for each in words[1:])]
                    done = await asyncio.to_thread(
                        subprocess.run, command, env=env, capture_output=True, text=True, timeout=within, check=False
                    )
                    return Output(done.returncode, done.stdout + done.stderr)

        @contextlib.asynccontextmanager
        async def talk(words: Any, folder: str, env: Any) -> AsyncIterator[Any]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *(each.replace("/checker", folder) for each in words[1:]), stdin=-1, stdout=-1,
                env={**os.environ, **env}, limit=1 << 22,
            )  # fmt: skip
            assert process.stdin and process.stdout

            async def ask(said: Any, *, within: float) -> Any:
                process.stdin.write(json.dumps(said).encode() + b"\n")
                line = await asyncio.wait_for(process.stdout.readline(), within)
                if not line:
                    raise LabError("the team's program ended", "see above")
                return json.loads(line)

            try:
                yield SimpleNamespace(ask=ask)
            finally:
                process.stdin.close()
                await process.wait()

        rooms = {"objects": Objects(self.cluster, self), "traffic": Traffic(), "programs": Programs(), "time": Time()}
        return made_up_lab("29", self.work, mistake, **rooms)


def _get(host: str, path: str) -> Answer:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://{host}{path}", timeout=5) as got:
            return Answer(got.status, dict(got.headers), got.read(), time.monotonic() - began, "", path)
    except OSError as wrong:
        status = getattr(wrong, "code", 0)
        return Answer(status, {}, b"", time.monotonic() - began, str(wrong), path)


@contextlib.contextmanager
def delivered(variant: Variant, folder: Path) -> Iterator[tuple[Any, Place]]:
    """The checker, and where a variant's programs follow the repository; its `lab()` is one run of the checks."""
    checker = loaded("29")
    place = Place(variant, folder)

    async def nothing(*given: Any, **more: Any) -> Any:
        return []

    checker.must_answer = checker.allowed = nothing
    try:
        yield checker, place
    finally:
        place.close()
