"""Arguments that several commands take: a lab by number or name, with completion."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.labs.catalog import Exercise, exercises, labs_folder, resolve

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LabName(click.ParamType[Exercise]):
    """`10`, `autoscale-on-cpu` or `10-autoscale-on-cpu`."""

    name = "lab"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Exercise:
        return value if isinstance(value, Exercise) else resolve(str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        with contextlib.suppress(LabError):
            return [
                CompletionItem(each.number if incomplete[:1].isdigit() or not incomplete else each.name, help=each.slug)
                for each in exercises()
                if each.slug.startswith(incomplete) or each.name.startswith(incomplete)
            ]
        return []


class ModelLab(LabName):
    """A lab to begin with: of the folder of labs, or else one of the project's own where that is another folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Exercise:
        try:
            return super().convert(value, param, ctx)
        except UsageError:
            with contextlib.suppress(UsageError):
                return resolve(str(value), project() / "labs")
            raise


class Provable(click.ParamType[Any]):
    """A lab, as `LabName` takes it, or a task of the exams' bank by its name."""

    name = "lab or task"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from mlops_lab.tasks.task import named

        try:
            return LabName().convert(value, param, ctx)
        except UsageError as neither:
            try:
                return named(str(value))
            except UsageError:
                raise neither from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from mlops_lab.tasks.task import tasks

        found = LabName().shell_complete(ctx, param, incomplete)
        with contextlib.suppress(LabError):
            own = [each for each in tasks() if each.name.startswith(incomplete)]
            found += [CompletionItem(each.name, help=each.about.title) for each in own]
        return found


class CheckName(click.ParamType[str]):
    """The name of a check of the lab that stands before it."""

    name = "check"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from mlops_lab.labs.checker import checks

        exercise = ctx.params.get("exercise")
        with contextlib.suppress(LabError):
            if isinstance(exercise, Exercise):
                return [
                    CompletionItem(item.name, help=item.title)
                    for item in checks(exercise)
                    if item.name.startswith(incomplete)
                ]
        return []


class Words(click.ParamType[str]):
    """A text that is written into files, such as a person's name; a command line may have any bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError as broken:
            what = param.opts[0] if param else "a text"
            raise UsageError(f"{what} has bytes that are not UTF-8", "write it without them") from broken
        return text


lab_argument = click.argument("exercise", metavar="LAB", type=LabName())


def no_labs() -> str:
    """Says of a folder of labs that has none where it is, and how to have the project's."""
    hint = "see where your labs are, or, for the project's: unset MLOPS_LAB_LABS"
    return f"There are no labs in {labs_folder()}.\nnext: {hint}"


def lab_numbers(text: str | None) -> list[str] | None:
    """The numbers of labs such as `4,autoscale-on-cpu`; None where none are named.

    Raises:
        UsageError: there is no such lab.
    """
    return None if text is None else [resolve(each.strip()).number for each in text.split(",") if each.strip()]


def class_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that names a class's cluster."""
    words = "The class's cluster, if it is not the one in use."
    return click.option("--context", metavar="NAME", default="", help=words)(command)
