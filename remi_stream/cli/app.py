"""The `remi-stream` application and its list of commands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from remi_stream import __version__
from remi_stream.cli import (
    bench,
    control,
    convert,
    evaluate,
    export,
    files,
    lift,
    lists,
    live,
    measure,
    models,
    morph,
    play,
    service,
    status,
    view,
)
from remi_stream.cli.doctor import checks


def _remove_types_of_flags(command: Any) -> None:
    """Show "--loop" in the help rather than "--loop <bool>", which newer versions of Typer write."""
    # the option --help is made on first use, from these names, and kept
    help_option = command.get_help_option(SimpleNamespace(help_option_names=["--help"]))
    for parameter in [*command.params, *([help_option] if help_option else [])]:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _remove_types_of_flags(inner)


class _CommandGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        _remove_types_of_flags(self)

    def get_params(self, ctx: Any) -> Any:
        """Return the options, with those of the shell completion, which Typer adds later."""
        for parameter in self.params:
            parameter.metavar = "" if "completion" in parameter.name else parameter.metavar
        return super().get_params(ctx)


app = typer.Typer(
    cls=_CommandGroup,
    help="Camera video in, moving SMPL bodies out, live.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel="Run")(live.demo)
app.command(rich_help_panel="Run")(live.webcam)
app.command(rich_help_panel="Run")(live.rtsp)
app.command(rich_help_panel="Run")(live.remi)
app.command(rich_help_panel="Run")(files.video)
app.command(rich_help_panel="Run")(play.play)
app.command(rich_help_panel="Run")(live.run)
app.command(rich_help_panel="Inspect")(status.tail)
app.command(rich_help_panel="Inspect")(view.view)
app.command(rich_help_panel="Inspect")(status.status)
app.command(rich_help_panel="Inspect")(lists.recordings)
app.command(rich_help_panel="Inspect")(lists.cameras)
app.command(rich_help_panel="Inspect")(checks.doctor)
app.command(rich_help_panel="Inspect")(bench.bench)
app.command(rich_help_panel="Measure")(measure.measure)
app.command(rich_help_panel="Measure")(measure.compare)
app.command(rich_help_panel="Measure")(evaluate.evaluate)
app.command(rich_help_panel="Models")(lists.engines)
app.command(rich_help_panel="Models")(convert.convert)
app.command(rich_help_panel="Files")(files.images)
app.command(rich_help_panel="Files")(export.export)
app.command(rich_help_panel="Files")(lift.lift)
app.command(rich_help_panel="Files")(morph.morph)
app.add_typer(control.app, name="control", rich_help_panel="Run")
app.add_typer(service.app, name="service", rich_help_panel="Run")
app.add_typer(models.app, name="models", rich_help_panel="Models")


def _print_version(requested: bool) -> None:
    if requested:
        print(f"remi-stream {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
