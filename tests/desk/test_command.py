"""`lab desk` as a program of its own: what it prints, a port that is taken, and its end by Ctrl-C with all it began."""

from __future__ import annotations

import contextlib
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


@pytest.mark.skipif(sys.platform == "darwin", reason="another program opens pages there")
def test_a_browser_gets_a_file_that_it_may_read_and_that_goes_with_the_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser from snap reads no hidden folder of the home."""
    (tmp_path / "bin").mkdir()
    program, told = tmp_path / "bin/xdg-open", tmp_path / "told"
    program.write_text(f'#!/bin/sh\n/usr/bin/stat -c "%a %n" "$1" >{told}.part; /bin/mv {told}.part {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("MLOPS_LAB_HOME")
    with lab("--port", "0", "--open") as process, contextlib.ExitStack() as ends:
        ends.callback(process.kill)
        assert process.stdout
        address = process.stdout.readline().split()[2]
        until(told.exists)
        mode, name = told.read_text().split()
        file = Path(name)
        assert mode == "600" and address in file.read_text()
        assert not any(part.startswith(".") for part in file.relative_to(tmp_path).parts)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and not file.exists()


def test_where_nothing_opens_pages_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with lab("--port", "0", "--open") as process, contextlib.ExitStack() as ends:
        ends.callback(process.kill)
        assert process.stderr
        assert "open that address yourself" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = lab("--port", str(port))
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 3
    assert said == f"lab: port {port} on 127.0.0.1 is taken\n  next: use another port: lab desk --port 0\n"
