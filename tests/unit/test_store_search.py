"""Lab 17's solution `store`: its search asks the log store, and reads the pods' logs where the store can't tell all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from mlops_lab.base.paths import project
from mlops_lab.kit.json_lines import json_objects

TRACE = project() / "labs" / "17-alert-that-matters" / "solution" / "store" / "trace"
ID = "check!#$%&'*+-.^_`|~7c1f"
Line = dict[str, Any]
# `kubectl`: two pods with their logs; a program in the gateway's pod runs here, and finds the store at another address.
KUBECTL = """#!{python}
import json, os, sys
here, words = {here!r}, sys.argv[1:]
open(here + "/asked", "a").write(words[0] + "\\n")
if words[0] == "get":
    print(open(here + "/pods.json").read())
elif words[0] == "logs":
    print(open(here + "/" + words[1] + ".log").read())
else:
    program = words[words.index("--") + 1:]
    program[0], program[3] = sys.executable, open(here + "/store").read()
    os.execv(program[0], program)
"""


def line(service: str, request_id: str = ID, at: float = 1.5, status: int = 200) -> Line:
    """What a service logs about a request."""
    return {"time": at, "event": "request", "request_id": request_id, "status": status, "seconds": 0.01}


def kept(service: str, **given: Any) -> Line:
    """The same as the store answers it: all values are texts, and the message has a name of its own."""
    own = {name: value if name == "request_id" else json.dumps(value) for name, value in line(service, **given).items()}
    own.pop("event")
    where = {"pod_name": f"{service}-1", "pod_namespace": "lab-17", "pod_labels.app": service}
    return {"_msg": "request", "_time": "t", "_stream": "{}", **own, **{f"kubernetes.{a}": b for a, b in where.items()}}


class Search:
    """A workspace with the search, a kubectl and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.queries, self.answer = folder, [], b""  # type: ignore[var-annotated]
        pods = [{"metadata": {"name": f"{name}-1", "namespace": "lab-17", "labels": {"app": name}}}
                for name in ("gateway", "model")]  # fmt: skip
        (folder / "pods.json").write_text(json.dumps({"items": pods}))
        kubectl = folder / "kubectl"
        kubectl.write_text(KUBECTL.format(python=sys.executable, here=str(folder)))
        kubectl.chmod(0o755)
        for name in ("gateway", "model"):
            lines = [line(name, "another"), line(name), line(name, f"{ID}-1"), line(name, ID.replace(".", "a"))]
            text = "".join(json.dumps(each) + "\n" for each in lines)
            (folder / f"{name}-1.log").write_text(f"a sentence about {ID}\n{text}[1]\n")

    def has(self, *lines: Line) -> None:
        """What the store will answer."""
        self.answer = "".join(json.dumps(each) + "\n" for each in lines).encode()

    def trace(self) -> tuple[list[Line], list[str]]:
        """What the search prints, and what kubectl was asked for."""
        (self.folder / "asked").write_text("")
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            [sys.executable, TRACE, ID], capture_output=True, text=True, check=False, env={"PATH": path}, timeout=30
        )
        assert not done.stderr and done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        assert len(list(json_objects(printed))) == len(printed)
        return [json.loads(each) for each in printed], (self.folder / "asked").read_text().split()


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    """A search whose store is up."""
    mine = Search(tmp_path)

    class Store(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            mine.queries.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["query"][0])
            self.send_response(200)
            self.send_header("Content-Length", str(len(mine.answer)))
            self.end_headers()
            self.wfile.write(mine.answer)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    (tmp_path / "store").write_text(f"http://127.0.0.1:{server.server_address[1]}/select/logsql/query")
    yield mine
    server.shutdown()
    server.server_close()
    thread.join()


def facts(lines: list[Line]) -> list[tuple[str, str, int]]:
    """Who has said what about which request."""
    return [(each["service"], each["request_id"], each["status"]) for each in lines]


BOTH = [("gateway", ID, 200), ("model", ID, 200)]


def test_the_store_tells_all_and_no_log_is_read(search: Search) -> None:
    search.has(kept("model", at=1.25), kept("gateway", request_id="another"), kept("gateway"), kept("world"))
    found, asked = search.trace()
    assert facts(found) == BOTH[::-1] and asked == ["get", "exec"]
    assert found[0] == {"service": "model", "pod": "model-1", **line("model", at=1.25)}
    asked_for = '{kubernetes.pod_namespace="lab-17"} request_id:="check!#$%&\'*+-.^_`|~7c1f"'
    assert search.queries == [f"_time:2h {asked_for} | sort by (_time) | limit 1000"]


def test_without_a_store_the_pods_logs_are_read(search: Search) -> None:
    (search.folder / "store").write_text("http://127.0.0.1:9/select/logsql/query")
    found, asked = search.trace()
    assert facts(found) == BOTH and sorted(asked) == ["exec", "get", "logs", "logs"]


def test_what_the_store_has_not_got_yet_is_in_the_logs_and_no_line_comes_twice(search: Search) -> None:
    search.has(kept("gateway"))
    found, asked = search.trace()
    assert facts(found) == BOTH and "logs" in asked
    search.has()
    assert facts(search.trace()[0]) == BOTH


def test_a_store_that_answers_rubbish_is_none(search: Search) -> None:
    search.answer = b'<html>\n[1]\n"a"\n{"request_id": 7}\n'
    assert facts(search.trace()[0]) == BOTH
