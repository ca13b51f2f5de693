"""`remi-stream engines`: the pose networks that can be chosen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from remi_stream.errors import DONE
from remi_stream.models.manifest import Manifest, list_engines
from remi_stream.models.store import fault

NARROWEST = 100


def engines() -> int:
    """List the pose networks: what each is, what it runs in, its licence, and whether its weights are there."""
    table = Table("engine", "what it is", "runs in", "licence", "weights", box=None, header_style="bold")
    for manifest in list_engines():
        table.add_row(manifest.name, manifest.what, runtimes(manifest), manifest.licence, weights(manifest))
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, NARROWEST))
    console.print(table)
    return DONE


def runtimes(manifest: Manifest) -> str:
    """The runtimes, the default one first."""
    return ", ".join(sorted(manifest.runtimes, key=lambda runtime: runtime != manifest.runtime))


def weights(manifest: Manifest) -> str:
    """Whether the weights are there: "ready", or the first fault."""
    return next((found for file in manifest.weights if (found := fault(file))), "ready")
