"""A class: hand work in, and verify what the class has signed. Its teacher's commands are in two other modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from mlops_lab.base.errors import ExitCode, LabError, UsageError
from mlops_lab.cli import class_data, teacher
from mlops_lab.cli.arguments import lab_argument
from mlops_lab.cli.terminal import painter, say, width
from mlops_lab.labs.catalog import Exercise, about

if TYPE_CHECKING:
    from mlops_lab.classroom.packing import Packed
    from mlops_lab.classroom.sending import Server, Submission
    from mlops_lab.classroom.signing import PublicKey

_LARGEST = 4 << 20  # bytes of a certificate
_SHOWN = 10  # paths
_HELD = "; once it has begun, you can look at your namespace and change nothing in it, until it has ended"


@click.group("class")
def classes() -> None:
    """Run a class: learners' files, gradebook, map, and what was signed.

    \b
    Examples:
      lab class up --roster roster.csv --listen 192.168.1.10
      lab class kit --out kits
      lab class map
      lab class verify records.jsonl --key class.pem
    """


for _each in (*teacher.COMMANDS, *class_data.COMMANDS):
    classes.add_command(_each)


@classes.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The class's public key; without it, that of your class's file.",
)  # fmt: skip
@click.pass_context
def verify(ctx: click.Context, file: Path, key: Path | None) -> None:
    """Verify a class's records, or a certificate.

    FILE is an export of records (one JSON object per line), a certificate (.jwt), or its page. Of records it names the
    first that was changed, left out, doubled, moved or cut off. Exit code: 0 all is as it was signed, 1 it is not, 2
    wrong usage.

    \b
    Examples:
      lab class verify records.jsonl --key class.pem
      lab class verify certificate.html --key class.pem
    """
    public = _key(key)
    with file.open("rb") as opened:
        records = _is_records(opened.peek(4096))  # a pipe has no way back
        code = _verify_records(opened, public) if records else _verify_certificate(opened.read(_LARGEST), public)
    ctx.exit(code)


@click.command()
@lab_argument
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write the archive there; send nothing.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the result.")
@click.option("--within", type=click.FloatRange(min=0), default=60, show_default=True, help="Minutes to wait.")
@click.pass_context
def submit(ctx: click.Context, exercise: Exercise, to: Path | None, wait: bool, within: float) -> None:
    """Hand your work on a lab in to your class.

    The files in your folder for the lab are sent as they are; hidden and generated ones stay here. The same work is one
    submission, however often you send it. A lab about mending what runs has no files: your namespace on the class's
    cluster is graded as it is. Exit code: 0 handed in, or passed; 1 graded and not passed, 2 wrong usage, 3 the class's
    server or its grader has a problem.

    \b
    Examples:
      lab submit 10
      lab submit 10 --no-wait
      lab submit 10 --to work.tar
    """
    from mlops_lab.classroom import kit as kits
    from mlops_lab.classroom.gradable import is_in_place
    from mlops_lab.classroom.packing import pack
    from mlops_lab.classroom.sending import Server
    from mlops_lab.labs.workspace import folder_of

    folder, in_place = folder_of(exercise), is_in_place(exercise.number)
    kit = None if to else kits.read()
    if in_place and kit is None:
        raise UsageError(
            f"lab {exercise.number} has no files to hand in: what was mended are objects in the cluster",
            f"see by yourself how you stand: lab check {exercise.number}; a class grades it where it shares a cluster",
        )
    if not to and kit is None:
        raise UsageError(
            f"you are in no class: there is no {kits.place()}",
            f"put your teacher's file there, or write an archive: lab submit {exercise.number} --to FILE",
        )
    if kit and in_place:
        server = Server(kit)
        given = server.ask(exercise.number)
        click.echo(f"handed in as submission {given.number} of lab {exercise.number}: your namespace, and no files")
        if wait:
            ctx.exit(_follow(server, given, exercise, within * 60))
        return
    if not folder.is_dir():
        raise UsageError(
            f"you have no folder for lab {exercise.number}: {folder}",
            f"with a cluster of your own: lab start {exercise.number}; else make it, and put your files there",
        )
    if to and to.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{to} would be in the folder that is handed in", "name a place elsewhere with --to")
    packed = pack(folder)
    _say_packed(packed)
    if to:
        _write(to, packed)
    if kit is None:
        return
    server = Server(kit)
    given = server.submit(exercise.number, packed)
    click.echo(f"handed in as submission {given.number} of lab {exercise.number}, sha256 {packed.sha256}")
    if wait:
        ctx.exit(_follow(server, given, exercise, within * 60))


def _key(file: Path | None) -> PublicKey:
    from mlops_lab.classroom import kit as kits
    from mlops_lab.classroom.signing import public_key

    if file:
        return public_key(file)
    kit = kits.read()
    own = kit.public_key if kit else None
    if own is None:
        raise UsageError(
            "the class's public key is needed",
            "name its file with --key; it stands in each learner's file from the teacher (docs/class-records.md)",
        )
    return own


def _is_records(beginning: bytes) -> bool:
    """Whether a file begins as an export of records does; certificates begin with letters, their pages with `<`."""
    return beginning.lstrip()[:1] in (b"{", b"")


def _verify_records(file: BinaryIO, key: PublicKey) -> ExitCode:
    from mlops_lab.classroom.audit import LONGEST, verify

    found = verify(iter(lambda: file.readline(LONGEST), b""), key)
    for note in found.notes:
        say(f"note: {note}")
    if found.broken:
        before = f"; the {found.records} before it are whole" if found.records else ""
        click.echo(f"NOT AS IT WAS SIGNED, {found.broken.what}: {found.broken.text}{before}")
        return ExitCode.FAILED
    click.echo(f"{found.records} records are whole and in order, as of {found.at}; signed with the key {key.id}")
    return ExitCode.PASSED


def _verify_certificate(content: bytes, key: PublicKey) -> ExitCode:
    from mlops_lab.classroom.certificate import Untrue, read

    try:
        found = read(content.decode(), key)
    except (Untrue, UnicodeDecodeError) as wrong:
        why = str(wrong) if isinstance(wrong, Untrue) else "it holds neither records nor a certificate"
        click.echo(f"NOT AS IT WAS SIGNED: {why}")
        return ExitCode.FAILED
    labs = ", ".join(f"{each.name} ({each.points} of {each.possible} points)" for each in found.labs)
    click.echo(f"a certificate of {found.by} for {found.name}, of {found.issued}: {labs}; signed with the key {key.id}")
    return ExitCode.PASSED


def _say_packed(packed: Packed) -> None:
    say(f"{len(packed.files)} files, {len(packed.content) / 1024:.0f} KiB: {_few(packed.files)}")
    if packed.left_out:
        say(f"left out, as hidden or generated: {_few(packed.left_out)}")


def _few(paths: tuple[str, ...]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _write(file: Path, packed: Packed) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(packed.content)
    except OSError as trouble:
        raise LabError(
            f"{file} can't be written: {trouble.strerror or trouble}", "name another file with --to"
        ) from trouble
    click.echo(f"wrote {file}, sha256 {packed.sha256}")


def _follow(server: Server, given: Submission, exercise: Exercise, within: float) -> ExitCode:
    from mlops_lab.classroom.gradable import is_in_place

    in_place = is_in_place(exercise.number)
    result = "your page shows its result" if in_place else "the same command shows its result"

    def seen(now: Submission) -> None:
        if now.state == "waiting":
            say(f"waiting, place {now.place} in the queue" if now.place else "waiting")
        elif now.state == "grading":
            say("the class's grader is at work on it" + (_HELD if in_place else ""))

    try:
        last = server.follow(given, within, seen)
    except KeyboardInterrupt:
        say(f"it is handed in, and will be graded; {result}")
        raise
    if last.state == "failed" and in_place:
        raise LabError(
            f"it was not graded: {last.why or 'the grader does not say why'}",
            f"this costs you nothing; once that is different, hand in again: lab submit {exercise.number}",
        )
    if last.state == "failed":
        raise LabError(
            f"the grader could not grade it: {last.why or 'it does not say why'}",
            "this costs you nothing; tell your teacher, who can have it graded again",
        )
    if last.result is None:
        say(f"it is handed in, and not graded yet; {result}")
        return ExitCode.PASSED
    return _show(last, exercise)


def _show(graded: Submission, exercise: Exercise) -> ExitCode:
    from mlops_lab.checks import report

    assert graded.result is not None
    title = f"Lab {exercise.number}: {about(exercise).title}, submission {graded.number}"
    click.echo(report.terminal(title, graded.result.checks, paint=painter(sys.stdout), width=width()))
    return report.exit_code(graded.result.checks)
