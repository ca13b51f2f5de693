"""`remi-stream engines`: the pose networks that can be chosen."""

from __future__ import annotations

from rich.console import Console

from remi_stream.errors import DONE
from remi_stream.models.manifest import Manifest, list_engines
from remi_stream.models.store import fault

ROW = "{:<14}{:<9}{:<31}{}"


def engines() -> int:
    """List the pose networks: what each is, what it runs in, its licence, and whether its weights are there."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(ROW.format("engine", "weights", "runs in", "licence"), style="bold")
    for manifest in list_engines():
        console.print(ROW.format(manifest.name, weights(manifest), runtimes(manifest), manifest.licence))
        console.print(f"  {manifest.what}", style="dim")
    return DONE


def runtimes(manifest: Manifest) -> str:
    """The runtimes, the default one first."""
    return ", ".join(sorted(manifest.runtimes, key=lambda runtime: runtime != manifest.runtime))


def weights(manifest: Manifest) -> str:
    """Whether the weights are there: "ready", or the first fault."""
    return next((found for file in manifest.weights if (found := fault(file))), "ready")
