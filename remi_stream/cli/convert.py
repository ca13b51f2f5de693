"""`remi-stream convert`: from checkpoints to what the fast runtimes run."""

from __future__ import annotations

from typing import Annotated

import typer

from remi_stream.errors import DONE, UsageError
from remi_stream.models.catalogue import known_files
from remi_stream.models.manifest import ModelFile, list_manifests


def convert(
    name: Annotated[str, typer.Argument(help="An engine, a detector, or one of their models.", metavar="NAME")],
    again: Annotated[bool, typer.Option("--again", help="Convert even if it was done before.")] = False,
) -> int:
    """Convert imported checkpoints to ONNX, which OpenVINO and ONNX Runtime run. It is done once; --engine does it by itself."""
    from remi_stream.convert import artefact

    for file in checkpoints(name):
        path = artefact.place(file)
        made = again or not path.is_file()
        if made:
            artefact.convert(file)
        print(f"{file.name}: {path} ({path.stat().st_size / 1e6:.1f} MB, {'converted' if made else 'was there already'})")
    return DONE


def checkpoints(name: str) -> list[ModelFile]:
    """The checkpoints that a name stands for."""
    offered = {manifest.name: manifest.weights for manifest in list_manifests()}
    offered |= {file.name: [file] for file in known_files().values()}
    stem = name if name in offered else name.rpartition("-")[0]
    files = [file for file in offered.get(stem, []) if file.network]
    if not files:
        convertible = sorted(key for key, value in offered.items() if any(file.network for file in value))
        raise UsageError(f"There is nothing to convert for '{name}'. What can be converted: {', '.join(convertible)}")
    return files
