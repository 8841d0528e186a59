"""The authors' commands beside verify: proofs, new, completion."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.cli.arguments import ModelLab, Provable
from mlops_lab.labs.catalog import Exercise, exercises, labs_folder

if TYPE_CHECKING:
    from mlops_lab.tasks.task import Task


@click.command("proofs")
@click.argument("wanted", metavar="[LAB or TASK]...", nargs=-1, type=Provable())
@click.option("--whole", is_flag=True, help="Only whole proofs count; else labs' short form does, too.")
@click.option("--page", "rewrite", is_flag=True, help="Write docs/proofs.md anew, say after a merge.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show_proofs(wanted: tuple[Exercise | Task, ...], whole: bool, rewrite: bool, as_json: bool) -> None:
    """Show how fresh the proofs of labs and tasks are.

    Labs stand before the exams' tasks. Of both those come first whose turn it is to be proved anew; docs/proofs.md has
    when each was proved last.

    \b
    Examples:
      lab proofs
      lab proofs 10 12 --whole
      lab proofs storage-class
    """
    from mlops_lab.proof import page
    from mlops_lab.proof.proofs import SHORT, WHOLE
    from mlops_lab.proof.tasks import fresh
    from mlops_lab.proof.turns import turns
    from mlops_lab.tasks.task import tasks

    if rewrite:
        page.write()
    labs = [each for each in wanted if isinstance(each, Exercise)] if wanted else exercises()
    bank = [each for each in wanted if not isinstance(each, Exercise)] if wanted else tasks()
    found, of_tasks = turns(labs, WHOLE if whole else SHORT), fresh(bank)
    if as_json:
        rows = [turn.plain() for turn in found]
        rows += [{"task" if key == "lab" else key: value for key, value in turn.plain().items()} for turn in of_tasks]
        click.echo(json.dumps(rows, indent=2))
    else:
        wide = max((len(turn.exercise.slug) for turn in [*found, *of_tasks]), default=0)
        for turn in [*found, *of_tasks]:
            click.echo(f"{turn.exercise.slug.ljust(wide)}  {'holds' if turn.fresh else 'renew'}  {turn}")


@click.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of labs; the project's own if not given.",
)
@click.option("--shape", metavar="SHAPE", help="What its task is about: deployment, if not given, or job.")
@click.option("--like", metavar="LAB", type=ModelLab(), help="Begin with a copy of this lab, and rewrite it.")
def new(name: str, into: Path | None, shape: str | None, like: Exercise | None) -> None:
    """Make the folder of a new lab.

    Its number is one that neither this folder nor the project has: namespaces and records are called by it.
    A line in texts, lab.toml and mistakes says what to write; lab verify wants all of them gone. With --like title and
    number are new, and all else is that lab's until you write it anew. Where MLOPS_LAB_LABS names a folder without that
    lab, it is the project's.

    \b
    Examples:
      lab new batch-scoring --shape job
      lab new queue-workers --like 10
      lab new 70-batch-scoring --into ~/my-labs
    """
    from mlops_lab.proof.skeleton import make, make_like, shapes

    if shape is not None and (like is not None or shape not in shapes()):
        hint = "leave out one of them" if like else f"it may be {' or '.join(shapes())}"
        raise UsageError("--shape and --like exclude each other" if like else f"there is no shape {shape!r}", hint)
    root, others = into or labs_folder(), exercises(project() / "labs")
    folder = (
        make_like(name, root, like, beside=others) if like else make(name, root, shape or "deployment", beside=others)
    )
    number = folder.name[:2]
    before = f"MLOPS_LAB_LABS={shlex.quote(str(into))} " if into else ""
    click.echo(f"Made {folder}")
    click.echo(f"next: fill it (docs/add-a-lab.md); what is left to write: {before}lab verify {number} --only form")
    click.echo(f"then, on the cluster: {before}lab verify {number}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script.

    \b
    Examples:
      mkdir -p ~/.local/share/bash-completion/completions
      lab completion bash > ~/.local/share/bash-completion/completions/lab
      lab completion zsh > "${fpath[1]}/_lab"
      lab completion fish > ~/.config/fish/completions/lab.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "lab", "_LAB_COMPLETE").source())
