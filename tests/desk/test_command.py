"""`lab desk` as a program of its own: what it prints, a port that is taken, and its end by Ctrl-C with all it began."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import websocket

from tests.desk.made_up import lives, until


def lab(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mlops_lab.cli.main", "desk", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGTERM, signal.SIGHUP))]
)
def test_it_prints_its_address_and_ends_with_what_it_began(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "work" / "04-deploy-and-survive"
    (folder / ".lab").mkdir(parents=True)
    (folder / ".lab" / "kubeconfig").write_text("kind: Config\n")
    process = lab("--port", "0")
    assert process.stdout and process.stderr
    said = process.stdout.readline()
    found = re.fullmatch(r"Your desk: http://(127\.0\.0\.1:\d+)(/\?token=\S{32}) \(end with Ctrl-C\)\n", said)
    assert found, said + process.stderr.read()
    host, path = found.groups()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert "Deploy a model so that it survives" in answer.read().decode()
    cookie = str(answer.getheader("Set-Cookie")).split(";")[0]
    terminal = websocket.create_connection(f"ws://{host}/terminal/labs/04", origin=f"http://{host}", cookie=cookie)
    terminal.send(json.dumps(["stdin", "echo $$ >shell; sleep 600 & echo $! >child\r"]))
    until(lambda: (folder / "child").exists() and (folder / "child").read_text().strip())
    pids = [int((folder / name).read_text()) for name in ("shell", "child")]
    assert all(map(lives, pids))
    process.send_signal(number)
    assert process.wait(30) == 0
    assert (process.stdout.read(), process.stderr.read()) == ("", "")
    assert not any(map(lives, pids))


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = lab("--port", str(port))
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 3
    assert said == f"lab: port {port} on 127.0.0.1 is taken\n  next: use another port: lab desk --port 0\n"
