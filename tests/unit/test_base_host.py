"""The base host: `ssh NODE` with its stdin and exit code, the real ssh for the rest, and the shells' settings."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import kind, record, second, shell
from mlops_lab.cluster.record import Cluster

WORKER = "mlops-lab-exam-worker"
CONTEXT = {"clusters": [{"name": "kind-mlops-lab", "cluster": {"server": "https://127.0.0.1:1"}}],
           "users": [{"name": "kind-mlops-lab", "user": {"token": "x"}}],
           "contexts": [{"name": "kind-mlops-lab", "context": {}}], "current-context": "kind-mlops-lab"}  # fmt: skip
# Of all nodes but one it says that they run; it runs a command here, where `docker exec` would do so there.
DOCKER = """#!/bin/bash
if [ "$1" = inspect ]; then
  case "${@: -1}" in *stopped) echo false ;; *) echo true ;; esac
  exit
fi
echo "docker $*" >>"$LOG"
while [ "$1" != bash ]; do shift; done
exec "$@"
"""
KUBECTL = """#!/bin/bash
case "$*" in
  *"config view"*) cat "$CONFIG" ;;
  "completion bash") printf '__start_kubectl() { COMPREPLY=("${cur-}pods"); }\\n' ;;
  "completion zsh") printf 'compdef _kubectl kubectl\\n_kubectl() { compadd pods; }\\n' ;;
  *) echo "kubectl $* with $KUBECONFIG" ;;
esac
"""
REAL = """#!/bin/bash
echo "real ssh $*"
exit 3
"""


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of programs that come first on PATH; the clusters have four nodes, of which one does not run."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {"docker": DOCKER, "kubectl": KUBECTL, "ssh": REAL}.items():
        program(folder / name, text)
    (tmp_path / "config").write_text(yaml.safe_dump(CONTEXT))
    settings = {
        "MLOPS_LAB_HOME": "home", "HOME": "user", "LOG": "log", "CONFIG": "config", "KUBECONFIG": "theirs",
    }  # fmt: skip
    for variable, place in settings.items():
        monkeypatch.setenv(variable, str(tmp_path / place))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SHELL", "/bin/bash")
    for variable in ("MLOPS_LAB_CLUSTER", "ZDOTDIR"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "user").mkdir()
    clusters = {
        "": ("mlops-lab-control-plane", "mlops-lab-stopped"),
        "mlops-lab-exam": ("mlops-lab-exam-control-plane", WORKER),
    }

    def nodes(docker: object, of: str = "") -> list[kind.Node]:
        return [kind.Node(name, running=True, ours=True, image="i") for name in clusters[of]]

    monkeypatch.setattr(kind, "nodes", nodes)
    monkeypatch.setattr(shell, "answering", object)
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    return folder


def program(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


def run(script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A script, as a task's solution is run: by bash, with the environment and no terminal."""
    return subprocess.run(["bash", "-c", script], env={**os.environ, **shell.environment()}, input=stdin,
                          capture_output=True, text=True, timeout=30, check=False)  # fmt: skip


def log() -> str:
    return Path(os.environ["LOG"]).read_text()


def test_nodes_have_their_name_and_a_short_one(programs: Path) -> None:
    assert shell.hosts() == {
        "mlops-lab-control-plane": "mlops-lab-control-plane",
        "control-plane": "mlops-lab-control-plane",
        "mlops-lab-stopped": "mlops-lab-stopped",
        "stopped": "mlops-lab-stopped",
        "mlops-lab-exam-control-plane": "mlops-lab-exam-control-plane",
        "exam-control-plane": "mlops-lab-exam-control-plane",
        WORKER: WORKER,
        "exam-worker": WORKER,
    }


def test_somebody_elses_nodes_are_no_hosts(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "nodes", lambda *_: [kind.Node("x", running=True, ours=False, image="i")])
    assert shell.hosts() == {}


def test_a_command_goes_to_the_node_with_stdin_and_its_exit_code_comes_back(programs: Path) -> None:
    done = run(f"ssh {WORKER} 'read -r line; echo got $line; exit 7'", stdin="something\n")
    assert (done.stdout, done.returncode) == ("got something\n", 7)
    assert log() == (
        "docker exec --interactive --env TERM=dumb --env HOME=/root --workdir /root "
        f"{WORKER} bash -c read -r line; echo got $line; exit 7\n"
    ).replace("TERM=dumb", f"TERM={os.environ.get('TERM', 'dumb')}")


