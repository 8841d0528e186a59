"""The credit service on the standard library: routes, and who may take them."""

import hashlib
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from audit import whole
from bank import member
from desk import Desk, Refused

ROLES = {"approve": ("risk",), "erase": ("privacy",), "hand_in": ("developer", "risk", "privacy")}
desk = Desk(
    Path("/data"),
    hashlib.sha256(b"".join(hashlib.sha256(each.read_bytes()).digest()
                            for each in sorted(Path(__file__).parent.glob("*.py")))).hexdigest(),
)  # fmt: skip


class Routes(BaseHTTPRequestHandler):
    """Each route is a method, with the rest of the path and the body."""

    protocol_version = "HTTP/1.1"

    def GET_healthz(self, _: str, body: bytes) -> dict:
        return {"status": "alive"}

    def PUT_models(self, version: str, body: bytes) -> dict:
        return desk.hand_in(version, body, self.staff("hand_in"))

    def POST_models(self, path: str, body: bytes) -> dict:
        version, _, what = path.partition("/")
        if what != "approval":
            raise Refused(404, "there is no such thing of a model")
        return desk.approve(version, self.staff("approve"))

    def POST_decisions(self, _: str, body: bytes) -> bytes:
        return desk.decide(json.loads(body))

    def GET_decisions(self, number: str, body: bytes) -> bytes:
        return desk.record(number)

    def POST_replays(self, _: str, body: bytes) -> bytes:
        return desk.replay(json.loads(body))

    def POST_erasures(self, _: str, body: bytes) -> dict:
        return desk.erase(json.loads(body)["person"], self.staff("erase"))

    def GET_trail(self, path: str, body: bytes) -> dict | bytes:
        if path == "head":
            return desk.trail.head()
        first = int(parse_qs(urlsplit(self.path).query).get("from", ["1"])[0])
        return b"".join(line + b"\n" for line in desk.trail.lines[first - 1 : first + 99])

    def POST_audits(self, _: str, body: bytes) -> dict:
        asked = json.loads(body)
        return whole(asked["trail"], asked["head"])

    def staff(self, what: str) -> str:
        """The name of whoever asks, if he or she may."""
        found = member(self.headers["Authorization"])
        if found is None:
            raise Refused(401, "whose token is that?")
        if found["role"] not in ROLES[what]:
            raise Refused(403, "not a matter of yours")
        return found["name"]

    def answer(self) -> None:
        """Find the route, and say what comes of it."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        first, _, rest = urlsplit(self.path).path.strip("/").partition("/")
        route: Callable | None = getattr(self, f"{self.command}_{re.sub('[^a-z]', '', first)}", None)
        try:
            if route is None:
                raise Refused(404, "there is no such path")
            status, said = 200, route(rest, body)
        except Refused as refusal:
            status, said = refusal.status, {"detail": refusal.reason}
        except (ValueError, KeyError, TypeError):
            status, said = 422, {"detail": "that is not what the contract says"}
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: object) -> None:
        """The trail is the log."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("", 8080), Routes).serve_forever()
