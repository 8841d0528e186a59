"""lab class, for who teaches: up, kit, map, reset, extend."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.cli.arguments import Words, class_option, lab_argument, lab_numbers
from mlops_lab.cli.terminal import agree, say
from mlops_lab.labs.catalog import Exercise

if TYPE_CHECKING:
    import socket

    from mlops_lab.base.progress import Progress
    from mlops_lab.classroom.teacher.installing import Address
    from mlops_lab.classroom.teacher.kits import Written
    from mlops_lab.classroom.teacher.place import Place
    from mlops_lab.cluster.record import Cluster

_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Day(click.ParamType[date]):
    """A day such as 2026-12-31."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-12-31", param, ctx)


@click.command()
@click.option("--roster", type=_READABLE, required=True, help="Who takes part: CSV with id, name, email, ends.")
@class_option
@click.option("--registry", metavar="PREFIX", default="", help="With --context: the registry its nodes pull from.")
@click.option(
    "--listen",
    metavar="ADDRESS[:PORT]",
    help="Let learners in at this address of this machine until Ctrl-C; at port 8443 if none is named.",
)
@click.option("--address", metavar="HOST[:PORT]", help="What learners reach it by, if that is not --listen's address.")
@click.option("--shared", metavar="URL", help="Learners work on this cluster, whose API server they reach there.")
@click.option("--grading/--no-grading", default=None, help="Grade what is handed in, on this cluster; or only collect.")
@click.option("--name", type=Words(), help="What the class is called.")
@click.option("--labs", metavar="NN,...", help="Its labs; without it, all that can be graded in a class.")
@click.option("--values", type=_READABLE, help="More values of charts/classroom, such as when labs are due.")
def up(
    roster: Path, context: str, registry: str, listen: str | None, address: str | None, shared: str | None,
    grading: bool | None, name: str | None, labs: str | None, values: Path | None,
) -> None:  # fmt: skip
    """Bring a class up, or change it.

    All of it comes: images, the server with its database, and what grades, with Kueue for turns. Without --no-grading a
    class grades.

    Run it again whenever it was interrupted or the roster has changed; what you do not say again stays as it was.
    Nothing listens beyond 127.0.0.1 unless you name an address with --listen, and there it speaks TLS.

    \b
    Examples:
      lab class up --roster roster.csv
      lab class up --roster roster.csv --listen 192.168.1.10
      lab class up --roster roster.csv --labs 02,04,10 --name "MLOps, autumn"
      lab class up --roster roster.csv --no-grading
      lab class up --roster roster.csv --context team --shared https://cluster.example.org:6443
    """
    from mlops_lab.base.progress import Progress, spell
    from mlops_lab.classroom.teacher import installing
    from mlops_lab.classroom.teacher.grading import wanted as graded
    from mlops_lab.classroom.teacher.place import Place

    begin, progress = time.monotonic(), Progress()
    learners, text = installing.read_roster(roster)
    listens = installing.address(listen, "--listen") if listen else None
    reached = installing.address(address, "--address") if address else listens
    more = installing.read_values(values) if values else None
    wishes = installing.Wishes(learners, text, reached, name, lab_numbers(labs), _api(shared), more, grading)
    port = _bound(listens)
    try:
        place = Place(_cluster(context, registry, progress))
        told = installing.install(place, wishes, progress)
        took = spell(time.monotonic() - begin)
        click.echo(f"The class is up in {place.cluster.context} with {len(learners)} learners ({took})")
        click.echo("  gradebook and map: lab class map")
        click.echo("  is it well, who waits: lab class status")
        if not graded(told):
            click.echo("  it only collects; to grade what is handed in: the same command with --grading")
        click.echo(f"  learners reach it at {told.address}")
        if installing.is_here(told):
            click.echo("  which is this machine alone; for others: the same command with --listen ADDRESS")
        elif not listens:
            click.echo("  while this command runs with --listen ADDRESS, or by what you have put before its Service")
        click.echo("next: lab class kit --out kits, and give each learner the file of that name")
        sys.stdout.flush()
        if port:
            _let_in(place, port, f"Learners are let in at {told.address} (Ctrl-C ends that; the class stays)")
    finally:
        if port:
            port.close()


@click.command()
@click.argument("learner", required=False)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("kits"), show_default=True,
              help="The folder for the files.")  # fmt: skip
@click.option("--until", type=_Day(), help="The new tokens' last day; else the roster's `ends`, or 30 days from now.")
@click.option("--new", is_flag=True, help="End the tokens that there are, and make new ones.")
@class_option
def kit(learner: str | None, out: Path, until: date | None, new: bool, context: str) -> None:
    """Write a file for each learner, or for one.

    It holds the address, the certificate, a token that ends, and what to type first. A file is as good as a password:
    only you can read it, and you give it to its learner. Files that are there and work stay. With another
    end by --until a file gets another token; the one before works until its own end, if --new does not end it.

    On a shared cluster the file's token for that is made anew where it has ended, and for a learner whom you name.

    \b
    Examples:
      lab class kit
      lab class kit ada --out kits --until 2026-12-31
      lab class kit ada --new
    """
    from mlops_lab.classroom.teacher import kits, place

    klass = place.of(context)
    everyone = [place.learner(klass, learner)] if learner else klass.roster()
    over = [] if learner else [each.id for each in everyone if kits.is_over(each)]
    longer: list[str] = []

    def done(written: Written) -> None:
        more = f", and for the cluster until {written.cluster}" if written.cluster else ""
        click.echo(f"{written.file}  {'until' if written.new else 'is there, until'} {written.ends}{more}")
        if written.before:
            longer.append(f"{written.learner} (until {written.before})")

    kits.write(klass, [each for each in everyone if each.id not in over], out, until, new, bool(learner), done)
    if longer:
        say(f"the token of the file before still works: {', '.join(longer)}; to end it: the same command with --new")
    if over:
        say(f"no files for those whose time is over: {', '.join(over)}")
    click.echo("next: give each learner the file; what to type first is in it, and in docs/class-learner.md")