@pytest.mark.parametrize(
    "options",
    [
        "exam-worker", f"root@{WORKER}", f"-l root {WORKER}", f"-o StrictHostKeyChecking=no -p 22 {WORKER}",
        f"-t {WORKER}", f"{WORKER} -t", f"-- {WORKER}", f"-i key -q {WORKER} --",
    ],
)  # fmt: skip
def test_ssh_is_called_in_many_ways(programs: Path, options: str) -> None:
    done = run(f"ssh {options} echo two '  words'")
    assert (done.stdout, done.returncode) == ("two words\n", 0), done.stderr
    assert f" {WORKER} bash -c " in log() and "--tty" not in log(), "there is no terminal, whatever was asked for"


def test_without_a_command_the_nodes_shell_reads_stdin(programs: Path) -> None:
    done = run(f"ssh {WORKER}", stdin="echo on $((1 + 1))\n")
    assert done.stdout.endswith("on 2\n")
    assert f" {WORKER} bash -l\n" in log()


def test_stdin_can_be_left_alone(programs: Path) -> None:
    assert run(f"ssh -n {WORKER} cat; read -r rest; echo left $rest", stdin="mine\n").stdout == "left mine\n"


def test_on_a_terminal_the_nodes_shell_has_one(programs: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"exit\n")
    subprocess.run([str(shell.folder() / "bin" / "ssh"), WORKER], env={**os.environ, **shell.environment()},
                   stdin=theirs, capture_output=True, timeout=30, check=False)  # fmt: skip
    assert "exec --interactive --tty --env" in log()


def test_a_node_that_does_not_run_refuses(programs: Path) -> None:
    done = run("ssh stopped true")
    assert done.returncode == 255
    assert done.stderr == "ssh: connect to host stopped port 22: Connection refused (the node does not run)\n"


def test_other_hosts_are_the_real_sshs(programs: Path) -> None:
    done = run("ssh -p 22 somebody@example.org 'a  b' c")
    assert (done.stdout, done.returncode) == ("real ssh -p 22 somebody@example.org a  b c\n", 3)
    assert run("ssh -V").stdout == "real ssh -V\n"


