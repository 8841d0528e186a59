"""The `lab` command: its groups by name, loaded only when used; errors become one clear line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from mlops_lab.base.errors import ExitCode, LabError
from mlops_lab.base.locking import terminable
from mlops_lab.cli.terminal import complain

# name: module and attribute, and the line that `lab --help` shows. The line stands here, not only at the command, so
# that help and completion load nothing; a test holds the two against each other.
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "The cluster": {
        "up": ("cluster:up", "Create or repair the cluster and install parts of the platform."),
        "down": ("cluster:down", "Delete the cluster."),
        "open": ("platform:open_page", "Open a web page of the platform; without NAME, list them."),
        "status": ("cluster:status", "Show the cluster and what runs on it."),
        "bundle": ("bundle:bundle", "Write FILE, from which a machine without a network is set up."),
        "doctor": ("cluster:doctor", "Check this machine for problems."),
        "images": ("images:images", "List, build, push, prune and account for the cluster's images."),
        "dashboard": ("dashboard:dashboard", "Show the dashboards on a web page at 127.0.0.1 until Ctrl-C."),
    },
    "Labs": {
        "list": ("labs:list_labs", "List the labs and your progress."),
        "demo": ("demo:demo", "Run a lab's own solution and check it."),
        "start": ("labs:start", "Start a lab: create its namespace and your files."),
        "desk": ("desk:desk", "Work on labs and exams on a web page at 127.0.0.1 until Ctrl-C."),
        "check": ("labs:check", "Check your work and show the report."),
        "submit": ("classroom:submit", "Hand your work on a lab in to your class."),
        "watch": ("labs:watch", "Check again whenever something changes."),
        "explain": ("course:explain", "Show what a failed check sent and what came back."),
        "hint": ("labs:hint", "Show the next hint."),
        "solution": ("labs:solution", "Show a lab's solutions once you have passed it."),
        "reset": ("labs:reset", "Reset a lab to its start; your files are backed up."),
        "shell": ("lab_shell:shell", "Open a shell for a lab; `ssh NODE` leads to its nodes."),
        "path": ("path:path", "Show the course by week, and what to do next."),
        "progress": ("course:progress", "Show your progress by level, exam domain and lab."),
        "records": ("course:records", "Print your attempts as JSON lines that a teacher can collect."),
    },
    "Exams": {
        "exam": ("exam:exam", "Practise for CKA, CKAD and MLOps against the clock."),
    },
    "Classes": {
        "class": (
            "classroom:classes",
            "Run a class: learners' files, gradebook, map, and what was signed.",
        ),
    },
    "For authors": {
        "verify": ("verify:verify", "Prove on the cluster that labs are honest."),
        "proofs": ("authors:show_proofs", "Show how fresh the proofs of labs and tasks are."),
        "new": ("authors:new", "Make the folder of a new lab."),
        "completion": ("authors:completion", "Print the shell's completion script."),
    },
}
# What may be so of any file, wherever it is opened.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_OWNER = "see who owns it and the folders above (after `sudo lab` it is root), or name another folder: MLOPS_LAB_HOME"
_NO_TEMPORARY = "No usable temporary directory"
_TEMPORARY = "free some space on these disks (lab images prune), or name a folder elsewhere: export TMPDIR=FOLDER"
# Folders of the user's: commands go elsewhere, and so do the engine and the shells that they open.
_PLACES = ("MLOPS_LAB_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
_COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Commands(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"mlops_lab.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()], col_max=14)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name, help=line) for name, (_, line) in _COMMANDS.items() if name.startswith(incomplete)]


def _version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib import metadata

    try:
        version = metadata.version("mlops-lab")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    click.echo(f"lab {version}")
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command has its own help with examples: lab check --help",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Learn MLOps on a real Kubernetes cluster: numbered labs, and a checker that watches what your work does.

    \b
    Examples:
      lab up                create a cluster (lab up --help says how to use yours)
      lab open mlflow       open a page of the platform (after lab up --with tracking)
      lab list              see the labs
      lab start 10          start lab 10; its files go to ~/mlops-lab
      lab check 10          check your work and see your points
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 passed, 1 failed, 2 usage, 3 environment, 130 interrupted."""
    try:
        given = list(arguments) if arguments is not None else None
        _open_streams()
        _fix_places()
        with terminable():
            code = cli.main(args=given, prog_name="lab", standalone_mode=False)
        sys.stdout.flush()
    except LabError as error:
        complain(error.message, error.hint, error.detail)
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "lab"
        complain(error.format_message().removesuffix("."), f"see {command} --help")
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted", "run the same command again; it continues from there")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`lab list | head`), so print nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.PASSED)
    except OSError as error:
        if error.errno in _FULL:
            complain(f"the disk is full ({error.filename or 'while writing'})", "free some space: lab images prune")
        elif error.errno in _CLOSED and error.filename:
            complain(f"{error.filename} can't be read or written: {error.strerror}", _OWNER)
        elif _NO_TEMPORARY in str(error):  # Python says no more of a disk that is full, or read-only
            complain("there is no room for a temporary file", _TEMPORARY, str(error.strerror))
        else:
            raise
        sys.exit(ExitCode.ENVIRONMENT)
    sys.exit(code if isinstance(code, int) else ExitCode.PASSED)


def _open_streams() -> None:
    """Give streams that the shell has closed (`lab list >&-`) to nobody, so that no file of ours gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _fix_places() -> None:
    """Let folders that are named from the current one, or with `~`, be the same ones from everywhere."""
    for name in _PLACES:
        if place := os.environ.get(name):
            with contextlib.suppress(RuntimeError):  # `~` of a user whom nobody knows
                os.environ[name] = str(Path(place).expanduser().absolute())


if __name__ == "__main__":
    main()