@click.command("map")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1. Default: 8443, if it is free.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@class_option
def show_map(port: int | None, no_browser: bool, context: str) -> None:
    """Open the teacher's page.

    It shows who is where, who is stuck, and what waits. Forwards the class's server to 127.0.0.1 until you press
    Ctrl-C. Your browser does not know the certificate's authority; its fingerprint is printed, to compare.

    \b
    Examples:
      lab class map
      lab class map --no-browser --port 9443
    """
    from mlops_lab.classroom.teacher import asking, place, relay
    from mlops_lab.cli.platform import opened
    from mlops_lab.platform.pages import free_port

    klass = place.of(context)
    token = klass.secret(klass.told().value("server", "existingSecret") or "class").get("teacher", "")
    own = asking.fingerprint(klass)
    taken = relay.bound("127.0.0.1", port or free_port(place.PORT))
    url = f"https://127.0.0.1:{taken.getsockname()[1]}/map"
    with contextlib.closing(taken):
        click.echo(f"to sign in, the teacher's token: {token}")
        click.echo(f"the certificate's SHA-256 fingerprint: {own}")
        _let_in(klass, taken, "", lambda: opened(url, "the class's map", no_browser))


@click.command()
@click.argument("learner")
@lab_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@class_option
def reset(learner: str, exercise: Exercise, yes: bool, context: str) -> None:
    """Begin a learner's lab anew, on a shared cluster.

    The learner's namespace of the lab is deleted with all that is in it. Results that were signed stay.

    \b
    Examples:
      lab class reset ada 10
    """
    from mlops_lab.classroom.roster import namespace
    from mlops_lab.classroom.teacher import kits, place

    klass = place.of(context)
    who = place.learner(klass, learner)
    agree(f"Delete all that {who.name} has in {namespace(who.id, exercise.number)}?", yes or not klass.told().shared)
    space = kits.begin_again(klass, who, exercise.number)
    click.echo(f"{space} is as at the beginning")


@click.command()
@click.argument("learner")
@click.option("--until", type=_Day(), required=True, help="The last day, such as 2026-12-31.")
@class_option
def extend(learner: str, until: date, context: str) -> None:
    """Let a learner's tokens end later.

    The learner's file stays as it is. By the roster's `ends` it ends all the same: change that first.

    \b
    Examples:
      lab class extend ada --until 2026-12-31
    """
    from mlops_lab.classroom.teacher import kits, place

    klass = place.of(context)
    who = place.learner(klass, learner)
    count = kits.extend(klass, who, until)
    if not count:
        click.echo(f"{who.id} has no token that would end before; next: lab class kit {who.id} --until {until}")
        return
    click.echo(f"{count} of {who.id}'s tokens end on {until} now; the file stays as it is")
    if klass.told().shared:
        click.echo(f"the token for the cluster can't be extended; for another one: lab class kit {who.id}")


COMMANDS = (up, kit, show_map, reset, extend)


def _api(url: str | None) -> str | None:
    from urllib.parse import urlsplit

    if not url:
        return url
    wrong = UsageError(f"{url!r} is no API server's address", "write it as --shared https://cluster.example.org:6443")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "https" or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise wrong
    return url.rstrip("/")


def _bound(address: Address | None) -> socket.socket | None:
    from mlops_lab.classroom.teacher import relay

    return relay.bound(address.host, address.port) if address else None


def _cluster(context: str, registry: str, progress: Progress) -> Cluster:
    from mlops_lab.cluster import existing, record

    if registry and not context:
        raise UsageError("--registry works only with --context", "see: lab class up --help")
    if not context:
        return record.current()
    made, named = record.made(), record.named()
    if made and made.context == context:
        return made
    return existing.use(context, registry or (named.registry if named and named.context == context else ""), progress)


def _let_in(place: Place, port: socket.socket, line: str, begun: Callable[[], None] = lambda: None) -> None:
    """Pass connections on until the user ends it."""
    from mlops_lab.classroom.teacher import relay
    from mlops_lab.classroom.teacher.place import NAMESPACE, PORT
    from mlops_lab.cluster.port_forward import PortForward

    forward = PortForward(place.kubectl, NAMESPACE, "server", PORT, hint="see what is wrong with it: lab class status")
    with contextlib.suppress(KeyboardInterrupt), relay.relaying(port, forward, say) as ended:
        if line:
            click.echo(line)
            sys.stdout.flush()
        begun()
        while not ended.wait(1):
            pass