def test_without_a_real_ssh_the_hosts_are_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / "ssh").unlink()
    for name in ("awk", "bash", "cat", "dirname", "env"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(shell.sys, "executable", str(programs / "python"))
    done = run("ssh example.org")
    assert done.returncode == 255
    assert done.stderr.startswith("ssh: there is no host 'example.org' here; hosts: control-plane, exam-control-plane")
    assert done.stderr.count("\n") == 1


def test_k_and_kubectl_have_the_kubeconfigs(programs: Path) -> None:
    done = run("k get pods")
    assert done.stdout == f"kubectl get pods with {shell.folder() / 'kubeconfig'}:{second.kubeconfig_file()}\n"


def test_the_kubeconfig_is_a_copy_that_keeps_what_was_set_in_it(programs: Path, tmp_path: Path) -> None:
    shell.environment()
    file = shell.folder() / "kubeconfig"
    assert yaml.safe_load(file.read_text()) == CONTEXT
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(file.read_text().replace("context: {}", "context: {namespace: mine}"))
    shell.environment()
    assert "namespace: mine" in file.read_text()
    changed = yaml.safe_dump(CONTEXT).replace("127.0.0.1:1", "127.0.0.1:2")
    (tmp_path / "config").write_text(changed)  # the cluster was made anew
    shell.environment()
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(changed)
    for spoilt in (b"{a: [", b"\xff\xfe{a"):
        file.write_bytes(spoilt)
        shell.environment()
        assert yaml.safe_load(file.read_text()) == yaml.safe_load(changed)


def test_a_task_has_a_kubeconfig_of_its_own(programs: Path) -> None:
    _, added = shell.command("/task/kubeconfig")
    assert added["KUBECONFIG"] == added["MLOPS_LAB_KUBECONFIG"] == "/task/kubeconfig"
    assert not (shell.folder() / "kubeconfig").exists()


def test_without_a_cluster_there_is_no_base_host(programs: Path) -> None:
    record.forget()
    with pytest.raises(LabError, match="there is no cluster"):
        shell.environment()


def test_path_has_the_folder_once_and_lab_itself(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", shell.environment()["PATH"])
    path = shell.environment()["PATH"].split(":")
    assert path[0] == str(shell.folder() / "bin")
    assert path.count(path[0]) == 1
    assert str(Path(shell.sys.executable).parent) in path


def interactive(script: str) -> str:
    words, added = shell.command()
    done = subprocess.run([*words, "-c", script], env={**os.environ, **added}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=False)  # fmt: skip
    return done.stdout


def test_the_users_settings_of_bash_count_and_do_not_get_in_the_way(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "user" / ".bashrc").write_text(
        f"alias ssh='ssh -v'\nmine=1\nexport KUBECONFIG=/theirs PATH={programs}:/usr/bin:/bin\nPS1='mine: '\n"
    )
    said = interactive("echo $mine $KUBECONFIG; type -t ssh; type -p ssh; echo ${PS1@P}")
    config = f"{shell.folder() / 'kubeconfig'}:{second.kubeconfig_file()}"
    assert said.splitlines()[:3] == [f"1 {config}", "file", str(shell.folder() / "bin" / "ssh")]
    assert "mine: " not in said


def test_names_complete_in_bash(programs: Path) -> None:
    said = interactive(
        "complete -p k; COMP_WORDS=(ssh exam-w) COMP_CWORD=1; _mlops_lab_hosts; echo ${COMPREPLY[@]};"
        " COMP_WORDS=(k get po) COMP_CWORD=2; _get_comp_words_by_ref cur; echo $cur"
    )
    assert "-F __start_kubectl k\n" in said
    assert said.endswith("exam-worker\npo\n")


def test_prompts_show_the_place_as_it_changes(programs: Path) -> None:
    shell.environment()
    shell.show("mlops-lab-exam-worker\n default")
    asked = 'eval "$PROMPT_COMMAND"; echo "${PS1@P}"'
    later = f"echo next >{shell.folder() / 'place'}; {asked}"
    assert [line.split("]")[0] for line in interactive(f"{asked}; {later}").splitlines()] == [
        "[mlops-lab-exam-worker default", "[next",
    ]  # fmt: skip
    shell.show("")
    assert not interactive(asked).startswith("[")


def test_zsh_is_taken_where_it_is_the_users(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs / "zsh", "#!/bin/sh\n")
    monkeypatch.setenv("SHELL", str(programs / "zsh"))
    monkeypatch.setenv("ZDOTDIR", "/their/settings")
    words, added = shell.command()
    assert words == [str(programs / "zsh"), "-i"]
    assert added["MLOPS_LAB_ZDOTDIR"] == "/their/settings"
    assert added["MLOPS_LAB_ZSHRC"] == str(shell.folder() / "settings.zsh")
    assert {each.name for each in Path(added["ZDOTDIR"]).iterdir()} == {".zshenv", ".zshrc"}
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert shell.command()[0][0].endswith("/bash")


@pytest.mark.long  # it needs zsh
@pytest.mark.parametrize("moved", [False, True])
def test_the_users_settings_of_zsh_count_and_do_not_get_in_the_way(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """Also where the user keeps them in a folder of their own, as .zshenv says."""
    monkeypatch.setenv("SHELL", zsh())
    user = tmp_path / "user"
    own = user / "own" if moved else user
    own.mkdir(exist_ok=True)
    (user / ".zshenv").write_text(f"export ZDOTDIR={own}\n" if moved else "early=2\n")
    (own / ".zshrc").write_text(
        f"alias ssh='ssh -v'\nmine=1\nexport KUBECONFIG=/theirs PATH={programs}:/usr/bin:/bin\nPROMPT='mine: '\n"
    )
    monkeypatch.setenv("HISTFILE", str(shell.state() / "zsh" / ".zsh_history"))  # as macOS does it, by ZDOTDIR
    shell.environment()
    shell.show("task 3 amber")
    said = interactive(
        "echo $mine $KUBECONFIG $ZDOTDIR; whence -w ssh k; whence ssh; _mlops_lab_place; print -P $PROMPT;"
        " echo $_comps[k] $_comps[kubectl] $_comps[ssh]; env | grep -c MLOPS_LAB_Z; $SHELL -c 'echo $ZDOTDIR';"
        " echo $HISTFILE"
    ).splitlines()
    config = f"{shell.folder() / 'kubeconfig'}:{second.kubeconfig_file()}"
    programs_of_ours = shell.folder() / "bin"
    assert said[:4] == [f"1 {config} {own}", "ssh: command", "k: command", str(programs_of_ours / "ssh")]
    assert said[4].startswith("[task 3 amber] ")
    assert said[5:] == ["_kubectl _kubectl _mlops_lab_hosts", "0", str(own), str(own / ".zsh_history")]


def zsh() -> str:
    found = shutil.which("zsh")
    assert found, "this test needs zsh: apt-get install zsh"
    return found
