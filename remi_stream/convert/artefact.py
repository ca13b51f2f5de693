"""The ONNX that is made of a checkpoint, once, and kept: in `cache/onnx` of the user's folder, by the checkpoint's hash."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from remi_stream.errors import RemiError
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import hash_of, model_file
from remi_stream.resources import home

EDITION = 1
"""Another number makes everybody's ONNX anew."""


def place(file: ModelFile) -> Path:
    """Where the ONNX of a checkpoint belongs."""
    return home() / "cache" / "onnx" / f"{file.network}-{hash_of(file)[:16]}-{EDITION}.onnx"


def artefact(file: ModelFile) -> Path:
    """Where the ONNX of a checkpoint is. Raises RemiError if it has not been made."""
    model_file(file)
    path = place(file)
    if not path.is_file():
        raise RemiError(f"{file.file} has not been converted to ONNX. Convert it: remi-stream convert {file.name}")
    return path


def convert(file: ModelFile) -> Path:
    """Make the ONNX of a checkpoint in this process; it appears whole or not at all."""
    require(file)
    from remi_stream.convert.onnx import export

    path = place(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
        export(file.network, model_file(file), Path(folder) / path.name)
        os.replace(Path(folder) / path.name, path)
    return path


def make_artefacts(files: list[ModelFile], tell: Callable[[str], None]) -> None:
    """Make what is missing, in a process of its own: this one may run OpenVINO later, and the two share no process."""
    for file in files:
        if not file.network or place(file).is_file():
            continue
        tell(f"Converting {file.file} to ONNX, once (a minute or so) ...")
        done = subprocess.run(
            [sys.executable, "-m", "remi_stream", "convert", file.name], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = last_line(done.stderr).removeprefix("remi-stream: ") or f"exit code {done.returncode}"
            raise RemiError(f"{file.file} could not be converted: {reason}")


def require(file: ModelFile) -> None:
    """Raise RemiError unless what makes ONNX is installed."""
    missing = [name for name in ("torch", "onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise RemiError(
            f"Converting {file.file} needs {', '.join(missing)}, which is not installed here: pip install 'remi-stream[torch]'"
        )


def last_line(text: str) -> str:
    """The last line of a text that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
