"""`remi-stream engines`: the available pose engines."""

from __future__ import annotations

from rich.console import Console

from remi_stream.errors import EXIT_DONE
from remi_stream.models.manifest import Manifest, list_engines
from remi_stream.models.store import file_fault

ENGINE_ROW = "{:<14}{:<9}{:<31}{}"


def engines() -> int:
    """List the pose engines with their runtimes, licence, and whether the weights are present."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(ENGINE_ROW.format("engine", "weights", "runtimes", "licence"), style="bold")
    for manifest in list_engines():
        console.print(ENGINE_ROW.format(manifest.name, weights_state(manifest), runtimes_label(manifest), manifest.licence))
        console.print(f"  {manifest.what}", style="dim")
    return EXIT_DONE


def runtimes_label(manifest: Manifest) -> str:
    """Runtimes of an engine, the default one first."""
    return ", ".join(sorted(manifest.runtimes, key=lambda runtime: runtime != manifest.runtime))


def weights_state(manifest: Manifest) -> str:
    """State of an engine's weights: "ready", or the first fault."""
    return next((state for file in manifest.weights if (state := file_fault(file))), "ready")
