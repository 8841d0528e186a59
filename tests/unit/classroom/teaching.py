"""A class on a cluster in memory, with a server that speaks TLS: what the teacher's commands talk to."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed
from mlops_lab.cluster.kubectl import Kubectl
from tests.unit.classroom.made import KEY

Object = dict[str, Any]
NAMESPACE = "mlops-lab-class"
TEACHER = "teacher-" + "t" * 24
WHOLE = b"\nmlops-lab: whole\n"
ROSTER = "id,name,email,ends\nada,Ada,ada@example.org,\nbob,Bob,,2030-01-31\nold,Old,,2020-01-01\n"


def certificate(*names: str) -> tuple[str, str]:
    """A key and a certificate (PEM) for these names and this machine, of an authority that it is itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "class")])
    others = [x509.DNSName(each) for each in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName(others), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


class Served(http.server.ThreadingHTTPServer):
    """The class's server, as far as its teacher asks it.

    Attributes:
        tokens: of learners, with the learner of each and its end.
        answers: statuses and objects that the next requests get, before it serves as it should.
        broken: what its audit has found.
        learners: whom it knows.
        waiting: the lab of which a submission waits.
        records: lines of its export.
    """

    def __init__(self, key: str, public: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens: dict[str, tuple[str, str]] = {}
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[str] = []
        self.broken, self.learners, self.given_up = "", ["ada", "bob", "old"], list[Object]()
        self.number, self.records, self.waiting = 0, list[str](), "04"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with contextlib.ExitStack() as open_:
            import tempfile

            file = Path(open_.enter_context(tempfile.TemporaryDirectory())) / "both.pem"
            file.write_text(key + public)
            context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes is none."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Served

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._do({})

    def do_POST(self) -> None:
        self._do(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _do(self, body: Object) -> None:
        path, token = self.path.removeprefix("/api/v1/"), self.headers["Authorization"].partition(" ")[2]
        self.server.asked.append(f"{self.command} {path}")
        if self.server.answers:
            self._give(*self.server.answers.pop(0))
        elif path == "me":
            known = token in self.server.tokens
            self._give(200 if known else 401, {} if known else {"error": "your token is not known", "next": "ask"})
        elif path == "key":
            self._give(200, KEY.public.pem)
        elif token != TEACHER:
            self._give(401, {"error": "the token is not the right one", "next": "use another"})
        else:
            self._teach(path, body)

    def _teach(self, path: str, body: Object) -> None:
        tokens = self.server.tokens
        if path == "kits":
            self.server.number += 1
            made = f"token-{self.server.number}"
            tokens[made] = (body["learner"], body["ends"])
            self._give(201, {"learner": body["learner"], "token": made, "ends": body["ends"]})
        elif path == "kits/revoke":
            own = [each for each, (learner, _) in tokens.items() if learner == body["learner"]]
            for each in own:
                del tokens[each]
            self._give(200, {"kits": len(own)})
        elif path == "kits/extend":
            own = [each for each, (name, ends) in tokens.items() if name == body["learner"] and ends < body["ends"]]
            for each in own:
                tokens[each] = (body["learner"], body["ends"])
            self._give(200, {"kits": len(own)})
        elif path == "status":
            self._give(200, _status(self.server))
        elif path == "records.jsonl":
            self._give(200, "".join(self.server.records))
        elif path == "grades":
            self._give(200, GRADES)
        elif path.startswith("grades.csv"):
            self._give(200, "\ufeffid,name,04\r\nada,Ada,3\r\n" if "long" not in path else "\ufeffid,lab\r\nada,04\r\n")
        else:
            self._give(404, {"error": "there is nothing here", "next": "see docs/class.md"})

    def _give(self, status: int, value: Any) -> None:
        content = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status == 503:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(content)


def _status(server: Served) -> Object:
    stuck = {"learner": "ada", "name": "Ada", "lab": "10", "state": "stuck", "check": "scales_up", "seconds": 1500,
             "tries": 3, "since": None, "place": 0, "newest": None}  # fmt: skip
    others = [
        {"learner": each, "name": each.title(), "state": "nothing yet"} for each in server.learners if each != "ada"
    ]
    waiting = [{"id": 9, "learner": "bob", "lab": server.waiting, "number": 2, "sha256": "", "at": "",
                "state": "waiting", "why": "", "place": 1, "new": False}]  # fmt: skip
    learners = [stuck, *others] if "ada" in server.learners else others
    return {
        "class": "Autumn", "broken": server.broken, "learners": learners, "waiting": waiting, "working": [],
        "given_up": server.given_up, "counts": {"stuck": 1, "working": 0, "nothing yet": len(others)},
    }  # fmt: skip


GRADES = {
    "class": "Autumn",
    "labs": [{"lab": "04", "title": "Deploy", "possible": 3, "due": None}, {"lab": "10", "title": "Scale"}],
    "learners": [
        {"learner": "ada", "name": "Ada", "email": "", "gone": False,
         "labs": {"04": {"points": 3, "possible": 3, "on_time": 2, "late": True, "passed": True, "attempts": 2}}},
        {"learner": "bob", "name": "Bob", "email": "", "gone": False, "labs": {}},
    ],
}  # fmt: skip


class InMemory(Kubectl):
    """kubectl on a cluster in memory; `dump` is what its database holds, `log` what was asked.

    `databases` has what each database is, by its name.
    """

    def __init__(self, context: str = "kind-mlops-lab") -> None:
        super().__init__(context)
        for name, value in (
            ("items", dict[tuple[str, str, str], Object]()), ("log", list[str]()), ("dump", [b"PGDMP old"]),
            ("databases", {"postgres": "", "classroom": "old"}),
            ("restored", list[bytes]()), ("breaks", dict[str, str]()), ("numbers", [0]),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    items: dict[tuple[str, str, str], Object]
    log: list[str]
    dump: list[bytes]
    databases: dict[str, str]
    restored: list[bytes]
    breaks: dict[str, str]
    numbers: list[int]

    def put(self, kind: str, name: str, namespace: str = NAMESPACE, **more: Any) -> Object:
        meta = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
        self.numbers[0] += 1
        meta.setdefault("uid", f"uid-{self.numbers[0]}")
        item = {"kind": kind, "metadata": meta, **more}
        self.items[kind.lower(), namespace, name] = item
        return item

    def secret(self, name: str, **texts: str) -> Object:
        data = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        helm = {"annotations": {"meta.helm.sh/release-name": NAMESPACE}, "labels": {"a": "b"}}
        return self.put("Secret", name, type="Opaque", data=data, metadata=helm)

    def release(self, status: str = "deployed") -> None:
        labels = {"owner": "helm", "name": NAMESPACE, "status": status, "version": "1"}
        self.put("Secret", f"sh.helm.release.v1.{NAMESPACE}.v1", metadata={"labels": labels})

    def names(self, kind: str) -> list[str]:
        return sorted(key[2] for key in self.items if key[0] == kind)

    def pipe(
        self, *args: str, within: float, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:  # fmt: skip
        line = " ".join(args)
        self.log.append(line)
        if stdin:
            self.databases["classroom_restored"] = "empty"
        self._break(line)
        if stdout:
            stdout.write(self.dump[0] + (("cut" not in self.breaks and WHOLE) or b""))
            stdout.flush()
        if stdin:
            self.restored.append(stdin.read())
            self.databases["classroom_restored"] = "restored"

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        line = " ".join(args)
        self.log.append(line)
        self._break(line)
        verb = args[0]
        if verb == "get" and "--raw" in args:
            usage = [{"usage": {"memory": "100Mi"}}]
            return Completed(0, json.dumps({"items": [
                {"metadata": {"namespace": each}, "containers": usage} for each in (NAMESPACE, "l-ada-lab-10")
            ] if "namespaces" not in line else [{"metadata": {}, "containers": usage}]}), "")  # fmt: skip
        if verb == "get":
            return self._get(args)
        if verb == "exec" and "psql" in args:
            return Completed(0, self._sql([args[at + 1] for at, word in enumerate(args) if word == "--command"]), "")
        if verb == "apply":
            item = json.loads(stdin or "")
            self.put(item.pop("kind"), item["metadata"]["name"], item["metadata"]["namespace"], **item)
        if verb == "delete" and "--raw" in args:
            name = args[args.index("--raw") + 1].rpartition("/")[2]
            assert json.loads(stdin or "")["preconditions"]["uid"]
            for key in [key for key in self.items if name in (key[1], key[2])]:
                del self.items[key]
        elif verb == "delete":
            for key in [key for key in self.items if (key[0], key[2]) == (args[1], args[2])]:
                del self.items[key]
        return Completed(0, "", "")

    def _sql(self, statements: list[str]) -> str:
        after = dict(self.databases)
        for each in statements:
            words = each.split()
            if words[:2] == ["ALTER", "DATABASE"]:
                assert words[-1] not in after, "its name is taken"
                after[words[-1]] = after.pop(words[2])
            elif words[:2] == ["DROP", "DATABASE"]:
                after.pop(words[4], None)
        self.databases.clear()
        self.databases.update(after)
        return "\n".join(after) if "FROM pg_database" in statements[0] else ""

    def _break(self, line: str) -> None:
        for part, message in self.breaks.items():
            if part in line:
                raise LabError(message, "try again")

    def _get(self, args: tuple[str, ...]) -> Completed:
        given = list(args[1:])
        options: dict[str, str] = {}
        words = []
        while given:
            word = given.pop(0)
            if word in ("-n", "-l", "-o"):
                options[word] = given.pop(0)
            elif word.startswith("--field-selector=metadata.name="):
                words.append(word.rpartition("=")[2])
            elif not word.startswith("-"):
                words.append(word)
        kinds = [each.removesuffix("s") for each in words[0].split(",")]
        rules = [rule.partition("=") for rule in options.get("-l", "").split(",") if rule]
        found = [
            item for (kind, namespace, name), item in self.items.items()
            if kind in kinds and (len(words) < 2 or name == words[1])
            and ("-n" not in options or namespace == options["-n"])
            and all((item["metadata"].get("labels") or {}).get(key, "") == value if equals
                    else key in (item["metadata"].get("labels") or {}) for key, equals, value in rules)
        ]  # fmt: skip
        if "--show-labels" in args:
            lines = [f"{item['metadata']['namespace']} {item['metadata']['name']} t 1 2m "
                     + ",".join(f"{key}={value}" for key, value in item["metadata"]["labels"].items())
                     for item in found]  # fmt: skip
            return Completed(0, "\n".join(lines), "")
        if len(words) > 1 and "--ignore-not-found" in args:
            return Completed(0, json.dumps(found[0]) if found else "", "")
        return Completed(0, json.dumps({"items": found}), "")


def klass(kubectl: InMemory, public: str) -> None:
    """Put a class into a cluster."""
    kubectl.put("Namespace", "kube-system", "")
    kubectl.put("Namespace", NAMESPACE, "")
    kubectl.release()
    kubectl.secret("class", key_pem=KEY.pem, teacher=TEACHER, grader="g" * 24)
    kubectl.secret("class-ca", ca_crt=public, ca_key="secret")
    kubectl.secret("class-tls", tls_crt=public, ca_crt=public)
    kubectl.put("ConfigMap", "roster", data={"roster.csv": ROSTER})
    for name, space in (
        ("server", NAMESPACE), ("operator", NAMESPACE), ("dispatcher", NAMESPACE), ("kueue", "kueue-system"),
    ):  # fmt: skip
        labels = {"app.kubernetes.io/component": {"dispatcher": "grader"}.get(name, name)}
        status = {"updatedReplicas": 1, "readyReplicas": 1, "replicas": 1, "availableReplicas": 1,
                  "observedGeneration": 1}  # fmt: skip
        meta = {"labels": labels, "generation": 1}
        kubectl.put("Deployment", name, space, metadata=meta, spec={"replicas": 1}, status=status)
    kubectl.put("Namespace", "kueue-system", "", metadata={"annotations": {
        "mlops-lab/manifests": "as-they-are", "mlops-lab/brought-for": NAMESPACE,
    }})  # fmt: skip


@contextlib.contextmanager
def serving(key: str, public: str) -> Iterator[Served]:
    """Serve while the block runs."""
    with Served(key, public) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            served.shutdown()
            thread.join()
